"""Voxels of a series of any size, a fixed number at a time: what is compiled for one series serves all."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

BATCH = 16384
"""Voxels at a time, to which fewer are padded."""

SLAB = 32
"""Frames at a time, where each frame is worked on for itself."""


def batches(count: int) -> Iterator[slice]:
    """Rows of `count` voxels, `BATCH` at a time; of none, an empty one."""
    for begin in range(0, max(count, 1), BATCH):
        yield slice(begin, min(begin + BATCH, count))


def padded(rows: np.ndarray, columns: int | None = None) -> np.ndarray:
    """(BATCH, ...) of rows (n, ...), zeros following; (BATCH, columns) likewise."""
    shape = (BATCH, *(rows.shape[1:] if columns is None else (columns,)))
    if rows.shape == shape:
        return rows
    whole = np.zeros(shape, rows.dtype)
    whole[tuple(slice(n) for n in rows.shape)] = rows
    return whole


def in_batches(work: Callable[..., Any], *arrays: np.ndarray, columns: int | None = None) -> Any:
    """What `work` makes of voxels, each for itself: a PyTree of NumPy arrays (v, ...).

    work : arrays (BATCH, ...) -> PyTree of arrays (BATCH, ...).      arrays : (v, ...); see `padded` for columns.
    """
    count = len(arrays[0])
    found: Any = None
    for rows in batches(count):
        part = jax.tree.map(np.asarray, work(*(padded(each[rows], columns) for each in arrays)))
        if found is None:
            found = jax.tree.map(lambda a: np.empty((count, *a.shape[1:]), a.dtype), part)
        _put(found, part, (rows,), (rows.stop - rows.start,))
    return found


def in_slabs(work: Callable[..., Any], curves: np.ndarray, *of_voxels: np.ndarray) -> Any:
    """What `work` makes of samples, each for itself: a PyTree of NumPy arrays (v, t), whatever the number of frames.

    work : curves (BATCH, SLAB) and numbers (BATCH,) -> PyTree of arrays (BATCH, SLAB).
    curves : (v, t).      of_voxels : (v,) numbers of their voxels.
    """
    count, frames = curves.shape
    found: Any = None
    for rows in batches(count):
        numbers = [padded(each[rows]) for each in of_voxels]
        for first in range(0, frames, SLAB):
            slab = slice(first, min(first + SLAB, frames))
            part = jax.tree.map(np.asarray, work(padded(curves[rows, slab], SLAB), *numbers))
            if found is None:
                found = jax.tree.map(lambda a: np.empty((count, frames), a.dtype), part)
            _put(found, part, (rows, slab), (rows.stop - rows.start, slab.stop - slab.start))
    return found


def _put(found: Any, part: Any, place: tuple[slice, ...], size: tuple[int, ...]) -> None:
    """The first `size` of a padded part into its place."""
    own = tuple(slice(n) for n in size)
    for whole, some in zip(jax.tree.leaves(found), jax.tree.leaves(part), strict=True):
        whole[place] = some[own]
