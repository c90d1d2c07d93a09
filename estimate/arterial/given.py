"""What an arterial input is, and the two kinds that need no search: a region, a population."""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Bool, Float

from simulate.aif import blood_to_plasma, georgiou_aif, parker_aif
from simulate.base.errors import InputError

KNOT_SPACING = 0.25
"""Spacing [s] of a population input: linear between its knots within 0.2 % of its peak."""


@dataclass(frozen=True)
class ArterialInput:
    """A plasma concentration curve, linear between its own times, which need not be those of a series.

    times : (k,) knots [s].      curve : (k,) plasma concentration [mmol/L].
    source : where it comes from, for people ("found in the images, 23 voxels").
    mask : (*space) voxels that it was measured in, or None.
    details : numbers worth keeping with a result, by name.
    """

    times: Float[Array, " k"]
    curve: Float[Array, " k"]
    source: str
    mask: Bool[np.ndarray, "..."] | None = None
    details: dict[str, Any] = field(default_factory=dict)


def aif_from_roi(
    concentration: Float[ArrayLike, "*s t"],
    times: Float[ArrayLike, " t"],
    mask: Bool[ArrayLike, "..."],
    *,
    haematocrit: float,
) -> ArterialInput:
    """Mean of the voxels of a region drawn in an artery; measured in blood, returned in plasma.

    Voxels with a frame that has no concentration (NaN) are left out, and counted in `details`.
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
    details = {"voxels": int(finite.sum()), "voxels left out": int((~finite).sum())}
    return ArterialInput(jnp.asarray(times), plasma, "region of interest", used, details)


def population_aif(
    name: Literal["parker", "georgiou"],
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: float,
    onset: float,
) -> ArterialInput:
    """A population's input with its onset [s] (`estimate_onset`), on fine knots over the range of `times`.

    A series sampled every few seconds would cut the bolus of a curve that is known in between.
    """
    check_haematocrit(haematocrit)
    first, last = float(np.min(times)), float(np.max(times))
    knots = jnp.linspace(first, last, int(np.ceil((last - first) / KNOT_SPACING)) + 1)
    curve = {"parker": parker_aif, "georgiou": georgiou_aif}[name]
    plasma = curve(knots, haematocrit=haematocrit, onset=onset)
    return ArterialInput(knots, plasma, f"population ({name})", details={"onset [s]": float(onset)})


def check_haematocrit(haematocrit: float) -> None:
    """A haematocrit is a fraction; 42 means 42 %."""
    if not 0 <= haematocrit < 1:
        problem = f"{haematocrit:g} is not a fraction"
        raise InputError("Haematocrit", "", problem, "give it between 0 and 1, 0.42 for 42 %")
