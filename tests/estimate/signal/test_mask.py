"""Tissue found without a mask: air of one receiver and of many is left out, and images without air are whole."""

import numpy as np
import pytest

from estimate.signal.mask import tissue_mask

SHAPE, FRAMES = (32, 32, 4), 20
X, Y = np.mgrid[:32, :32]
HEAD = np.repeat((((X - 15.5) / 13) ** 2 + ((Y - 15.5) / 11) ** 2 < 1)[..., None], 4, axis=2)
RISE = 1 + 0.5 * (np.arange(FRAMES) > 5)


def magnitude(level, *, snr, channels=1, seed=0):
    """Root of the sum of squares over channels of a signal (*space) that rises, with noise in each."""
    rng = np.random.default_rng(seed)
    signal = level[..., None] * RISE / np.sqrt(channels)
    total = np.zeros(signal.shape)
    for _ in range(channels):
        real, imaginary = (rng.standard_normal(signal.shape) / snr for _ in range(2))
        total += (signal + real) ** 2 + imaginary**2
    return np.sqrt(total)


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("snr", [10.0, 50.0])
def test_a_head_in_air_is_found(snr, channels):
    """Tissue of contrast 1 to 3, which a bright vessel exceeds five-fold."""
    level = np.where(HEAD, 1 + 2 * X[..., None] / 31, 0.0)
    level[14:17, 14:17] = 15.0
    assert overlap(tissue_mask(magnitude(level, snr=snr, channels=channels), "signal"), HEAD) > 0.96


@pytest.mark.parametrize("snr", [3.0, 20.0])
def test_an_image_without_air_is_tissue_altogether(snr):
    level = 1 + 0.8 * np.sin(X / 5)[..., None] * np.ones(SHAPE)
    assert tissue_mask(magnitude(level + 0.3, snr=snr), "signal").all()


def test_dim_tissue_that_is_steady_is_tissue():
    """A tenth of the brightest, at an SNR of 30: a surface coil's far side is no air."""
    level = np.where(X[..., None] < 16, 1.0, 0.1) * np.ones(SHAPE)
    assert tissue_mask(magnitude(level, snr=300.0), "signal").all()


def test_a_masked_image_is_its_mask_and_specks_in_air_are_not_tissue():
    """Where no air is left, whatever varies is meant, thin tubes too."""
    data = np.where(HEAD[..., None], magnitude(np.ones(SHAPE), snr=20.0), 0.0)
    found = tissue_mask(data, "signal")
    np.testing.assert_array_equal(found, HEAD)
    data[0, 0, 0] = 5 + np.arange(FRAMES)
    assert tissue_mask(data, "signal")[0, 0, 0]
    air = magnitude(np.where(HEAD, 1.0, 0.0), snr=20.0)
    air[0, 0, 0] = 5 + np.arange(FRAMES)
    assert not tissue_mask(air, "signal")[0, 0, 0]


def test_a_voxel_with_a_missing_frame_stays_so_that_its_status_can_say_so():
    data = magnitude(np.ones(SHAPE), snr=20.0)
    data[5, 5, 1, 3], data[6, 6, 1] = np.nan, np.nan
    found = tissue_mask(data, "signal")
    assert found[5, 5, 1]
    assert not found[6, 6, 1]


def test_of_concentrations_all_that_varies_is_estimated():
    data = np.random.default_rng(0).standard_normal((*SHAPE, FRAMES))
    data[:3] = 0.0
    found = tissue_mask(data, "concentration")
    assert found[3:].all()
    assert not found[:3].any()


@pytest.mark.parametrize("shape", [(40,), (12, 10), (6, 5, 1)])
def test_lists_of_voxels_slices_and_volumes_are_looked_at(shape):
    data = np.random.default_rng(0).normal(10, 0.2, (*shape, FRAMES))
    assert tissue_mask(data, "signal").shape == shape
    assert tissue_mask(data, "signal").all()
