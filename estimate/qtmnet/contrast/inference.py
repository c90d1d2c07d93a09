"""A scan with contrast through a trained QTMnet: once for its facts, once for its features, then as any scan."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from estimate.qtmnet.contrast.features import (
    Frames,
    Measured,
    Reading,
    ScanFacts,
    aif_channels,
    arrival_time,
    facts_from,
    features_from,
    gram,
    measured,
    reading,
    scan_channels,
)
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.inference import NetworkInput, predict_voxels
from estimate.qtmnet.out_of_distribution import TrainingDistribution, outliers
from estimate.qtmnet.tiles import CORE
from estimate.qtmnet.weights import Trained
from estimate.signal.batches import in_batches
from simulate.base.progress import Progress, silent
from simulate.base.shapes import FRAMES


class ScanPrediction(NamedTuple):
    """Of the v voxels in the order of their curves.

    value, spread : (v, q) of `targets.SCORED`, scale-free.      level : (v,) b [mmol/L].
    enhanced, outlier : (v,) whether contrast is seen, whether the curve is unlike the training's.
    facts : of the scan.      ood_score : of the scan as a whole, which is unlike the training's above 1.
    """

    value: np.ndarray
    spread: np.ndarray
    level: np.ndarray
    enhanced: Bool[np.ndarray, " v"]
    outlier: Bool[np.ndarray, " v"]
    facts: ScanFacts
    ood_score: float

    @property
    def out_of_distribution(self) -> Bool[np.ndarray, " v"]:
        """Voxels whose prediction is not to be believed: the curve's own doing, or that of the scan."""
        return self.outlier | (self.ood_score > 1)


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


def predict_scan(
    trained: Trained,
    curves: Float[np.ndarray, "v t"],
    start: Float[np.ndarray, " t"],
    duration: float,
    *,
    where: tuple[Int[np.ndarray, " v"], ...],
    shape: tuple[int, ...],
    core: tuple[int, ...] = CORE,
    aif: tuple[np.ndarray, np.ndarray, float] | None = None,
    progress: Progress = silent,
) -> ScanPrediction:
    """Put a scan through the network.

    curves : [mmol/L], finite.      start, duration : of its frames [s].
    where : the voxels' indices in a volume of this shape.      core : of a tile; it changes nothing but memory.
    aif : (times [s], plasma [mmol/L], area over `AREA_WINDOW`) for a network that was trained with it.
    """
    looked, scan, facts = _seen(
        trained.training_distribution, np.asarray(curves, np.float32), padded_frames(start, duration)
    )
    if trained.network.shape.aif_given:
        scan = jnp.concatenate([scan, _aif_channels(aif, facts)])
    seen = NetworkInput(looked.voxel, scan, looked.enhanced)
    values, spreads, ood_score = predict_voxels(trained, seen, where, shape, core=core, progress=progress)
    return ScanPrediction(values, spreads, looked.level, looked.enhanced, looked.outlier, facts, ood_score)


# -- what is seen of the scan ---------------------------------------------------------------------------


class _VoxelInput(NamedTuple):
    """Of some voxels: see `Features` and `ScanPrediction`."""

    voxel: Any
    level: Any
    enhanced: Any
    outlier: Any


def _seen(known: TrainingDistribution, curves: np.ndarray, frames: Frames) -> tuple[_VoxelInput, Array, ScanFacts]:
    """Of every voxel and of the scan as a whole; once through the curves, and once through what is left of them."""
    mean = np.zeros(frames.start.shape, np.float32)
    mean[: curves.shape[1]] = curves.mean(axis=0, dtype=float)
    arrival, read = _arrival(mean, frames)
    found: Measured = in_batches(lambda part: measured(part, read), curves, columns=len(mean))
    facts = facts_from(np.asarray(arrival), found, jax.tree.map(np.asarray, read), np.ones(len(curves), bool))
    looked = in_batches(lambda *each: _look(known, Measured(*each), read, frames, facts), *found)
    return looked, scan_channels(frames, facts), facts


@jax.jit
def _arrival(mean: Array, frames: Frames) -> tuple[Array, Reading]:
    arrival = arrival_time(mean, frames)
    return arrival, reading(frames, arrival)


@jax.jit
def _look(known: TrainingDistribution, found: Measured, read: Reading, frames: Frames, facts: ScanFacts) -> _VoxelInput:
    seen = features_from(found, read, frames, facts)
    return _VoxelInput(seen.voxel, seen.level, seen.enhanced, outliers(known, seen, gram(seen)))


def _aif_channels(aif: tuple[np.ndarray, np.ndarray, float] | None, facts: ScanFacts) -> Array:
    assert aif is not None
    times, curve, area = aif
    ca = np.interp(NODES + float(facts.arrival), times, curve, left=0.0)
    return aif_channels(jnp.asarray(ca, jnp.float32), jnp.asarray(area, jnp.float32))
