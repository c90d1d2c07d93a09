"""Stated errors mean what they say: on signals, whose S0, T10 and correlated noise are errors of whole curves."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.least_squares.standard_errors import (
    CurveErrors,
    Linear,
    directions,
    scaled_cholesky,
    solve_lower,
    standard_error,
    uncertainty,
)
from estimate.signal.concentration import block_concentration
from estimate.signal.errors import signal_errors
from estimate.signal.vfa import vfa_noise, vfa_t1
from simulate.base.types import DCEProtocol
from simulate.scanner.spgr import spgr_signal
from tests.benchmarks.bench_coverage import cover, measured

COUNT = 800  # a share of .9 is known to .011
PROTOCOL = DCEProtocol(2.0 * np.arange(40), 0.004, 20.0, baseline=6)


@pytest.mark.parametrize(
    ("baseline", "by_vfa", "correlation"), [(5, False, 0.0), (10, True, 0.0), (10, False, 0.6)], ids=str
)
def test_intervals_cover_on_signals(baseline, by_vfa, correlation):
    """Five frames before contrast, a T10 measured by five angles, noise correlated by .6 (the full table:
    tests/benchmarks/bench_coverage.py)."""
    found = cover(
        7, COUNT, model="2cxm", snr=50.0, baseline=baseline, delay=False, by_vfa=by_vfa, correlation=correlation
    )
    for name in ("Fp", "PS", "vp", "ve"):
        assert 0.86 < found[name]["covers"] < 0.94
        assert found[name]["identifiable"] > 0.9
    assert found["correlation found"] == pytest.approx(correlation, abs=0.03)


@pytest.mark.x64
def test_sensitivities_of_concentrations_are_differences_of_the_conversion():
    rng = np.random.default_rng(0)
    clean = 0.5 * np.maximum(np.arange(40) - 5, 0) ** 0.5 * rng.uniform(0.2, 1, (4, 1))
    t10 = rng.uniform(0.8, 2.0, 4)
    signal = np.asarray(spgr_signal(clean, PROTOCOL, t10=t10, s0=700.0))
    stderr = 0.1 * t10
    found = signal_errors(signal, PROTOCOL, t10=t10, t10_stderr=stderr)

    def converted(s, t):
        return np.asarray(block_concentration(s, PROTOCOL, t10=t)[0])

    h = 1e-6
    whole = (converted(signal, t10 + h * stderr) - converted(signal, t10 - h * stderr)) / (2 * h)
    np.testing.assert_allclose(found.t10, whole, rtol=1e-6, atol=1e-9)
    # noise of one frame of the baseline moves its own concentration, and by the mean all others
    for frame in (2, 20):
        step = np.zeros(40)
        step[frame] = 1e-4
        moved = (converted(signal + step, t10) - converted(signal - step, t10)) / 2e-4
        told = np.where(np.arange(40) == frame, found.noise, 0.0) + (frame < 6) / 6 * np.asarray(found.baseline)
        np.testing.assert_allclose(told, moved, rtol=1e-5, atol=1e-10)


def test_the_covariance_is_that_of_redrawn_noise():
    """A straight line through noise that is correlated, uneven, and shares the error of its first frames' mean."""
    rng = np.random.default_rng(1)
    frames, draws, n, rho = 60, 20000, 4, 0.5
    J = np.stack([np.ones(frames), np.linspace(0, 1, frames) ** 2])
    a, b = np.linspace(0.5, 2.0, frames), -np.linspace(0.2, 1.5, frames)
    e = rng.standard_normal((draws, frames))
    for t in range(1, frames):
        e[:, t] = rho * e[:, t - 1] + np.sqrt(1 - rho**2) * e[:, t]
    curve = a * e + b * e[:, :n].mean(1, keepdims=True)
    found = np.linalg.solve(J @ J.T, J @ curve.T)
    some = curve[:2000]
    R = scaled_cholesky(jnp.broadcast_to(jnp.asarray(J @ J.T)[..., None], (2, 2, len(some))))
    linear = Linear(jnp.zeros((frames, 1)), R, solve_lower(R, jnp.asarray(J)[..., None]))
    each = (jnp.broadcast_to(jnp.asarray(x), some.shape) for x in (a, b, np.zeros(frames)))
    errors = CurveErrors(*each, before=jnp.asarray((np.arange(frames) < n) / n))
    spread = uncertainty(linear, jnp.asarray(some - found[:, :2000].T @ J).T, errors)
    stated = np.asarray(standard_error(jnp.eye(2)[..., None] * jnp.ones(len(some)), spread.factor))
    np.testing.assert_allclose(np.median(stated, axis=1), found.std(axis=1), rtol=0.06)


