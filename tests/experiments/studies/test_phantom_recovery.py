"""Whole phantoms, fitted with the exact global input: the delay matters, and the table says so."""

import pytest

from experiments.studies.phantom_recovery import CAPILLARIES, FITS, STUDY, findings, run_phantom_recovery
from experiments.studies.runner import write_answer


def test_fitting_the_delay_is_what_keeps_2cxm_from_being_a_straw_man(tmp_path):
    """A tiny version: one phantom of either kind."""
    rows = run_phantom_recovery(phantoms=1, edge=12)
    rim = {(row.capillaries, row.fit): row.error for row in rows if row.region == "tumour rim"}
    assert len(rim) == len(CAPILLARIES) * len(FITS)
    stirred = rim["stirred (2CXM)", "2CXM"], rim["stirred (2CXM)", "2CXM, delay"]
    assert stirred[1]["Fp"] < 0.7 * stirred[0]["Fp"]
    assert stirred[1]["PS"] < 0.7 * stirred[0]["PS"]
    write_answer(tmp_path, STUDY, rows, {})
    assert f"{stirred[1]['Fp']:.2f} with the delay fitted" in findings(rows)[0]
    assert (tmp_path / "table.md").read_text().count("tumour rim") == 6 + 2


@pytest.mark.slow
def test_plug_flow_truth_costs_2cxm_its_flow():
    """Over four phantoms: with the delay fitted, Fp is far worse on plug flow than on its own model's truth."""
    rows = run_phantom_recovery()
    error = {(row.capillaries, row.fit, row.region): row.error["Fp"] for row in rows}
    assert error["plug flow", "2CXM, delay", "tumour rim"] > 2 * error["stirred (2CXM)", "2CXM, delay", "tumour rim"]
