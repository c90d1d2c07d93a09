"""Which voxels of a map can be believed: the same question for every model, asked map by map.

A voxel of which one parameter is not determined may hold another that is, Ktrans above all; and that a model lacks a
parameter is no fault of the others.
"""

import numpy as np

from estimate.kinetics.fit import IDENTIFIABLE
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import Maps

NEVER = NO_ESTIMATE | Status.NOT_CONVERGED | Status.UNFAMILIAR | Status.T10_AT_BOUND
"""Bits with which no map of a voxel is sound."""


def sound(maps: Maps, status: np.ndarray, name: str) -> np.ndarray:
    """Voxels in which a map is sound.

    It has a finite value and none of the bits `NEVER`, it is not on its own bound, and the data determine it: where
    there is a standard error, that is finite and at most `IDENTIFIABLE` of the value (the delay's says so by its bit).

    Parameters
    ----------
    maps : Maps
        With the standard errors, NAME_stderr.
    status : (...) int array
        Bits of `Status`.
    name : str
        Of the map.

    Returns
    -------
    (...) bool array
        True where it is sound.
    """
    values, status = np.asarray(maps[name], float), np.asarray(status)
    refusing = NEVER
    for end in ("AT_BOUND", "NOT_IDENTIFIABLE"):
        refusing |= Status.__members__.get(f"{name.upper()}_{end}", Status.OK)
    if name == "Ktrans":
        refusing |= Status.MODEL_AMBIGUOUS
    good = np.isfinite(values) & ((status & int(refusing)) == 0)
    error = maps.values.get(f"{name}_stderr")
    if error is not None and name not in ("delay", "ATT"):
        with np.errstate(invalid="ignore"):
            good &= np.asarray(error, float) <= IDENTIFIABLE * np.abs(values)
    return good


def share_sound(maps: Maps, status: np.ndarray, name: str) -> float:
    """Of the voxels estimated."""
    inside = (np.asarray(status) & int(Status.OUTSIDE)) == 0
    return float(sound(maps, status, name)[inside].mean()) if inside.any() else 0.0
