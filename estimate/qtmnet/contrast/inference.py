"""A scan with contrast through a trained QTMnet: once for its facts, once for its features, then as any scan."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from estimate.qtmnet.contrast.features import (
    Frames,
    ScanFacts,
    arrival_time,
    facts_from,
    features,
    gram,
    scan_channels,
    told_input,
    voxel_facts,
)
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.familiarity import Familiarity, unfamiliar
from estimate.qtmnet.inference import Progress, Seen, through
from estimate.qtmnet.tiles import CORE
from estimate.qtmnet.weights import Trained
from estimate.signal.batches import in_batches
from simulate.base.shapes import FRAMES


class Answer(NamedTuple):
    """Of the v voxels in the order of their curves.

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
    """The frames, with as many beyond, which do not count, as make their number a multiple of `FRAMES`."""
    start = np.asarray(start, np.float32)
    missing = -len(start) % FRAMES
    beyond = start[-1] + (start[-1] - start[-2]) * np.arange(1, missing + 1)
    weight = np.arange(len(start) + missing) < len(start)
    return Frames(
        jnp.asarray(np.concatenate([start, beyond]), jnp.float32),
        jnp.asarray(duration, jnp.float32),
        jnp.asarray(weight, jnp.float32),
    )


def answer(
    trained: Trained,
    curves: Float[np.ndarray, "v t"],
    start: Float[np.ndarray, " t"],
    duration: float,
    *,
    where: tuple[Int[np.ndarray, " v"], ...],
    shape: tuple[int, ...],
    core: tuple[int, ...] = CORE,
    aif: tuple[np.ndarray, np.ndarray, float] | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Put a scan through the network.

    curves : [mmol/L], finite.      start, duration : of its frames [s].
    where : the voxels' indices in a volume of this shape.      core : of a tile; it changes nothing but memory.
    aif : (times [s], plasma [mmol/L], area over `AREA_WINDOW`) for a network that was trained with it.
    """
    curves = np.asarray(curves, np.float32)
    frames = padded_frames(start, duration)
    facts = _facts(curves, frames)
    looked: _Looked = in_batches(
        lambda part: _look(trained.familiarity, part, frames, facts), curves, columns=frames.start.size
    )  # fmt: skip
    scan = _scan_channels(frames, facts)
    if trained.network.shape.told:
        scan = jnp.concatenate([scan, _told(aif, facts)])
    seen = Seen(looked.voxel, scan, looked.enhanced)
    values, spreads, strangeness = through(trained, seen, where, shape, core=core, progress=progress)
    return Answer(values, spreads, looked.level, looked.enhanced, looked.odd, facts, strangeness)


# -- what is seen of the scan ---------------------------------------------------------------------------


def _facts(curves: np.ndarray, frames: Frames) -> ScanFacts:
    mean = np.zeros(frames.start.shape, np.float32)
    mean[: curves.shape[1]] = curves.mean(axis=0, dtype=float)
    arrival = _arrival(mean, frames)
    level, variance, enhanced = in_batches(
        lambda part: _voxel_facts(part, frames, arrival), curves, columns=len(mean)
    )  # fmt: skip
    return facts_from(np.asarray(arrival), level, variance, enhanced, np.ones(len(curves), bool))


_arrival = jax.jit(arrival_time)
_voxel_facts = jax.jit(voxel_facts)
_scan_channels = jax.jit(scan_channels)


class _Looked(NamedTuple):
    """Of some voxels: see `Features` and `Answer`."""

    voxel: Any
    level: Any
    enhanced: Any
    odd: Any


@jax.jit
def _look(known: Familiarity, curves: Array, frames: Frames, facts: ScanFacts) -> _Looked:
    seen = features(curves, frames, facts)
    return _Looked(seen.voxel, seen.level, seen.enhanced, unfamiliar(known, seen, gram(seen)))


def _told(aif: tuple[np.ndarray, np.ndarray, float] | None, facts: ScanFacts) -> Array:
    assert aif is not None
    times, curve, area = aif
    ca = np.interp(NODES + float(facts.arrival), times, curve, left=0.0)
    return told_input(jnp.asarray(ca, jnp.float32), jnp.asarray(area, jnp.float32))
