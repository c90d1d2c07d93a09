"""Resolved vessels cut into pieces that each lie in one cell of the grid.

The truth of a voxel (plasma, speed, velocity) and the tracer that it holds both follow from these pieces.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from simulate.bed.segments import cut_at_planes
from simulate.vessels.tree import Tree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sections:
    """Sections of the vessels of one tree, padded with empty ones to a round number p.

    vessel : (p,) the node below the vessel.
    cell : (p,) flat index of the grid cell in which the piece lies.
    share : (p,) of the vessel's volume; 0 in the padding.
    """

    vessel: Any
    cell: Any
    share: Any


# points of equal weight over the unit disc: one, or a centre with rings of six and twelve
_POINT = np.zeros((1, 2))
_RINGS = np.concatenate(
    [np.zeros((1, 2))]
    + [
        radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        for radius, number in ((0.55, 6), (0.86, 12))
        for angles in [2 * np.pi * np.arange(number) / number]
    ]
)


def cut_into_sections(tree: Tree, shape: tuple[int, int, int], cell: tuple[float, float, float]) -> Sections:
    """Cut every vessel at the faces of the cells: its volume is shared out by the length that lies in each.

    Within a vessel tracer counts as evenly spread: from branching to branching it passes in far less than a frame.
    A vessel wider than half a cell is laid out over its cross-section. What would lie outside the grid (a wide
    vessel at the edge) is put into the nearest cell, so that no tracer is lost.
    """
    nodes = np.arange(1, tree.nodes)
    wide = tree.radius[nodes] > min(cell) / 4
    parts = []
    for vessel, disc in ((nodes[~wide], _POINT), (nodes[wide], _RINGS)):
        start, stop = tree.position[tree.parent[vessel]], tree.position[vessel]
        beside = _cross_section(stop - start, tree.radius[vessel], disc)
        first, last = ((end[:, None] + beside).reshape(-1, 3) for end in (start, stop))
        cuts = cut_at_planes(first, last, shape, cell)
        parts.append((vessel[cuts.segment // len(disc)], cuts.cell, cuts.share / len(disc)))
    vessel, place, share = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _padded(Sections(vessel.astype(np.int32), place.astype(np.int32), share))


def _cross_section(span: Any, radius: Any, disc: Any) -> Any:
    """(v, len(disc), 3) points of the unit disc, each vessel's own: across its span, times its radius [mm]."""
    along = span / np.maximum(np.linalg.norm(span, axis=1, keepdims=True), 1e-12)
    u = np.cross(along, np.eye(3)[np.argmin(np.abs(along), axis=1)])
    u = u / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-12)
    v = np.cross(along, u)
    return radius[:, None, None] * (disc[None, :, :1] * u[:, None] + disc[None, :, 1:] * v[:, None])


def _padded(pieces: Sections) -> Sections:
    """Filled up to the next of few sizes, so that what is compiled for one bed serves the next."""
    size = pieces.vessel.size
    step = max(2 ** (size.bit_length() - 3), 1)
    missing = -size % step
    return jax.tree.map(lambda a: np.pad(a, (0, missing)), pieces)


MOST_BLOOD = 0.95
"""Largest share of a cell that resolved vessels may take; the rest is tissue."""


def lay_out_vessels(
    trees: tuple[Tree, Tree], shape: tuple[int, int, int], cell: tuple[float, float, float]
) -> tuple[tuple[Sections, Sections], Float[np.ndarray, "*space"]]:
    """Sections of both trees, and the share of each cell that their blood takes, at most `MOST_BLOOD`.

    Since collisions are not tested, trunks may cross; what finds no room moves to a neighbouring cell.
    """
    pieces = [cut_into_sections(tree, shape, cell) for tree in trees]
    volume = np.concatenate([t.volume[p.vessel] * p.share for t, p in zip(trees, pieces, strict=True)])
    place = np.concatenate([p.cell for p in pieces])
    place = _make_room(place, volume / np.prod(cell), shape)
    taken = np.bincount(place, volume, int(np.prod(shape))).reshape(shape) / np.prod(cell)
    moved = np.split(place.astype(np.int32), [pieces[0].cell.size])
    first, second = (replace(p, cell=where) for p, where in zip(pieces, moved, strict=True))
    return (first, second), np.minimum(taken, MOST_BLOOD)


def _make_room(place: Any, share: Any, shape: tuple[int, int, int], passes: int = 200) -> Any:
    """Let pieces walk at random, one cell at a time, out of cells that are too full, until none is."""
    rng = np.random.default_rng(0)  # the same vessels always settle in the same way
    place = place.copy()
    for _ in range(passes):
        taken = np.bincount(place, share, int(np.prod(shape)))
        excess = np.maximum(1 - MOST_BLOOD / np.maximum(taken, 1e-12), 0.0)
        moving = np.flatnonzero(rng.uniform(size=place.size) < excess[place] * (share > 0))
        if moving.size == 0:
            break
        index = np.stack(np.unravel_index(place[moving], shape))
        index = index + rng.integers(-1, 2, index.shape)
        place[moving] = np.ravel_multi_index(tuple(np.clip(index, 0, np.reshape(shape, (3, 1)) - 1)), shape)
    return place
