"""Voxels of a scan through a trained QTMnet, in bounded memory: once per context, then tile by tile."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.familiarity import scan_strangeness
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.prediction import Prediction
from estimate.qtmnet.tiles import CORE, cut, tiles
from estimate.qtmnet.weights import Trained
from simulate.base.progress import Progress, silent

CHUNK = 16384
"""Voxels at a time."""


class Seen(NamedTuple):
    """What a network sees of v voxels: voxel (v, f), scan (g,), and which of them the context may use (v,)."""

    voxel: np.ndarray
    scan: jax.Array
    inside: np.ndarray


def through(
    trained: Trained,
    seen: Seen,
    where: tuple[np.ndarray, ...],
    shape: tuple[int, ...],
    *,
    core: tuple[int, ...] = CORE,
    progress: Progress = silent,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Values and their standard deviations (v, q) by the tracer's `scored`; the scan's `scan_strangeness`.

    where : the voxels' indices in a volume of this shape.      core : extent of a tile; it changes nothing but memory.
    """
    graph, weights = nnx.split(trained.network)
    weights = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), weights)
    contexts = _contexts(graph, weights, seen)
    strangeness = scan_strangeness(trained.familiarity, contexts[0]) if contexts else 0.0
    if trained.uses_branch:
        parts = _by_tiles(graph, weights, seen, contexts, where, shape, core)
    else:
        parts = _by_voxels(graph, weights, seen, contexts)
    count = len(seen.voxel)
    scored = trained.network.shape.sees.scored
    values, spreads = (np.full((count, len(scored)), np.nan, np.float32) for _ in range(2))
    done = 0
    for rows, value, spread in parts:
        values[rows], spreads[rows] = value, spread
        done += len(rows)
        progress("qtmnet", done, count)
    return values, spreads, strangeness


# -- context --------------------------------------------------------------------------------------------


def _chunks(seen: Seen) -> Iterator[tuple[np.ndarray, np.ndarray, slice]]:
    count = len(seen.voxel)
    for begin in range(0, count, CHUNK):
        rows = slice(begin, min(begin + CHUNK, count))
        size = rows.stop - rows.start
        voxel = np.zeros((CHUNK, seen.voxel.shape[1]), np.float32)
        voxel[:size] = seen.voxel[rows]
        inside = np.zeros(CHUNK, bool)
        inside[:size] = seen.inside[rows]
        yield voxel, inside, rows


def _contexts(graph: Any, weights: Any, seen: Seen) -> list[jax.Array]:
    """The contexts of the whole scan, one after the other."""
    net: QTMnet = nnx.merge(graph, weights)
    found: list[jax.Array] = []
    for pool in net.contexts:
        total: Any = 0.0
        for voxel, inside, _ in _chunks(seen):
            total = total + np.asarray(_sums(graph, weights, voxel, inside, seen.scan, found), float)
        found.append(pool(jnp.asarray(total, jnp.float32), seen.scan, found[-1] if found else None))
    return found


def _encode(net: QTMnet, voxel: jax.Array, scan: jax.Array, contexts: list[jax.Array]) -> jax.Array:
    """Seen of voxels as far as these contexts take them."""
    x = net.start(voxel, scan)
    for number, context in enumerate(contexts):
        if number + 1 < len(net.encoder):
            x = net.refine(x, number + 1, context)
    return x


@partial(jax.jit, static_argnums=0)
def _sums(graph: Any, weights: Any, voxel: jax.Array, inside: jax.Array, scan: jax.Array, contexts: list) -> jax.Array:
    net: QTMnet = nnx.merge(graph, weights)
    return net.contexts[len(contexts)].sums(_encode(net, voxel, scan, contexts), inside)


# -- parameters -----------------------------------------------------------------------------------------

Part = tuple[np.ndarray, np.ndarray, np.ndarray]


def _by_voxels(graph: Any, weights: Any, seen: Seen, contexts: list[jax.Array]) -> Iterator[Part]:
    """(rows, value, spread) without a neighbourhood."""
    for voxel, _, rows in _chunks(seen):
        value, spread = _decode_alone(graph, weights, voxel, seen.scan, contexts)
        size = rows.stop - rows.start
        yield np.arange(rows.start, rows.stop), np.asarray(value)[:size], np.asarray(spread)[:size]


@partial(jax.jit, static_argnums=0)
def _decode_alone(graph: Any, weights: Any, voxel: jax.Array, scan: jax.Array, contexts: list) -> Prediction:
    net: QTMnet = nnx.merge(graph, weights)
    x = _encode(net, voxel, scan, contexts)
    return net.shape.sees.predicted(net.decode(x, contexts[-1] if contexts else None, None))


def _by_tiles(
    graph: Any, weights: Any, seen: Seen, contexts: list[jax.Array], where: tuple, shape: tuple, core: tuple
) -> Iterator[Part]:
    """(rows, value, spread) of the voxels of one tile's core after the other."""
    row = np.full(shape, -1, np.int32)
    row[where] = np.arange(len(where[0]), dtype=np.int32)
    for tile in tiles(row >= 0, core):
        here = cut(row, tile.around, -1)
        wanted = np.zeros(here.shape, bool)
        wanted[tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(tile.core, tile.around, strict=True))] = True
        wanted &= here >= 0
        if not wanted.any():
            continue
        known = np.maximum(here.ravel(), 0)
        inside = (here >= 0) & seen.inside[known].reshape(here.shape)
        neighbours = _neighbours(graph, weights, seen.voxel[known], inside, seen.scan, contexts)
        places = np.flatnonzero(wanted.ravel())
        for begin in range(0, len(places), CHUNK):
            some = places[begin : begin + CHUNK]
            index = np.pad(some, (0, CHUNK - len(some)))
            voxel = seen.voxel[known[index]]
            value, spread = _decode_beside(graph, weights, voxel, seen.scan, contexts, neighbours, index)
            yield known[some], np.asarray(value)[: len(some)], np.asarray(spread)[: len(some)]


@partial(jax.jit, static_argnums=0)
def _neighbours(graph: Any, weights: Any, voxel: jax.Array, inside: jax.Array, scan: jax.Array, contexts: list) -> Any:
    """(n, c) what the U-Net makes of a tile (d, h, w) of n voxels."""
    net: QTMnet = nnx.merge(graph, weights)
    branch = net.branch
    assert branch is not None
    entered = jax.lax.map(lambda part: branch.enter(_encode(net, part, scan, contexts)), _in_parts(voxel))
    entered = entered.reshape(-1, entered.shape[-1])[: voxel.shape[0]].reshape(1, *inside.shape, -1)
    return branch.after_entry(entered, inside[None].astype(entered.dtype)).reshape(voxel.shape[0], -1)


def _in_parts(voxel: jax.Array) -> jax.Array:
    """(parts, CHUNK, f), padded."""
    missing = -voxel.shape[0] % CHUNK
    return jnp.pad(voxel, ((0, missing), (0, 0))).reshape(-1, CHUNK, voxel.shape[1])


@partial(jax.jit, static_argnums=0)
def _decode_beside(
    graph: Any, weights: Any, voxel: jax.Array, scan: jax.Array, contexts: list, neighbours: jax.Array, index: jax.Array
) -> Any:
    net: QTMnet = nnx.merge(graph, weights)
    x = _encode(net, voxel, scan, contexts)
    return net.shape.sees.predicted(net.decode(x, contexts[-1] if contexts else None, neighbours[index]))
