"""`tracerflow simulate cohort`: its files, and wrong configurations that end with one line before any long work."""

import csv

import pytest

from experiments.cli import run
from experiments.commands.simulate_cohort import plan_of
from experiments.config.simulate_cohort import CohortConfig
from simulate.patients.cohort import CohortPlan, people_of
from simulate.patients.gliomas import GRADES

SMALL = """
[grades]
grade_2 = 1
grade_3 = 0
grade_4 = 0
[visit]
cell = 4.0
slab = [10, 10, 8]
terminals = 60
frames = 16
frame_spacing = 6.0
asl_delays = [1.5]
asl_pairs = 1
frequencies = 128
"""


def test_the_defaults_are_those_of_the_simulator():
    assert plan_of(CohortConfig()) == CohortPlan()
    assert [sum(person.grade == grade for person in people_of(CohortPlan())) for grade in GRADES] == [62, 60, 62]


def test_a_cohort_with_its_table_and_images(tmp_path, capsys):
    (tmp_path / "c.toml").write_text(SMALL)
    assert run(["simulate", "cohort", str(tmp_path / "c.toml"), "--out", str(tmp_path / "out"), "--nifti"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 patient, about ")
    (row,) = csv.DictReader((tmp_path / "out" / "cohort.csv").read_text().splitlines())
    assert row["label"] == "2"
    assert (tmp_path / "out" / "patients" / "patient-00000.h5").stat().st_size > 1e4
    for name in ("t1", "t1ce", "t2", "flair", "segmentation", "dce", "vfa", "mask", "dce_segmentation"):
        assert (tmp_path / "out" / "patients" / "patient-00000" / f"{name}.nii.gz").exists()
    (tmp_path / "c.toml").write_text("seed = 1\n" + SMALL)
    assert run(["simulate", "cohort", str(tmp_path / "c.toml"), "--out", str(tmp_path / "out")]) == 2
    assert "config: is another one than asked for now" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('fixed = ["vp=0.5", "ve=0.6"]', "vp, ve: are 0.5 and 0.6, more than all of the tissue"),
        ('fixed = ["codeleted=true", "idh_mutant=false"]', "which no glioma is"),
        ('fixed = ["height=2"]', "height: is nothing that a patient has"),
        ('fixed = ["grade=7"]', "grade: is 7; give 2, 3 or 4"),
        ('fixed = ["diameter=3"]', "diameter: is 3 mm"),
        ('fixed = ["tall"]', "fixed: is ['tall']"),
        ('nuisance = "weather"', "nuisance: is 'weather'; give one of none, snr, scanner, size, site"),
        ("[grades]\ngrade_2 = 0\ngrade_3 = 0\ngrade_4 = 0", "grades: ask for nobody"),
        ("[grades]\ngrade_2 = -1", "grade_2: is -1; give a whole number from 0"),
        ("[visit]\ncell = 9.0", "visit.cell: is 9.0; give a number from 0.5 to 4 mm"),
        ("[visit]\nasl_delays = []", "visit.asl_delays"),
        ("[visits]\ncell = 2", "[visits]: is no known section"),
    ],
)
def test_a_wrong_configuration_ends_with_one_line(tmp_path, capsys, config, said):
    (tmp_path / "c.toml").write_text(config)
    assert run(["simulate", "cohort", str(tmp_path / "c.toml"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list((tmp_path / "out").rglob("*.h5"))


def test_a_tumour_that_the_head_cannot_hold_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "c.toml").write_text('fixed = ["diameter=180", "necrotic=false"]\n' + SMALL)
    assert run(["simulate", "cohort", str(tmp_path / "c.toml"), "--out", str(tmp_path / "out")]) == 2
    assert "is larger than a hemisphere holds" in capsys.readouterr().err


def test_a_slab_that_the_head_cannot_hold_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "c.toml").write_text(SMALL.replace("[10, 10, 8]", "[90, 10, 8]"))
    assert run(["simulate", "cohort", str(tmp_path / "c.toml"), "--out", str(tmp_path / "out")]) == 2
    assert "of (90, 10, 8) cells is larger than the brain's grid" in capsys.readouterr().err


def test_no_folder_is_asked_for(capsys):
    assert run(["simulate", "cohort"]) == 2
    assert "--out: is missing" in capsys.readouterr().err
