"""T1 from variable flip angles and concentration from signal: round trips, optimality, status."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.signal.baseline import detect_baseline, estimate_onset
from estimate.signal.concentration import block_concentration, concentration_from_signal
from estimate.signal.vfa import T1_BOUNDS, vfa_t1
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import DCEProtocol, Series
from simulate.inputs.population import parker_aif
from simulate.scanner.noise import rician
from simulate.scanner.spgr import spgr_signal

ANGLES = [2.0, 5.0, 12.0, 20.0]
TR = 0.005
T1 = np.array([0.3, 0.9, 1.6, 4.2])
S0 = np.array([500.0, 1200.0, 3.0, 7e7])
B1 = np.array([0.8, 1.0, 1.1, 0.95])

PROTOCOL = DCEProtocol(np.arange(60) * 3.0, 0.004, 20.0, baseline=0)


def vfa_signal(t1=T1, s0=S0, b1=B1):
    t1, s0, b1 = (np.asarray(value)[:, None] for value in (t1, s0, b1))
    e1, angle = np.exp(-TR / t1), np.deg2rad(np.array(ANGLES) * b1)
    return jnp.asarray(s0 * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle)))


@pytest.mark.x64
@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_t1_and_s0_come_back_from_a_noiseless_signal(method):
    result = vfa_t1(vfa_signal(), ANGLES, TR, b1=B1, method=method)
    np.testing.assert_allclose(result.t1, T1, rtol=1e-9)
    np.testing.assert_allclose(result.s0, S0, rtol=1e-9)
    assert np.all(result.status == 0)


@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_the_estimate_is_a_stationary_point_of_its_own_sum_of_squares(method):
    signal = vfa_signal() * (1 + 0.01 * jax.random.normal(jax.random.key(0), (4, 4)))
    result = vfa_t1(signal, ANGLES, TR, b1=B1, method=method)
    angle = np.deg2rad(np.array(ANGLES) * np.array(B1)[:, None])

    def cost(p):
        e1, s0 = jnp.exp(-TR / p[0])[:, None], p[1][:, None]
        if method == "linear":
            return (((signal / jnp.sin(angle) - e1 * signal / jnp.tan(angle) - s0 * (1 - e1)) / S0[:, None]) ** 2).sum(
                -1
            )
        model = s0 * jnp.sin(angle) * (1 - e1) / (1 - e1 * jnp.cos(angle))
        return (((model - signal) / jnp.max(signal, -1, keepdims=True)) ** 2).sum(-1)

    at = jnp.stack([result.t1, result.s0])
    for direction in jnp.array([[1e-3, 0.0], [0.0, 1e-3], [1e-3, 1e-3], [1e-3, -1e-3]]):
        for sign in (-1, 1):
            assert np.all(cost(at * (1 + sign * direction[:, None])) > cost(at))


@pytest.mark.x64
def test_nonlinear_is_less_biased_than_linear_in_noise():
    signal = jnp.broadcast_to(vfa_signal(T1[2:3], S0[1:2], B1[1:2]), (20_000, 4))
    noisy = rician(jax.random.key(1), signal, float(signal.max()) / 60)
    bias = {m: abs(float(jnp.mean(vfa_t1(noisy, ANGLES, TR, method=m).t1)) - 1.6) for m in ("linear", "nonlinear")}
    assert bias["nonlinear"] < 0.5 * bias["linear"]


@pytest.mark.x64
@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_gradient_of_t1_against_finite_differences_off_the_perfect_fit(method, mode):
    signal = rician(jax.random.key(2), vfa_signal()[1], 3.0)

    def t1(s):
        return vfa_t1(s, ANGLES, TR, method=method).t1

    step = 1e-3 * jnp.eye(4)
    finite = jnp.stack([(t1(signal + d) - t1(signal - d)) / 2e-3 for d in step])
    np.testing.assert_allclose(mode(t1)(signal), finite, rtol=1e-5)


def test_status_says_why_there_is_no_t1():
    signal = vfa_signal().at[0, 1].set(0.0).at[1, 2].set(jnp.nan)
    result = vfa_t1(signal, ANGLES, TR, b1=np.where(np.arange(4) == 2, np.nan, B1))
    assert result.status.tolist() == [Status.NO_SIGNAL, Status.NOT_FINITE, Status.NOT_FINITE, Status.OK]
    assert np.isnan(result.t1).tolist() == [True, True, True, False]


@pytest.mark.x64
@pytest.mark.parametrize("method", ["linear", "nonlinear"])
def test_t1_beyond_its_bounds_is_held_there_and_said(method):
    result = vfa_t1(vfa_signal(np.array([0.02, 40.0]), S0[:2], B1[:2]), ANGLES, TR, b1=B1[:2], method=method)
    np.testing.assert_allclose(result.t1, T1_BOUNDS)
    assert np.all(result.status & Status.AT_BOUND)


def test_wrong_inputs_name_the_cure():
    with pytest.raises(InputError, match="one flip angle for each volume"):
        vfa_t1(vfa_signal(), [2.0, 5.0], TR)
    with pytest.raises(InputError, match="in seconds"):
        vfa_t1(vfa_signal(), ANGLES, 5.0)


def test_single_precision_t1():
    result = vfa_t1(vfa_signal(), ANGLES, TR, b1=jnp.asarray(B1))
    assert result.t1.dtype == jnp.float32
    np.testing.assert_allclose(result.t1, T1, rtol=1e-3)


def series(scale=(0.02, 0.3, 1.0), noise=0.0, onset=31.0):
    curve = parker_aif(PROTOCOL.times, haematocrit=0.42, onset=onset)
    concentration = jnp.array(scale)[:, None] * curve
    t10 = jnp.linspace(1.0, 1.6, len(scale))
    signal = spgr_signal(concentration, PROTOCOL, t10=t10, s0=jnp.linspace(300, 900, len(scale)))
    signal = rician(jax.random.key(3), signal, noise) if noise else signal
    return Series(signal, PROTOCOL, np.eye(4)), concentration, t10


@pytest.mark.x64
def test_concentration_undoes_the_scanner_with_an_unknown_baseline():
    measured, truth, t10 = series()
    found, status = concentration_from_signal(measured, t10=t10)
    np.testing.assert_allclose(found.data, truth, rtol=1e-10, atol=1e-10)
    assert found.quantity == "concentration"
    assert found.protocol.baseline == 11  # frames at 0 ... 30 s, contrast at 31 s
    assert np.all(status == 0)


def test_a_given_s0_is_used():
    measured, truth, t10 = series()
    known = replace(measured, protocol=replace(PROTOCOL, baseline=1))
    found, _ = concentration_from_signal(known, t10=t10, s0=2 * jnp.linspace(300, 900, 3))
    assert np.all(found.data[:, 20:] < truth[:, 20:])


def test_blocks_give_what_the_whole_gives():
    measured, _, t10 = series()
    protocol = replace(PROTOCOL, baseline=11)
    whole, _ = block_concentration(measured.data, protocol, t10=t10)
    parts = [block_concentration(measured.data[i : i + 1], protocol, t10=t10[i : i + 1])[0] for i in range(3)]
    np.testing.assert_array_equal(whole, jnp.concatenate(parts))


@pytest.mark.x64
def test_status_of_voxels_without_concentration():
    measured, truth, t10 = series((1.0,) * 6)
    data = measured.data.at[0].set(0.0).at[1].set(7.0).at[2, 30].set(jnp.inf)
    data = data.at[3, 14].set(1e4)  # above the signal of full recovery
    protocol = replace(PROTOCOL, baseline=11)
    found, status = block_concentration(data, protocol, t10=t10.at[4].set(jnp.nan))
    flags = [Status.NO_SIGNAL, Status.NO_SIGNAL, Status.NOT_FINITE, Status.SATURATED, Status.NO_SIGNAL, 0]
    assert status.tolist() == flags
    assert np.isnan(found).sum(-1).tolist() == [60, 60, 60, 1, 60, 0]
    np.testing.assert_allclose(found[3, 15:], truth[3, 15:], rtol=1e-9)


def test_concentration_is_not_converted_twice():
    measured, _, t10 = series()
    with pytest.raises(InputError, match="not signal"):
        concentration_from_signal(replace(measured, quantity="concentration"), t10=t10)


@pytest.mark.parametrize("snr", [10.0, 50.0])
@pytest.mark.parametrize("onset", [4.0, 31.0, 61.0])
def test_baseline_is_found_in_noise(snr, onset):
    """Among many quiet voxels a few arteries tell it, to the frame (the bolus may hide in noise for one)."""
    scale = (0.01,) * 400 + (0.6,) * 12
    measured, _, _ = series(scale, noise=15.0 / snr, onset=onset)
    exact = int(np.sum(PROTOCOL.times < onset))
    data = np.asarray(measured.data)
    assert exact <= detect_baseline(data) <= exact + 1
    assert abs(estimate_onset(data, np.asarray(PROTOCOL.times)) - onset) < 4.0


@pytest.mark.parametrize("snr", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("onset", [1.0, 8.0, 31.0, 61.0])
def test_tissue_that_rises_slowly_tells_its_baseline_too(snr, onset):
    """No voxel jumps above its noise; all together leave their rest a frame or two later, by less than that rises."""
    protocol = replace(PROTOCOL, baseline=1)
    rise = 0.3 * (1 - jnp.exp(-jnp.maximum(protocol.times - onset, 0.0) / 40.0))
    clean = spgr_signal(jnp.broadcast_to(rise, (2000, 60)), protocol, t10=1.4, s0=1000.0)
    data = np.asarray(rician(jax.random.key(3), clean, clean[0, 0] / snr))
    exact = int(np.sum(protocol.times < onset))
    assert exact <= detect_baseline(data) <= exact + 2


def test_a_series_without_contrast_has_no_baseline():
    noise = np.asarray(rician(jax.random.key(5), jnp.full((500, 60), 100.0), 5.0))
    with pytest.raises(InputError, match="BaselineVolumes"):
        detect_baseline(noise)
    with pytest.raises(InputError, match="BaselineVolumes"):
        detect_baseline(np.zeros((500, 60)))


def test_real_series_has_its_seven_frames(shared_data):
    nib = pytest.importorskip("nibabel")
    data = np.asarray(nib.load(shared_data / "dce_tumour" / "dce.nii.gz").dataobj)
    assert detect_baseline(data) == 7  # the injection is at volume 7, counted from 0
