"""A volume in tiles whose cores make it up, with so much around each core that the tiles agree exactly.

A U-Net sees a bounded neighbourhood. With a margin as wide as that, and with all tiles on one grid of its coarsest
scale, a core's result is that of the whole volume: no seams, and so nothing to blend.
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
    """core, around : (start, stop) along each axis; `around` may pass the volume's ends."""

    core: tuple[tuple[int, int], ...]
    around: tuple[tuple[int, int], ...]


def tiles(inside: np.ndarray, core: tuple[int, ...] = CORE) -> Iterator[Tile]:
    """Tiles that cover all places where the volume is True, counted from the first of them.

    So padding around a scan moves nothing. All tiles have the same extent.
    """
    low = [int(np.flatnonzero(inside.any(axis=_others(axis))).min()) for axis in range(3)]
    high = [int(np.flatnonzero(inside.any(axis=_others(axis))).max()) + 1 for axis in range(3)]
    size = [_up(b - a) for a, b in zip(low, high, strict=True)]
    step = [min(_up(c), s) for c, s in zip(core, size, strict=True)]
    single = [c == s for c, s in zip(step, size, strict=True)]
    margin = [0 if one else MARGIN for one in single]
    for i in range(low[0], high[0], step[0]):
        for j in range(low[1], high[1], step[1]):
            for k in range(low[2], high[2], step[2]):
                begin = (i, j, k)
                yield Tile(
                    tuple((b, min(b + s, h)) for b, s, h in zip(begin, step, high, strict=True)),
                    tuple((b - m, b + s + m) for b, s, m in zip(begin, step, margin, strict=True)),
                )


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


def _up(n: int) -> int:
    return -(-int(n) // COARSEST) * COARSEST
