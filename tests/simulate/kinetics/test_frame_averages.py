"""Means over frames: against quadrature of the sampled curve, and the laws that a mean obeys."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.kinetics.convolution import exponential_convolution, interpolate
from simulate.kinetics.tissue import tissue_concentration

KNOTS = np.concatenate([np.arange(-3.0, 40.0, 0.9), np.arange(40.3, 130.0, 3.7)])
x = np.maximum(KNOTS - 8.0, 0.0)
AIF = 3.0 * x * np.exp(-x / 4.0) + 1.2 * (1 - np.exp(-x / 6.0)) * np.exp(-x / 500.0) + 0.1
"""A bolus that starts with a jump of .1 at its first knot."""
CENTRES = np.array([-4.1, -3.0, -2.2, 6.0, 11.3, 14.0, 21.5, 38.0, 41.0, 77.7, 126.0, 133.0, 150.0])
FRAMES = np.array([0.5, 3.0, 2.0, 0.0, 1e-3, 2.5, 6.0, 12.0, 4.0, 30.0, 9.0, 20.0, 5.0])
"""Frames that begin before the first knot, span many knots, lie within one interval, end after the last knot."""
TISSUE = Tissue(Fp=0.008, PS=0.002, vp=0.07, ve=0.22, va=0.02, delay=2.345)
convolve = jax.jit(exponential_convolution)
concentration = jax.jit(tissue_concentration, static_argnames="model")
MODELS = ("2cxm", "2cum", "etm", "tofts", "patlak", "aath", "tanks-4", "dp", "th")


def mean_by_quadrature(curve, centres, durations, kinks):
    """Mean of curve(t) over the windows by Gauss-Legendre between the kinks; curve takes any array of times."""
    nodes, weights = np.polynomial.legendre.leggauss(10)
    where, share, owner = [], [], []
    for i, (centre, d) in enumerate(zip(centres, durations, strict=True)):
        low, high = centre - d / 2, centre + d / 2
        edges = np.unique([low, *kinks[(kinks > low) & (kinks < high)], high])
        if edges.size == 1:
            edges = np.array([low, low])
        for a, b in itertools.pairwise(edges):
            where.append((a + b) / 2 + (b - a) / 2 * nodes)
            share.append(weights / 2 * ((b - a) / d if d else 1.0))
            owner.append(np.full(nodes.size, i))
    values = np.asarray(curve(np.concatenate(where))) * np.concatenate(share)
    return np.bincount(np.concatenate(owner), values, minlength=len(centres))


@pytest.mark.x64
@pytest.mark.parametrize("rate", [0.0, 1e-7, 0.02, 0.24, 0.26, 3.0, 400.0])
def test_mean_of_the_convolution_agrees_with_quadrature(rate):
    def curve(times):
        return convolve(jnp.array(AIF), jnp.array(KNOTS), jnp.array(rate), jnp.array(times))

    computed = convolve(
        jnp.array(AIF), jnp.array(KNOTS), jnp.array(rate), jnp.array(CENTRES), duration=jnp.array(FRAMES)
    )
    layers = np.array([0.0, 1.0, 3.0, 8.0, 20.0]) / max(rate, 1.0)  # after a kink the curve relaxes within a few 1/rate
    kinks = np.unique(KNOTS[:, None] + layers)
    np.testing.assert_allclose(computed, mean_by_quadrature(curve, CENTRES, FRAMES, kinks), rtol=1e-10, atol=1e-12)


def test_infinite_rates_hold_nothing():
    for duration in (0.0, 3.0):
        held = convolve(jnp.array(AIF), jnp.array(KNOTS), jnp.array([jnp.inf]), jnp.array([CENTRES]), duration=duration)
        np.testing.assert_array_equal(held, 0.0)


@pytest.mark.x64
def test_mean_of_a_curve_agrees_with_quadrature():
    computed = interpolate(jnp.array(AIF), jnp.array(KNOTS), jnp.array(CENTRES), jnp.array(FRAMES))
    exact = mean_by_quadrature(lambda t: np.interp(t, KNOTS, AIF, left=0.0), CENTRES, FRAMES, KNOTS)
    np.testing.assert_allclose(computed, exact, rtol=1e-11, atol=1e-14)


@pytest.mark.x64
@pytest.mark.parametrize("model", MODELS)
def test_frames_agree_with_quadrature_of_the_samples(model):
    def curve(times):
        order = np.argsort(times)
        out = np.empty(times.size)
        out[order] = concentration(TISSUE, AIF, times[order], model=model, aif_times=KNOTS)
        return out

    computed = concentration(TISSUE, AIF, CENTRES, model=model, aif_times=KNOTS, frame_duration=FRAMES)
    kinks = np.concatenate([KNOTS + lag for lag in (0.0, 2.345, 2.345 + 0.07 / 0.008)])
    exact = mean_by_quadrature(curve, CENTRES, FRAMES, np.sort(kinks))
    tolerance = 1e-10 if model in MODELS[:6] else 1e-6
    assert np.max(np.abs(computed - exact)) < tolerance * np.max(exact)


@pytest.mark.parametrize("model", MODELS)
def test_the_mean_of_two_halves_is_the_mean_of_the_whole(model):
    def mean(centre, duration):
        return concentration(
            TISSUE, AIF, centre, model=model, aif_times=KNOTS, frame_duration=duration
        )  # fmt: skip

    whole, left, right = mean(CENTRES, 8.0), mean(CENTRES - 2.0, 4.0), mean(CENTRES + 2.0, 4.0)
    np.testing.assert_allclose((left + right) / 2, whole, rtol=1e-6, atol=1e-6 * float(jnp.max(whole)))


def test_the_mean_of_a_ramp_is_its_middle():
    """A ramp as input, a running integral of a constant, and Patlak's sum of both's laws."""
    knots = np.array([0.0, 7.0, 100.0])
    centres, durations = np.array([5.0, 8.0, 40.0]), np.array([4.0, 9.0, 0.3])
    ramp = interpolate(jnp.array(2.0 * knots), jnp.array(knots), jnp.array(centres), jnp.array(durations))
    np.testing.assert_allclose(ramp, 2.0 * centres, rtol=1e-14)
    filled = convolve(jnp.ones(3), jnp.array(knots), jnp.array(0.0), jnp.array(centres), duration=4.0)
    np.testing.assert_allclose(filled, centres, rtol=1e-14)


@pytest.mark.x64
@pytest.mark.parametrize("rate", [0.0, 0.03, 0.3])
def test_derivatives_of_the_mean_against_finite_differences(rate):
    """In rate (also at 0, from the right at second order), time, duration, curve and knots."""
    centres, durations = jnp.array(CENTRES[4:]), jnp.array(FRAMES[4:])
    weights = jnp.sin(jnp.arange(centres.size))

    def value(rate, shift, stretch, curve, move):
        mean = convolve(curve, jnp.array(KNOTS) * (1 + move), rate, centres + shift, duration=durations * stretch)
        return weights @ mean

    point = (jnp.array(rate), jnp.array(0.01), jnp.array(1.01), jnp.array(AIF), jnp.array(0.0))
    direction = (1.0, 1.0, 1.0, jnp.cos(jnp.arange(AIF.size)), 1.0)
    gradient = jax.grad(value, argnums=range(5))(*point)
    for i, (slope, step) in enumerate(zip(gradient, direction, strict=True)):
        h = 1e-5
        moved = [value(*(p + k * h * step if j == i else p for j, p in enumerate(point))) for k in (0, 1, 2, -1)]
        one_sided = (-3 * moved[0] + 4 * moved[1] - moved[2]) / (2 * h)
        central = (moved[1] - moved[3]) / (2 * h)
        found = one_sided if i == 0 and rate == 0 else central
        assert jnp.vdot(slope, jnp.asarray(step)) == pytest.approx(float(found), rel=1e-6)


def test_second_derivative_in_the_rate_at_zero():
    """d2/dk2 of the mean at k=0 is the mean of \\int (t-u)^2 c(u) du: here c = 1, t^3/3 averaged over the frame."""

    def mean(rate):
        return convolve(jnp.ones(3), jnp.array([0.0, 2.0, 50.0]), rate, jnp.array([20.0]), duration=6.0)[0]

    assert jax.grad(jax.grad(mean))(0.0) == pytest.approx((23.0**4 - 17.0**4) / 12 / 6, rel=1e-12)


def test_times_of_their_own_per_rate_are_delays():
    rates, delays = jnp.array([0.0, 0.1]), jnp.array([0.0, 3.3])
    at = jnp.array(CENTRES) - delays[:, None]
    both = convolve(jnp.array(AIF), jnp.array(KNOTS), rates, at, duration=jnp.array(FRAMES))
    for row, rate, times in zip(both, rates, at, strict=True):
        one = convolve(jnp.array(AIF), jnp.array(KNOTS), rate, times, duration=jnp.array(FRAMES))
        np.testing.assert_allclose(row, one, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("clock", [0.0, 40_000.0])
def test_frames_keep_float32s_digits_late_in_a_long_series(clock):
    """Short frames after half an hour, on a clock at 40,000 s: plain sums and products are off by 1e-4 here."""
    knots = np.arange(0.0, 2400.0, 0.125)
    curve = np.exp(-(((knots - 30.0) / 6.0) ** 2)) * 8 + 0.05
    times = np.arange(4.3, 2390.0, 2.0)
    tissue = Tissue(Fp=0.01, PS=0.002, vp=0.05, ve=0.2)
    results = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            mean = tissue_concentration(tissue, curve, times + clock, aif_times=knots + clock, frame_duration=0.7)
            plasma = interpolate(jnp.asarray(curve, float), jnp.asarray(knots, float), jnp.asarray(times, float), 0.7)
            results.append((np.asarray(mean, float), np.asarray(plasma, float)))
    for single, double in zip(*results, strict=True):
        np.testing.assert_allclose(single, double, rtol=2e-6)


def test_negative_durations_are_refused():
    with pytest.raises(InputError, match=r"frame_duration.*seconds"):
        tissue_concentration(TISSUE, AIF, KNOTS, frame_duration=-1.0)
