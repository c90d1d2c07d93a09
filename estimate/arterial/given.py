"""What an arterial input is, and the two kinds that need no search: a region, a population."""

import math
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


SPREAD = "sd of the logarithm of its area"
"""Name of an input's `spread` in files."""


@dataclass(frozen=True)
class ArterialInput:
    """A plasma concentration curve, linear between its own times, which need not be those of a series.

    times : (k,) knots [s].      curve : (k,) plasma concentration [mmol/L].
    source : where it comes from, for people ("found in the images, 23 voxels").
    mask : (*space) voxels that it was measured in, or None.
    details : numbers worth keeping with a result, by name.
    spread : standard deviation of the logarithm of the curve's area, that is of the factor by which the whole curve may
    be off; NaN where it is not known.
    warnings : sentences on what is likely wrong with it.

    Raises InputError for a spread that is infinite or negative.
    """

    times: Float[Array, " k"]
    curve: Float[Array, " k"]
    source: str
    mask: Bool[np.ndarray, "..."] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    spread: float = math.nan
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.spread < 0 or math.isinf(self.spread):
            cure = "give a number such as 0.1, or leave it out where it is not known"
            raise InputError("arterial input", SPREAD, f"is {self.spread:g}", cure)


def describe_error(aif: ArterialInput) -> str:
    """How far the whole curve may be off, in a sentence."""
    if math.isnan(aif.spread):
        return (
            "How far the whole curve may be off is not known; maps of flow, permeability and volumes carry that factor."
        )
    factor = math.exp(1.645 * aif.spread)
    return (
        f"Nine times in ten its area is right within a factor of {factor:.2f} (standard deviation of the logarithm "
        f"{aif.spread:.2f}); flow, permeability and volumes carry the same factor."
    )


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
    """A population's input with its onset [s] (`estimate_onset`), on fine knots over the range of `times`.

    A series sampled every few seconds would cut the bolus of a curve that is known in between.
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
