"""The arterial input found in the images: searched for, measured, and set right as far as its voxels tell."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float, Num

from estimate.arterial.evidence import KnownT1, weigh
from estimate.arterial.given import check_haematocrit
from estimate.arterial.quality import assess
from estimate.arterial.search import LOWEST_PEAK, find_vessel, no_artery
from estimate.signal.baseline import detect_baseline
from simulate.base.errors import InputError
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.transit import blood_to_plasma


def find_aif(
    concentration: Float[ArrayLike, "*s t"],
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: float,
    mask: Bool[ArrayLike, "*s"] | None = None,
    voxels: int = 50,
) -> ArterialInput:
    """Arterial plasma concentration from the most artery-like voxels of a series, and how far it may be off.

    The curve is the median of the chosen voxels in each frame (which commutes with the nonlinear step from signal to
    concentration), divided by (1 - haematocrit), times the factor by which vessels of that look were too low in
    simulated scenes (`estimate.arterial.quality`): a vessel thinner than two voxels shares every voxel with tissue.

    Parameters
    ----------
    concentration : (..., t) array [mmol/L]
        On the image grid, NaN where a signal had none.
    times : (t,) array [s]
        Of the frames.
    haematocrit : float [fraction]
        Of the blood in the vessel.
    mask : (...) bool array
        Where to look; everywhere by default.
    voxels : int
        At most so many are used.

    Returns
    -------
    ArterialInput
        Its `spread` is what was left in simulated scenes; it has a warning where the area as measured is likely off by
        a fifth.

    Raises
    ------
    InputError
        Where nothing looks like an artery, or for a haematocrit outside 0 to 0.7.
    """
    check_haematocrit(haematocrit)
    image = np.asarray(concentration)
    where = np.max(image, axis=-1) > LOWEST_PEAK  # False where a frame is NaN
    where = where if mask is None else where & np.asarray(mask, bool)
    return find_aif_among(
        image[where], where, times, baseline=frames_before_contrast(image), haematocrit=haematocrit, voxels=voxels
    )


def find_aif_among(
    curves: Float[ArrayLike, "v t"],
    where: Bool[np.ndarray, "*s"],
    times: Float[ArrayLike, " t"],
    *,
    baseline: int,
    haematocrit: float,
    voxels: int = 50,
    t1: KnownT1 = None,
) -> ArterialInput:
    """`find_aif` for a series that is streamed: only the voxels that reach `LOWEST_PEAK` need be in memory.

    curves : their concentrations, finite in every frame, in the order in which `where` (*space) is True.
    baseline : frames before contrast, as found in the whole series.
    t1 : their T1 before contrast, which tells where the conversion from signal went wrong.
    """
    check_haematocrit(haematocrit)
    curves, times = np.asarray(curves), np.asarray(times)
    vessel = find_vessel(curves, where, times, voxels=voxels, baseline=baseline)
    evidence = weigh(curves, where, times, vessel, t1)
    assessed = assess(evidence)
    blood = np.median(curves[vessel.chosen], axis=0) * assessed.factor
    used = np.zeros(where.shape, bool)
    used[tuple(axis[vessel.chosen] for axis in np.nonzero(where))] = True
    peaks = np.max(curves[vessel.chosen], axis=-1)
    details = {
        "voxels": int(vessel.chosen.size),
        "peak in blood [mmol/L]": float(blood.max()),
        "spread of the voxels' peaks": float(np.std(peaks) / np.mean(peaks)),
        "half of the peak reached at [s]": vessel.half_time,
        "frames before contrast": baseline,
        "limits of the search": "loosened" if vessel.attempt else "usual",
        "factor on what was measured": assessed.factor,
        "chance that what was measured is off by over 20 %": assessed.chance,
    }
    plasma = blood_to_plasma(jnp.asarray(blood), haematocrit)
    source = f"found in the images, {vessel.chosen.size} voxels"
    return ArterialInput(jnp.asarray(times), plasma, source, used, details, assessed.spread, assessed.warnings)


def frames_before_contrast(image: Num[np.ndarray, "*s t"]) -> int:
    """Of a series of signals or concentrations, all its voxels: the few that look arterial may hide the onset."""
    try:
        return detect_baseline(image)
    except InputError as error:
        raise no_artery(error.problem) from None
