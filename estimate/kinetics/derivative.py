r"""Derivatives of a fit by the implicit function theorem, not through the solver's steps.

At the minimum u* of f(u; C, ca) = |C - m(u, ca)|^2/2 the gradient g = df/du vanishes along the free
coordinates, so

    du* = -(d^2f/du^2)^{-1} (dg/dC dC + dg/dca dca)      (free coordinates; 0 along an active bound)

with the full Hessian, residual curvature included; that of the residual sum of squares is 2 r.(dC - dm/dca dca).
The rule is linear in dC and dca, so JAX gets reverse mode by transposing it.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from estimate.kinetics.bounds import box, near_bound
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel, to_coordinates, to_physical
from simulate.base.exchange import LIMITS
from simulate.base.types import Tissue
from simulate.kinetics.tissue import tissue_concentration


def predict(model: FitModel, u: Array, given: FitInput) -> Array:
    """The model curve (t,) at the solver's coordinates u (p,), exact (no table)."""
    values = to_physical(model.parameters, tuple(u))
    tissue = Tissue(**{name: values.get(name, jnp.asarray(limit)) for name, limit in LIMITS.items()})
    return curve_of(model.name, tissue, given)


def curve_of(name: str, tissue: Tissue, given: FitInput) -> Array:
    """The curve (t,) of a tissue in this measurement."""
    return tissue_concentration(
        tissue, given.aif, given.times, model=name, aif_times=given.aif_times,
        frame_duration=0.0 if given.duration is None else given.duration,
    )  # fmt: skip


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def with_implicit_derivative(model: FitModel, limits: tuple, curves: Array, given: FitInput, fit: Any) -> Any:
    """The fit (a `BlockFit`) unchanged, its `values` (p, v) and `rss` (v,) differentiable in curves (v, t) and aif.

    To any order: what the rule computes of the fitted values it computes of this function's own result.
    """
    return fit


@with_implicit_derivative.defjvp
def _rule(model: FitModel, limits: tuple, primals: tuple, tangents: tuple) -> tuple:
    curves, given, fit = primals
    d_curves, d_aif = tangents[0], tangents[1].aif
    fit = with_implicit_derivative(model, limits, curves, given, fit)
    moved = _displacement(model, limits, curves, given, fit.values, d_curves, d_aif)
    rss = _change_of_residual(model, curves, given, fit.values, d_curves, d_aif)
    return fit, fit._replace(
        values=moved, rss=rss, rounding=jnp.zeros_like(rss), correlation=jnp.zeros_like(rss),
        stderr=jnp.zeros_like(fit.stderr),
        status=np.zeros(fit.status.shape, jax.dtypes.float0),
    )  # fmt: skip


@partial(jax.jit, static_argnums=0)
def _change_of_residual(
    model: FitModel, curves: Array, given: FitInput, values: Array, d_curves: Array, d_aif: Array
) -> Array:
    """Of the residual sum of squares (v,): at the optimum the parameters' own change does not matter."""

    def one_voxel(args):
        value, curve, d_curve = args
        named = dict(zip(model.parameters, value, strict=True))
        u = jnp.stack(to_coordinates(model.parameters, named))
        fitted, moved = jax.jvp(lambda a: predict(model, u, given._replace(aif=a)), (given.aif,), (d_aif,))
        return 2 * jnp.sum((curve - fitted) * (d_curve - moved))

    return jax.lax.map(one_voxel, (values.T, curves, d_curves), batch_size=512)


@partial(jax.jit, static_argnums=(0, 1))
def _displacement(
    model: FitModel, limits: tuple, curves: Array, given: FitInput, values: Array, d_curves: Array, d_aif: Array
) -> Array:
    """By how much the fitted values (p, v) move with the curves and the input; linear in d_curves and d_aif."""
    u, inside = inside_box(model, *box(model, dict(limits), values.dtype), values)

    def one_voxel(args):
        u_one, free, curve, d_curve = args
        curve = jnp.where(jnp.isfinite(curve), curve, 0.0)
        _, pushed = jax.jvp(partial(_gradient, model, given, u_one), (curve, given.aif), (d_curve, d_aif))
        return -_solved(model, given, u_one, free, curve, pushed)

    du = jax.lax.map(one_voxel, (u.T, inside.T, curves, d_curves), batch_size=512).T

    return jax.jvp(partial(physical, model), (u,), (du,))[1]


@partial(jax.jit, static_argnums=(0, 1))
def pulled_to_input(
    model: FitModel, limits: tuple, curves: Array, given: FitInput, values: Array, cotangent: Array
) -> Array:
    """(k,) derivative by the samples of the input of a number whose derivative by the fitted values is (p, v)."""

    def moved(d_aif: Array) -> Array:
        return _displacement(model, limits, curves, given, values, jnp.zeros_like(curves), d_aif)

    return jax.vjp(moved, jnp.zeros_like(given.aif))[1](cotangent)[0]


def inside_box(model: FitModel, lower: Array, upper: Array, values: Array) -> tuple[Array, Array]:
    """Coordinates (p, v) of fitted values, and which of them are off their bounds."""
    u = jnp.stack(to_coordinates(model.parameters, dict(zip(model.parameters, values, strict=True))))
    inside = ~near_bound(u, lower, upper) & jnp.isfinite(u)
    return jnp.where(jnp.isfinite(u), u, (lower + upper) / 2), inside


def physical(model: FitModel, u: Array) -> Array:
    """(p,) of coordinates (p,)."""
    found = to_physical(model.parameters, tuple(u))
    return jnp.stack([found[name] for name in model.parameters])


def _gradient(model: FitModel, given: FitInput, u: Array, curve: Array, aif: Array) -> Array:
    """(p,) of half the residual sum of squares of one voxel."""

    def objective(x):
        return 0.5 * jnp.sum((curve - predict(model, x, given._replace(aif=aif))) ** 2)

    return jax.grad(objective)(u)


def _solved(model: FitModel, given: FitInput, u: Array, free: Array, curve: Array, right: Array) -> Array:
    """H^-1 right (p,) of one voxel, H the full Hessian."""
    hessian = jax.jacfwd(partial(_gradient, model, given))(u, curve, given.aif)
    return free_solution(hessian, free, jnp.sum(curve**2), right)


def free_solution(hessian: Array, free: Array, energy: Array, right: Array) -> Array:
    """H^-1 right along the free coordinates of one voxel, 0 along the others.

    hessian : (p, p).      free : (p,).      energy : of the curve.      right : (p, ...).
    """
    # what the curve does not feel (PS -> 0 in log PS) has no derivative either
    free = free & (jnp.diagonal(hessian) > 1e-12 * energy)
    system = jnp.where(free[:, None] & free[None], hessian, jnp.eye(len(free), dtype=hessian.dtype))
    scale = jax.lax.rsqrt(jnp.abs(jnp.diagonal(system)))
    along = (slice(None), *[None] * (right.ndim - 1))
    found = jnp.linalg.solve(system * scale[:, None] * scale, jnp.where(free[along], right, 0.0) * scale[along])
    return found * scale[along]
