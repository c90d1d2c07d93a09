"""An image of any size through a function of fixed shapes: padded blocks, in bounded memory."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxlib.version import __version__ as jaxlib_version

from simulate.base.progress import Progress, silent
from simulate.base.runtime import programs_at_once

BLOCK = 32768
"""Voxels per block: large enough to hide the cost of a call, small enough for the cache and for 4 GB."""

_SIZES = (64, 1024, 8192, BLOCK)  # small images are padded to one of few sizes, so that little is compiled


def map_blocks(fit: Callable[..., Any], *arrays: Any, progress: Progress = silent) -> Any:
    """Apply `fit` to arrays (v, ...) block by block and put the results together along their last axis.

    arrays : PyTrees of arrays with as many voxels each, or None.
    Concrete blocks run two at a time where the runtime can (`programs_at_once`), since one block's small array
    operations cannot fill two cores.
    """
    leaves = jax.tree.leaves(arrays)
    voxels = leaves[0].shape[0]
    size = next((s for s in _SIZES if s >= voxels), BLOCK)
    starts = range(0, max(voxels, 1), size)
    traced = any(isinstance(a, Tracer) for a in leaves)

    def one(start: int) -> Any:
        count = min(size, voxels - start)

        def cut(a: Any) -> Any:
            block = jnp.asarray(a[start : start + size], jnp.zeros(0).dtype)
            return jnp.pad(block, ((0, size - count), *[(0, 0)] * (block.ndim - 1)))

        result = fit(*jax.tree.map(cut, arrays))
        result = jax.tree.map(lambda a: a[..., :count], result)
        if not traced:
            result = jax.block_until_ready(result)
        progress("fitting", start + count, voxels)
        return result

    at_once = programs_at_once(jaxlib_version)
    if len(starts) == 1 or at_once == 1 or traced:
        results = [one(start) for start in starts]
    else:
        with ThreadPoolExecutor(at_once) as pool:
            results = list(pool.map(one, starts))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=-1), *results)
