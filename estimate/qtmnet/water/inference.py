"""A series of labelled water through a trained QTMnet."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float

from estimate.qtmnet.inference import NetworkInput, predict_voxels
from estimate.qtmnet.out_of_distribution import TrainingDistribution, outliers
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from estimate.qtmnet.tiles import CORE
from estimate.qtmnet.water.domain import READOUTS
from estimate.qtmnet.water.features import (
    VOXEL_CHANNELS,
    Delays,
    ScanFacts,
    features,
    levels,
    scan_channels,
    scan_facts,
)
from estimate.qtmnet.water.targets import SCORED
from estimate.qtmnet.weights import Trained
from estimate.signal.batches import in_batches
from simulate.base.progress import Progress, silent


class ScanPrediction(NamedTuple):
    """Of v voxels. cbf : [mL/g/s]; its standard error is cbf x cbf_spread, so that cbf exp(± 1.645 spread) covers 90 %.
    att, att_spread : [s].      outlier : whether a voxel's course over delays is unlike the training's.
    ood_score : of the scan as a whole, which is unlike the training's above 1.
    """

    cbf: np.ndarray
    cbf_spread: np.ndarray
    att: np.ndarray
    att_spread: np.ndarray
    outlier: np.ndarray
    ood_score: float

    @property
    def out_of_distribution(self) -> np.ndarray:
        """Voxels whose prediction is not to be believed: the course's own doing, or that of the scan."""
        return self.outlier | (self.ood_score > 1)


def predict_scan(
    trained: Trained,
    d: Float[np.ndarray, "v k"],
    sigma: Float[np.ndarray, " v"],
    delays: Delays,
    *,
    t1_blood: float,
    late: Float[np.ndarray, " v"],
    where: tuple[np.ndarray, ...],
    shape: tuple[int, ...],
    core: tuple[int, ...] = CORE,
    progress: Progress = silent,
) -> ScanPrediction:
    """Flow and arrival of voxels.

    d : lambda dM/(2 alpha M0) [mL/g], finite.      sigma : noise of d from one pair.      delays : of the first slice.
    late : [s] by which a voxel is read out after it.      where : the voxels' indices in a volume of this shape.
    """
    known, t1 = trained.training_distribution, np.float32(t1_blood)
    sigma = np.asarray(sigma, np.float32)
    d, delays = _padded(d, delays)
    slices = [(_read_later(delays, s), np.flatnonzero(late == s)) for s in np.unique(late)]
    level, sure = (np.empty(len(d), np.float32) for _ in range(2))
    for own, rows in slices:
        level[rows], sure[rows] = in_batches(partial(levels, delays=own, t1_blood=t1), d[rows], sigma[rows])
    typical = scan_facts(level, sure, np.ones(len(d), bool)).level
    seen = _VoxelInput(np.empty((len(d), VOXEL_CHANNELS), np.float32), level, np.empty(len(d), bool))
    scans = []
    for own, rows in slices:
        facts = ScanFacts(typical, np.median(sure[rows]))
        look = partial(_look, known=known, delays=own, t1_blood=t1, facts=facts)
        for whole, part in zip(seen, in_batches(look, d[rows], sigma[rows]), strict=True):
            whole[rows] = part
        scans.append(np.asarray(scan_channels(own, facts)))
    value, spread, ood_score = predict_voxels(
        trained, NetworkInput(seen.voxel, np.mean(scans, axis=0), np.ones(len(d), bool)), where, shape, core=core,
        progress=progress,
    )  # fmt: skip
    sigma_of = {n: spread[:, i] * trained.calibration_factor[n] / TO_ONE_SIGMA for i, n in enumerate(SCORED)}
    cbf = np.exp(value[:, SCORED.index("CBF")]) * seen.level
    return ScanPrediction(cbf, sigma_of["CBF"], value[:, SCORED.index("ATT")], sigma_of["ATT"], seen.outlier, ood_score)


def _padded(d: np.ndarray, delays: Delays) -> tuple[np.ndarray, Delays]:
    """With as many delays more, which nothing was read out at, as make their number a multiple of `READOUTS`."""
    pld, duration, repeats = (np.asarray(each, np.float32) for each in delays)
    more = (0, -len(pld) % READOUTS)
    last = (np.pad(pld, more, mode="edge"), np.pad(duration, more, mode="edge"))
    return np.pad(np.asarray(d, np.float32), ((0, 0), more)), Delays(*last, np.pad(repeats, more))


def _read_later(delays: Delays, seconds: float) -> Delays:
    return delays._replace(post_label_delay=delays.post_label_delay + np.float32(seconds))


class _VoxelInput(NamedTuple):
    """Of some voxels: see `Features` and `ScanPrediction`."""

    voxel: Any
    level: Any
    outlier: Any


@jax.jit
def _look(
    d: Array, sigma: Array, *, known: TrainingDistribution, delays: Delays, t1_blood: ArrayLike, facts: ScanFacts
) -> _VoxelInput:
    seen = features(d, sigma, delays, t1_blood, facts)
    return _VoxelInput(seen.voxel, seen.level, outliers(known, seen, seen.gram))
