"""Augmentation's changes against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import affine_transform

from classify.learning.augmentation import Augmentation, augmented
from classify.learning.transforms import contrasted, deviations, mirrored, noisy, resampled, rotation, turned
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64


def volume(*shape):
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("axes", [(True, False, False), (False, True, True), (True, True, True)])
def test_mirrored_twice_is_the_volume_and_once_is_numpys_flip(axes):
    x = volume(4, 5, 6, 2)
    once = mirrored(x, jnp.asarray(axes))
    np.testing.assert_array_equal(once, np.flip(x, [axis for axis in range(3) if axes[axis]]))
    np.testing.assert_array_equal(mirrored(once, jnp.asarray(axes)), x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_four_quarter_turns_are_none_and_one_keeps_the_axis(axis):
    shape = [4, 4, 4, 2]
    shape[axis] = 6
    x = volume(*shape)
    once = turned(x, jnp.asarray(1), axis)
    again = x
    for _ in range(4):
        again = turned(again, jnp.asarray(1), axis)
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(turned(once, jnp.asarray(3), axis), x)
    others = tuple(other for other in range(3) if other != axis)
    np.testing.assert_allclose(once.mean(others), x.mean(others))
    assert np.abs(once - x).max() > 0.1


def test_turns_of_volumes_that_are_not_square_are_refused():
    with pytest.raises(InputError, match="turn: axis 2: turns volumes of 4 x 5 voxels on their side; leave this axis"):
        turned(volume(4, 5, 6, 1), jnp.asarray(1), 2)


def test_resampling_is_scipys():
    x, matrix, shift = volume(7, 8, 9), rotation(jnp.array([0.3, -0.2, 0.1])) * 1.1, jnp.array([0.4, -0.7, 1.2])
    centre = (np.array(x.shape) - 1) / 2
    offset = centre + shift - matrix @ centre
    for order in (0, 1):
        expected = affine_transform(np.asarray(x), np.asarray(matrix), np.asarray(offset), order=order, mode="nearest")
        np.testing.assert_allclose(resampled(x, matrix, shift, order=order), expected, atol=1e-12)


def test_rotations_keep_lengths_and_undo_each_other():
    matrix = rotation(jnp.array([0.3, -0.2, 0.1]))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(jnp.linalg.det(matrix), 1)
    about_one = [rotation(jnp.array([0, angle, 0])) for angle in (0.4, -0.4)]
    np.testing.assert_allclose(about_one[0] @ about_one[1], np.eye(3), atol=1e-14)


def test_a_quarter_by_interpolation_is_the_exact_quarter():
    x = volume(5, 5, 5, 1)
    angles = jnp.array([0, 0, jnp.pi / 2])
    ways = [np.abs(resampled(x, rotation(angles), jnp.zeros(3)) - turned(x, jnp.asarray(k), 2)).max() for k in (1, 3)]
    assert min(ways) < 1e-12 < max(ways)


def test_contrast_keeps_the_range_and_has_the_closed_form():
    x = jnp.linspace(2.0, 4.0, 27).reshape(3, 3, 3, 1)
    np.testing.assert_allclose(contrasted(x, jnp.array([1.0])), x)
    np.testing.assert_allclose(contrasted(x, jnp.array([2.0])), 2 + (x - 2) ** 2 / 2)
    np.testing.assert_array_equal(contrasted(jnp.full((2, 2, 2, 1), 7.0), jnp.array([2.0])), 7)


def test_noise_has_the_variance_that_is_asked_for_in_each_channel():
    x, deviation = jnp.zeros((40, 40, 40, 2)), jnp.array([0.5, 2.0])
    added = noisy(x, jax.random.key(0), deviation)
    np.testing.assert_allclose(added.var((0, 1, 2)), deviation**2, rtol=4 * np.sqrt(2 / 64_000))
    np.testing.assert_allclose(added.mean((0, 1, 2)) / deviation, 0, atol=4 / np.sqrt(64_000))
    np.testing.assert_allclose(np.corrcoef(added.reshape(-1, 2).T)[0, 1], 0, atol=4 / np.sqrt(64_000))


def test_without_augmentation_nothing_changes():
    x = volume(4, 4, 4, 2)
    image, mask = augmented(jax.random.key(0), x, x[..., 0], Augmentation())
    np.testing.assert_array_equal(image, x)
    np.testing.assert_array_equal(mask, x[..., 0])


def test_the_mask_travels_with_the_image():
    """An image that is its own mask stays that, wherever it goes, and keeps to 0 and 1."""
    mask = jnp.zeros((8, 8, 8)).at[1:4, 2:7, 5:].set(1.0)
    by = Augmentation(mirror=(0, 1, 2), turn=(0, 1, 2), rotation=20, scaling=0.1, translation=1)
    moved, places = jax.jit(lambda key: augmented(key, mask[..., None], mask, by)), set()
    for seed in range(8):
        image, region = moved(jax.random.key(seed))
        assert set(np.unique(region)) == {0.0, 1.0}
        np.testing.assert_allclose(image[..., 0], region, atol=0.76)  # the nearest of 8 voxels has 1/8 and more
        inside = np.asarray(image[..., 0] > 0.5)
        assert (inside & (region > 0)).sum() / (inside | (region > 0)).sum() > 0.8
        places.add(tuple(np.argwhere(np.asarray(region)).mean(0).round(2)))
    assert len(places) == 8


def test_values_change_but_the_mask_does_not():
    x, mask = volume(6, 6, 6, 2), jnp.ones((6, 6, 6))
    gain, offset = (Augmentation(**{name: 0.3}) for name in ("gain", "offset"))
    image, same = augmented(jax.random.key(0), x, mask, gain)
    np.testing.assert_array_equal(same, mask)
    ratio = image / x
    np.testing.assert_allclose(ratio, jnp.broadcast_to(ratio[0, 0, 0], x.shape))
    assert (np.abs(np.log(ratio)) <= 0.3).all()
    image, _ = augmented(jax.random.key(0), x, mask, offset)
    moved = (image - x) / deviations(x)
    np.testing.assert_allclose(moved, jnp.broadcast_to(moved[0, 0, 0], x.shape), atol=1e-12)
    assert (np.abs(moved) <= 0.3).all()


def test_half_of_the_examples_are_mirrored():
    x, by = volume(2, 2, 2, 1), Augmentation(mirror=(1,))
    images = jax.vmap(lambda key: augmented(key, x, None, by)[0])(jax.random.split(jax.random.key(1), 400))
    same = np.isclose(images, x).all((1, 2, 3, 4))
    np.testing.assert_allclose(np.asarray(images)[~same], np.broadcast_to(np.flip(x, 1), ((~same).sum(), *x.shape)))
    assert abs(same.mean() - 0.5) < 0.1
