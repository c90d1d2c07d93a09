"""T1 before contrast and the transmit field: numbers or maps on the grid of the series, in s and as a ratio."""

from typing import Any

import numpy as np

from estimate.signal.t10 import VFA
from simulate.base.errors import InputError
from simulate.files.bids.dce import RULES
from simulate.files.bids.vfa import SAME_ANGLE

LARGEST_T1 = 10.0
"""T1 [s] that nothing in the body exceeds: a map whose median does is in milliseconds."""

LIKELY_B1 = 0.2, 2.5
"""Range of the ratio to the nominal transmit field: the median of a map beyond it is in per cent, degrees, or a
difference."""


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
    cure = "convert it to seconds: it looks like milliseconds"
    return _checked_map(t10, shape, (0.0, LARGEST_T1), where, "T10 map", cure)


def t10_warnings(t10: float | np.ndarray | VFA | None, mask: np.ndarray) -> list[str]:
    """A sentence where voxels to be estimated have no T10, which their status takes for a lack of signal."""
    if not isinstance(t10, np.ndarray):
        return []
    inside = t10[mask]
    lacking = float(np.mean(~(np.isfinite(inside) & (inside > 0))))
    return [f"The T10 map holds no T1 in {100 * lacking:.2g} % of the voxels (status: no signal)."] if lacking else []


def checked_b1(b1: Any, shape: tuple[int, ...], where: object) -> float | np.ndarray:
    """The transmit field over the nominal one."""
    if np.ndim(b1) == 0:
        if not LIKELY_B1[0] <= float(b1) <= LIKELY_B1[1]:
            raise InputError(where, "B1", f"is {float(b1):g}", "give a ratio to the nominal field, such as 0.95")
        return float(b1)
    cure = "give the ratio to the nominal field, 1 where they are equal; divide by 100 what is in per cent"
    return _checked_map(b1, shape, LIKELY_B1, where, "B1 map", cure)


def _checked_map(
    values: Any, shape: tuple[int, ...], likely: tuple[float, float], where: object, what: str, cure: str
) -> np.ndarray:
    """Refuse another shape, a map without a positive value, or one in another unit by its median."""
    values = np.asarray(values)
    if values.shape != shape:
        problem = f"has shape {values.shape}, the series {shape}"
        raise InputError(where, what, problem, "resample it to the grid of the series")
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0:
        raise InputError(where, what, "holds no positive value", "export the map again")
    if not likely[0] <= np.median(positive) <= likely[1]:
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
