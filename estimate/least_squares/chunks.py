"""Many voxels, few at a time, so that what belongs to them stays in the processor's cache."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

CHUNK = 512
"""Voxels that are worked on together."""


def over_chunks(work: Callable[[Any], Any], arrays: Any, count: ArrayLike) -> Any:
    """Apply `work` to the leading axis of arrays (v, ...), chunk by chunk, as far as there is something to do.

    work : arrays (c, ...) -> arrays (c, ...).      count : voxels that count; what follows them is zero in the result.
    v is a multiple of `CHUNK`, or no more than that.
    """
    voxels = jax.tree.leaves(arrays)[0].shape[0]
    size = min(voxels, CHUNK)

    def cut(start: Array) -> Any:
        return jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, start, size), arrays)

    shapes = jax.eval_shape(lambda: work(cut(jnp.zeros((), jnp.int32))))
    nothing = jax.tree.map(lambda a: jnp.zeros((voxels, *a.shape[1:]), a.dtype), shapes)

    def one(k: Array, done: Any) -> Any:
        found = work(cut(k * size))
        return jax.tree.map(lambda a, x: jax.lax.dynamic_update_slice_in_dim(a, x, k * size, 0), done, found)

    return jax.lax.fori_loop(0, -(-jnp.asarray(count, jnp.int32) // size), one, nothing)
