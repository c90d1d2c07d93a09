"""Where absolute values come from: each source's area, against the input that made it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.arterial.scale import CBFMap, asl_scale, population_scale, vessel_scale
from simulate.base.constants import BRAIN_DENSITY
from simulate.base.errors import InputError
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import parker_aif
from simulate.inputs.random import AMPLITUDE, POPULATION_AREA, draw_inlet, window_area


def curve(spacing, duration=200.0, onset=20.0):
    times = spacing * np.arange(int(duration / spacing))
    return ArterialInput(jnp.asarray(times), parker_aif(times, haematocrit=0.42, onset=onset), "a vessel")


def test_the_population_is_the_middle_of_what_training_draws():
    scale = population_scale()
    times = jnp.arange(0.0, 321.0)
    curves = jax.vmap(lambda k: draw_inlet(k, times))(jax.random.split(jax.random.key(0), 4000))
    drawn = window_area(curves, times)
    assert scale.area == pytest.approx(float(jnp.median(drawn)), rel=0.03)
    assert scale.spread == pytest.approx(float(jnp.std(jnp.log(drawn))), rel=0.05)
    # PHYSICS: no absolute value can be better than this under a uniform amplitude
    error = np.abs(np.log(np.asarray(drawn) / scale.area))
    assert np.median(error) > 0.19
    assert AMPLITUDE == (0.5, 1.5)


@pytest.mark.parametrize("spacing", [1.0, 2.0, 5.0])
def test_a_vessels_area_does_not_depend_on_its_frames(spacing):
    scale = vessel_scale(curve(spacing))
    assert scale.area == pytest.approx(POPULATION_AREA, rel=0.02)
    assert "a vessel" in scale.source
    assert "not known" in scale.source


def test_a_vessels_scale_is_as_sure_as_its_curve():
    scale = vessel_scale(replace(curve(2.0), spread=0.14))
    assert scale.spread == 0.14
    assert scale.source == "vessels: a vessel"


def test_a_curve_that_ends_early_is_refused_or_drawn_on():
    with pytest.raises(InputError, match="ends"):
        vessel_scale(curve(1.0, duration=55.0))
    assert vessel_scale(curve(1.0, duration=90.0)).area == pytest.approx(POPULATION_AREA, rel=0.35)


def test_asl_makes_flows_agree():
    rng = np.random.default_rng(0)
    cbf = rng.uniform(20, 80, 500)
    Fp = cbf * BRAIN_DENSITY * (1 - 0.42) / 6000
    known = {"haematocrit": 0.42, "own_error": 0.08}
    scale = asl_scale(Fp * 150.0 * np.exp(0.2 * rng.standard_normal(500)), CBFMap(cbf), **known)
    assert scale.area == pytest.approx(150.0, rel=0.03)
    scatter = 0.2 * 1.25 / np.sqrt(500)
    assert scale.spread == pytest.approx(np.hypot(0.08, scatter), rel=0.01)
    assert "not known" in scale.source
    stated = asl_scale(Fp * 150.0, CBFMap(cbf, 0.3 * cbf), **known)  # five hundred voxels, one scan
    assert stated.spread == pytest.approx(np.hypot(0.08, 0.3), rel=0.01)
    with pytest.raises(InputError, match="only 0 voxels"):
        asl_scale(Fp, CBFMap(np.full(500, np.nan)), **known)
