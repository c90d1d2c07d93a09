"""Occlusion: by how much a logit falls where a window of the image is replaced."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PyTree

from classify.attribution.function import Function, admitted, check_values, compiled, in_batches, reals, value_of
from classify.attribution.parts import mixed, spread
from simulate.base.errors import InputError


class Occlusion(NamedTuple):
    """What windows of an image are worth to a logit.

    Attributes
    ----------
    map : (...) array [logit]
        For each voxel the mean over the windows that cover it.
    differences : (n,) array [logit]
        f(x) less f with the window replaced.
    starts : (n, d) int array
        First voxel of each window.
    """

    map: Float[np.ndarray, "*space"]
    differences: Float[np.ndarray, " n"]
    starts: Int[np.ndarray, "n d"]


def occlusion(
    f: Function,
    x: PyTree[ArrayLike],
    *,
    window: Sequence[int],
    stride: Sequence[int],
    value: PyTree[ArrayLike],
    batch: int = 8,
) -> Occlusion:
    """Replace window after window of an image and see what becomes of a logit.

    The window covers the leading axes of all leaves of x, and whatever lies behind them (channels). The last window
    along an axis ends with the image, so that every voxel is covered. Memory is that of a batch. Zeiler and Fergus,
    ECCV 2014.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX.
    x : pytree of (..., channels) arrays
        An image, or several on one grid.
    window : (d,) int
        Its edges, in voxels.
    stride : (d,) int
        From window to window, in voxels, not above the window's edges.
    value : number, or pytree of numbers or arrays like x
        What is put in its place: the answer depends on it.
    batch : int
        Windows at a time.

    Returns
    -------
    Occlusion
        Map, and windows one by one.

    Raises
    ------
    InputError
        Where window or stride do not fit the image or one another, the replacement does not fit x, f gives no number,
        or anything is not finite.
    """
    x = admitted(f, x)
    d = len(window)
    space = _common_space(x, d)
    starts = _starts(space, window, stride)
    other = jax.tree.map(jnp.broadcast_to, spread("value", reals("value", value), x), jax.tree.map(jnp.shape, x))
    program, edges = compiled(_without, f), jnp.asarray(window)
    at_x = float(compiled(value_of, f)(x))
    values = in_batches(lambda some: program(x, other, some, edges), starts, batch)
    check_values(np.append(values, at_x), "at x and under the windows")
    return Occlusion(_averaged(space, starts, window, at_x - values), at_x - values, starts)


def _common_space(x: PyTree[jax.Array], d: int) -> tuple[int, ...]:
    shapes = {leaf.shape[:d] for leaf in jax.tree.leaves(x)}
    space = min(shapes, key=len)
    if len(shapes) > 1 or len(space) < d or d == 0:
        problem = f"has {d} axes, and the leading axes of x are {sorted(shapes)}"
        raise InputError("window", "", problem, "give one edge for each axis of the grid that all leaves of x share")
    return space


def _starts(space: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> np.ndarray:
    if len(stride) != len(window):
        raise InputError(
            "stride", "", f"has {len(stride)} axes, and the window {len(window)}", "give one for each axis"
        )
    for axis, (length, edge, step) in enumerate(zip(space, window, stride, strict=True)):
        if not 1 <= edge <= length:
            raise InputError("window", f"axis {axis}", f"is {edge} of {length} voxels", f"take 1 to {length}")
        if not 1 <= step <= edge:
            problem = f"is {step} for a window of {edge}"
            raise InputError("stride", f"axis {axis}", problem, f"take 1 to {edge}, or voxels are never covered")
    firsts = [
        np.unique(np.append(np.arange(0, length - edge + 1, step), length - edge))
        for length, edge, step in zip(space, window, stride, strict=True)
    ]
    return np.array(list(product(*firsts)))


def _without(
    f: Function, x: PyTree[jax.Array], other: PyTree[jax.Array], starts: jax.Array, edges: jax.Array
) -> jax.Array:
    """Values (b,) of f with windows replaced that start at (b, d)."""

    def one(start: jax.Array) -> jax.Array:
        def outside(leaf: jax.Array) -> jax.Array:
            inside = jnp.array(True)
            for axis in range(len(start)):
                place = jax.lax.broadcasted_iota(int, [n if a == axis else 1 for a, n in enumerate(leaf.shape)], axis)
                inside = inside & (place >= start[axis]) & (place < start[axis] + edges[axis])
            return ~inside

        return f(mixed(jax.tree.map(outside, x), x, other))

    return jax.vmap(one)(starts)


def _averaged(space: Sequence[int], starts: np.ndarray, window: Sequence[int], values: np.ndarray) -> np.ndarray:
    """(*space) mean of the values of all windows over each voxel."""
    total, count = np.zeros(tuple(space)), np.zeros(tuple(space))
    for start, value in zip(starts, values, strict=True):
        covered = tuple(slice(a, a + n) for a, n in zip(start, window, strict=True))
        total[covered] += value
        count[covered] += 1
    return total / count