@pytest.mark.x64
def test_the_covariance_in_few_directions_is_that_in_frames():
    """Where the fit never leaves its basis: at correlations on and between the nodes that it is tabulated at."""
    rng, frames, rank = np.random.default_rng(4), 80, 7
    decay = np.exp(-np.arange(frames) / np.geomspace(1, 60, rank)[:, None])
    basis = np.linalg.qr(decay.T)[0].T
    rho = np.repeat(np.linspace(0, 0.9, 25), 8)
    noise = rng.standard_normal((rho.size, frames))
    for t in range(1, frames):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    J = np.einsum("vpr,rt->ptv", rng.standard_normal((rho.size, 3, rank)), basis)
    R = scaled_cholesky(jnp.einsum("ptv,qtv->pqv", J, J))
    W = solve_lower(R, jnp.asarray(J))
    left = jnp.asarray(noise.T) - jnp.einsum("ptv,pv->tv", W, jnp.einsum("ptv,vt->pv", W, noise))
    curve, within = jnp.zeros((frames, 1)), directions(jnp.asarray(basis))
    whole = uncertainty(Linear(curve, R, W), left, None)
    few = uncertainty(Linear(curve, R, jnp.einsum("ptv,rt->prv", W, basis), within), left, None)
    covariances = [np.einsum("ijv,kjv->vik", each.factor, each.factor) for each in (few, whole)]
    scale = np.sqrt(np.einsum("vii->vi", covariances[1]))
    difference = (covariances[0] - covariances[1]) / (scale[:, :, None] * scale[:, None])
    assert np.max(whole.correlation) > 0.8
    np.testing.assert_allclose(few.correlation, whole.correlation, atol=1e-9)
    np.testing.assert_allclose(difference, 0, atol=0.01)


def test_a_coordinate_that_the_curve_does_not_feel_is_boundless():
    J = jnp.stack([jnp.ones(30), jnp.zeros(30)])[..., None]
    R = scaled_cholesky(jnp.einsum("ptv,qtv->pqv", J, J))
    noise = jnp.asarray(np.random.default_rng(0).standard_normal((30, 1)))
    spread = uncertainty(Linear(jnp.zeros((30, 1)), R, solve_lower(R, J)), noise, None)
    error = np.asarray(standard_error(jnp.eye(2)[..., None], spread.factor))[:, 0]
    assert error[0] == pytest.approx(1 / np.sqrt(30), rel=0.4)
    assert error[1] > 1e6


def test_the_error_of_t1_is_the_scatter_of_repeated_images():
    angles, rng = np.array([2.0, 5.0, 10.0, 15.0, 20.0]), np.random.default_rng(3)
    each = [spgr_signal(np.zeros((4000, 1)), replace(PROTOCOL, flip_angle=a), t10=1.4, s0=1000.0) for a in angles]
    images = measured(rng, np.concatenate(each, axis=-1), 0.5, 0.0)
    found = jax.tree.map(np.asarray, vfa_t1(images, angles, 0.004))
    noise = vfa_noise(found.residual, len(angles))
    assert noise == pytest.approx(0.5, rel=0.05)
    assert np.median(found.stderr) * noise == pytest.approx(np.std(found.t1), rel=0.08)
    two = vfa_t1(images[:, [0, 4]], angles[[0, 4]], 0.004)
    assert np.isnan(vfa_noise(np.asarray(two.residual), 2))
