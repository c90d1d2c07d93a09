"""The search for an artery among the voxels of a series.

An artery is where the bolus comes first, stands high above what recirculates, and passes quickly. Veins and
tissue come later and are broader; partial volume only lowers a curve. So (after Mouridsen et al., MRM 2006
55:524, who cluster by area, roughness and first moment):

1. keep voxels that are finite, quiet before the bolus, smooth after it, and have a first pass;
2. of those whose neighbours show one too, keep the earliest;
3. take the largest connected group, and of it the voxels with the shape of their median curve and an area
   near the upper third. The area uses every frame, so it is far less noisy than a peak; the band around it
   drops partial volume below, and above it voxels near saturation or with a wrong T10, whose error is
   one-sided and large: the highest peaks of a scan are never the best voxels.

Where nothing is found the search is repeated with looser limits, so what the strict ones find never changes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from estimate.signal.baseline import curve_noise
from simulate.base.errors import InputError

# Chosen on real and simulated series sampled every 1 to 6 s.
FIRST_PASS = 45.0  # s after contrast arrives in which the first pass peaks
ATTEMPTS = ((1.0, 0.5), (1.0, 0.9), (0.5, 0.9), (0.25, 0.9))
"""Lowest peak [mmol/L of blood; half a normal dose peaks above 2], and the share of it that is left after the first
pass at most: blood of a short injection keeps 0.1 to 0.3, of a slow one seen in long frames up to 0.88. The last finds
vessels that fill a tenth of their voxels: the time and shape of their curves are right, their height is not."""

LOWEST_PEAK = min(lowest for lowest, _ in ATTEMPTS)
PEAK_TO_NOISE = 8.0
RESTLESS = 0.1  # rms before contrast, as a share of the peak: inflow, motion, a wrong baseline
STRONG = 0.2  # share of the highest first pass: below lies tissue
EARLIEST = 5  # so many voxels have to agree on when the bolus comes first, and how high it stands
SAME_TIME = 1.5, 0.4  # s, and share of the frame spacing, within which a voxel is as early
ARTERIAL_HEIGHT = 0.5  # share of the highest early first pass
PURE_PERCENTILE = 65  # of the area in the group: pure blood, in vessels two voxels wide and more
FULL_SCALE = 0.8  # area within this factor of it, below and above
FEWEST = 3


@dataclass(frozen=True)
class _FirstPass:
    """Features of (v, t) curves: peak, height above recirculation, time of half the peak on the rise."""

    peak: np.ndarray
    height: np.ndarray
    half_time: np.ndarray
    usable: np.ndarray


class Vessel(NamedTuple):
    """Indices of candidates: of the vessel's voxels, and of those in which blood is measured.

    usable : (v,) candidates that have a first pass, whenever it comes.
    half_time : [s] at which half of the peak is reached, mean of the measured.      attempt : of `ATTEMPTS`, from 0.
    """

    group: np.ndarray
    chosen: np.ndarray
    usable: np.ndarray
    half_time: float
    attempt: int


def find_vessel(
    curves: Float[np.ndarray, "v t"],
    where: Bool[np.ndarray, "*s"],
    times: Float[np.ndarray, " t"],
    *,
    voxels: int,
    baseline: int,
) -> Vessel:
    """The vessel that looks most like an artery, among candidates (see `find_aif_among`).

    InputError of the first attempt where none of `ATTEMPTS` finds one.
    """
    refused = None
    for attempt, (lowest, recirculating) in enumerate(ATTEMPTS):
        high = np.flatnonzero(np.max(curves, axis=-1, initial=0.0) > lowest)
        among = np.zeros(where.shape, bool)
        among[tuple(axis[high] for axis in np.nonzero(where))] = True
        try:
            found = _search(curves[high], among, times, voxels, baseline, lowest, recirculating)
        except InputError as error:
            refused = refused or error
        else:
            usable = np.zeros(len(curves), bool)
            usable[high] = found.usable
            return found._replace(
                group=high[found.group], chosen=high[found.chosen], usable=usable, attempt=attempt
            )  # fmt: skip
    assert refused is not None
    raise refused


def _search(
    curves: np.ndarray, where: np.ndarray, times: np.ndarray, voxels: int, baseline: int, lowest: float,
    recirculating: float,
) -> Vessel:  # fmt: skip
    if len(curves) < FEWEST:
        raise no_artery(f"no group of voxels reaches {lowest} mmol/L")
    features = _first_pass(curves, times, baseline, recirculating)
    early = _early(features, where, float(np.median(np.diff(times))))
    group = np.flatnonzero(_largest_group(early, where))
    if group.size < FEWEST:
        raise no_artery(f"only {group.size} connected voxels look like an artery")
    chosen = group[purest(curves[group], voxels)]
    return Vessel(group, chosen, features.usable, float(np.mean(features.half_time[chosen])), 0)


def no_artery(problem: str) -> InputError:
    cure = 'give a region drawn in an artery (`aif=roi`), or `aif="parker"`'
    return InputError("arterial input", "", problem, cure)


def _first_pass(curves: np.ndarray, times: np.ndarray, baseline: int, recirculating: float) -> _FirstPass:
    """Features of the first pass, and which curves are fit to have one."""
    arrival = times[baseline - 1]
    window = (times > arrival) & (times <= arrival + FIRST_PASS)
    within = np.flatnonzero(window)
    if within.size < FEWEST:
        raise no_artery(f"only {within.size} frames see the first pass of contrast")
    top = within[0] + np.argmax(curves[:, window], axis=-1)
    peak = np.take_along_axis(curves, top[:, None], axis=-1)[:, 0]
    late = times > arrival + FIRST_PASS
    if np.sum(late) < FEWEST:
        raise no_artery(f"the series ends {times[-1] - arrival:g} s after contrast arrives")
    tail = np.median(curves[:, late], axis=-1)
    restless = np.sqrt(np.mean(curves[:, :baseline] ** 2, axis=-1))
    usable = (
        (peak > PEAK_TO_NOISE * curve_noise(curves[:, late]))
        & (restless < RESTLESS * peak)
        & (tail > 0)
        & (tail < recirculating * peak)
        & (top < within[-1])
    )
    return _FirstPass(peak, peak - tail, _half_time(curves, times, top, peak), usable)


def _half_time(curves: np.ndarray, times: np.ndarray, top: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """Last time before the peak at which the curve, linear between frames, crosses half of it."""
    frames = np.arange(times.size)
    below = (curves < peak[:, None] / 2) & (frames < top[:, None])
    last = np.max(np.where(below, frames, 0), axis=-1)
    low = np.take_along_axis(curves, last[:, None], axis=-1)[:, 0]
    high = np.take_along_axis(curves, last[:, None] + 1, axis=-1)[:, 0]
    rise = np.where(high > low, high - low, 1.0)
    return times[last] + np.clip((peak / 2 - low) / rise, 0, 1) * (times[last + 1] - times[last])


def _early(features: _FirstPass, where: np.ndarray, spacing: float) -> np.ndarray:
    """Voxels with neighbours like them that the bolus reaches first, and high."""
    height = np.where(features.usable, features.height, 0.0)
    height = np.minimum(height, _supported(height, where))
    strong = height > STRONG * np.max(height, initial=0.0)
    if np.sum(strong) < FEWEST:
        raise no_artery("no group of voxels has a first pass")
    order = np.sort(features.half_time[strong])
    first = order[min(EARLIEST, order.size) - 1]
    early = strong & (features.half_time <= first + max(SAME_TIME[0], SAME_TIME[1] * spacing))
    highest = np.sort(height[early])[-min(EARLIEST, np.sum(early))]
    return early & (height > ARTERIAL_HEIGHT * highest)


def _supported(height: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Third highest first pass among a voxel and those that touch it: a lone spike has no support."""
    image = np.zeros(where.shape)
    image[where] = height
    return ndimage.rank_filter(image, -FEWEST, size=3, mode="constant")[where]


