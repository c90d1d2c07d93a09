r"""Straight segments cut at the planes of a grid: how much of each lies in which cell, exactly.

A segment a + t (b - a), 0 <= t <= 1, crosses the plane x = k of an axis (in edges of a cell) at

    t_k = (k - a_x)/(b_x - a_x),      k between a_x and b_x;

between two crossings that follow each other, of whichever axes, it lies in one cell. Siddon, Med Phys 1985 12:252.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Cuts(NamedTuple):
    """Parts of segments, in order along each; p in all. A part shares a face with the next of its segment.

    segment : (p,) which one.      cell : (p,) flat index of the cell that holds the part.
    share : (p,) of the segment's length; those of one segment add up to 1. 0 where planes meet in one point.
    """

    segment: Any
    cell: Any
    share: Any


def cut_at_planes(
    start: Float[np.ndarray, "n 3"],
    stop: Float[np.ndarray, "n 3"],
    shape: tuple[int, ...],
    cell: tuple[float, ...] | Float[np.ndarray, "3"],
) -> Cuts:
    """Cut segments between start and stop [mm] where they pass from cell to cell of edges `cell` [mm].

    What lies outside the grid belongs to the nearest cell. A segment within a plane belongs to the cell above it, one
    without length to the cell of its point.
    """
    start, stop = (np.asarray(ends, float) / np.asarray(cell) for ends in (start, stop))
    span, number = stop - start, len(start)
    # beyond the grid's first and last cell an axis has no planes
    first, last = (np.clip(np.floor(ends), 0, np.asarray(shape) - 1).astype(int) for ends in (start, stop))
    count = np.abs(last - first)
    segment, axis = (np.repeat(index.ravel(), count.ravel()) for index in np.indices(count.shape))
    plane = np.minimum(first, last)[segment, axis] + 1 + _rank(count.ravel())
    crossing = np.clip((plane - start[segment, axis]) / span[segment, axis], 0.0, 1.0)

    # a row for each start, then one for each crossing, each into the next cell
    step = np.sign(span).astype(int)[segment, axis] * np.array([shape[1] * shape[2], shape[2], 1])[axis]
    segment = np.concatenate([np.arange(number), segment])
    at, step = (np.concatenate([np.zeros(number, a.dtype), a]) for a in (crossing, step))
    order = np.lexsort((at, segment))
    segment, at, moved = segment[order], at[order], np.cumsum(step[order])
    place = np.ravel_multi_index(tuple(first.T), shape) - moved[order < number]
    until = np.ones_like(at)
    until[:-1] = np.where(segment[1:] == segment[:-1], at[1:], 1.0)
    return Cuts(segment, place[segment] + moved, until - at)


def _rank(count: Int[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
    """0, 1, .. count-1 for each count, one after the other."""
    return np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
