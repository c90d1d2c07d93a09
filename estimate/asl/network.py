"""Flow and arrival by QTMnet: what a network that was trained on labelled water in vessels makes of a series."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num
from scipy.special import chdtri, ndtri

from estimate.asl.differences import Differences
from estimate.kinetics.fit import IDENTIFIABLE
from estimate.qtmnet.out_of_distribution import OUTLIER_SHARE, scan_warning
from estimate.qtmnet.water.domain import T1B, TRAINING
from estimate.qtmnet.water.features import Delays
from estimate.qtmnet.water.inference import ScanPrediction, predict_scan
from estimate.qtmnet.weights import SHIPPED_ASL, Trained, load_trained
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.status import Status

FEWEST_DELAYS = 3
"""With fewer, nothing tells late arrival from little flow."""

VAGUE_ARRIVAL = 0.5
"""Standard error [s] above which an arrival time is not identifiable."""


class NetworkMaps(NamedTuple):
    """Of v voxels: values by map, CBF in internal units and ATT [s], each with _stderr; bits of `Status`; and sentences
    that the reader must not miss."""

    values: dict[str, np.ndarray]
    status: np.ndarray
    warnings: list[str]


def check_request(found: Differences, labelling: str, *, arterial: bool) -> None:
    """Refuse what the network cannot work with."""
    if labelling == "pasl":
        raise InputError("method", "qtmnet", "was trained with pcasl, and the series is pasl", "use multi_delay")
    if len(found.repeats) < FEWEST_DELAYS:
        problem = f"needs {FEWEST_DELAYS} delays and more, and the series has {len(found.repeats)}"
        raise InputError("method", "qtmnet", problem, "use white_paper or multi_delay")
    if arterial:
        raise InputError("arterial", "qtmnet", "is an option of multi_delay", "leave it out")


def network_maps(
    found: Differences,
    m0: Float[np.ndarray, " v"],
    where: tuple[np.ndarray, ...],
    *,
    late: Float[np.ndarray, " v"],
    label_efficiency: float,
    partition_coefficient: float,
    t1_blood: float,
    trained: Trained | None = None,
    progress: Progress = silent,
) -> NetworkMaps:
    """CBF and ATT of voxels (indices `where`) with finite differences and M0 above zero.

    m0 : of tissue, in the unit of the differences.      late : [s] by which a voxel is read out after the first slice.
    label_efficiency : with background suppression.      trained : by default the network that ships.
    """
    trained = shipped() if trained is None else trained
    to_d = partition_coefficient / (2 * label_efficiency * m0)
    delays = Delays(found.post_label_delay, found.label_duration, found.repeats)
    got = predict_scan(
        trained, found.value[where] * to_d[:, None], noise_of_a_pair(found, where) * to_d, delays,
        t1_blood=t1_blood, late=late, where=where, shape=found.value.shape[:-1], progress=progress,
    )  # fmt: skip
    status = np.zeros(len(m0), np.int32)
    for bits, here in (
        (Status.UNFAMILIAR, got.out_of_distribution),
        (Status.NOT_IDENTIFIABLE | Status.CBF_NOT_IDENTIFIABLE, got.cbf_spread > IDENTIFIABLE),
        (Status.NOT_IDENTIFIABLE | Status.ATT_NOT_IDENTIFIABLE, got.att_spread > VAGUE_ARRIVAL),
    ):
        status[here] |= int(bits)
    values = {
        "CBF": got.cbf, "CBF_stderr": got.cbf * got.cbf_spread, "ATT": got.att, "ATT_stderr": got.att_spread,
    }  # fmt: skip
    alarms = trained.calibration.limits["scans"]["alarms"]
    return NetworkMaps(values, status, _warnings(found, t1_blood, got, alarms))


@lru_cache(maxsize=1)
def shipped() -> Trained:
    """The network that comes with the package."""
    return load_trained(SHIPPED_ASL, tracer="water")


def load(path: Path | None) -> Trained:
    """A file of `tracerflow train qtmnet-asl`, or the network that comes with the package."""
    return shipped() if path is None else load_trained(path, tracer="water")


def noise_of_a_pair(found: Differences, where: tuple[np.ndarray, ...]) -> float:
    """Standard deviation of one control minus label, one number for the image, in the unit of the series.

    From the scatter of the repeats: their pooled variance has a chi-square distribution, and its median over voxels,
    which a few that moved do not change, says the variance. Where nothing was repeated, from second differences
    between neighbouring voxels, which anatomy makes a little too large.
    """
    freedom = found.repeats - 1
    if freedom.sum() > 0:
        several = freedom > 0
        pair = found.variance[where][:, several] * found.repeats[several]
        pooled = pair @ freedom[several] / freedom.sum()
        return float(np.sqrt(np.median(pooled) * freedom.sum() / chdtri(freedom.sum(), 0.5)))
    inside = np.zeros(found.value.shape[:-1], bool)
    inside[where] = True
    size = [_second_differences(found.value, inside, axis) for axis in (0, 1)]
    return float(np.median(np.abs(np.concatenate(size))) / ndtri(0.75) / np.sqrt(6))


def _second_differences(value: Num[np.ndarray, "x y z g"], inside: np.ndarray, axis: int) -> np.ndarray:
    moved, within = np.moveaxis(value, axis, 0), np.moveaxis(inside, axis, 0)
    return (moved[:-2] - 2 * moved[1:-1] + moved[2:])[within[:-2] & within[1:-1] & within[2:]].ravel()


def _warnings(found: Differences, t1_blood: float, got: ScanPrediction, alarms: float) -> list[str]:
    delay, duration = found.post_label_delay, found.label_duration
    known = [
        (f"there are {len(delay)} delays", len(delay), TRAINING.delays, ""),
        (f"the first delay is {delay.min():.2g} s", delay.min(), (0.0, TRAINING.first[1]), "s"),
        (f"the last delay is {delay.max():.2g} s", delay.max(), TRAINING.last, "s"),
        (f"label lasts {duration.mean():.2g} s", duration.mean(), TRAINING.duration, "s"),
        (f"T1 of blood is {t1_blood:.3g} s", t1_blood, (0.97 * T1B, 1.03 * T1B), "s"),
        (f"durations of label differ by {np.ptp(duration):.2g} s", float(np.ptp(duration)), (0.0, 0.05), "s"),
    ]
    sentences = [
        f"Outside QTMnet's training: {words}, it was trained with {low:g} to {high:.3g} {unit}".rstrip() + "."
        for words, value, (low, high), unit in known
        if not low <= value <= high
    ]
    outliers = float(np.mean(got.outlier))
    if outliers > OUTLIER_SHARE:
        sentences.append(
            f"{100 * outliers:.0f} % of the voxels have a course over delays unlike any that QTMnet was trained with "
            "(status: unfamiliar): its intervals do not hold there."
        )
    return sentences + scan_warning(got.ood_score, alarms, "the labelling or the tissue is of another kind")
