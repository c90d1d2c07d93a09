"""Spoiled gradient echo: limits, inverse, noise statistics, frame averages."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Series
from simulate.scanner.frames import frame_average
from simulate.scanner.noise import add_noise, rician
from simulate.scanner.spgr import baseline_scale, spgr_concentration, spgr_signal

PROTOCOL = DCEProtocol(times=np.arange(5) * 2.0, repetition_time=0.004, flip_angle=20.0, echo_time=0.002, baseline=2)
CONCENTRATION = np.array([[-0.05, 0.0, 0.3, 2.0, 9.0], [0.0, 0.01, 0.1, 1.0, 5.0]])
T10 = np.array([1.2, 1.7])
B1 = np.array([0.8, 1.1])


@pytest.mark.x64
def test_signal_without_contrast_is_the_ernst_equation():
    signal = spgr_signal(jnp.zeros((1, 1)), PROTOCOL, t10=jnp.array([1.5]), s0=100.0)
    e1, a = np.exp(-0.004 / 1.5), np.deg2rad(20)
    assert float(signal[0, 0]) == pytest.approx(100 * np.sin(a) * (1 - e1) / (1 - e1 * np.cos(a)), rel=1e-12)


@pytest.mark.x64
def test_signal_is_highest_at_the_ernst_angle():
    ernst = np.rad2deg(np.arccos(np.exp(-0.004 / 1.5)))
    slope = jax.grad(
        lambda b1: spgr_signal(jnp.zeros(1), DCEProtocol(jnp.zeros(1), 0.004, float(ernst)), t10=1.5, b1=b1)[0]
    )
    assert float(slope(1.0)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.x64
def test_signal_at_infinite_concentration_is_that_of_full_recovery():
    signal = spgr_signal(jnp.full((1, 1), 1e9), PROTOCOL, t10=jnp.array([1.5]), s0=3.0)
    assert float(signal[0, 0]) == pytest.approx(3 * np.sin(np.deg2rad(20)), rel=1e-12)


@pytest.mark.x64
@pytest.mark.parametrize("r2star", [0.0, 5.0])
def test_concentration_undoes_signal(r2star):
    kwargs = {"t10": T10, "s0": jnp.array([70.0, 900.0]), "b1": B1, "r2star": r2star, "r20star": 12.0}
    back = spgr_concentration(spgr_signal(CONCENTRATION, PROTOCOL, **kwargs), PROTOCOL, **kwargs)
    np.testing.assert_allclose(back, CONCENTRATION, rtol=1e-10, atol=1e-10)


@pytest.mark.x64
def test_newton_agrees_with_the_closed_form_at_vanishing_r2star():
    signal = spgr_signal(CONCENTRATION, PROTOCOL, t10=T10)
    closed = spgr_concentration(signal, PROTOCOL, t10=T10, s0=1.0)
    newton = spgr_concentration(signal, PROTOCOL, t10=T10, s0=1.0, r2star=jnp.array(0.0))
    np.testing.assert_allclose(newton, closed, rtol=1e-10, atol=1e-12)


@pytest.mark.x64
def test_of_two_concentrations_the_smaller_is_returned():
    """TE r2* = 0.1 L/mmol: the signal peaks near 3 mmol/L and falls again."""
    protocol = DCEProtocol(jnp.zeros(400), 0.004, 20.0, 0.01)
    c = jnp.linspace(0.0, 20.0, 400)
    signal = spgr_signal(c, protocol, t10=1.5, r2star=10.0)
    top = int(jnp.argmax(signal))
    back = spgr_concentration(signal, protocol, t10=1.5, s0=1.0, r2star=10.0)
    assert 0 < top < 399
    np.testing.assert_allclose(back[:top], c[:top], rtol=1e-7, atol=1e-10)
    assert np.all(back[top + 1 :] <= c[top] + 0.05)
    impossible = spgr_concentration(signal[top : top + 1] * 1.01, protocol, t10=1.5, s0=1.0, r2star=10.0)
    assert np.isnan(impossible[0])


@pytest.mark.parametrize("r2star", [0.0, 5.0])
def test_impossible_signals_have_no_concentration(r2star):
    limit = np.sin(np.deg2rad(20.0))
    signal = jnp.array([-1.0, 0.0, limit, 1.1 * limit, jnp.nan])
    assert np.all(np.isnan(spgr_concentration(signal, PROTOCOL, t10=1.5, s0=1.0, r2star=r2star)))


@pytest.mark.x64
@pytest.mark.parametrize("r2star", [0.0, 5.0])
@pytest.mark.parametrize("mode", [jax.jacfwd, jax.jacrev])
def test_inverse_gradient_is_the_reciprocal_of_the_forward_one(mode, r2star):
    signal = spgr_signal(CONCENTRATION[0], PROTOCOL, t10=1.2, r2star=r2star)
    forward = jax.jacfwd(lambda c: spgr_signal(c, PROTOCOL, t10=1.2, r2star=r2star))(CONCENTRATION[0])
    inverse = mode(lambda s: spgr_concentration(s, PROTOCOL, t10=1.2, s0=1.0, r2star=r2star))(signal)
    np.testing.assert_allclose(forward @ inverse, np.eye(5), atol=1e-9)


@pytest.mark.x64
@pytest.mark.parametrize("r2star", [0.0, 5.0])
def test_gradient_in_t10_and_flip_angle_against_finite_differences(r2star):
    signal = spgr_signal(CONCENTRATION[0], PROTOCOL, t10=1.2, r2star=r2star)

    def total(p):
        return jnp.sum(spgr_concentration(signal, PROTOCOL, t10=p[0], s0=1.0, b1=p[1], r2star=r2star))

    point, h = jnp.array([1.2, 1.0]), 1e-6
    gradient = jax.grad(total)(point)
    steps = jnp.eye(2) * h
    finite = [(total(point + d) - total(point - d)) / (2 * h) for d in steps]
    np.testing.assert_allclose(gradient, finite, rtol=1e-6)


def test_gradient_stays_finite_beside_an_impossible_frame():
    signal = jnp.array([0.1, -1.0, 5.0])
    gradient = jax.grad(lambda s: jnp.nansum(spgr_concentration(s, PROTOCOL, t10=1.2, s0=1.0)))(signal)
    assert np.all(np.isfinite(gradient))


def test_baseline_gives_back_the_scale():
    s0 = jnp.array([70.0, 900.0])
    quiet = jnp.asarray(CONCENTRATION).at[:, :2].set(0.0)
    signal = spgr_signal(quiet, PROTOCOL, t10=T10, s0=s0, b1=B1)
    np.testing.assert_allclose(baseline_scale(signal, PROTOCOL, t10=T10, b1=B1), s0, rtol=1e-12)


def test_unknown_baseline_is_refused():
    with pytest.raises(InputError, match="BaselineVolumes"):
        baseline_scale(jnp.ones((2, 5)), DCEProtocol(jnp.arange(5.0), 0.004, 20.0, baseline=0), t10=1.0)


def test_rician_mean_of_air_and_bright_tissue():
    air = rician(jax.random.key(0), jnp.zeros(400_000), 2.0)
    assert float(air.mean()) == pytest.approx(2 * np.sqrt(np.pi / 2), rel=5e-3)
    bright = rician(jax.random.key(1), jnp.full(400_000, 100.0), 2.0)
    assert float(bright.mean()) == pytest.approx(100 + 2.0**2 / 200, abs=0.02)
    assert float(bright.std()) == pytest.approx(2.0, rel=1e-2)


def test_noise_level_follows_the_snr_of_the_baseline():
    data = jnp.concatenate([jnp.full((2000, 5), 50.0), jnp.zeros((2000, 5))])
    series = Series(data, PROTOCOL, np.eye(4))
    noisy = add_noise(jax.random.key(2), series, snr=25.0).data
    assert float(noisy[:2000].std()) == pytest.approx(2.0, rel=3e-2)
    assert float(noisy[2000:].mean()) == pytest.approx(2 * np.sqrt(np.pi / 2), rel=3e-2)


def test_noise_is_for_signals_only():
    with pytest.raises(InputError, match="spgr_signal"):
        add_noise(jax.random.key(0), Series(jnp.ones((2, 5)), PROTOCOL, np.eye(4), "concentration"), snr=10)


def test_frame_average_of_a_hat_is_exact():
    knots, curve = jnp.array([0.0, 2.0, 3.0]), jnp.array([0.0, 4.0, 0.0])
    protocol = DCEProtocol(jnp.array([-1.0, 0.0, 1.0, 1.5, 2.5, 4.0]), 0.004, 20.0, frame_duration=1.0)
    expected = [0.0, 1.0, 3.0, 0.5 * 3.5 + 0.5 * 3.0, 0.5 * 1.0, 0.0]
    np.testing.assert_allclose(frame_average(curve, knots, protocol), expected, atol=1e-14)


@pytest.mark.x64
def test_frame_averages_conserve_the_integral():
    knots = jnp.sort(jax.random.uniform(jax.random.key(3), (40,), minval=0.0, maxval=10.0))
    curve = jax.random.uniform(jax.random.key(4), (3, 40))
    protocol = DCEProtocol(knots[0] + jnp.arange(8) * (knots[-1] - knots[0]) / 8, 0.004, 20.0)
    width = float((knots[-1] - knots[0]) / 8)
    means = frame_average(curve, knots, replace(protocol, frame_duration=width))
    np.testing.assert_allclose(means.sum(-1) * width, jnp.trapezoid(curve, knots, axis=-1), rtol=1e-12)


def test_instant_frames_sample_the_curve_and_hold_its_last_value():
    knots, curve = jnp.array([0.0, 2.0, 3.0]), jnp.array([1.0, 4.0, 2.0])
    protocol = DCEProtocol(jnp.array([-1.0, 0.0, 1.0, 2.0, 2.5, 3.0, 9.0]), 0.004, 20.0)
    np.testing.assert_allclose(frame_average(curve, knots, protocol), [0, 1, 2.5, 4, 3, 2, 2])
    short = DCEProtocol(protocol.times, 0.004, 20.0, frame_duration=1e-9)
    np.testing.assert_allclose(frame_average(curve, knots, short), frame_average(curve, knots, protocol), atol=1e-8)


def test_single_precision_keeps_four_digits():
    c = jnp.asarray(np.array([[0.0, 0.05, 0.5, 3.0, 8.0]]), jnp.float32)
    for r2star in (0.0, 5.0):
        signal = jax.jit(lambda c, r=r2star: spgr_signal(c, PROTOCOL, t10=1.5, s0=300.0, r2star=r))(c)
        back = spgr_concentration(signal, PROTOCOL, t10=1.5, s0=300.0, r2star=r2star)
        assert back.dtype == jnp.float32
        np.testing.assert_allclose(back, c, rtol=2e-4, atol=2e-5)
