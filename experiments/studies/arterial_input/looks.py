"""What the finder sees in a scene, and how far that is from the truth, before anything is set right."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from estimate.arterial.evidence import CandidateT1, Evidence, KnownT1, weigh
from estimate.arterial.quality import T1_KINDS
from estimate.arterial.search import LOWEST_PEAK, find_vessel
from estimate.signal.concentration import block_concentration
from experiments.studies.arterial_input.scenes import KINDS, LOWEST, Scene, area_from
from simulate.base.constants import HAEMATOCRIT, blood_t1
from simulate.base.errors import InputError

VOXELS = 50
assert LOWEST <= LOWEST_PEAK, "scenes lack voxels that the finder looks at"


class Look(NamedTuple):
    """evidence : None where the finder refuses.      log_area, log_peak : ln(measured/true).
    arrival : measured minus true time of half the peak [s].      about : what the scene is.
    loosened : whether it was found with looser limits alone."""

    kind: str
    evidence: Evidence | None
    log_area: float
    log_peak: float
    arrival: float
    about: dict[str, Any]
    loosened: bool = False


def in_blood(scene: Scene) -> Scene:
    """The scene as it looks to a user who takes the T1 of blood everywhere."""
    signal = np.pad(scene.signal, ((0, -len(scene.signal) % 256), (0, 0)), mode="edge")  # few distinct shapes
    curves = np.asarray(block_concentration(signal, scene.protocol, t10=np.float32(_expected_t1(scene)))[0])
    curves = curves[: len(scene.signal)]
    high = np.max(curves, axis=-1) > LOWEST  # False where a frame is NaN
    where = scene.where.copy()
    where[where] = high
    return replace(scene, signal=scene.signal[high], concentration=curves[high], t10=scene.t10[high], where=where)


def _expected_t1(scene: Scene) -> float:
    return blood_t1(float(scene.protocol.field_strength), HAEMATOCRIT)


def few_slices(scene: Scene) -> Scene:
    """Of a quarter of all scenes 4 to 8 slices around the highest peak: most examinations have few."""
    rng = np.random.default_rng([13, scene.about["seed"], KINDS.index(scene.about["kind"])])
    slices = int(rng.integers(4, 9)) if rng.random() < 0.25 else scene.where.shape[2]
    about = scene.about | {"slices": slices}
    if slices == scene.where.shape[2] or not scene.where.any():
        return replace(scene, about=about)
    z = np.nonzero(scene.where)[2]
    middle = z[np.argmax(np.max(scene.concentration, axis=-1))]
    first = int(np.clip(middle - slices // 2, 0, scene.where.shape[2] - slices))
    kept = (z >= first) & (z < first + slices)
    return replace(
        scene, signal=scene.signal[kept], concentration=scene.concentration[kept], t10=scene.t10[kept],
        where=scene.where[:, :, first : first + slices], about=about,
    )  # fmt: skip


def looks(scene: Scene) -> list[Look]:
    """Search and measure as `find_aif_among` does, without its corrections, for every kind of T1."""
    can_convert = scene.protocol.baseline > 0 and len(scene.signal) > 0
    seen = {"blood": in_blood(scene) if can_convert else scene}
    known: dict[str, KnownT1] = {
        "measured": CandidateT1(scene.t10, _expected_t1(scene)),
        "unknown": None,
        "blood": "blood",
    }
    return [_look(seen.get(kind, scene), kind, known[kind]) for kind in T1_KINDS]


def _look(scene: Scene, kind: str, t1: KnownT1) -> Look:
    curves, where, times = scene.concentration, scene.where, scene.times
    try:
        vessel = find_vessel(curves, where, times, voxels=VOXELS, baseline=scene.protocol.baseline)
    except InputError:
        return Look(kind, None, np.nan, np.nan, np.nan, scene.about)
    plasma = np.median(curves[vessel.chosen], axis=0) / (1 - HAEMATOCRIT)
    evidence = weigh(curves, where, times, vessel, t1)
    return Look(kind, evidence, *errors(scene, plasma), scene.about, vessel.attempt > 0)


def errors(scene: Scene, plasma: np.ndarray) -> tuple[float, float, float]:
    """ln(area/true), ln(peak/true peak in these frames), time of half the peak minus the true one [s]."""
    times = scene.times
    area = area_from(times, plasma, scene.onset) / scene.area
    peak = np.max(plasma) / np.max(scene.plasma)
    arrival = _half_time(times, plasma) - _half_time(times, scene.plasma)
    return float(np.log(area)), float(np.log(peak)), arrival


def _half_time(times: np.ndarray, curve: np.ndarray) -> float:
    top = int(np.argmax(curve))
    below = np.flatnonzero(curve[:top] < curve[top] / 2)
    if below.size == 0:
        return float(times[0])
    k = below[-1]
    return float(np.interp(curve[top] / 2, curve[k : k + 2], times[k : k + 2]))
