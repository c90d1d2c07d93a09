"""One block of curves to parameters, standard errors and status: the whole fit in the compressed space."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from estimate.kinetics.bounds import TYPICAL, near_bound
from estimate.kinetics.model import (
    FitInput,
    FitModel,
    compressed_normal_equations,
    linearised,
    to_coordinates,
    to_physical,
)
from estimate.kinetics.search import coarse_start
from estimate.kinetics.table import ExponentialTable, exponential_table
from estimate.least_squares.levenberg_marquardt import Solution, bounded_least_squares
from estimate.least_squares.standard_errors import CurveErrors, Linear, Uncertainty, standard_error, uncertainty
from simulate.base.status import Status, at_bound


class BlockFit(NamedTuple):
    """Per voxel: parameters (p, v), standard errors (p+1, v; the last is that of Ktrans), residual sum of
    squares (v,) and the part of it that may be rounding (v,), correlation of neighbouring frames' noise (v,), status
    bits (v,)."""

    values: Array
    stderr: Array
    rss: Array
    rounding: Array
    correlation: Array
    status: Array


_CHUNK = 512

_TABLE = 1e-7
"""Relative error of curves read from the table in float64; in float32 rounding is larger."""

_build_table = jax.jit(exponential_table, static_argnames=("delay_bounds", "rank", "rate_nodes"))


def compressed_fit(
    model: FitModel, given: FitInput, limits: dict, lower: Array, upper: Array
) -> Callable[[Array, CurveErrors | None], BlockFit]:
    """The fit of one block of curves (v, t) to this input, its table made once."""
    double = given.times.dtype == jnp.float64
    rank = (48 if double else 32) if model.fit_delay else (28 if double else 16)
    table = _build_table(
        given.aif, given.aif_times, given.times, duration=given.duration, rank=rank,
        delay_bounds=limits["delay"] if model.fit_delay else None,
        rate_nodes=640 if double and not model.fit_delay else 160,
    )  # fmt: skip
    tolerance = 1e-13 if double else 1e-5
    return lambda curves, errors: fit_block(model, table, curves, errors, lower, upper, tolerance)


@partial(jax.jit, static_argnames=("model", "tolerance"))
def fit_block(
    model: FitModel,
    table: ExponentialTable,
    curves: Array,
    errors: CurveErrors | None,
    lower: Array,
    upper: Array,
    tolerance: float,
) -> BlockFit:
    """Fit (v, t) curves; every voxel gets a result or a status, never an exception."""
    finite = jnp.all(jnp.isfinite(curves), axis=1)
    curves = jnp.where(finite[:, None], curves, 0.0)
    y = curves @ table.basis.T
    outside = jnp.sum((curves - y @ table.basis) ** 2, axis=1)
    energy = jnp.sum(curves**2, axis=1)
    start, found = coarse_start(model, table, y)
    start = {n: jnp.where(found & jnp.isfinite(v), v, TYPICAL[n]) for n, v in start.items()}
    for name in ("vp", "ve"):
        if name in start:
            start[name] = jnp.clip(start[name], 1e-6, 0.9)
    u = jnp.clip(jnp.stack(to_coordinates(model.parameters, start)), lower, upper)
    solution = bounded_least_squares(
        partial(compressed_normal_equations, model, table),
        y, u, lower, upper, outside=outside, energy=energy, tolerance=tolerance,
    )  # fmt: skip
    rss, signal = solution.rss + outside, found
    spread = by_chunks(partial(linearised, model, table), solution, curves, errors)
    return block_result(model, solution, rss, energy, spread, lower, upper, finite, signal)


def by_chunks(
    linearise: Callable[[Array, Array], Linear], solution: Solution, curves: Array, errors: CurveErrors | None
) -> Uncertainty:
    """The uncertainty of every voxel of a solution, few voxels at a time so that their Jacobians stay in the cache.

    linearise : J J^T (p, p, v) and u (p, v) to the model about u.
    """
    voxels = curves.shape[0]
    chunk = min(voxels, _CHUNK)

    def one(part: tuple) -> Uncertainty:
        u, matrix, curves, each = part
        linear = linearise(jnp.moveaxis(matrix, 0, -1), u.T)
        known = None if errors is None else CurveErrors(*each, before=errors.before)
        return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0), uncertainty(linear, curves.T - linear.curve, known))

    each = None if errors is None else errors[:3]
    whole = (solution.u.T, jnp.moveaxis(solution.matrix, -1, 0), curves, each)
    done = jax.lax.map(one, jax.tree.map(lambda a: a.reshape(-1, chunk, *a.shape[1:]), whole))
    return jax.tree.map(lambda a: jnp.moveaxis(a.reshape(voxels, *a.shape[2:]), 0, -1), done)


def block_result(
    model: FitModel, solution: Solution, rss: Array, energy: Array, spread: Uncertainty, lower: Array, upper: Array,
    finite: Array, signal: Array,
) -> BlockFit:  # fmt: skip
    """Parameters, standard errors and status from a solution, `rss` that of the whole curve, `energy` its square."""
    values = to_physical(model.parameters, tuple(solution.u))
    pinned = near_bound(solution.u, lower, upper)
    status = (
        jnp.where(finite, 0, int(Status.NOT_FINITE))
        | jnp.where(finite & ~(signal & (energy > 0)), int(Status.NO_SIGNAL), 0)
        | jnp.where(solution.converged, 0, int(Status.NOT_CONVERGED))
    )
    for name, here in zip(model.parameters, pinned, strict=True):
        status = status | jnp.where(here, at_bound(name), 0)
    return BlockFit(
        values=jnp.stack([values[name] for name in model.parameters]),
        stderr=physical_errors(model, solution.u, spread.factor),
        rss=rss,
        rounding=energy * max(100 * float(jnp.finfo(rss.dtype).eps), _TABLE) ** 2,
        correlation=spread.correlation,
        status=status.astype(jnp.int32),
    )


def physical_errors(model: FitModel, u: Array, factor: Array) -> Array:
    """Standard errors (p+1, v) of the physical parameters and of Ktrans from the factor (p, p, v) of cov(u)."""

    def physical(coordinates):
        values = to_physical(model.parameters, tuple(coordinates))
        return jnp.stack([values[name] for name in model.parameters] + [model.transfer_constant(values)])

    unit = jnp.broadcast_to(jnp.eye(u.shape[0], dtype=u.dtype)[..., None], factor.shape)
    return standard_error(jax.vmap(jax.linearize(physical, u)[1])(unit), factor)
