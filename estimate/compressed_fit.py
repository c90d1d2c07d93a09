"""One block of curves to parameters, standard errors and status: the whole fit in the compressed space."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from estimate.bounds import TYPICAL, near_bound
from estimate.coarse_search import coarse_start
from estimate.compressed_model import FitModel, compressed_normal_equations, to_coordinates, to_physical
from estimate.exponential_table import ExponentialTable, exponential_table
from estimate.levenberg_marquardt import Solution, bounded_least_squares, solve_cholesky
from simulate.base.status import Status


class BlockFit(NamedTuple):
    """Per voxel: parameters (p, v), standard errors (p+1, v; the last is that of Ktrans), residual sum of
    squares (v,), status bits (v,)."""

    values: Array
    stderr: Array
    rss: Array
    status: Array


_build_table = jax.jit(exponential_table, static_argnames=("delay_bounds", "rank", "rate_nodes"))


def compressed_fit(
    model: FitModel, times: Array, aif: Array, aif_times: Array, limits: dict, lower: Array, upper: Array
) -> Callable[[Array], BlockFit]:
    """The fit of one block of curves (v, t) to this input, its table made once."""
    double = times.dtype == jnp.float64
    rank = (48 if double else 32) if model.fit_delay else (28 if double else 16)
    table = _build_table(
        aif, aif_times, times, rank=rank,
        delay_bounds=limits["delay"] if model.fit_delay else None,
        rate_nodes=640 if double and not model.fit_delay else 160,
    )  # fmt: skip
    tolerance = 1e-13 if double else 1e-5
    return lambda curves: fit_block(model, table, curves, lower, upper, tolerance)


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
    rss, signal = solution.rss + outside, found & (energy > 0)
    return block_result(model, solution, rss, lower, upper, finite, signal, frames=curves.shape[1])


def block_result(
    model: FitModel, solution: Solution, rss: Array, lower: Array, upper: Array,
    finite: Array, signal: Array, *, frames: int,
) -> BlockFit:  # fmt: skip
    """Parameters, standard errors and status from a solution, `rss` that of the whole curve."""
    values = to_physical(model.parameters, tuple(solution.u))
    at_bound = jnp.any(near_bound(solution.u, lower, upper), axis=0)
    status = (
        jnp.where(finite, 0, int(Status.NOT_FINITE))
        | jnp.where(finite & ~signal, int(Status.NO_SIGNAL), 0)
        | jnp.where(solution.converged, 0, int(Status.NOT_CONVERGED))
        | jnp.where(at_bound, int(Status.AT_BOUND), 0)
    )
    return BlockFit(
        values=jnp.stack([values[name] for name in model.parameters]),
        stderr=standard_errors(model, solution.matrix, solution.u, rss, frames),
        rss=rss,
        status=status.astype(jnp.int32),
    )


def standard_errors(model: FitModel, matrix: Array, u: Array, rss: Array, frames: int) -> Array:
    """Standard errors (p+1, v) of the physical parameters theta and of Ktrans.

    s sqrt(diag(D (J^T J)^-1 D^T)), s^2 = rss/(t-p), with J^T J = `matrix` (p, p, v) in the solver's
    coordinates u and D = dtheta/du. A coordinate that the curve does not feel has an infinite error.
    """
    p = u.shape[0]
    tiny = jnp.finfo(u.dtype).tiny * 1e6
    diagonal = jnp.stack([matrix[i, i] for i in range(p)])
    scale = jax.lax.rsqrt(jnp.maximum(diagonal, tiny))
    scaled = matrix * scale[:, None] * scale[None]
    eye = jnp.eye(p, dtype=u.dtype)[..., None]
    unit = jnp.broadcast_to(eye, scaled.shape)
    inverse = solve_cholesky(scaled, unit)
    inverse = jnp.maximum(inverse, 1.0) * eye + inverse * (1 - eye)

    def physical(coordinates):
        values = to_physical(model.parameters, tuple(coordinates))
        return jnp.stack([values[name] for name in model.parameters] + [model.transfer_constant(values)])

    D = jax.vmap(jax.linearize(physical, u)[1])(unit) * scale[:, None]  # (p coordinates, p + 1 parameters, v)
    spread = sum((inverse[:, j, None] * D[j] for j in range(p)), jnp.zeros(()))
    variance = jnp.maximum(jnp.sum(D * spread, axis=0), 0.0) * rss / max(frames - p, 1)
    return jnp.where(jnp.isnan(variance), jnp.inf, jnp.sqrt(variance))
