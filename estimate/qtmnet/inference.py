"""A scan through a trained QTMnet, in bounded memory: once for its facts, once per context, then tile by tile."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool, Float

from estimate.qtmnet.familiarity import Familiarity, unfamiliar
from estimate.qtmnet.features import Features, Frames, ScanFacts, arrival_time, facts_from, features, levels, told_input
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.targets import SCORED, predicted
from estimate.qtmnet.tiles import CORE, cut, tiles
from estimate.qtmnet.time_basis import NODES, projection
from estimate.qtmnet.weights import Trained

_CHUNK = 16384

Blocks = Callable[[], Iterable[tuple[Any, np.ndarray]]]
"""Each call goes once through the scan: (indices of some voxels, their curves (v, t) [mmol/L], finite)."""

Progress = Callable[[int, int], None]


class Answer(NamedTuple):
    """Of the v voxels in the order of the blocks.

    value, spread : (v, q) of `targets.SCORED`, scale-free.      level : (v,) b [mmol/L].
    enhanced, odd : (v,) whether contrast is seen, whether the curve is unlike the training's.
    facts : of the scan.
    """

    value: np.ndarray
    spread: np.ndarray
    level: np.ndarray
    enhanced: Bool[np.ndarray, " v"]
    odd: Bool[np.ndarray, " v"]
    facts: ScanFacts


def padded_frames(start: Float[np.ndarray, " t"], duration: float) -> Frames:
    """The frames, with as many beyond as make their number a multiple of 50: few shapes to compile."""
    start = np.asarray(start, np.float32)
    missing = -len(start) % 50
    step = start[-1] - start[-2]
    beyond = start[-1] + step * np.arange(1, missing + 1)
    weight = np.concatenate([np.ones(len(start)), np.zeros(missing)])
    return Frames(
        jnp.asarray(np.concatenate([start, beyond]), jnp.float32),
        jnp.asarray(duration, jnp.float32),
        jnp.asarray(weight, jnp.float32),
    )


def answer(
    trained: Trained,
    blocks: Blocks,
    shape: tuple[int, ...],
    start: Float[np.ndarray, " t"],
    duration: float,
    *,
    core: tuple[int, ...] = CORE,
    aif: tuple[np.ndarray, np.ndarray, float] | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Put a scan through the network.

    shape : of the volume that the blocks' indices belong to.      start, duration : of its frames [s].
    core : extent of a tile; it changes nothing but memory.
    aif : (times [s], plasma [mmol/L], area over `AREA_WINDOW`) for a network that was trained with it.
    """
    frames = padded_frames(start, duration)
    facts = _facts(blocks, frames)
    seen, where = _features(blocks, frames, facts)
    if trained.network.shape.told:
        seen = seen._replace(scan=jnp.concatenate([seen.scan, _told(aif, facts)]))
    graph, weights = nnx.split(trained.network)
    weights = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), weights)
    contexts = _contexts(graph, weights, seen)
    if trained.uses_branch:
        parts = _by_tiles(graph, weights, seen, contexts, where, shape, core)
    else:
        parts = _by_voxels(graph, weights, seen, contexts)
    values, spreads = (np.full((len(seen.level), len(SCORED)), np.nan, np.float32) for _ in range(2))
    done = 0
    for rows, value, spread in parts:
        values[rows], spreads[rows] = value, spread
        done += len(rows)
        if progress is not None:
            progress(done, len(seen.level))
    odd = _odd(trained.familiarity, seen, frames, facts)
    return Answer(values, spreads, np.asarray(seen.level), np.asarray(seen.enhanced), odd, facts)


# -- once over the scan ---------------------------------------------------------------------------------


def _padded(curves: np.ndarray, frames: Frames) -> Iterator[tuple[np.ndarray, int]]:
    """Chunks (n, t) of fixed size in float32, and how many of their rows count."""
    width = frames.start.shape[0]
    for begin in range(0, len(curves), _CHUNK):
        part = curves[begin : begin + _CHUNK]
        chunk = np.zeros((_CHUNK, width), np.float32)
        chunk[: len(part), : part.shape[1]] = part
        yield chunk, len(part)


def _facts(blocks: Blocks, frames: Frames) -> ScanFacts:
    total, count = np.zeros(frames.start.shape[0]), 0
    for _, curves in blocks():
        total[: curves.shape[1]] += curves.sum(axis=0, dtype=float)
        count += len(curves)
    arrival = arrival_time(jnp.asarray(total / max(count, 1), jnp.float32), frames)
    level, variance, spread = [], [], jnp.zeros(())
    for _, curves in blocks():
        for chunk, size in _padded(curves, frames):
            b, s2, _, spread = _levels(chunk, frames, arrival)
            level.append(np.asarray(b)[:size])
            variance.append(np.asarray(s2)[:size])
    b, s2 = np.concatenate(level), np.concatenate(variance)
    return facts_from(arrival, jnp.asarray(b), jnp.asarray(s2), spread, jnp.ones(len(b), bool))


