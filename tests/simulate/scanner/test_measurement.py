"""From cells to a measured series: what a voxel adds up, how much noise, of which distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base.types import DCEProtocol
from simulate.scanner.measurement import measure
from simulate.scanner.noise import gaussian, rician
from simulate.scanner.spgr import baseline_scale
from simulate.scanner.voxels import voxel_average

PROTOCOL = DCEProtocol(2.0 * np.arange(12), 0.004, 20.0, relaxivity=4.5, baseline=4)
KEY = jax.random.key(0)


@pytest.mark.x64
def test_a_voxel_holds_the_mean_signal_of_its_cells_and_not_the_signal_of_their_mean():
    """Tissue in one cell of eight, without contrast and with so much that it recovers fully: S0 sin(angle)/8."""
    cells = np.zeros((2, 2, 2, 12))
    cells[0, 0, 0, 6:] = 1e9
    s0 = np.zeros((2, 2, 2))
    s0[0, 0, 0] = 400.0
    found = np.asarray(measure(KEY, cells, PROTOCOL, t10=1.5, s0=s0, coarsen=2, snr=np.inf))
    assert found.shape == (1, 1, 1, 12)
    angle, e1 = np.deg2rad(20.0), np.exp(-0.004 / 1.5)
    np.testing.assert_allclose(found[0, 0, 0, :6], 50 * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle)))
    np.testing.assert_allclose(found[0, 0, 0, 6:], 50 * np.sin(angle))


@pytest.mark.x64
def test_voxel_averages_keep_the_sum_and_do_not_mix_voxels():
    cells = np.random.default_rng(0).random((4, 6, 2, 3))
    voxels = voxel_average(cells, 2)
    np.testing.assert_allclose(8 * voxels.sum((0, 1, 2)), cells.sum((0, 1, 2)))
    np.testing.assert_allclose(voxels[1, 2, 0], cells[2:, 4:].mean((0, 1, 2)))
    np.testing.assert_array_equal(voxel_average(cells[0, 0], 1), cells[0, 0])  # which need be on no grid


@pytest.mark.parametrize(("noise", "excess"), [(gaussian, 0.0), (rician, 1.0)])
def test_noise_of_a_channel_is_unbiased_and_that_of_a_magnitude_is_not(noise, excess):
    """Mean of Rice's distribution: S + sigma^2/(2 S) at high ratios."""
    still = np.zeros((20_000, 12))
    clean = float(measure(KEY, still[:1], PROTOCOL, t10=1.5, s0=500.0, snr=np.inf)[0, 0])
    found = np.asarray(measure(KEY, still, PROTOCOL, t10=1.5, s0=500.0, snr=10.0, noise=noise), float)
    sigma = clean / 10
    assert found.std() == pytest.approx(sigma, rel=0.01)
    assert found.mean() - clean == pytest.approx(excess * sigma**2 / (2 * clean), abs=0.01 * sigma)


@pytest.mark.x64
def test_frames_before_contrast_may_be_a_number_or_marked_one_by_one():
    """As they are in a training, whose scans differ in their number: the same noise, and the same way back."""
    concentration = np.maximum(np.arange(12.0) - 3, 0)[None] * np.linspace(0.01, 0.1, 50)[:, None]
    marked = jnp.asarray(np.arange(12) < 4, float)
    unknown = DCEProtocol(PROTOCOL.times, 0.004, 20.0, relaxivity=4.5)
    known = measure(KEY, concentration, PROTOCOL, t10=1.5, s0=300.0, snr=30.0)
    drawn = measure(KEY, concentration, unknown, t10=1.5, s0=300.0, snr=30.0, baseline=marked)
    np.testing.assert_allclose(drawn, known, rtol=1e-12)
    scale = baseline_scale(drawn, unknown, t10=1.5, baseline=marked)
    np.testing.assert_allclose(scale, baseline_scale(known, PROTOCOL, t10=1.5), rtol=1e-12)
    assert np.mean(np.asarray(scale)) == pytest.approx(300.0, rel=0.01)
