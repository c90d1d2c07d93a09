"""Random inputs and responses to a spline: what they promise of areas, ranges and linearity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.banks.contrast import KNOTS, frame_matrix, inlet_curve, phantom_responses, spline
from simulate.examinations.perfused import vascularise
from simulate.inputs.population import georgiou_aif, georgiou_shape, parker_aif, parker_shape
from simulate.inputs.random import (
    AREA_WINDOW,
    POPULATION_AREA,
    InletRange,
    draw_inlet,
    unseen_inlet,
    window_area,
)
from simulate.inputs.transit import delayed, disperse
from simulate.phantoms.tumour import tumour_phantom
from simulate.spectral.engine import cell_concentration, local_aif, transport
from simulate.spectral.readout import readout

TIMES = jnp.arange(0.0, 321.0)


def test_population_area_is_parkers():
    fine = jnp.arange(0, AREA_WINDOW, 0.01)
    assert float(jnp.sum(parker_aif(fine, haematocrit=0.42)) * 0.01) == pytest.approx(POPULATION_AREA, rel=1e-3)


@pytest.mark.parametrize(("shape", "aif"), [(parker_shape, parker_aif), (georgiou_shape, georgiou_aif)])
def test_shapes_stretch_in_time_and_raise_the_tail(shape, aif):
    fine = jnp.arange(0, 600, 0.25)
    plain = np.asarray(shape(fine))
    np.testing.assert_allclose(plain, np.asarray(aif(fine, haematocrit=0.0)))
    late = fine > 240
    double = np.asarray(shape(fine, tail=2.0))
    assert np.allclose(double[late], 2 * plain[late], rtol=2e-2)
    assert plain[double.argmax()] == pytest.approx(double.max(), rel=0.35)  # the first pass is another thing
    wide = np.asarray(shape(fine, stretch=2.0))
    assert fine[wide.argmax()] == pytest.approx(2 * float(fine[plain.argmax()]), abs=1.0)


def test_draws_keep_to_their_ranges():
    curves = jax.vmap(lambda key: draw_inlet(key, TIMES))(jax.random.split(jax.random.key(0), 300))
    areas = np.asarray(window_area(curves, TIMES))
    curves = np.asarray(curves)
    assert np.all(np.isfinite(curves))
    assert curves.min() > -1e-6
    amplitude = areas / POPULATION_AREA
    assert 0.5 <= amplitude.min() < 0.55
    assert 1.45 < amplitude.max() <= 1.5
    parker = np.asarray(parker_shape(TIMES))
    tail = curves[:, 200] / areas / (parker[200] / parker[:90].sum())
    low, high = np.percentile(tail, (5, 95))
    assert low < 0.6  # half to almost twice the population's ratio of tail to area
    assert high > 1.3


def test_an_area_is_that_of_what_arrives():
    """A late input has its area later; half the steps, the same area."""
    curve = draw_inlet(jax.random.key(3), TIMES, InletRange(dispersion=(0.0, 0.0)))
    area = float(window_area(curve, TIMES))
    assert area == pytest.approx(float(jnp.sum(curve[: int(AREA_WINDOW)])), rel=1e-6)
    late = delayed(curve, TIMES, 5.0)
    assert float(window_area(late, TIMES, arrival=5.0)) == pytest.approx(area, rel=1e-6)
    assert float(window_area(late, TIMES)) < area
    fine = jnp.arange(0.0, 321.0, 0.5)
    assert float(window_area(jnp.interp(fine, TIMES, curve), fine)) == pytest.approx(area, rel=5e-3)


def test_a_stirred_volume_spreads_an_input_and_keeps_what_passes():
    curve = draw_inlet(jax.random.key(3), TIMES, InletRange(dispersion=(0.0, 0.0)))
    spread = disperse(curve, TIMES, time_constant=4.0)
    assert float(spread.max()) < float(curve.max())
    assert float(spread.sum()) == pytest.approx(float(curve.sum()), rel=2e-2)


def test_the_unseen_family_has_no_first_pass():
    drawn = unseen_inlet(jax.random.key(1), TIMES)
    assert 0.5 <= float(window_area(drawn, TIMES)) / POPULATION_AREA <= 1.5
    assert float(drawn.max()) < 1.5 * float(drawn[120])


@pytest.mark.x64
def test_splines_add_up_to_one_and_curves_are_what_they_say():
    fine = jnp.linspace(3.0, 20.0, 200)
    np.testing.assert_allclose(inlet_curve(jnp.ones(30), fine), 1.0, rtol=1e-12)
    assert float(jnp.sum(spline(jnp.linspace(-2, 2, 401))) * 0.01) == pytest.approx(1.0, rel=1e-6)


@pytest.fixture(scope="module")
def perfused():
    phantom = tumour_phantom(jax.random.key(1), shape=(8, 8, 8), cell=(3.0, 3.0, 3.0), mixing=0.5)
    return vascularise(jax.random.key(2), phantom, terminals=60)


def test_any_input_and_frames_follow_from_the_response(perfused):
    """Against the transport of that very input, at more frequencies: 2 thousandths of the peak."""
    found = phantom_responses(perfused, with_local_aif=True)
    weights = draw_inlet(jax.random.key(7), TIMES)
    edges = jnp.arange(-9.3, 280, 2.3)
    matrix = np.asarray(frame_matrix(weights, edges))
    fine = np.arange(-2.0, 330, 0.1)
    out = readout(inlet_curve(weights, jnp.asarray(fine)), fine, edges[:-1], 2.3, frequencies=4096)
    exact = np.asarray(cell_concentration(perfused.bed, transport(perfused.bed, out)[0]))
    curves = (found.shape.astype(float) @ matrix) * found.peak[:, None]
    strong = exact.max(1) > 1e-4
    assert np.max(np.abs(curves - exact)[strong].max(1) / exact[strong].max(1)) < 2.5e-3
    local = found.local_aif.astype(float) @ matrix
    exact = np.asarray(local_aif(perfused.bed, out))
    assert np.max(np.abs(local - exact)) < 4e-3 * exact.max()


def test_the_response_holds_the_right_amounts(perfused):
    """Its area is the plasma's, vp, and what leaks into the EES and is still there: PS times the time that is left."""
    found = phantom_responses(perfused)
    total = np.trapezoid(found.shape.astype(float) * found.peak[:, None], KNOTS, axis=1)
    names = dict(zip(("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels", "delay"), found.truth.T, strict=False))
    tight = (names["PS"] * 320 < 0.1 * names["ve"]) & (names["vp_vessels"] == 0) & (names["Fp"] > 0.001)
    assert tight.sum() > 50
    expected = names["vp"] + names["PS"] * (320 - names["delay"])
    np.testing.assert_allclose(total[tight], expected[tight], rtol=0.06)
