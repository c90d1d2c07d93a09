"""T1 before contrast and the transmit field: numbers or maps on the grid of the series, in s and as a ratio."""

from typing import Any

import numpy as np

from estimate.t10 import VFA
from simulate.base.bids.dce import RULES
from simulate.base.bids.vfa import SAME_ANGLE
from simulate.base.errors import InputError

LARGEST_T1 = 10.0
"""T1 [s] that nothing in the body exceeds: a map whose median does is in milliseconds."""

LARGEST_B1 = 10.0
"""Ratio to the nominal transmit field that nothing exceeds: a map whose median does is in per cent."""


def checked_t10(t10: Any, shape: tuple[int, ...], quantity: str, where: object) -> float | np.ndarray | VFA | None:
    """T1 before contrast as it was given; None for a series of concentrations, which needs none."""
    if quantity == "concentration":
        return None
    if t10 is None:
        raise InputError(where, "T10", "T1 before contrast is not known", "give VFA images, seconds or a map")
    if isinstance(t10, VFA):
        return _checked_vfa(t10, shape, where)
    values = np.asarray(t10, float)
    if values.ndim == 0:
        if not 0 < values < LARGEST_T1:
            problem = f"{float(values):g} s is no T1 of tissue"
            raise InputError(where, "", problem, f"give seconds between 0 and {LARGEST_T1:g}")
        return float(values)
    return _checked_map(
        t10, shape, LARGEST_T1, where, "T10 map", "convert it to seconds: it looks like milliseconds"
    )  # fmt: skip


def checked_b1(b1: Any, shape: tuple[int, ...], where: object) -> float | np.ndarray:
    """The transmit field over the nominal one."""
    if np.ndim(b1) == 0:
        if not 0 < float(b1) < LARGEST_B1:
            raise InputError(where, "B1", f"is {float(b1):g}", "give a ratio to the nominal field, such as 0.95")
        return float(b1)
    cure = "divide it by 100: it looks like per cent, and 1 is the nominal field"
    return _checked_map(b1, shape, LARGEST_B1, where, "B1 map", cure)


def _checked_map(
    values: Any, shape: tuple[int, ...], largest: float, where: object, what: str, cure: str
) -> np.ndarray:
    """Refuse another shape, a map without a positive value, or one in another unit by its median."""
    values = np.asarray(values)
    if values.shape != shape:
        problem = f"has shape {values.shape}, the series {shape}"
        raise InputError(where, what, problem, "resample it to the grid of the series")
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0:
        raise InputError(where, what, "holds no positive value", "export the map again")
    if np.median(positive) > largest:
        raise InputError(where, what, f"has a median of {np.median(positive):g}", cure)
    return values


def _checked_vfa(vfa: VFA, shape: tuple[int, ...], where: object) -> VFA:
    signal, angles = np.asarray(vfa.signal), np.atleast_1d(np.asarray(vfa.flip_angles, float))
    if signal.shape != (*shape, angles.size):
        problem = f"has shape {signal.shape} for {angles.size} flip angles, and the series {shape}"
        raise InputError(where, "VFA images", problem, "give an image of every angle on the grid of the series")
    if not all(RULES["FlipAngle"].holds(float(angle)) for angle in angles) or np.ptp(angles) < SAME_ANGLE:
        problem = f"holds {', '.join(f'{a:g}' for a in angles)}: two and more distinct angles make a T1"
        raise InputError(where, "FlipAngle", problem, f"give {RULES['FlipAngle'].words}")
    rule = RULES["RepetitionTimeExcitation"]
    if not rule.holds(float(vfa.repetition_time)):
        problem = f"is {float(vfa.repetition_time):g}, and must be in {rule.words}"
        raise InputError(where, "RepetitionTimeExcitation", problem, "correct it")
    return VFA(signal, angles, float(vfa.repetition_time))
