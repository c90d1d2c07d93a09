"""What the finder sees in a scene, and how far that is from the truth, before anything is set right."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from estimate.arterial.evidence import CandidateT1, Evidence, weigh
from estimate.arterial.found import with_blood_t1
from estimate.arterial.quality import T1_KINDS
from estimate.arterial.search import Vessel, find_vessel
from estimate.relaxometry import block_concentration
from experiments.arterial_input.scenes import HAEMATOCRIT, KINDS, Scene, area_from
from simulate.base.errors import InputError
from simulate.relaxation import blood_t1

VOXELS = 50


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


def candidate_t1(scene: Scene, kind: str) -> CandidateT1 | None:
    """What the finder is told of T1: as measured, nothing, or to set it to that of blood."""
    if kind == "unknown":
        return None
    expected = blood_t1(float(scene.protocol.field_strength), HAEMATOCRIT)

    def in_blood(which: np.ndarray) -> np.ndarray:
        signal = scene.signal[which]
        padded = np.pad(signal, ((0, -len(signal) % 256), (0, 0)), mode="edge")  # few distinct shapes
        return np.asarray(block_concentration(padded, scene.protocol, t10=np.float32(expected))[0])[: len(signal)]

    return CandidateT1(scene.t10, expected, in_blood if kind == "blood" else None)


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
    baseline = scene.protocol.baseline
    try:
        vessel = find_vessel(scene.concentration, scene.where, scene.times, voxels=VOXELS, baseline=baseline)
    except InputError:
        return [Look(kind, None, np.nan, np.nan, np.nan, scene.about) for kind in T1_KINDS]
    return [_look(scene, kind, vessel) for kind in T1_KINDS]


def _look(scene: Scene, kind: str, vessel: Vessel) -> Look:
    curves, t1 = scene.concentration, candidate_t1(scene, kind)
    if t1 is not None and t1.in_blood is not None:
        curves, vessel = with_blood_t1(curves, vessel, t1.in_blood, VOXELS)
    plasma = np.median(curves[vessel.chosen], axis=0) / (1 - HAEMATOCRIT)
    evidence = weigh(curves, scene.where, scene.times, vessel, t1)
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
