"""Which fields of a fit carry derivatives, to which order, whatever the arrays' type (float64)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.kinetics.fit import fit_kinetics
from tests.estimate.kinetics.test_kinetic_fit import AIF, TIMES, noisy, tissues

pytestmark = pytest.mark.x64

COUNT = 2
CURVES = noisy(tissues(count=COUNT, seed=4), level=0.005)  # float64
RNG = np.random.default_rng(5)
D_CURVES = CURVES.max() * RNG.standard_normal(CURVES.shape)
D_AIF = AIF * (1 + 0.3 * np.sin(TIMES / 30))
fit = partial(fit_kinetics, times=TIMES)


def logs(concentration, aif):
    """A smooth number that every parameter enters."""
    found = fit(concentration, aif=aif)
    return sum(jnp.sum(jnp.log(getattr(found.tissue, n))) for n in ("Fp", "PS", "vp", "ve")) + jnp.sum(found.Ktrans)


def test_the_derivative_by_the_input_does_not_depend_on_the_type_of_the_curves():
    by_aif = jax.grad(lambda a: logs(CURVES, a))(jnp.asarray(AIF))
    np.testing.assert_allclose(by_aif, jax.grad(lambda a: logs(jnp.asarray(CURVES), a))(jnp.asarray(AIF)), rtol=1e-9)
    h = 1e-5
    difference = (logs(CURVES, AIF + h * D_AIF) - logs(CURVES, AIF - h * D_AIF)) / (2 * h)
    assert float(by_aif @ D_AIF) == pytest.approx(float(difference), rel=1e-5)


def test_hessian_vector_products_are_differences_of_gradients():
    """In curves and input together: how the sensitivity itself moves."""

    def gradient(c, a):
        return jax.grad(logs, argnums=(0, 1))(c, a)

    at, along = (jnp.asarray(CURVES), jnp.asarray(AIF)), (jnp.asarray(D_CURVES), jnp.asarray(D_AIF))
    found = jax.jvp(gradient, at, along)[1]
    h = 3e-6
    ends = [gradient(*(x + k * h * d for x, d in zip(at, along, strict=True))) for k in (-1, 1)]
    for i in range(2):
        difference = (ends[1][i] - ends[0][i]) / (2 * h)
        scale = float(jnp.max(jnp.abs(difference)))
        np.testing.assert_allclose(found[i], difference, atol=2e-3 * scale)


def test_the_residual_sum_moves_as_refitting_says():
    def residuals(c, a):
        found = fit(c, aif=a)
        return jnp.stack([found.rss, found.aicc])

    slope = jax.jvp(residuals, (jnp.asarray(CURVES), jnp.asarray(AIF)), (jnp.asarray(D_CURVES), jnp.asarray(D_AIF)))[1]
    h = 1e-5
    ends = [residuals(CURVES + k * h * D_CURVES, AIF + k * h * D_AIF) for k in (-1, 1)]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * h), rtol=1e-4)


def test_a_standard_error_is_a_constant_and_spoils_no_other():
    """As KineticFit says: no derivative of its own, and none that reaches the parameters."""

    def both(c):
        found = fit(c, aif=AIF)
        return jnp.sum(found.stderr["Fp"]), jnp.sum(found.tissue.Fp)

    slopes = jax.jit(jax.jacrev(both))(jnp.asarray(CURVES))
    assert not np.any(slopes[0])
    assert np.isfinite(slopes[1]).all()
    assert np.any(slopes[1])
