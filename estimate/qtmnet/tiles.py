"""A volume in tiles whose cores make it up, with so much around each core that the tiles agree exactly.

A U-Net sees a bounded neighbourhood. With a margin as wide as that, and with all tiles on one grid of its coarsest
scale, a core's result is that of the whole volume: no seams, and so nothing to blend. Where nothing of the scan lies
it sees zeros, as beyond the ends of an array, so that a tile may be as large as is convenient.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

COARSEST = 4
"""Voxels along the edge of a cell of the coarsest scale."""

MARGIN = 28
"""Voxels around a core: two convolutions of radius 1 at scales 1, 2, 4, 2, 1 reach 20, and pooled cells 6 beyond."""

CORE = (96, 96, 48)


class Tile(NamedTuple):
    """around : (start, stop) along each axis, which may pass the volume's ends.      core : slices within `around`."""

    around: tuple[tuple[int, int], ...]
    core: tuple[slice, ...]


def tiles(inside: np.ndarray, core: tuple[int, ...] = CORE) -> Iterator[Tile]:
    """Tiles that cover all places where the volume is True, counted from the first of them.

    So padding around a scan moves nothing. All tiles have the same extent, one of few (`few_extents`). An axis is left
    whole where that needs no more than a core with its margins.
    """
    low = [int(np.flatnonzero(inside.any(axis=_others(axis))).min()) for axis in range(3)]
    high = [int(np.flatnonzero(inside.any(axis=_others(axis))).max()) + 1 for axis in range(3)]
    most = [_up(c, COARSEST) + 2 * MARGIN for c in core]
    whole = [h - b <= m for b, h, m in zip(low, high, most, strict=True)]
    extent = [min(few_extents(h - b), m) if w else m for b, h, m, w in zip(low, high, most, whole, strict=True)]
    margin = [0 if w else MARGIN for w in whole]
    step = [e - 2 * m for e, m in zip(extent, margin, strict=True)]
    for i in range(low[0], high[0], step[0]):
        for j in range(low[1], high[1], step[1]):
            for k in range(low[2], high[2], step[2]):
                begin = [b - m for b, m in zip((i, j, k), margin, strict=True)]
                yield Tile(
                    tuple((b, b + e) for b, e in zip(begin, extent, strict=True)),
                    tuple(slice(m, m + s) for m, s in zip(margin, step, strict=True)),
                )


def few_extents(n: int) -> int:
    """The next of 4, 8, 12, 16 and then four sizes to every doubling: 20, 24, 28, 32, 40, 48, 56, 64, 80, ...

    Every extent of a tile is a program of its own. These are at most 1.25 times as long as needed. Beside multiples of
    `COARSEST`, of sizes from 16 to 152 they make a tile 1.17 times as large on average.
    """
    return _up(n, max(COARSEST, 2 ** ((n - 1).bit_length() - 3)))


def cut(volume: np.ndarray, around: tuple[tuple[int, int], ...], fill: int) -> np.ndarray:
    """A part of a volume, which may pass its ends: `fill` there."""
    out = np.full([b - a for a, b in around], fill, volume.dtype)
    source, target = [], []
    for (a, b), n in zip(around, volume.shape, strict=True):
        first, last = max(a, 0), min(b, n)
        source.append(slice(first, last))
        target.append(slice(first - a, last - a))
    out[tuple(target)] = volume[tuple(source)]
    return out


def _others(axis: int) -> tuple[int, ...]:
    return tuple(a for a in range(3) if a != axis)


def _up(n: int, unit: int) -> int:
    return -(-int(n) // unit) * unit
