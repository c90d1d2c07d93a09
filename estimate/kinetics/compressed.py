"""One block of curves to parameters, standard errors and status: the whole fit in the compressed space."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike, DTypeLike

from estimate.kinetics.bounds import TYPICAL, near_bound
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel, compressed_normal_equations, linearised, to_coordinates, to_physical
from estimate.kinetics.search import candidates_of, coarse_start
from estimate.kinetics.table import ExponentialTable, TableSize, delays_tabulated, exponential_table
from estimate.least_squares.chunks import over_chunks
from estimate.least_squares.levenberg_marquardt import Solution, bounded_least_squares
from estimate.least_squares.standard_errors import CurveErrors, Linear, Uncertainty, standard_error, uncertainty
from simulate.base.runtime import ON_ONE_THREAD
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


_TABLE = 1e-7
"""Relative error of curves read from the table in float64; in float32 rounding is larger."""


def compressed_fit(
    model: FitModel, given: FitInput, limits: dict, lower: Array, upper: Array, *, padded: bool
) -> Callable[[Array, CurveErrors | None, Array | None, ArrayLike], BlockFit]:
    """The fit of one block of curves (v, t) to this input, its table made once; the third argument is where to begin
    (v, p), and the last counts the voxels.

    padded : whether frames are, to a multiple of `FRAMES`.
    """
    double = given.times.dtype == jnp.float64
    size = table_size(model, limits, given.times.dtype)
    table = exponential_table(given, size, delay_bounds=limits["delay"], padded=padded)
    tolerance = 1e-13 if double else 1e-5
    frames = np.asarray(given.times.size, np.int32)

    def fit(curves: Array, errors: CurveErrors | None, start: Array | None, voxels: ArrayLike) -> BlockFit:
        return (fit_block_on_one_thread if padded else fit_block)(
            model,
            table,
            jax.lax.stop_gradient(curves),
            errors,
            start,
            lower,
            upper,
            frames,
            np.asarray(voxels, np.int32),
            tolerance,
        )

    return fit


def table_size(model: FitModel, limits: dict, dtype: DTypeLike) -> TableSize:
    """What a table of this model's exponentials takes in a working precision."""
    double = dtype == jnp.float64
    return TableSize(
        rank=(48 if double else 32) if model.fit_delay else (28 if double else 16),
        rates=640 if double and not model.fit_delay else 160,
        delays=delays_tabulated(limits["delay"]) if model.fit_delay else 1,
    )


class _Begun(NamedTuple):
    """What a chunk of c voxels starts from: y (c, r), u (c, p); outside, energy, finite, found (c,)."""

    y: Array
    u: Array
    outside: Array
    energy: Array
    finite: Array
    found: Array


def _fit_block(
    model: FitModel,
    table: ExponentialTable,
    curves: Array,
    errors: CurveErrors | None,
    start: Array | None,
    lower: Array,
    upper: Array,
    frames: ArrayLike,
    voxels: ArrayLike,
    tolerance: float,
) -> BlockFit:
    """Fit the first `voxels` of curves (v, t), which are zero after `frames` frames; every one gets a result or a
    status, never an exception.

    start : parameters (v, p and more) to begin with; the best of many candidates where it is left out."""
    candidates = candidates_of(model, table) if start is None else None

    def begin(part: tuple[Array, Array | None]) -> _Begun:
        curves, given = part
        finite = jnp.all(jnp.isfinite(curves), axis=1)
        curves = jnp.where(finite[:, None], curves, 0.0)
        y = curves @ table.basis.T
        if candidates is None:
            assert given is not None
            start = {name: given[:, k] for k, name in enumerate(model.parameters)}
            found = jnp.ones_like(finite)
        else:
            start, found = coarse_start(model, table, candidates, y)
        start = {n: jnp.where(found & jnp.isfinite(v), v, TYPICAL[n]) for n, v in start.items()}
        for name in ("vp", "ve"):
            if name in start:
                start[name] = jnp.clip(start[name], 1e-6, 0.9)
        u = jnp.clip(jnp.stack(to_coordinates(model.parameters, start)), lower, upper)
        outside = jnp.sum((curves - y @ table.basis) ** 2, axis=1)
        return _Begun(y, u.T, outside, jnp.sum(curves**2, axis=1), finite, found)

    begun = over_chunks(begin, (curves, start), voxels)
    solution = bounded_least_squares(
        partial(compressed_normal_equations, model, table),
        begun.y, begun.u.T, lower, upper,
        outside=begun.outside, energy=begun.energy, tolerance=tolerance, voxels=voxels,
    )  # fmt: skip
    spread = by_chunks(
        partial(linearised, model, table), solution, curves, begun.finite, errors, frames=frames, voxels=voxels
    )
    rss = solution.rss + begun.outside
    return block_result(model, solution, rss, begun.energy, spread, lower, upper, begun.finite, begun.found)


fit_block = jax.jit(_fit_block, static_argnames=("model", "tolerance"))
fit_block_on_one_thread = jax.jit(
    _fit_block, static_argnames=("model", "tolerance"), compiler_options=ON_ONE_THREAD
)  # fmt: skip
"""The same where nothing is traced: other blocks run beside it."""


def by_chunks(
    linearise: Callable[[Array, Array], Linear], solution: Solution, curves: Array, finite: Array,
    errors: CurveErrors | None, *, frames: ArrayLike, voxels: ArrayLike,
) -> Uncertainty:  # fmt: skip
    """The uncertainty of every voxel of a solution, few voxels at a time.

    linearise : J J^T (p, p, v) and u (p, v) to the model about u.      finite : (v,) whether a curve can be used.
    """

    def one(part: tuple) -> Uncertainty:
        u, matrix, curves, finite, each = part
        linear = linearise(jnp.moveaxis(matrix, 0, -1), u.T)
        known = None if errors is None else CurveErrors(*each, before=errors.before)
        left = jnp.where(finite[:, None], curves, 0.0).T - linear.curve
        found = uncertainty(linear, left, known, frames=frames)
        return jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0), found)

    each = None if errors is None else errors[:3]
    whole = (solution.u.T, jnp.moveaxis(solution.matrix, -1, 0), curves, finite, each)
    return jax.tree.map(lambda a: jnp.moveaxis(a, 0, -1), over_chunks(one, whole, voxels))


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
