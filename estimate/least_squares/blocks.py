"""An image of any size through a function of fixed shapes: padded blocks, in bounded memory."""

from collections import deque
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from estimate.least_squares.chunks import CHUNK
from simulate.base.progress import Progress, silent

BLOCK = 32768
"""Voxels per block, to which smaller images are padded: large enough to hide the cost of a call, small enough for
4 GB."""

FEWEST = 2048
"""Voxels that a block is to have before an image is dealt out to several: padding one costs what fitting these does."""

SIZES = (64, 1024, 8192, BLOCK)
"""Those of work that costs something for what is padded as well."""


def map_blocks(
    fit: Callable[..., Any], *arrays: Any, traced: bool, frames: int | None = None, sizes: tuple[int, ...] = (BLOCK,),
    at_once: int = 1, progress: Progress = silent,
) -> Any:  # fmt: skip
    """Apply `fit` to arrays (v, ...) block by block and put the results together along their last axis.

    fit : blocks of every array and how many of their voxels count -> PyTree of arrays (..., v). The rest is zero.
    arrays : PyTrees of arrays (v, t) with as many voxels each, or None.
    traced : whether JAX traces through any of it: nothing is looked at then, and nothing padded beyond need.
    frames : t is padded to a multiple of this with zeros; as it is by default.
    sizes : voxels are padded to the first of these that is enough; the last is that of a block.
    at_once : blocks that JAX may work on side by side (`simulate.base.runtime.programs_at_once`): an image of fewer is
    dealt out to as many, where each gets enough to do. They share what the calling thread has set.
    """
    leaves = jax.tree.leaves(arrays)
    voxels = leaves[0].shape[0]
    if traced:
        starts = range(0, max(voxels, 1), BLOCK)
        size = min(BLOCK, voxels if voxels < CHUNK else voxels + -voxels % CHUNK)
        parts = [_of_traced(fit, arrays, start, size, voxels) for start in starts]
        return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=-1), *parts)
    whole = next((s for s in sizes if s >= voxels), BLOCK)
    share = min(BLOCK, max(-(-voxels // at_once), FEWEST))
    running, done = deque(), []

    def finish() -> None:
        result, count = running.popleft()
        done.append(jax.tree.map(lambda a: np.asarray(a)[..., :count], result))
        progress("fitting", min(len(done) * share, voxels), voxels)

    for start in range(0, max(voxels, 1), share):
        count = min(share, voxels - start)
        block = jax.tree.map(lambda a: _padded(a[start : start + share], whole, frames), arrays)  # noqa: B023
        if len(running) == at_once:
            finish()
        running.append((fit(*block, count), count))
    while running:
        finish()
    return jax.tree.map(lambda *parts: jax.device_put(np.concatenate(parts, axis=-1)), *done)


def _padded(array: Any, voxels: int, frames: int | None) -> jax.Array:
    """In the working precision, with voxels and frames of zeros after its own."""
    block = np.asarray(array)
    whole = block.shape[1] if frames is None else block.shape[1] + -block.shape[1] % frames
    padded = np.zeros((voxels, whole), jnp.zeros(0).dtype)
    padded[: len(block), : block.shape[1]] = block
    return jax.device_put(padded)


def _of_traced(fit: Callable[..., Any], arrays: Any, start: int, size: int, voxels: int) -> Any:
    count = min(size, voxels - start)

    def cut(a: Any) -> Any:
        block = jnp.asarray(a[start : start + size], jnp.zeros(0).dtype)
        return jnp.pad(block, ((0, size - count), (0, 0)))

    return jax.tree.map(lambda a: a[..., :count], fit(*jax.tree.map(cut, arrays), count))
