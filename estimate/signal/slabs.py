"""Work that treats every sample alike, on slabs of one size, so that one program serves every series."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

VOXELS, FRAMES = 32768, 32
"""Of a slab."""


def in_slabs(work: Callable[..., Any], curves: np.ndarray, *of_voxels: np.ndarray) -> Any:
    """Apply `work` to curves (v, t) and numbers (v,) of their voxels, slab by slab.

    work : (V, F) and (V,) each, padded with zeros -> PyTree of (V, F).
    """
    voxels, frames = curves.shape
    parts = []
    for start in range(0, max(voxels, 1), VOXELS):
        numbers = [_padded(each[start : start + VOXELS], VOXELS) for each in of_voxels]
        row = []
        for first in range(0, frames, FRAMES):
            part = curves[start : start + VOXELS, first : first + FRAMES]
            found = work(_padded(part, VOXELS, FRAMES), *numbers)
            row.append(jax.tree.map(lambda a: np.asarray(a)[: part.shape[0], : part.shape[1]], found))  # noqa: B023
        parts.append(jax.tree.map(lambda *each: np.concatenate(each, axis=1), *row))
    return jax.tree.map(lambda *each: np.concatenate(each), *parts)


def over_voxels(work: Callable[..., Any], *arrays: np.ndarray) -> Any:
    """Apply `work` to arrays (v, ...), block by block of `VOXELS`, padded with zeros -> PyTree of (v, ...)."""
    voxels = len(arrays[0])
    parts = []
    for start in range(0, max(voxels, 1), VOXELS):
        block = [_padded(each[start : start + VOXELS], VOXELS) for each in arrays]
        parts.append(jax.tree.map(lambda a: np.asarray(a)[: voxels - start], work(*block)))  # noqa: B023
    return jax.tree.map(lambda *each: np.concatenate(each), *parts)


def _padded(array: np.ndarray, *sizes: int) -> jax.Array:
    """`device_put`: `jnp.asarray` compiles a program for every new shape of a NumPy array."""
    shape = (*sizes, *array.shape[len(sizes) :])
    if array.shape == shape:
        return jax.device_put(array)
    whole = np.zeros(shape, array.dtype)
    whole[tuple(slice(n) for n in array.shape)] = array
    return jax.device_put(whole)
