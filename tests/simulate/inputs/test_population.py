"""Arterial inputs: published landmarks, onset, and exact delay and dispersion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.inputs import population as published
from simulate.inputs import transit
from simulate.kinetics.convolution import interpolate

TIMES = jnp.arange(0.0, 400.0, 0.5)
HCT = 0.42

BLOOD_CURVES = {
    "parker": lambda t, **k: published.parker_aif(t, haematocrit=HCT, **k),
    "georgiou": lambda t, **k: published.georgiou_aif(t, haematocrit=HCT, **k),
    "weinmann": lambda t, **k: published.weinmann_aif(t, **k),
    "mcgrath": lambda t, **k: published.mcgrath_aif(t, haematocrit=HCT, **k),
    "gamma": lambda t, **k: published.gamma_variate_aif(t, peak=6.0, time_to_peak=8.0, alpha=3.0, haematocrit=HCT, **k),
}


@pytest.fixture(params=BLOOD_CURVES)
def population(request):
    return BLOOD_CURVES[request.param]


def test_parker_peak_in_plasma_is_that_of_the_paper():
    assert float(published.parker_aif(jnp.arange(0, 60, 0.01), haematocrit=0.42).max()) == pytest.approx(
        10.47, abs=0.01
    )


def test_parker_starts_with_its_published_step():
    assert float(published.parker_aif(jnp.zeros(1), haematocrit=0.0)[0]) == pytest.approx(0.080, abs=5e-4)


def test_weinmann_starts_at_dose_times_amplitudes():
    assert float(published.weinmann_aif(jnp.zeros(1), dose=0.2)[0]) == pytest.approx(0.2 * (3.99 + 4.78))


def test_mcgrath_peaks_at_seven_seconds_and_is_continuous_there():
    t = jnp.array([7 - 1e-6, 7.0])
    np.testing.assert_allclose(published.mcgrath_aif(t, haematocrit=0.0), 5.21, atol=2e-4)


def test_gamma_variate_has_its_peak_where_it_was_asked_for():
    t = jnp.array([0.0, 17.9, 18.0, 18.1])
    curve = published.gamma_variate_aif(t, peak=6.0, time_to_peak=8.0, alpha=3.0, haematocrit=0.4, onset=10.0)
    assert float(curve[2]) == pytest.approx(10.0)
    assert curve[2] > curve[1]
    assert curve[2] > curve[3]


def test_gamma_variate_area_is_the_gamma_function():
    t = jnp.arange(0.0, 200.0, 0.01)
    curve = published.gamma_variate_aif(t, peak=1.0, time_to_peak=8.0, alpha=3.0, haematocrit=0.0)
    exact = 8.0 * np.exp(3.0) * 6.0 / 3.0**4  # ∫ (x e^{1-x})^3 dx = e^3 Γ(4)/3^4
    assert float(jnp.trapezoid(curve, t)) == pytest.approx(exact, rel=1e-6)


@pytest.mark.x64
def test_georgiou_late_passes_have_merged_into_their_mean():
    """The renewal value must join the sum of passes without a step, and hold for a long scan."""
    around = published.georgiou_aif(jnp.array([359.999, 360.001]), haematocrit=HCT)
    drift = published.georgiou_aif(jnp.array([360.001, 360.003]), haematocrit=HCT)
    assert float(around[0] - around[1]) == pytest.approx(float(drift[0] - drift[1]), abs=1e-7)
    late = published.georgiou_aif(jnp.array([1800.0, 3600.0]), haematocrit=HCT)
    assert float(jnp.log(late[0] / late[1])) == pytest.approx(0.1127 * 30, rel=1e-6)


def test_nothing_before_the_onset_and_the_same_curve_after_it(population):
    shifted = population(TIMES, onset=30.0)
    np.testing.assert_array_equal(shifted[TIMES < 30], 0.0)
    np.testing.assert_allclose(shifted[TIMES >= 30], population(TIMES)[: shifted.size - 60], rtol=1e-10)


def test_curves_are_finite_non_negative_with_finite_gradients(population):
    curve = population(TIMES, onset=10.0)
    slope = jax.jacfwd(lambda onset: population(TIMES, onset=onset))(10.0)
    assert np.all(np.isfinite(curve))
    assert np.all(curve >= 0)
    assert np.all(np.isfinite(slope))


@pytest.mark.x64
def test_gradient_in_the_onset_is_minus_the_slope_in_time(population):
    t, h = jnp.array([33.3, 51.7, 123.4]), 1e-5
    gradient = jax.jacfwd(lambda onset: population(t, onset=onset))(10.0)
    slope = (population(t + h, onset=10.0) - population(t - h, onset=10.0)) / (2 * h)
    np.testing.assert_allclose(gradient, -slope, rtol=1e-6, atol=1e-9)


def test_single_precision_agrees_with_double(population):
    single = population(jnp.asarray(TIMES, jnp.float32))
    assert single.dtype == jnp.float32
    with jax.enable_x64(True):
        np.testing.assert_allclose(single, population(TIMES), rtol=3e-4, atol=1e-4)


def test_plasma_holds_what_red_cells_exclude():
    np.testing.assert_allclose(transit.blood_to_plasma(jnp.array([0.58, 1.16]), 0.42), [1.0, 2.0])
    np.testing.assert_allclose(transit.plasma_to_blood(jnp.array([1.0, 2.0]), 0.42), [0.58, 1.16])


@pytest.mark.x64
def test_dispersion_solves_the_stirred_tank():
    """T dy/dt + y = x for y = dispersed x, at interior points where the input is linear."""
    knots = jnp.array([0.0, 3.0, 7.0, 20.0, 60.0])
    curve = jnp.array([0.0, 5.0, 1.0, 0.5, 0.0])
    t = jnp.array([1.3, 5.0, 12.0, 47.0])
    h, constant = 1e-4, 4.0
    grid = jnp.sort(jnp.concatenate([knots, t, t - h, t + h]))
    out = transit.disperse(interpolate(curve, knots, grid), grid, time_constant=constant)
    at = {shift: out[jnp.searchsorted(grid, t + shift)] for shift in (-h, 0.0, h)}
    rate = (at[h] - at[-h]) / (2 * h)
    np.testing.assert_allclose(constant * rate + at[0.0], interpolate(curve, knots, t), rtol=1e-7)


def test_dispersion_preserves_mass_and_adds_its_time_constant_to_the_mean_transit():
    knots = jnp.concatenate([jnp.arange(0, 20, 0.01), jnp.arange(20, 400, 0.05)])
    curve = interpolate(jnp.array([0.0, 5.0, 0.0]), jnp.array([2.0, 6.0, 10.0]), knots)
    out = transit.disperse(curve, knots, time_constant=6.0)
    mass = jnp.trapezoid(jnp.stack([curve, out]), knots, axis=-1)
    mean = jnp.trapezoid(jnp.stack([curve, out]) * knots, knots, axis=-1) / mass
    assert float(mass[1]) == pytest.approx(float(mass[0]), rel=1e-5)
    assert float(mean[1] - mean[0]) == pytest.approx(6.0, rel=1e-4)


def test_no_dispersion_is_the_identity_and_a_short_one_is_near_it():
    curve = published.parker_aif(TIMES, haematocrit=HCT)
    several = transit.disperse(curve, TIMES, time_constant=jnp.array([0.0, 1e-6, 5.0]))
    np.testing.assert_array_equal(several[0], curve)
    np.testing.assert_allclose(several[1, 1:], curve[1:], rtol=1e-5)
    assert float(several[2].max()) < float(curve.max())


def test_delay_is_exact_for_piecewise_linear_curves_and_differentiable():
    knots = jnp.array([0.0, 4.0, 5.0, 9.0])
    curve = jnp.array([0.0, 8.0, 3.0, 1.0])
    out = transit.delayed(curve, knots, jnp.array([0.0, 2.0, -1.0, 20.0]))
    np.testing.assert_allclose(out, [[0, 8, 3, 1], [0, 4, 6, 2], [2, 3, 2.5, 1], [0, 0, 0, 0]])
    gradient = jax.grad(lambda d: transit.delayed(curve, knots, d)[1])(1.5)
    assert float(gradient) == pytest.approx(-2.0)
