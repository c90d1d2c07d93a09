"""Maps brought from grid to grid in the scanner's space, oblique ones too, and written."""

import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy.spatial.transform import Rotation

from classify.attribution.grids import check_one_grid, resampled, write_attribution
from simulate.base.errors import InputError
from simulate.files.nifti import read_image, write_image


def placed(edges, angles, centre, shape):
    """Affine of a grid around a point [mm]."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(edges)
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ (np.asarray(shape) - 1) / 2
    return affine


COARSE, FINE = (6, 5, 4), (21, 18, 12)
OBLIQUE = placed([8.0, 9.0, 12.0], [25, -15, 40], [3, -5, 60], COARSE)
ANATOMY = placed([1.5, -1.2, 2.0], [-10, 5, 3], [4, -4, 58], FINE)


def linear(affine, shape):
    """Of the position in mm."""
    return apply_affine(affine, np.stack(np.indices(shape), axis=-1)) @ [0.7, -1.3, 0.4] + 11


def test_a_linear_function_of_position_stays_itself_between_oblique_grids():
    found = resampled(linear(OBLIQUE, COARSE), OBLIQUE, FINE, ANATOMY)
    index = apply_affine(np.linalg.inv(OBLIQUE) @ ANATOMY, np.stack(np.indices(FINE), axis=-1))
    between = np.all((index >= 0) & (index <= np.array(COARSE) - 1), axis=-1)
    outside = np.any((index < -0.5) | (index > np.array(COARSE) - 0.5), axis=-1)
    assert between.sum() > 2000
    np.testing.assert_allclose(found[between], linear(ANATOMY, FINE)[between], atol=1e-11)
    np.testing.assert_array_equal(np.isnan(found), outside)


def test_what_lies_outside_the_field_of_view_has_no_value():
    for away in np.concatenate([40 * np.eye(3), -40 * np.eye(3)]):
        moved = ANATOMY.copy()
        moved[:3, 3] += away
        found = resampled(np.ones(COARSE), OBLIQUE, FINE, moved)
        index = apply_affine(np.linalg.inv(OBLIQUE) @ moved, np.stack(np.indices(FINE), axis=-1))
        outside = np.any((index < -0.5) | (index > np.array(COARSE) - 0.5), axis=-1)
        assert 0.2 < outside.mean() < 1
        np.testing.assert_allclose(found, np.where(outside, np.nan, 1.0), rtol=1e-12)
        np.testing.assert_array_equal(
            resampled(np.ones(COARSE), OBLIQUE, FINE, moved, outside=0.0), np.nan_to_num(found)
        )


def test_the_same_grid_and_turned_axes_change_no_value():
    values = np.random.default_rng(0).standard_normal(COARSE)
    np.testing.assert_allclose(resampled(values, OBLIQUE, COARSE, OBLIQUE), values, atol=1e-12)
    flipped = OBLIQUE @ np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    found = resampled(values, OBLIQUE, (5, 6, 4), flipped)
    np.testing.assert_allclose(found, values[::-1].transpose(1, 0, 2), atol=1e-12)


def test_written_maps_lie_where_they_were_computed(tmp_path):
    values = linear(OBLIQUE, COARSE)
    write_attribution(tmp_path / "own.nii.gz", values, OBLIQUE)
    own = read_image(tmp_path / "own.nii.gz")
    np.testing.assert_allclose(own.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_allclose(own.data, values, rtol=1e-6)


def test_written_over_an_anatomy_they_have_its_grid(tmp_path):
    write_image(tmp_path / "t1.nii.gz", np.zeros(FINE), ANATOMY)
    anatomy = read_image(tmp_path / "t1.nii.gz")
    write_attribution(tmp_path / "over.nii.gz", linear(OBLIQUE, COARSE), OBLIQUE, anatomy=anatomy)
    over = read_image(tmp_path / "over.nii.gz")
    assert over.data.shape == FINE
    np.testing.assert_array_equal(over.affine, anatomy.affine)
    middle = tuple(slice(n // 2 - 2, n // 2 + 2) for n in FINE)
    np.testing.assert_allclose(over.data[middle], linear(ANATOMY, FINE)[middle], rtol=1e-4)


def test_a_map_that_is_not_finite_spreads_nowhere(tmp_path):
    bad = np.ones(COARSE)
    bad[0, 0, :2] = np.nan
    with pytest.raises(InputError, match="map: is not finite in 2 of 120 elements"):
        resampled(bad, OBLIQUE, FINE, ANATOMY)
    with pytest.raises(InputError, match="map: is not finite in 2 of 120 elements"):
        write_attribution(tmp_path / "map.nii.gz", bad, OBLIQUE)
    assert not list(tmp_path.iterdir())


def test_other_grids_are_refused():
    with pytest.raises(InputError, match=r"affines: have shapes .* for a map of 2 axes"):
        resampled(np.ones((3, 3)), OBLIQUE, (3, 3), OBLIQUE)
    with pytest.raises(InputError, match=r"mask: grid: has shape \(2, 3\), and the attribution \(3, 2\); resample"):
        check_one_grid("mask", (2, 3), (3, 2))
    with pytest.raises(InputError, match="mask: grid: lies elsewhere than the attribution: their affines differ"):
        check_one_grid("mask", COARSE, COARSE, OBLIQUE, ANATOMY)
    check_one_grid("mask", COARSE, COARSE, OBLIQUE, OBLIQUE + 1e-7)
