"""The arterial input found in the images.

An artery is where the bolus comes first, stands high above what recirculates, and passes quickly. Veins and
tissue come later and are broader; partial volume only lowers a curve. So (after Mouridsen et al., MRM 2006
55:524, who cluster by area, roughness and first moment):

1. keep voxels that are finite, quiet before the bolus, smooth after it, and have a first pass;
2. of those whose neighbours show one too, keep the earliest;
3. take the largest connected group, and of it the voxels with the shape of their median curve and an area
   near the upper third. The area uses every frame, so it is far less noisy than a peak; the band around it
   drops partial volume below, and above it voxels near saturation or with a wrong T10, whose error is
   one-sided and large: the highest peaks of a scan are never the best voxels;
4. average by the median of each frame, which commutes with the nonlinear step from signal to concentration.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float
from scipy import ndimage

from estimate.arterial.given import ArterialInput, check_haematocrit
from estimate.baseline import curve_noise, detect_baseline
from simulate.aif import blood_to_plasma
from simulate.base.errors import InputError

# Chosen on real and simulated series sampled every 1 to 6 s.
FIRST_PASS = 45.0  # s after contrast arrives in which the first pass peaks
LOWEST_PEAK = 1.0  # mmol/L of blood; half a normal dose peaks above 2
PEAK_TO_NOISE = 8.0
RESTLESS = 0.1  # rms before contrast, as a share of the peak: inflow, motion, a wrong baseline
RECIRCULATING = 0.5  # share of the peak that is left after the first pass, at most; blood has 0.1 to 0.3
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


def find_aif(
    concentration: Float[ArrayLike, "*s t"],
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: float,
    mask: Bool[ArrayLike, "*s"] | None = None,
    voxels: int = 50,
) -> ArterialInput:
    """Arterial plasma concentration from the most artery-like voxels of a series.

    concentration : (*space, t) mmol/L on the image grid, NaN where a signal had none.
    mask : where to look; everywhere by default.      voxels : at most so many are used.

    The curve is measured in blood and divided by (1 - haematocrit). `InputError` where nothing looks like an
    artery.

    In simulated scenes (T10 of each voxel wrong by 12 %, SNR 10-20) the area of the first 70 s is right
    within 10 % in arteries three voxels wide and more, and 18 % low in those two voxels wide; the mean of
    the five highest voxels is 40-80 % high.
    """
    image = np.asarray(concentration)
    where = np.max(image, axis=-1) > LOWEST_PEAK  # False where a frame is NaN
    where = where if mask is None else where & np.asarray(mask, bool)
    return find_aif_among(image[where], where, times, haematocrit=haematocrit, voxels=voxels)


def find_aif_among(
    curves: Float[ArrayLike, "v t"],
    where: Bool[np.ndarray, "*s"],
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: float,
    voxels: int = 50,
) -> ArterialInput:
    """`find_aif` for a series that is streamed: only the voxels that reach `LOWEST_PEAK` need be in memory.

    curves : their concentrations, finite in every frame, in the order in which `where` (*space) is True.
    """
    check_haematocrit(haematocrit)
    curves, times = np.asarray(curves), np.asarray(times)
    if len(curves) < FEWEST:
        raise _no_artery(f"no group of voxels reaches {LOWEST_PEAK} mmol/L")
    baseline = _baseline(curves)
    features = _first_pass(curves, times, baseline)
    early = _early(features, where, float(np.median(np.diff(times))))
    group = _largest_group(early, where)
    if np.sum(group) < FEWEST:
        raise _no_artery(f"only {np.sum(group)} connected voxels look like an artery")
    chosen = np.flatnonzero(group)[_pure(curves[group], voxels)]
    blood = np.median(curves[chosen], axis=0)
    used = np.zeros(where.shape, bool)
    used[tuple(axis[chosen] for axis in np.nonzero(where))] = True
    details = {
        "voxels": int(chosen.size),
        "peak in blood [mmol/L]": float(blood.max()),
        "spread of the voxels' peaks": float(np.std(features.peak[chosen]) / np.mean(features.peak[chosen])),
        "half of the peak reached at [s]": float(np.mean(features.half_time[chosen])),
        "frames before contrast": baseline,
    }
    plasma = blood_to_plasma(jnp.asarray(blood), haematocrit)
    return ArterialInput(jnp.asarray(times), plasma, f"found in the images, {chosen.size} voxels", used, details)


def _no_artery(problem: str) -> InputError:
    cure = "give a region drawn in an artery (--aif roi.nii.gz), or --aif parker"
    return InputError("arterial input", "", problem, cure)


def _baseline(curves: np.ndarray) -> int:
    try:
        return detect_baseline(curves)
    except InputError as error:
        raise _no_artery(error.problem) from None


def _first_pass(curves: np.ndarray, times: np.ndarray, baseline: int) -> _FirstPass:
    """Features of the first pass, and which curves are fit to have one."""
    arrival = times[baseline - 1]
    window = (times > arrival) & (times <= arrival + FIRST_PASS)
    within = np.flatnonzero(window)
    if within.size < FEWEST:
        raise _no_artery(f"only {within.size} frames see the first pass of contrast")
    top = within[0] + np.argmax(curves[:, window], axis=-1)
    peak = np.take_along_axis(curves, top[:, None], axis=-1)[:, 0]
    late = times > arrival + FIRST_PASS
    if np.sum(late) < FEWEST:
        raise _no_artery(f"the series ends {times[-1] - arrival:g} s after contrast arrives")
    tail = np.median(curves[:, late], axis=-1)
    restless = np.sqrt(np.mean(curves[:, :baseline] ** 2, axis=-1))
    usable = (
        (peak > PEAK_TO_NOISE * curve_noise(curves[:, late]))
        & (restless < RESTLESS * peak)
        & (tail > 0)
        & (tail < RECIRCULATING * peak)
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
        raise _no_artery("no group of voxels has a first pass")
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


def _pure(curves: np.ndarray, voxels: int) -> np.ndarray:
    """Indices of the curves that are blood alone: median shape, high area; the best `voxels` of them."""
    median = np.median(curves, axis=0)
    scale = np.sum(curves, axis=-1) / np.sum(median)
    misfit = np.linalg.norm(curves / scale[:, None] - median, axis=-1)
    typical = np.median(misfit)
    spread = np.median(np.abs(misfit - typical)) / 0.6745
    relative = scale / np.percentile(scale, PURE_PERCENTILE)
    full = (relative > FULL_SCALE) & (relative < 1 / FULL_SCALE)
    kept = np.flatnonzero(full & (misfit <= typical + 3 * spread))
    return kept[np.argsort(misfit[kept])[:voxels]]
