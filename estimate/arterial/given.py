"""The two kinds of arterial input that need no search: a region, a population."""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float

from simulate.base.errors import InputError
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import georgiou_aif, parker_aif
from simulate.inputs.transit import blood_to_plasma

KNOT_SPACING = 0.25
"""Spacing [s] of a population input: linear between its knots within 0.2 % of its peak."""


def aif_from_roi(
    concentration: Float[ArrayLike, "*s t"],
    times: Float[ArrayLike, " t"],
    mask: Bool[ArrayLike, "..."],
    *,
    haematocrit: float,
) -> ArterialInput:
    """Mean of the voxels of a region drawn in an artery; measured in blood, returned in plasma.

    Voxels with a frame that has no concentration (NaN) are left out, and counted in `details`.

    Parameters
    ----------
    concentration : (..., t) array [mmol/L]
        On the image grid.
    times : (t,) array [s]
        Of the frames.
    mask : (...) bool array
        The region.
    haematocrit : float [fraction]
        Of the blood in it.

    Returns
    -------
    ArterialInput
        With a warning where voxels were left out.

    Raises
    ------
    InputError
        For a region on another grid or without a voxel that has a concentration in every frame, or a haematocrit
        outside 0 to 0.7.
    """
    check_haematocrit(haematocrit)
    curves, mask = np.asarray(concentration), np.asarray(mask, bool)
    if mask.shape != curves.shape[:-1]:
        problem = f"has shape {mask.shape}, the series {curves.shape[:-1]}"
        raise InputError("arterial region", "shape", problem, "draw it on the grid of the series")
    inside = curves[mask]
    finite = np.all(np.isfinite(inside), axis=-1)
    if not np.any(finite):
        problem = f"none of its {len(inside)} voxels has a concentration in every frame"
        raise InputError("arterial region", "", problem, "draw it inside a vessel, off saturated voxels")
    plasma = blood_to_plasma(jnp.asarray(inside[finite].mean(axis=0)), haematocrit)
    used = np.zeros(mask.shape, bool)
    used[mask] = finite
    left = int((~finite).sum())
    details = {"voxels": int(finite.sum()), "voxels left out": left}
    cut = (
        f"{left} of the {len(inside)} voxels of the arterial region are saturated in some frame and were left out: "
        "those with the highest blood are the first to be, so its peak may be too low."
    )
    return ArterialInput(
        jnp.asarray(times), plasma, "region of interest", used, details, warnings=(cut,) if left else ()
    )  # fmt: skip


def population_aif(
    name: Literal["parker", "georgiou"],
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: float,
    onset: float,
) -> ArterialInput:
    """A population's input, on fine knots over the range of `times`.

    A series sampled every few seconds would cut the bolus of a curve that is known in between.

    Parameters
    ----------
    name : str
        "parker" or "georgiou".
    times : (t,) array [s]
        Of the series.
    haematocrit : float [fraction]
        Of the blood.
    onset : float [s]
        When the bolus arrives (`estimate_onset`).

    Returns
    -------
    ArterialInput
        In plasma.

    Raises
    ------
    InputError
        For a haematocrit outside 0 to 0.7.
    """
    check_haematocrit(haematocrit)
    first, last = float(np.min(times)), float(np.max(times))
    knots = jnp.linspace(first, last, int(np.ceil((last - first) / KNOT_SPACING)) + 1)
    curve = {"parker": parker_aif, "georgiou": georgiou_aif}[name]
    plasma = curve(knots, haematocrit=haematocrit, onset=onset)
    return ArterialInput(knots, plasma, f"population ({name})", details={"onset [s]": float(onset)})


def check_haematocrit(haematocrit: float, where: object = "Haematocrit") -> None:
    """A haematocrit is a fraction, and no living person's is 0.7; 42 means 42 %."""
    if not 0 <= haematocrit < 0.7:
        problem = f"{haematocrit:g} is outside 0-0.7"
        raise InputError(where, "", problem, "give a fraction, 0.42 for 42 %")
