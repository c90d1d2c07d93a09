"""What PHYSICS says of wrong models holds here: plug flow and dispersion, fitted by 2CXM without noise."""

import numpy as np
import pytest

from experiments.cli import run
from experiments.studies.model_mismatch import findings, run_model_mismatch


@pytest.fixture(scope="module")
def rows():
    return {row.case: row for row in run_model_mismatch()}


def test_2cxm_overestimates_the_flow_of_plug_flow_capillaries(rows):
    """By 50 to 70 % at PS/Fp .1 to .5 (a little more at the ends), by 15 to 30 % at 1."""
    low = [rows[f"PS/Fp {ratio:g}"].error["Fp"] for ratio in (0.1, 0.17, 0.25, 0.35, 0.5)]
    assert np.all(np.diff(low) < 0)
    assert min(low) > 45
    assert max(low) < 75
    assert 15 < rows["PS/Fp 1"].error["Fp"] < 30
    assert 50 < rows["PS/Fp 1"].error["vp"] < 150
    assert max(row.residual for case, row in rows.items() if case.startswith("PS")) < 3, "the residual looks fine"


def test_dispersion_that_is_not_modelled_hides_flow(rows):
    plain, delayed, local = (rows[c] for c in ("global input", "global input, delay fitted", "true local input"))
    assert -50 < plain.error["Fp"] < -35
    assert plain.error["vp"] > 40
    assert abs(delayed.error["Fp"]) < abs(plain.error["Fp"])
    assert max(abs(e) for e in local.error.values()) < 0.5, "the matched input leaves nothing"


def test_the_sentences_follow_the_numbers(rows):
    first, second = findings(list(rows.values()))
    assert f"{rows['PS/Fp 0.1'].error['Fp']:.0f} %" in first
    assert f"{rows['global input'].error['Fp']:+.0f} %" in second


def test_the_command_writes_tables_and_a_figure(tmp_path, capsys):
    assert run(["experiment", "model-mismatch", "--out", str(tmp_path)]) == 0
    assert {p.name for p in tmp_path.iterdir()} == {"table.csv", "table.md", "figure.png"}
    assert "overestimates Fp" in capsys.readouterr().out
    assert run(["experiment", "no-such-study", "--out", str(tmp_path)]) == 2