_levels = jax.jit(levels)
_chunk_features = jax.jit(features)


def _features(blocks: Blocks, frames: Frames, facts: ScanFacts) -> tuple[Features, tuple[np.ndarray, ...]]:
    """Features of all voxels, and their indices in the volume."""
    parts: list[Features] = []
    places = []
    for where, curves in blocks():
        places.append(where)
        for chunk, size in _padded(curves, frames):
            found = _chunk_features(chunk, frames, facts)
            per_voxel = ("voxel", "level", "noise", "enhanced")
            parts.append(found._replace(**{n: np.asarray(getattr(found, n))[:size] for n in per_voxel}))
    joined = {n: np.concatenate([getattr(p, n) for p in parts]) for n in ("voxel", "level", "noise", "enhanced")}
    indices = tuple(np.concatenate(axis) for axis in zip(*places, strict=True))
    return parts[0]._replace(**joined), indices


def _odd(known: Familiarity, seen: Features, frames: Frames, facts: ScanFacts) -> np.ndarray:
    P = projection(frames.start - facts.arrival, frames.duration, seen.frames.weight)
    return np.asarray(unfamiliar(known, jax.tree.map(jnp.asarray, seen), P.T @ P))


def _told(aif: tuple[np.ndarray, np.ndarray, float] | None, facts: ScanFacts) -> jax.Array:
    assert aif is not None
    times, curve, area = aif
    ca = np.interp(NODES + float(facts.arrival), times, curve, left=0.0)
    return told_input(jnp.asarray(ca, jnp.float32), jnp.asarray(area, jnp.float32))


# -- context --------------------------------------------------------------------------------------------


def _chunks(seen: Features) -> Iterator[tuple[np.ndarray, np.ndarray, slice]]:
    count = len(seen.level)
    for begin in range(0, count, _CHUNK):
        rows = slice(begin, min(begin + _CHUNK, count))
        size = rows.stop - rows.start
        voxel = np.zeros((_CHUNK, seen.voxel.shape[1]), np.float32)
        voxel[:size] = seen.voxel[rows]
        inside = np.zeros(_CHUNK, bool)
        inside[:size] = seen.enhanced[rows]
        yield voxel, inside, rows


def _contexts(graph: Any, weights: Any, seen: Features) -> list[jax.Array]:
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
    """Features of voxels as far as these contexts take them."""
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


def _by_voxels(graph: Any, weights: Any, seen: Features, contexts: list[jax.Array]) -> Iterator[Part]:
    """(rows, value, spread) without a neighbourhood."""
    for voxel, _, rows in _chunks(seen):
        value, spread = _decode_alone(graph, weights, voxel, seen.scan, contexts)
        size = rows.stop - rows.start
        yield np.arange(rows.start, rows.stop), np.asarray(value)[:size], np.asarray(spread)[:size]


@partial(jax.jit, static_argnums=0)
def _decode_alone(graph: Any, weights: Any, voxel: jax.Array, scan: jax.Array, contexts: list) -> Any:
    net: QTMnet = nnx.merge(graph, weights)
    x = _encode(net, voxel, scan, contexts)
    return predicted(net.decode(x, contexts[-1] if contexts else None, None))


def _by_tiles(
    graph: Any, weights: Any, seen: Features, contexts: list[jax.Array], where: tuple, shape: tuple, core: tuple
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
        inside = (here >= 0) & seen.enhanced[known].reshape(here.shape)
        neighbours = _neighbours(graph, weights, seen.voxel[known], inside, seen.scan, contexts)
        places = np.flatnonzero(wanted.ravel())
        for begin in range(0, len(places), _CHUNK):
            some = places[begin : begin + _CHUNK]
            index = np.pad(some, (0, _CHUNK - len(some)))
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
    """(parts, _CHUNK, f), padded."""
    missing = -voxel.shape[0] % _CHUNK
    return jnp.pad(voxel, ((0, missing), (0, 0))).reshape(-1, _CHUNK, voxel.shape[1])


@partial(jax.jit, static_argnums=0)
def _decode_beside(
    graph: Any, weights: Any, voxel: jax.Array, scan: jax.Array, contexts: list, neighbours: jax.Array, index: jax.Array
) -> Any:
    net: QTMnet = nnx.merge(graph, weights)
    x = _encode(net, voxel, scan, contexts)
    return predicted(net.decode(x, contexts[-1] if contexts else None, neighbours[index]))
