"""What an arterial input is, from simulation to report: a plasma curve with its times, its source and its error."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from simulate.base.errors import InputError

SPREAD = "sd of the logarithm of its area"
"""Name of an input's `spread` in files."""


@dataclass(frozen=True)
class ArterialInput:
    """A plasma concentration curve, linear between its own times, which need not be those of a series.

    What carries an input from one place to another; equations take its `curve` and `times` as plain arrays. In whole
    blood it is `plasma_to_blood(curve, haematocrit)`.

    Attributes
    ----------
    times : (k,) array [s]
        Knots.
    curve : (k,) array [mmol/L]
        Plasma concentration.
    source : str
        Where it comes from, for people ("found in the images, 23 voxels").
    mask : (...) bool array
        Voxels that it was measured in, or None.
    details : dict
        Numbers worth keeping with a result, by name.
    spread : float
        Standard deviation of the logarithm of the curve's area, that is of the factor by which the whole curve may be
        off; NaN where it is not known.
    warnings : tuple of str
        Sentences on what is likely wrong with it.

    Raises
    ------
    InputError
        For a spread that is infinite or negative.
    """

    times: Float[Array | np.ndarray, " k"]
    curve: Float[Array | np.ndarray, " k"]
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
