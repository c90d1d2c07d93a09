"""The arterial input as it was asked for, and what is needed to measure it."""

from typing import Any, Literal

import numpy as np

from estimate.arterial.given import check_haematocrit
from estimate.arterial.sound import arrival_time, check_bolus, check_input
from estimate.signal.region import one_label, region_of
from simulate.base.errors import InputError
from simulate.base.types import Series
from simulate.inputs.arterial_input import ArterialInput

POPULATION = ("parker", "georgiou")

Asked = ArterialInput | np.ndarray | Literal["auto", "parker", "georgiou"]
"""What may be asked for: a curve, a region (*space), or a name."""


def checked_aif(aif: Any, series: Series, haematocrit: float | None, where: object, haematocrit_where: object) -> Asked:
    """The input as asked for, found sound."""
    if isinstance(aif, ArterialInput):
        times, curve = np.asarray(aif.times, float), np.asarray(aif.curve, float)
        frames = np.asarray(series.protocol.frame_centres, float)
        check_input(where, times, curve, frames)
        check_bolus(where, times, curve)
        arrival = arrival_time(times, curve)
        if series.quantity == "signal" and arrival <= frames[0]:
            problem = f"its bolus arrives at {arrival:g} s, and the first frame is at {frames[0]:g} s"
            raise InputError(where, "times", problem, "give a series that begins before contrast arrives")
        return aif
    if isinstance(aif, str):
        if aif not in ("auto", *POPULATION):
            problem = f"is none of auto, {', '.join(POPULATION)}"
            raise InputError(where, aif, problem, "give one of them, a curve or a region")
        needed(haematocrit, haematocrit_where)
        return aif  # type: ignore[return-value]
    values = np.asarray(aif)
    if values.shape != series.data.shape[:-1]:
        problem = f"shape {values.shape}, the series {series.data.shape[:-1]}"
        raise InputError(where, "arterial region", problem, "draw it on the grid of the series")
    one_label(values, where, "arterial region")
    needed(haematocrit, haematocrit_where)
    return region_of(values, where, "arterial region")


def checked_aif_t1(aif_t1: Any, aif: Any, quantity: str, *, used: bool) -> float | Literal["measured", "blood"]:
    """T1 of the voxels that the input is measured in."""
    if aif_t1 == "measured":
        return "measured"
    in_images = used and (isinstance(aif, np.ndarray) or (isinstance(aif, str) and aif == "auto"))
    if not in_images or quantity != "signal":
        problem = "is of an input that is measured in a series of signals"
        raise InputError("aif_t1", str(aif_t1), problem, 'leave it out, or use `aif="auto"` or a region')
    if aif_t1 == "blood":
        return "blood"
    try:
        seconds = float(aif_t1)
    except ValueError:
        cure = "give measured, blood or seconds, e.g. 1.65"
        raise InputError("aif_t1", str(aif_t1), "is no T1", cure) from None
    if not 0.1 < seconds < 10:
        raise InputError("aif_t1", "", f"{seconds:g} s is no T1 of blood", "give seconds, e.g. 1.65")
    return seconds


def checked_haematocrit(haematocrit: float | None, where: object) -> float | None:
    """None where it was not given."""
    if haematocrit is not None:
        check_haematocrit(haematocrit, where)
    return haematocrit


def needed(haematocrit: float | None, where: object, purpose: str = "blood into plasma") -> float:
    if haematocrit is None:
        field = "" if where == "haematocrit" else "Haematocrit"
        raise InputError(where, field, f"is needed to turn {purpose}", "give `haematocrit`, e.g. 0.42")
    return haematocrit
