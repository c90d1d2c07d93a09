"""Voxels of a series of any size, a fixed number at a time: what is compiled for one series serves all."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

BATCH = 16384
"""Voxels at a time, to which fewer are padded."""


def batches(count: int) -> Iterator[slice]:
    """Rows of `count` voxels, `BATCH` at a time; of none, an empty one."""
    for begin in range(0, max(count, 1), BATCH):
        yield slice(begin, min(begin + BATCH, count))


def padded(rows: np.ndarray, columns: int | None = None) -> np.ndarray:
    """(BATCH, ...) of rows (n, ...), zeros following; (BATCH, columns) likewise."""
    shape = rows.shape[1:] if columns is None else (columns,)
    whole = np.zeros((BATCH, *shape), rows.dtype)
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
        for whole, own in zip(jax.tree.leaves(found), jax.tree.leaves(part), strict=True):
            whole[rows] = own[: rows.stop - rows.start]
    return found
