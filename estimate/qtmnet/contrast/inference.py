"""A scan with contrast through a trained QTMnet: once for its facts, once for its features, then as any scan."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from estimate.qtmnet.contrast.features import (
    Features,
    Frames,
    ScanFacts,
    arrival_time,
    facts_from,
    features,
    gram,
    levels,
    told_input,
)
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.familiarity import Familiarity, unfamiliar
from estimate.qtmnet.inference import CHUNK, Seen, through
from estimate.qtmnet.tiles import CORE
from estimate.qtmnet.weights import Trained
from simulate.base.progress import Progress, silent

Blocks = Callable[[], Iterable[tuple[Any, np.ndarray]]]
"""Each call goes once through the scan: (indices of some voxels, their curves (v, t) [mmol/L], finite)."""


class Answer(NamedTuple):
    """Of the v voxels in the order of the blocks.

    value, spread : (v, q) of `targets.SCORED`, scale-free.      level : (v,) b [mmol/L].
    enhanced, odd : (v,) whether contrast is seen, whether the curve is unlike the training's.
    facts : of the scan.      strangeness : of the scan as a whole, which is unlike the training's above 1.
    """

    value: np.ndarray
    spread: np.ndarray
    level: np.ndarray
    enhanced: Bool[np.ndarray, " v"]
    odd: Bool[np.ndarray, " v"]
    facts: ScanFacts
    strangeness: float

    @property
    def unfamiliar(self) -> Bool[np.ndarray, " v"]:
        """Voxels whose answer is not to be believed: the curve's own doing, or that of the scan."""
        return self.odd | (self.strangeness > 1)


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
    progress: Progress = silent,
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
    going_in = Seen(np.asarray(seen.voxel), seen.scan, np.asarray(seen.enhanced))
    values, spreads, strangeness = through(trained, going_in, where, shape, core=core, progress=progress)
    odd = _odd(trained.familiarity, seen)
    return Answer(values, spreads, np.asarray(seen.level), np.asarray(seen.enhanced), odd, facts, strangeness)


# -- once over the scan ---------------------------------------------------------------------------------


def _padded(curves: np.ndarray, frames: Frames) -> Iterator[tuple[np.ndarray, int]]:
    """Chunks (n, t) of fixed size in float32, and how many of their rows count."""
    width = frames.start.shape[0]
    for begin in range(0, len(curves), CHUNK):
        part = curves[begin : begin + CHUNK]
        chunk = np.zeros((CHUNK, width), np.float32)
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


def _odd(known: Familiarity, seen: Features) -> np.ndarray:
    seen = jax.tree.map(jnp.asarray, seen)
    return np.asarray(unfamiliar(known, seen, gram(seen)))


def _told(aif: tuple[np.ndarray, np.ndarray, float] | None, facts: ScanFacts) -> jax.Array:
    assert aif is not None
    times, curve, area = aif
    ca = np.interp(NODES + float(facts.arrival), times, curve, left=0.0)
    return told_input(jnp.asarray(ca, jnp.float32), jnp.asarray(area, jnp.float32))
