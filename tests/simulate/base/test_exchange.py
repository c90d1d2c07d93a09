"""Extraction, Ktrans, kep and MTT: against the papers' forms, in their limits, and against the curves they describe."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base.exchange import (
    LIMITS,
    efflux_constant,
    extraction,
    mean_transit_time,
    mixed,
    transfer_constant,
)
from simulate.base.types import Tissue
from simulate.kinetics.capillaries import stirred_tanks
from simulate.kinetics.compartments import COMPARTMENT_MODELS
from simulate.kinetics.tissue import mixing_of, tissue_concentration

pytestmark = pytest.mark.x64

RATIOS = np.geomspace(1e-6, 30.0, 40)  # PS/Fp
MIXINGS = (1.0, 0.5, 0.1, 1e-3, 0.0)
TUMOUR = Tissue(Fp=0.008, PS=0.003, vp=0.05, ve=0.25)


def test_one_tank_is_compartmental():
    np.testing.assert_allclose(extraction(1.0, RATIOS), RATIOS / (1 + RATIOS), rtol=1e-12)
    np.testing.assert_allclose(transfer_constant(2.0, 2 * RATIOS), 2 * RATIOS / (1 + RATIOS), rtol=1e-12)


@pytest.mark.parametrize("tanks", [2, 5, 40])
def test_tanks_pass_on_what_each_lets_through(tanks):
    passed_on = (1 + RATIOS / tanks) ** -tanks
    np.testing.assert_allclose(
        extraction(1.0, RATIOS, 1 / tanks), 1 - passed_on, rtol=1e-12, atol=1e-14
    )  # of the powers


def test_plug_flow_is_that_of_renkin_and_crone():
    np.testing.assert_allclose(extraction(1.0, RATIOS, 0.0), -np.expm1(-RATIOS), rtol=1e-12)
    np.testing.assert_allclose(transfer_constant(2.0, 2 * RATIOS, 0.0), -2 * np.expm1(-RATIOS), rtol=1e-12)


def test_many_tanks_come_near_plug_flow_by_one_over_their_number():
    apart = [float(extraction(1.0, 0.8, 0.0) - extraction(1.0, 0.8, 1 / n)) for n in (10, 100, 1000, 10**7)]
    # E - E_N = e^-x x^2/(2 N) + O(N^-2)
    np.testing.assert_allclose(apart * np.array([10, 100, 1000, 10**7]), np.exp(-0.8) * 0.32, rtol=0.1)
    assert all(a > b > 0 for a, b in pairwise(apart))


@pytest.mark.parametrize("mixing", MIXINGS)
def test_the_transfer_constant_is_extraction_times_flow(mixing):
    Fp = 0.01
    np.testing.assert_allclose(
        transfer_constant(Fp, RATIOS * Fp, mixing), Fp * extraction(Fp, RATIOS * Fp, mixing), rtol=1e-12
    )


@pytest.mark.parametrize("mixing", MIXINGS)
def test_without_flow_limit_ps_is_ktrans_and_nothing_is_extracted_of_an_endless_flow(mixing):
    assert transfer_constant(LIMITS["Fp"], 0.003, mixing) == 0.003
    assert transfer_constant(1e9, 0.003, mixing) == pytest.approx(0.003, rel=1e-10)
    assert extraction(LIMITS["Fp"], 0.003, mixing) == 0
    assert transfer_constant(0.0, 0.003, mixing) == 0
    assert extraction(0.0, 0.003, mixing) == 1


def test_an_endless_ees_gives_nothing_back():
    assert efflux_constant(0.002, LIMITS["ve"]) == 0
    assert mean_transit_time(0.01, 0.05, LIMITS["ve"]) == np.inf
    assert mean_transit_time(LIMITS["Fp"], 0.05, LIMITS["ve"]) == np.inf
    assert mean_transit_time(LIMITS["Fp"], 0.05, 0.2) == 0
    assert np.isnan(mean_transit_time(0.01, 0.05, np.nan))


@pytest.mark.parametrize("mixing", MIXINGS)
def test_derivatives_at_the_limits_are_those_of_the_limits(mixing):
    of_ps = jax.grad(lambda PS, Fp: transfer_constant(Fp, PS, mixing))
    assert of_ps(0.003, jnp.inf) == 1  # Ktrans = PS
    assert of_ps(0.0, 0.01) == 1  # the first tracer to leave meets no gradient
    # Ktrans = PS - (1 + mixing) PS^2/(2 Fp) + ...
    assert jax.grad(of_ps)(0.0, 0.01) == pytest.approx(-(1 + mixing) / 0.01)
    assert jax.grad(lambda Fp: transfer_constant(Fp, 0.003, mixing))(jnp.inf) == 0
    assert jax.grad(lambda Fp: extraction(Fp, 0.003, mixing))(jnp.inf) == 0
    assert jax.grad(lambda Fp: transfer_constant(Fp, 0.0, mixing))(0.01) == 0
    for end in (0.0, jnp.inf):
        assert jnp.isfinite(jax.grad(lambda Fp: transfer_constant(Fp, 0.003, mixing))(end))


def test_times_have_derivatives_at_the_limits():
    assert jax.grad(lambda ve: efflux_constant(0.002, ve))(jnp.inf) == 0
    for Fp, ve in ((jnp.inf, 0.2), (0.01, jnp.inf), (jnp.inf, jnp.inf)):
        assert np.all(np.isfinite(jax.grad(mean_transit_time, argnums=(0, 1, 2))(Fp, 0.05, ve)))


@pytest.mark.parametrize("mixing", MIXINGS)
def test_derivatives_against_differences(mixing):
    for ratio in (1e-9, 1e-3, 0.4, 6.0):
        at = (0.01, 0.01 * ratio)
        found = jax.grad(lambda Fp, PS: transfer_constant(Fp, PS, mixing), argnums=(0, 1))(*at)
        for i in (0, 1):
            step = 1e-5 * at[i]
            ends = [transfer_constant(*(v + s * step * (i == j) for j, v in enumerate(at)), mixing) for s in (1, -1)]
            assert found[i] == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("tanks", [1, 3])
def test_extraction_is_what_the_outflow_lacks_of_a_short_injection_that_never_returns(tanks):
    """The transfer function at s = 0 of tanks beside an endless EES, which is reached from above."""
    left = stirred_tanks(1e-9, 0.01, 0.006, 0.05, 1e14, tanks)
    assert 1 - left == pytest.approx(float(extraction(0.01, 0.006, 1 / tanks)), rel=1e-5)
    assert left == pytest.approx(float(mixed(0.6, 1 / tanks)), rel=1e-5)


@pytest.mark.parametrize("model", ["2cxm", "2cum", "tanks-3", "dp", "th", "aath", "etm", "patlak"])
def test_ktrans_is_the_slope_of_a_patlak_plot(model):
    """Nothing comes back: under a lasting input the curve rises by Ktrans ca once the plasma is full."""
    lasting = "ve" not in COMPARTMENT_MODELS[model].parameters if model in COMPARTMENT_MODELS else False
    Fp = TUMOUR.Fp if model not in ("etm", "patlak") else LIMITS["Fp"]
    tissue = Tissue(Fp=Fp, PS=TUMOUR.PS, vp=TUMOUR.vp, ve=LIMITS["ve"] if lasting else 1e6)
    times = jnp.asarray([200.0, 300.0])
    curve = tissue_concentration(tissue, jnp.ones(2), times, model=model, aif_times=jnp.asarray([0.0, 400.0]))
    slope = float(curve[1] - curve[0]) / 100
    assert slope == pytest.approx(float(transfer_constant(Fp, TUMOUR.PS, mixing_of(model))), rel=1e-4)


@pytest.mark.parametrize("model", ["2cxm", "tanks-3", "dp", "th", "aath"])
def test_mtt_times_flow_is_the_area_of_the_curve_over_that_of_the_input(model):
    times = np.concatenate([np.arange(0, 200, 0.25), np.geomspace(200, 3e4, 1500)])
    aif = np.where(times < 10, np.sin(np.pi * np.minimum(times, 10) / 10), 0.0)
    curve = np.asarray(tissue_concentration(TUMOUR, aif, times, model=model))
    shares = np.trapezoid(curve, times) / np.trapezoid(aif, times)
    assert shares / TUMOUR.Fp == pytest.approx(float(TUMOUR.MTT), rel=1e-3)


@pytest.mark.parametrize("model", ["etm", "tofts", "aath"])
def test_kep_is_the_rate_of_the_washout(model):
    Fp = TUMOUR.Fp if model == "aath" else LIMITS["Fp"]
    tissue = Tissue(Fp=Fp, PS=TUMOUR.PS, vp=TUMOUR.vp, ve=TUMOUR.ve)
    knots, input_ = jnp.asarray([0.0, 5.0, 10.0, 1000.0]), jnp.asarray([0.0, 1.0, 0.0, 0.0])
    late = tissue_concentration(tissue, input_, jnp.asarray([100.0, 200.0]), model=model, aif_times=knots)
    Ktrans = transfer_constant(Fp, TUMOUR.PS, mixing_of(model))
    assert -np.log(late[1] / late[0]) / 100 == pytest.approx(float(efflux_constant(Ktrans, TUMOUR.ve)), rel=1e-6)


def test_limits_hold_in_single_precision():
    with jax.enable_x64(False):
        found = jnp.asarray([transfer_constant(LIMITS["Fp"], 0.003, mixing) for mixing in MIXINGS])
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, 0.003, rtol=1e-6)
        np.testing.assert_allclose(transfer_constant(0.01, 0.01 * RATIOS), 0.01 * RATIOS / (1 + RATIOS), rtol=1e-6)
        assert jax.grad(lambda PS: transfer_constant(jnp.inf, PS))(0.003) == 1


def test_every_model_says_what_its_capillaries_are():
    assert all(mixing_of(name) == 1 for name in COMPARTMENT_MODELS)
    assert all(mixing_of(name) == 0 for name in ("dp", "th", "aath"))
    assert mixing_of("tanks-4") == 0.25