def _largest_group(early: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The connected group (corners count) with the most voxels of those reached first."""
    image = np.zeros(where.shape, bool)
    image[where] = early
    labels = np.zeros(where.shape, int)
    ndimage.label(image, structure=np.ones((3,) * image.ndim), output=labels)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return labels[where] == np.argmax(counts)


def purest(curves: Float[np.ndarray, "v t"], voxels: int) -> Int[np.ndarray, " k"]:
    """Indices of curves that are blood alone: median shape, high area; the best `voxels` of them, and never none."""
    median = np.median(curves, axis=0)
    scale = np.sum(curves, axis=-1) / np.sum(median)
    misfit = np.linalg.norm(curves / scale[:, None] - median, axis=-1)
    typical = np.median(misfit)
    spread = np.median(np.abs(misfit - typical)) / 0.6745
    relative = scale / np.percentile(scale, PURE_PERCENTILE)
    full = (relative > FULL_SCALE) & (relative < 1 / FULL_SCALE)
    kept = np.flatnonzero(full & (misfit <= typical + 3 * spread))
    if kept.size < FEWEST:  # a small group may hold nothing within the band: then what is next to it
        return np.argsort(np.abs(relative - 1))[: min(FEWEST, voxels)]
    return kept[np.argsort(misfit[kept])[:voxels]]
