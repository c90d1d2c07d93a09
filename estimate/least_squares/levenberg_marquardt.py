"""Bounded Levenberg-Marquardt for a batch of small problems, with the stragglers gathered together.

All voxels of a chunk step in lockstep until the last of them is done; those that are not are gathered between
passes, so that the few that need fifty steps do not make the thousands that need six wait. Everything has fixed shapes.
Marquardt's scaling and Nielsen's damping (Madsen, Nielsen & Tingleff, Methods for non-linear least
squares problems, 2004); parameters at a bound whose gradient points outwards are held there.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

_STUCK = 1e8  # damping at which no step will ever help

PASSES = (6, 6, 12, 24, 72)
"""Steps between gatherings of the voxels that are not done: three in four are after six, nine in ten after ten, and
the few in ten thousand that never are shall not gather all others each time."""

NormalEquations = Callable[[Array, Array], tuple[Array, Array, Array]]
"""(data (v, ...), u (p, v)) -> rss (v,), J^T r (p, v), J^T J (p, p, v)."""


class _Progress(NamedTuple):
    """Where every voxel is; leaves (..., v)."""

    u: Array  # (p, v)
    rss: Array
    damping: Array
    growth: Array  # of the damping at the next failure
    done: Array
    matrix: Array  # (p, p, v) J^T J there


class _Local(NamedTuple):
    """The gradient at u, the step proposed from there, and what it promises."""

    gradient: Array  # (p, v)
    proposal: Array  # (p, v)
    predicted: Array  # (v,) by how much the residual sum would fall


class Solution(NamedTuple):
    """u (p, v), the residual sum of squares (v,) and J^T J (p, p, v) there, and whether it converged (v,)."""

    u: Array
    rss: Array
    converged: Array
    matrix: Array


def solve_cholesky(matrix: Array, rhs: Array) -> Array:
    """Solve a batch of small symmetric positive definite systems, (p, p, v) x = (p, ..., v), unrolled over p."""
    p = matrix.shape[0]
    tiny = jnp.finfo(matrix.dtype).eps ** 2
    L: dict[tuple[int, int], Array] = {}
    for i in range(p):
        for j in range(i + 1):
            rest = matrix[i, j] - sum((L[i, k] * L[j, k] for k in range(j)), jnp.zeros(()))
            L[i, j] = jnp.sqrt(jnp.maximum(rest, tiny)) if i == j else rest / L[j, j]
    forward: list[Array] = []
    for i in range(p):
        forward.append((rhs[i] - sum((L[i, k] * forward[k] for k in range(i)), jnp.zeros(()))) / L[i, i])
    x: list[Array] = [jnp.zeros(())] * p
    for i in reversed(range(p)):
        x[i] = (forward[i] - sum((L[k, i] * x[k] for k in range(i + 1, p)), jnp.zeros(()))) / L[i, i]
    return jnp.stack(x)


def _step(
    normal: NormalEquations, data: Array, scales: tuple[Array, Array], box: tuple[Array, Array], tolerance: float,
    at: _Progress, local: _Local,
) -> tuple[_Progress, _Local]:  # fmt: skip
    """Evaluate the proposal of every voxel of the chunk, take it where it is better, and propose the next."""
    outside, energy = scales
    rss, gradient, matrix = normal(data, local.proposal)
    entered = jnp.isinf(at.rss)  # the first evaluation in this pass: of u itself
    better = (rss < at.rss) & ~at.done
    gain = (at.rss - rss) / jnp.maximum(local.predicted, _tiny(rss))
    change = jnp.where(better, jnp.maximum(0.2, 1 - (2 * gain - 1) ** 3), at.growth)
    damping = jnp.where(entered | at.done, at.damping, jnp.maximum(at.damping * change, 1e-7))
    # a step that promised next to nothing is convergence, unless only the damping made it small
    eps = jnp.finfo(rss.dtype).eps
    resolved = eps * jnp.sqrt(energy * at.rss)  # rounding error of rss itself
    settled = (jnp.abs(local.predicted) <= tolerance * (at.rss + outside) + resolved) & (at.damping < 1.0)
    settled = settled | (at.rss <= (32 * eps) ** 2 * energy)  # nothing but rounding is left of the residual
    progress = _Progress(
        u=jnp.where(better, local.proposal, at.u),
        rss=jnp.where(better, rss, at.rss),
        damping=damping,
        growth=jnp.where(better | entered, 2.0, at.growth * 2),
        done=at.done | (settled & ~entered) | (damping > _STUCK),
        matrix=jnp.where(better, matrix, at.matrix),
    )
    gradient = jnp.where(better, gradient, local.gradient)
    return progress, _Local(gradient, *_propose(progress, gradient, box))


def _propose(at: _Progress, g: Array, box: tuple[Array, Array]) -> tuple[Array, Array]:
    """The damped Gauss-Newton step within the box (p, v), and the fall in the residual sum it promises (v,)."""
    lower, upper = box
    p, A = g.shape[0], at.matrix
    scale = jax.lax.rsqrt(jnp.maximum(jnp.stack([A[i, i] for i in range(p)]), _tiny(g)))
    free = ~(((at.u <= lower) & (g < 0)) | ((at.u >= upper) & (g > 0)))
    both = free[:, None] & free[None]
    eye = jnp.eye(p, dtype=g.dtype)[..., None]
    scaled = jnp.where(both, A * scale[:, None] * scale[None], 0.0) * (1 - eye)
    step = solve_cholesky(scaled + eye * (1 + at.damping), jnp.where(free, g * scale, 0.0)) * scale
    proposal = jnp.clip(at.u + jnp.clip(step, -2.0, 2.0), lower, upper)
    moved = proposal - at.u
    bent = jnp.stack([sum((A[i, j] * moved[j] for j in range(p)), jnp.zeros(())) for i in range(p)])
    # barrier: computed once, not again inside every product of `normal`
    return jax.lax.optimization_barrier((proposal, jnp.sum((2 * g - bent) * moved, axis=0)))


def _tiny(like: Array) -> float:
    return float(jnp.finfo(like.dtype).tiny) * 1e6


def bounded_least_squares(
    normal: NormalEquations,
    data: Array,
    start: Array,
    lower: Array,
    upper: Array,
    *,
    outside: Array,
    energy: Array,
    tolerance: float,
    voxels: ArrayLike | None = None,
    chunk: int = 512,
    passes: tuple[int, ...] = PASSES,
) -> Solution:
    """Minimise ||r(u)||^2 of every voxel within lower <= u <= upper.

    Parameters
    ----------
    normal : residual sum, gradient and Gauss-Newton matrix of a chunk.
    data : (v, ...) what `normal` needs of each voxel.
    start : (p, v) where to begin, inside the box.       lower, upper : (p, 1) the box.
    outside : (v,) residual sum of squares that `normal` leaves out because no parameter changes it.
    energy : (v,) sum of squares of the data, the scale of rounding errors.
    tolerance : stop when a step promises to lower the residual sum by less than this share of it.
    voxels : how many of them count; the others stay where they are. All by default.
    chunk : how many voxels step together.     passes : how many steps before each gathering of what is not done.
    """
    p, size = start.shape
    chunk = min(chunk, size)
    nothing = jnp.zeros(size, start.dtype)
    matrix = jnp.zeros((p, p, size), start.dtype)
    idle = jnp.arange(size) >= (size if voxels is None else voxels)
    begin = _Progress(start, nothing, nothing + 1e-2, nothing + 2.0, idle, matrix)

    def one_chunk(carry):
        progress, order, steps, k = carry
        index = jax.lax.dynamic_slice(order, (k * chunk,), (chunk,))
        here, scales = data[index], (outside[index], energy[index])
        part = jax.tree.map(lambda a: a[..., index], progress)
        part = part._replace(rss=jnp.where(part.done, part.rss, jnp.inf))
        local = _Local(jnp.zeros_like(part.u), part.u, jnp.zeros_like(part.rss))

        def step(carry):
            return *_step(normal, here, scales, (lower, upper), tolerance, *carry[:2]), carry[2] + 1

        def going(carry):
            return (carry[2] < steps) & ~carry[0].done.all()

        part, _, _ = jax.lax.while_loop(going, step, (part, local, 0))
        return jax.tree.map(lambda whole, new: whole.at[..., index].set(new), progress, part), order, steps, k + 1

    def one_pass(carry):
        progress, n = carry
        order = jnp.flatnonzero(~progress.done, size=size + -size % chunk, fill_value=0).astype(jnp.int32)
        active = jnp.sum(~progress.done)
        # what fills the last chunk up are copies of its first voxel: they step alike
        place = jnp.arange(order.size, dtype=jnp.int32)
        order = jnp.where(place < active, order, order[(active - 1) // chunk * chunk])
        steps = jnp.asarray(passes, jnp.int32)[n]
        going = (progress, order, steps, 0)
        progress, *_ = jax.lax.while_loop(lambda c: c[3] * chunk < active, one_chunk, going)
        return progress, n + 1

    def unfinished(carry):
        progress, n = carry
        return (~progress.done).any() & (n < len(passes))

    end, _ = jax.lax.while_loop(unfinished, one_pass, (begin, 0))
    return Solution(end.u, end.rss, end.done & (end.damping <= _STUCK), end.matrix)
