"""The joint experiment: sentences and tables follow from its records; one small record is made."""

import numpy as np
import pytest

from experiments.studies.joint_dce_asl.flows import FLOWS
from experiments.studies.joint_dce_asl.scales import SCALES
from experiments.studies.joint_dce_asl.scores import rows_of
from experiments.studies.joint_dce_asl.study import STUDY, run_joint
from experiments.studies.joint_dce_asl.tables import findings
from experiments.studies.runner import write_answer
from simulate.base.progress import silent


def records():
    """Two phantoms, made up; the second has no tumour rim."""
    found = []
    for k in range(2):
        regions = ("grey matter",) if k else ("tumour rim", "grey matter")
        record = {}
        for i, way in enumerate(SCALES):
            record[way] = {r: {p: [0.1 * (i + 1) + 0.02 * k, -0.05] for p in ("Fp", "PS", "vp", "ve")} for r in regions}
            record[way]["all"] = {"scale": [0.1 * i, 0.1 * i]}
        for way in FLOWS:
            interval = [0.9 - 0.2 * k] if way == "QTMnet" else []
            record[way] = {r: {"CBF": [0.2, -0.1, *interval], "ATT": [0.15, 0.05, *interval]} for r in regions}
        found.append(record)
    return found


def test_sentences_and_files_follow_from_the_records(tmp_path):
    rows = rows_of(records())
    by = {(r.way, r.region, r.parameter): r for r in rows}
    assert by["population", "tumour rim", "Fp"].error == pytest.approx(0.1)
    assert by["population", "tumour rim", "Fp"].phantoms == 1
    assert by["population", "grey matter", "Fp"].error == pytest.approx(0.11)
    assert "population 0.10; asl, white paper 0.20" in findings(rows)[0]
    assert "bias -0.10" in findings(rows)[2]
    assert "QTMnet 0.15 s" in findings(rows)[3]
    assert findings(rows)[4] == "In tumour rim QTMnet's 90 % intervals cover 90 % of CBF and 90 % of ATT."
    assert "cover 80 % of CBF" in findings(rows)[-1]
    assert np.isnan(by["population", "tumour rim", "Fp"].coverage)
    write_answer(tmp_path, STUDY, rows, {})
    for name in ("table.csv", "table.md", "summary.json", "joint.png"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.slow
def test_labelled_water_sets_the_scale(tmp_path):
    """On one phantom: with CBF the scale is nearer than the population's could be by chance; with true CBF, near."""
    rows = run_joint(1, tmp_path, silent)
    scale = {r.way: r.error for r in rows if r.parameter == "scale"}
    assert scale["true area"] == 0
    assert scale["asl, true CBF"] < 0.3
