"""What an estimator has to say about a voxel: errors as values, one bit mask per voxel.

0 is a sound estimate. Several bits may be set at once; `primary_status` gives the one that matters most.
"""

from enum import IntFlag

import numpy as np
from jaxtyping import ArrayLike, Integer


class Status(IntFlag):
    """Bits of the `status` map, most serious first."""

    OK = 0
    NOT_FINITE = 1 << 0  # NaN or infinity in the measured curve
    NO_SIGNAL = 1 << 1  # zero, negative or constant signal, or no contrast: nothing to estimate from
    SATURATED = 1 << 2  # the signal has no concentration that could have made it
    NOT_CONVERGED = 1 << 3  # the fit stopped before its optimum
    AT_BOUND = 1 << 4  # a parameter ended on its physical bound; the bits below say which
    NOT_IDENTIFIABLE = 1 << 5  # the data do not determine at least one parameter; the bits below say which
    UNFAMILIAR = 1 << 6  # curve or scan unlike the network's training, or vp + ve above 1: do not trust the prediction
    FP_NOT_IDENTIFIABLE = 1 << 8
    PS_NOT_IDENTIFIABLE = 1 << 9
    VP_NOT_IDENTIFIABLE = 1 << 10
    VE_NOT_IDENTIFIABLE = 1 << 11
    VA_NOT_IDENTIFIABLE = 1 << 12
    DELAY_NOT_IDENTIFIABLE = 1 << 13
    CBF_NOT_IDENTIFIABLE = 1 << 14
    ATT_NOT_IDENTIFIABLE = 1 << 15
    NO_FP = 1 << 16  # the model has no such parameter, and its map holds NaN
    NO_VP = 1 << 17
    NO_VE = 1 << 18
    MODEL_AMBIGUOUS = 1 << 19  # another model makes as good a curve of another Ktrans
    FP_AT_BOUND = 1 << 20
    PS_AT_BOUND = 1 << 21
    VP_AT_BOUND = 1 << 22
    VE_AT_BOUND = 1 << 23
    OUTSIDE = 1 << 24  # outside the mask: not estimated
    VA_AT_BOUND = 1 << 25
    DELAY_AT_BOUND = 1 << 26
    CBF_AT_BOUND = 1 << 27
    ATT_AT_BOUND = 1 << 28
    ABV_AT_BOUND = 1 << 29
    T10_AT_BOUND = 1 << 30  # T1 before contrast, from variable flip angles: every map that follows is off with it


PRIMARY = (
    Status.OUTSIDE,
    Status.NOT_FINITE,
    Status.NO_SIGNAL,
    Status.SATURATED,
    Status.NOT_CONVERGED,
    Status.UNFAMILIAR,
    Status.AT_BOUND,
    Status.NOT_IDENTIFIABLE,
    Status.MODEL_AMBIGUOUS,
)
"""Order in which a voxel with several bits is counted."""

NO_ESTIMATE = Status.NOT_FINITE | Status.NO_SIGNAL | Status.SATURATED | Status.OUTSIDE
"""Voxels with one of these bits have no estimate: every map holds NaN there, but T10, which may say why."""

LACKING = {"Fp": Status.NO_FP, "vp": Status.NO_VP, "ve": Status.NO_VE}
"""The bit of each parameter that a model may lack."""


def primary_status(status: np.ndarray) -> np.ndarray:
    """Reduce each bit mask to its most serious flag (0 where sound)."""
    status = np.asarray(status)
    result = np.zeros_like(status)
    for flag in reversed(PRIMARY):
        result = np.where(status & flag, int(flag), result)
    return result


def at_bound(name: str) -> int:
    """The bits of a parameter ("Fp", "CBF", "T10") that ended on its physical bound."""
    return int(Status[f"{name.upper()}_AT_BOUND"] | Status.AT_BOUND)


def status_bit_share(status: np.ndarray, bit: Status) -> float:
    """Share of estimated voxels in which a bit is set, alone or among others; OUTSIDE is not counted."""
    inside = np.asarray(status)[(np.asarray(status) & int(Status.OUTSIDE)) == 0]
    return float(np.mean((inside & int(bit)) != 0)) if inside.size else 0.0


def status_shares(status: Integer[ArrayLike, "..."]) -> dict[str, float]:
    """Share of estimated voxels by primary status.

    Parameters
    ----------
    status : (...) int array
        Bits of `Status`; OUTSIDE is not counted.

    Returns
    -------
    dict of float
        {"ok": .9, "at bound": .1, ...}
    """
    primary = primary_status(np.asarray(status))
    inside = primary[primary != Status.OUTSIDE]
    flags = (Status.OK, *PRIMARY[1:])
    names = [(flag.name or "ok").lower().replace("_", " ") for flag in flags]
    return {n: float(np.mean(inside == f)) if inside.size else 0.0 for n, f in zip(names, flags, strict=True)}
