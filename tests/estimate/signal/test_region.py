"""A region is what is inside by more than half; a segmentation's label is asked for by its number."""

import numpy as np
import pytest

from estimate.signal.region import labels_in, one_label, region_of, region_words
from simulate.base.errors import InputError

SOFT = np.array([0.0, 0.02, 0.49, 0.51, 1.0, np.nan])
LABELS = np.array([0, 1, 2, 2, 4])


def test_edges_that_resampling_left_are_outside():
    np.testing.assert_array_equal(region_of(SOFT, "roi.nii.gz", "region"), [0, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(region_of(np.array([True, False]), "roi", "region"), [1, 0])
    assert region_words(SOFT, "roi.nii.gz") == "roi.nii.gz, voxels above 0.5"


def test_labels_are_chosen_by_number():
    np.testing.assert_array_equal(region_of(LABELS, "seg.nii.gz", "mask", labels=(2, 4)), [0, 0, 1, 1, 1])
    assert labels_in(LABELS) == [1, 2, 4]
    assert labels_in(SOFT) == []
    assert region_words(LABELS, "seg.nii.gz") == "seg.nii.gz, labels 1, 2, 4"
    with pytest.raises(InputError, match="has no voxel of label 3; choose among its labels: 1, 2, 4"):
        region_of(LABELS, "seg.nii.gz", "mask", labels=(3,))


def test_a_segmentation_is_no_artery_until_its_label_is_named():
    with pytest.raises(InputError, match=r"holds the labels 1, 2, 4; say which is meant, as in seg.nii.gz:1"):
        one_label(LABELS, "seg.nii.gz", "arterial region")
    one_label(np.array([0, 3, 3]), "seg.nii.gz", "arterial region")


@pytest.mark.parametrize("values", [np.zeros(3), np.full(3, np.nan), np.array([0.0, 0.4])])
def test_a_region_without_a_voxel_is_refused(values):
    with pytest.raises(InputError, match="mask: holds no voxel"):
        region_of(values, "roi.nii.gz", "mask")
