r"""Derivatives of a fit by the implicit function theorem, not through the solver's steps.

At the minimum u* of f(u; C, ca) = |C - m(u, ca)|^2/2 the gradient g = df/du vanishes along the free
coordinates, so

    du* = -(d^2f/du^2)^{-1} (dg/dC dC + dg/dca dca)      (free coordinates; 0 along an active bound)

with the full Hessian, residual curvature included. The rule is linear in dC and dca, so JAX gets reverse
mode by transposing it.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from estimate.bounds import box, near_bound
from estimate.compressed_model import FitModel, to_coordinates, to_physical
from simulate.base.types import Tissue
from simulate.kinetics import tissue_concentration


def predict(model: FitModel, u: Array, aif: Array, times: Array, aif_times: Array) -> Array:
    """The model curve (t,) at the solver's coordinates u (p,), exact (no table)."""
    values = to_physical(model.parameters, tuple(u))
    tissue = Tissue(**{name: values.get(name, jnp.asarray(limit)) for name, limit in _ABSENT.items()})
    return tissue_concentration(tissue, aif, times, model=model.name, aif_times=aif_times)


_ABSENT = {"Fp": jnp.inf, "PS": 0.0, "vp": 0.0, "ve": jnp.inf, "va": 0.0, "delay": 0.0}


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def with_implicit_derivative(
    model: FitModel,
    limits: tuple,
    curves: Array,
    aif: Array,
    times: Array,
    aif_times: Array,
    values: Array,
) -> Array:
    """Return the fitted `values` (p, v) unchanged, as a differentiable function of curves (v, t) and aif (k,)."""
    return values


@with_implicit_derivative.defjvp
def _rule(model: FitModel, limits: tuple, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return primals[-1], _displacement(model, limits, *primals, tangents[0], tangents[1])


@partial(jax.jit, static_argnums=(0, 1))
def _displacement(
    model: FitModel, limits: tuple, curves: Array, aif: Array, times: Array, aif_times: Array, values: Array,
    d_curves: Array, d_aif: Array,
) -> Array:  # fmt: skip
    """By how much the fitted values (p, v) move with the curves and the input; linear in d_curves and d_aif."""
    lower, upper = box(model, dict(limits), values.dtype)
    u = jnp.stack(to_coordinates(model.parameters, dict(zip(model.parameters, values, strict=True))))
    inside = ~near_bound(u, lower, upper) & jnp.isfinite(u)
    u = jnp.where(jnp.isfinite(u), u, (lower + upper) / 2)

    def gradient(u_one, curve, input_curve):
        def objective(x):
            return 0.5 * jnp.sum((curve - predict(model, x, input_curve, times, aif_times)) ** 2)

        return jax.grad(objective)(u_one)

    def one_voxel(args):
        u_one, free, curve, d_curve = args
        curve = jnp.where(jnp.isfinite(curve), curve, 0.0)
        hessian = jax.jacfwd(gradient)(u_one, curve, aif)
        # what the curve does not feel (PS -> 0 in log PS) has no derivative either
        free = free & (jnp.diagonal(hessian) > 1e-12 * jnp.sum(curve**2))
        both = free[:, None] & free[None]
        system = jnp.where(both, hessian, jnp.eye(u_one.size, dtype=u_one.dtype))
        scale = jax.lax.rsqrt(jnp.abs(jnp.diagonal(system)))
        _, pushed = jax.jvp(partial(gradient, u_one), (curve, aif), (d_curve, d_aif))
        scaled = system * scale[:, None] * scale
        return -jnp.linalg.solve(scaled, jnp.where(free, pushed, 0.0) * scale) * scale

    du = jax.lax.map(one_voxel, (u.T, inside.T, curves, d_curves), batch_size=512).T

    def physical(x):
        found = to_physical(model.parameters, tuple(x))
        return jnp.stack([found[name] for name in model.parameters])

    return jax.jvp(physical, (u,), (du,))[1]
