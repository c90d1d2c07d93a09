"""A cohort on disk: its table, its files, killed and gone on with, and the groups of a nuisance cohort."""

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.files.hdf5 import read_hdf5
from simulate.files.nifti import read_image
from simulate.patients.cohort import NUISANCES, CohortPlan, fixed_values, group_of, people_of, simulate_cohort
from simulate.patients.examination import Visit
from simulate.patients.files import GAIN
from simulate.patients.nifti import protocol_of, write_patient_nifti

VISIT = Visit(cell=4.0, slab=(12, 12, 8), terminals=100, frames=20, spacing=5.0, delays=(1.5,), pairs=1)
PLAN = CohortPlan(grades=(1, 0, 1), visit=VISIT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(PLAN, folder, {"command": "test"})
    return folder


def rows(folder):
    return list(csv.DictReader((folder / "cohort.csv").read_text().splitlines()))


def test_the_table_names_every_file_and_cause(folder):
    found = rows(folder)
    assert sorted(row["label"] for row in found) == ["2", "4"]
    for row, person in zip(found, people_of(PLAN), strict=True):
        assert row["id"] == row["group"] == f"patient-{person.number:05d}"
        assert float(row["true_Fp"]) == pytest.approx(6000 * person.Fp)
        for column in ("t1", "t1ce", "t2", "flair", "segmentation", "dce", "dce_segmentation", "asl"):
            file, place = row[column].split("::")
            assert (folder / file).exists()
            tree = read_hdf5(folder / file)
            for part in place.strip("/").split("/"):
                tree = tree[part]
            assert np.size(tree) > 100
        tree = read_hdf5(folder / file)
        assert int(tree["person"]["grade"]) == person.grade
        assert float(tree["person"]["scanner"]["snr"]) == person.scanner.snr
        assert float(tree["outcome"]["time"]) == float(row["time"])


def test_a_killed_run_ends_equal_to_the_bit(folder, tmp_path):
    """What is there is kept, what is missing is made again, alike to the bit."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    lost, kept = (copy / "patients" / f"patient-0000{i}.h5" for i in (1, 0))
    before, then = read_hdf5(lost), kept.stat().st_mtime_ns
    lost.unlink()
    (copy / "cohort.csv").unlink()
    simulate_cohort(PLAN, copy, {"command": "test"})
    assert kept.stat().st_mtime_ns == then
    again = read_hdf5(lost)
    for part in ("dce", "images", "asl", "truth"):
        for name, value in before[part].items():
            if not isinstance(value, dict):
                np.testing.assert_array_equal(again[part][name], value)
    assert (copy / "cohort.csv").read_text() == (folder / "cohort.csv").read_text()


def test_a_folder_of_another_cohort_is_refused(folder):
    with pytest.raises(InputError, match="config: is another one than asked for now"):
        simulate_cohort(PLAN._replace(seed=1), folder, {})


def test_a_disk_that_is_too_small_is_refused_before_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e5))
    with pytest.raises(InputError, match=r"2 patients need about .* GB, and 0\.0001 GB are free"):
        simulate_cohort(PLAN, tmp_path, {})
    assert not list(tmp_path.rglob("*.h5"))


def test_files_are_about_as_large_as_is_said(folder):
    """Within a factor of 2.5 on the coarse grid of a test, which gzip finds harder than the usual one (1.0)."""
    size = sum(path.stat().st_size for path in (folder / "patients").glob("*.h5"))
    assert 0.4 < size / PLAN.bytes < 2.5


def test_images_as_nifti_are_the_same_arrays_in_the_same_place(folder):
    path = folder / "patients" / "patient-00000.h5"
    tree, out = read_hdf5(path), write_patient_nifti(path)
    for name in ("t1", "flair", "segmentation"):
        image = read_image(out / f"{name}.nii.gz")
        np.testing.assert_array_equal(image.data, tree["images"][name])
        np.testing.assert_allclose(image.affine, tree["images"]["affine"])
    series = read_image(out / "dce.nii.gz")
    np.testing.assert_array_equal(series.data, tree["dce"]["signal"])
    assert (out / "dce.json").exists()
    assert protocol_of(tree["dce"]["protocol"]).times.size == VISIT.frames
    assert tree["dce"]["signal"].max() < 65535
    assert tree["dce"]["signal"].max() > 5 * GAIN


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_groups_of_a_nuisance_cohort_differ_in_it_alone(nuisance):
    plan = CohortPlan(grades=(20, 20, 20), nuisance=nuisance)
    changed = {"snr": {"scanner"}, "scanner": {"scanner"}, "site": {"scanner"}, "size": {"diameter"}}[nuisance]
    for person, plain in zip(people_of(plan), people_of(plan._replace(nuisance="")), strict=True):
        differ = {name for name in person.record() if getattr(person, name) != getattr(plain, name)}
        assert differ == (changed if group_of(person) else set())
    groups = [group_of(person) for person in people_of(plan)]
    assert 15 < sum(groups) < 45


def test_the_order_says_nothing_of_the_grade():
    grades = np.asarray([person.grade for person in people_of(CohortPlan(grades=(100, 100, 100)))])
    assert [np.sum(grades == g) for g in (2, 3, 4)] == [100, 100, 100]
    assert abs(np.corrcoef(np.arange(300), grades)[0, 1]) < 0.2


def test_values_can_be_fixed_in_clinical_units():
    found = fixed_values(["Fp=30", "enhancing=true", "grade=4", "resection=GTR"])
    assert found == {"Fp": 0.005, "enhancing": True, "grade": 4, "resection": "GTR"}
    people = people_of(CohortPlan(grades=(2, 0, 0), fixed=found))
    assert {(each.grade, each.Fp, each.enhancing) for each in people} == {(4, 0.005, True)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("height=2", "fixed: height: is nothing that a patient has; choose among grade, age"),
        ("scanner=1", "scanner: is nothing that a patient has"),
        ("Fp=fast", "fixed: Fp: is 'fast'; give a number"),
        ("enhancing=perhaps", "give true or false"),
        ("grade=4.5", "give a whole number"),
    ],
)
def test_what_cannot_be_fixed_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        fixed_values([text])


def test_nobody_is_no_cohort():
    with pytest.raises(InputError, match="ask for nobody"):
        people_of(CohortPlan(grades=(0, 0, 0)))
