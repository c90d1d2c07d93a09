"""A DCE examination is the same arrays whether a virtual patient's file or NIfTI with its sidecar holds it."""

import csv
import json

import numpy as np
import pytest

from classify.datasets.cohort import read_cohort
from classify.datasets.dce import CORE, SOLID, open_dce
from estimate.signal.t10 import VFA
from simulate.base.constants import HAEMATOCRIT
from simulate.base.errors import InputError
from simulate.files.nifti import read_image, write_image
from simulate.patients.cohort import CohortPlan, simulate_cohort
from simulate.patients.examination import Visit
from simulate.patients.nifti import write_patient_nifti

VISIT = Visit(cell=4.0, slab=(12, 12, 8), terminals=100, frames=20, spacing=5.0, delays=(1.5,), pairs=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A patient as HDF5, and as NIfTI."""
    folder = tmp_path_factory.mktemp("one")
    plan = CohortPlan(grades=(0, 0, 1), visit=VISIT, fixed={"necrotic": True, "diameter": 34.0, "rim": 7.0})
    (path,) = simulate_cohort(plan, folder, {})
    write_patient_nifti(path)
    return folder


def nifti_row(folder, **cells):
    """A table beside the images with a row of them."""
    at = "patients/patient-00000"
    row = {"id": "p", "dce": f"{at}/dce.nii.gz", "dce_segmentation": f"{at}/dce_segmentation.nii.gz", "label": "4"}
    row |= {"mask": f"{at}/mask.nii.gz", "t10": "1.4"} | cells
    row = {name: cell for name, cell in row.items() if cell is not None}
    with (folder / "nifti.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return read_cohort(folder / "nifti.csv").subjects[0]


def test_both_layouts_hold_the_same(folder):
    virtual = open_dce(read_cohort(folder / "cohort.csv").subjects[0])
    real = open_dce(nifti_row(folder))
    np.testing.assert_array_equal(real.series.data, virtual.series.data)
    np.testing.assert_array_equal(real.labels, virtual.labels)
    np.testing.assert_array_equal(real.inside, virtual.inside)
    np.testing.assert_allclose(real.series.affine, virtual.series.affine)
    np.testing.assert_allclose(real.series.protocol.times, virtual.series.protocol.times)
    assert real.series.protocol.baseline == virtual.series.protocol.baseline
    assert real.haematocrit == pytest.approx(virtual.haematocrit)
    assert real.truth is None
    assert real.true_aif is None
    assert virtual.truth is not None
    assert isinstance(virtual.t10, VFA)
    assert real.t10 == 1.4
    assert not real.notes
    assert {CORE, SOLID} <= set(np.unique(virtual.labels))


def test_another_grid_is_brought_here_and_said(folder):
    """The whole head's segmentation lands where the slab's own is; T10 as a map on that grid."""
    at = folder / "patients" / "patient-00000"
    labels = read_image(at / "segmentation.nii.gz")
    write_image(folder / "t10.nii.gz", np.full(labels.data.shape, 1.3), labels.affine)
    case = open_dce(nifti_row(
        folder, dce_segmentation=None, segmentation="patients/patient-00000/segmentation.nii.gz", t10="t10.nii.gz"
    ))  # fmt: skip
    virtual = open_dce(read_cohort(folder / "cohort.csv").subjects[0])
    np.testing.assert_array_equal(case.labels, virtual.labels)
    np.testing.assert_allclose(case.t10, 1.3)
    assert case.notes == [
        "segmentation was resampled to the grid of the series", "T10 was resampled to the grid of the series"
    ]  # fmt: skip


def test_what_is_missing_is_named_or_noted(folder):
    with pytest.raises(InputError, match="t10: is not known; give a column vfa or t10"):
        open_dce(nifti_row(folder, t10="unknown"))
    with pytest.raises(InputError, match="dce_segmentation: names no image"):
        open_dce(nifti_row(folder, dce_segmentation=None))
    empty = folder / "empty.nii.gz"
    labels = read_image(folder / "patients" / "patient-00000" / "dce_segmentation.nii.gz")
    write_image(empty, np.zeros(labels.data.shape, int), labels.affine)
    with pytest.raises(InputError, match="has no voxel of 4 in the series; leave the row out"):
        open_dce(nifti_row(folder, dce_segmentation="empty.nii.gz"))
    sidecar = folder / "patients" / "patient-00000" / "dce.json"
    kept = sidecar.read_text()
    sidecar.write_text(json.dumps({k: v for k, v in json.loads(kept).items() if k != "Haematocrit"}))
    case = open_dce(nifti_row(folder))
    sidecar.write_text(kept)
    assert case.haematocrit == HAEMATOCRIT
    assert case.notes == [f"haematocrit is not known: {HAEMATOCRIT:g} was taken"]
