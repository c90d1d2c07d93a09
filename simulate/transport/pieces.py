"""Resolved vessels cut into pieces that each lie in one cell of the grid."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from simulate.vessels.tree import Tree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Pieces:
    """Pieces of the vessels of one tree, padded with empty ones to a round number p.

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


def cut_into_pieces(tree: Tree, shape: tuple[int, int, int], cell: tuple[float, float, float]) -> Pieces:
    """Cut every vessel so that no piece is longer than a cell's shortest edge.

    Within a vessel tracer counts as evenly spread: from branching to branching it passes in far less than a frame.
    A vessel wider than half a cell is laid out over its cross-section. What would lie outside the grid (a wide
    vessel at the edge) is put into the nearest cell, so that no tracer is lost.
    """
    edge = min(cell)
    nodes = np.arange(1, tree.nodes)
    start, stop = tree.position[tree.parent[nodes]], tree.position[nodes]
    number = np.maximum(np.ceil(np.linalg.norm(stop - start, axis=1) / edge), 1).astype(int)
    vessel = np.repeat(nodes, number)
    which = np.arange(vessel.size) - np.repeat(np.cumsum(number) - number, number)
    middle = start[vessel - 1] + ((which + 0.5) / number[vessel - 1])[:, None] * (stop - start)[vessel - 1]
    share = 1 / number[vessel - 1]
    wide = tree.radius[vessel] > edge / 4
    parts = [
        _laid_out(vessel[chosen], share[chosen], middle[chosen], tree, disc)
        for chosen, disc in ((~wide, _POINT), (wide, _RINGS))
    ]
    vessel, share, at = (np.concatenate(part) for part in zip(*parts, strict=True))
    index = np.clip(np.floor(at / np.asarray(cell)), 0, np.asarray(shape) - 1).astype(int)
    flat = np.ravel_multi_index(tuple(index.T), shape).astype(np.int32)
    return _padded(Pieces(vessel.astype(np.int32), flat, share))


def _laid_out(vessel: Any, share: Any, middle: Any, tree: Tree, disc: Any) -> tuple:
    """Each piece as len(disc) thinner ones over its cross-section."""
    along = tree.position[vessel] - tree.position[tree.parent[vessel]]
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    other = np.eye(3)[np.argmin(np.abs(along), axis=1)] if len(vessel) else np.zeros((0, 3))
    u = np.cross(along, other)
    u = u / np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-12)
    v = np.cross(along, u)
    offsets = disc[None, :, :1] * u[:, None] + disc[None, :, 1:] * v[:, None]
    at = middle[:, None] + tree.radius[vessel][:, None, None] * offsets
    many = len(disc)
    return np.repeat(vessel, many), np.repeat(share / many, many), at.reshape(-1, 3)


def _padded(pieces: Pieces) -> Pieces:
    """Filled up to the next of few sizes, so that what is compiled for one bed serves the next."""
    size = pieces.vessel.size
    step = max(2 ** (size.bit_length() - 3), 1)
    missing = -size % step
    return jax.tree.map(lambda a: np.pad(a, (0, missing)), pieces)


def occupancy(tree: Tree, pieces: Pieces, shape: tuple[int, int, int], cell: tuple[float, float, float]) -> Any:
    """(*space) share of each cell that the blood of this tree takes."""
    volume = tree.volume[pieces.vessel] * pieces.share
    taken = np.bincount(pieces.cell, volume, int(np.prod(shape)))
    return taken.reshape(shape) / np.prod(cell)
