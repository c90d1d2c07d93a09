"""One block of curves to parameters, standard errors and status: the whole fit in the compressed space."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from estimate.bounds import TYPICAL
from estimate.coarse_search import coarse_start
from estimate.compressed_model import FitModel, compressed_normal_equations, to_coordinates, to_physical
from estimate.exponential_table import ExponentialTable
from estimate.levenberg_marquardt import bounded_least_squares, solve_cholesky
from simulate.base.status import Status


class BlockFit(NamedTuple):
    """Per voxel: parameters and standard errors (p, v), residual sum of squares (v,), status bits (v,)."""

    values: Array
    stderr: Array
    rss: Array
    status: Array


@partial(jax.jit, static_argnames=("model", "tolerance"))
def fit_block(
    model: FitModel,
    table: ExponentialTable,
    curves: Array,
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
    values = to_physical(model.parameters, tuple(solution.u))
    values = jnp.stack([values[name] for name in model.parameters])
    rss = solution.rss + outside
    stderr = standard_errors(model, table, y, values, rss, curves.shape[1])
    no_signal = ~found | (energy == 0)
    status = (
        jnp.where(finite, 0, Status.NOT_FINITE)
        | jnp.where(finite & no_signal, Status.NO_SIGNAL, 0)
        | jnp.where(solution.converged, 0, Status.NOT_CONVERGED)
        | jnp.where(jnp.any(_at_bound(solution.u, lower, upper), axis=0), Status.AT_BOUND, 0)
    )
    return BlockFit(values, stderr, rss, status.astype(jnp.int32))


def _at_bound(u: Array, lower: Array, upper: Array) -> Array:
    reach = 1e-3 * (upper - lower)
    return (u <= lower + reach) | (u >= upper - reach)


def standard_errors(
    model: FitModel, table: ExponentialTable, y: Array, values: Array, rss: Array, frames: int
) -> Array:
    """Standard errors (p, v): s sqrt(diag (J^T J)^-1), s^2 = rss/(t-p), J in the physical parameters."""
    _, _, matrix = compressed_normal_equations(
        model, table, y, values, values_of=lambda names, u: dict(zip(names, u, strict=True))
    )
    p = values.shape[0]
    diagonal = jnp.stack([matrix[i, i] for i in range(p)])
    tiny = jnp.finfo(y.dtype).tiny * 1e6
    scale = jax.lax.rsqrt(jnp.maximum(diagonal, tiny))
    scaled = matrix * scale[:, None] * scale[None]
    noise = jnp.sqrt(rss / max(frames - p, 1))
    errors = []
    for i in range(p):
        unit = jnp.zeros_like(values).at[i].set(1.0)
        errors.append(jnp.sqrt(jnp.maximum(solve_cholesky(scaled, unit)[i], 1.0)) * scale[i] * noise)
    return jnp.stack(errors)
