"""Which fields of a fit carry derivatives, to which order, whatever the arrays' type (float64)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.kinetics.fit import fit_kinetics
from tests.estimate.kinetics.test_kinetic_fit import AIF, FREE, TIMES, noisy, tissues

pytestmark = pytest.mark.x64

COUNT = 2
CURVES = {m: noisy(tissues(count=COUNT, seed=4), level=0.005, model=m) for m in ("etm", "2cxm")}  # float64
RNG = np.random.default_rng(5)
D_CURVES = CURVES["2cxm"].max() * RNG.standard_normal(CURVES["2cxm"].shape)
D_AIF = AIF * (1 + 0.3 * np.sin(TIMES / 30))
fit = partial(fit_kinetics, times=TIMES)
ALWAYS_AND_SLOWLY = ["etm", pytest.param("2cxm", marks=pytest.mark.slow)]
"""The derivative is one rule for all models; a program of 2CXM's takes the compiler four times as long."""


def logs(concentration, aif, model):
    """A smooth number that every parameter enters."""
    found = fit(concentration, aif=aif, model=model)
    return sum(jnp.sum(jnp.log(getattr(found.tissue, n))) for n in FREE[model].split()) + jnp.sum(found.Ktrans)


@pytest.mark.parametrize("model", ALWAYS_AND_SLOWLY)
def test_the_derivative_by_the_input_does_not_depend_on_the_type_of_the_curves(model):
    curves = CURVES[model]

    def by_aif(c):
        return jax.grad(lambda a: logs(c, a, model))(jnp.asarray(AIF))

    slope = by_aif(curves)
    np.testing.assert_allclose(slope, by_aif(jnp.asarray(curves)), rtol=1e-9)
    h = 1e-5
    difference = (logs(curves, AIF + h * D_AIF, model) - logs(curves, AIF - h * D_AIF, model)) / (2 * h)
    assert float(slope @ D_AIF) == pytest.approx(float(difference), rel=1e-5)


@pytest.mark.parametrize("model", ALWAYS_AND_SLOWLY)
def test_hessian_vector_products_are_differences_of_gradients(model):
    """In curves and input together: how the sensitivity itself moves."""

    def gradient(c, a):
        return jax.grad(logs, argnums=(0, 1))(c, a, model)

    at, along = (jnp.asarray(CURVES[model]), jnp.asarray(AIF)), (jnp.asarray(D_CURVES), jnp.asarray(D_AIF))
    found = jax.jvp(gradient, at, along)[1]
    h = 3e-6
    ends = [gradient(*(x + k * h * d for x, d in zip(at, along, strict=True))) for k in (-1, 1)]
    for i in range(2):
        difference = (ends[1][i] - ends[0][i]) / (2 * h)
        scale = float(jnp.max(jnp.abs(difference)))
        np.testing.assert_allclose(found[i], difference, atol=2e-3 * scale)


def test_parameters_and_residual_sum_move_as_refitting_says():
    def found(c, a):
        fitted = fit(c, aif=a, model="2cxm")
        return jnp.stack([fitted.rss, fitted.aicc, *(getattr(fitted.tissue, n) for n in FREE["2cxm"].split())])

    curves = CURVES["2cxm"]
    slope = jax.jvp(found, (jnp.asarray(curves), jnp.asarray(AIF)), (jnp.asarray(D_CURVES), jnp.asarray(D_AIF)))[1]
    h = 1e-5
    ends = [found(curves + k * h * D_CURVES, AIF + k * h * D_AIF) for k in (-1, 1)]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * h), rtol=1e-4)


def test_a_standard_error_is_a_constant_and_spoils_no_other():
    """As KineticFit says: no derivative of its own, and none that reaches the parameters."""

    def both(c):
        found = fit(c, aif=AIF, model="etm")
        return jnp.sum(found.stderr["PS"]), jnp.sum(found.tissue.PS)

    slopes = jax.jit(jax.jacrev(both))(jnp.asarray(CURVES["etm"]))
    assert not np.any(slopes[0])
    assert np.isfinite(slopes[1]).all()
    assert np.any(slopes[1])
