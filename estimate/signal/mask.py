"""Which voxels are worked on: a mask as it was asked for; without one tissue, what is bright, or dim and yet steady."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Num
from scipy import ndimage

from estimate.signal.baseline import curve_noise
from estimate.signal.region import region_of, region_words
from simulate.base.errors import InputError

DIM = 0.15
"""Share of the 99th percentile of the mean signal below which a voxel may be air."""

STEADY = 8.0
"""Mean over noise above which a dim voxel is tissue. Magnitudes of air have 1.91 with one receiver, sqrt(2n) or so
with n of them: 5.6 with 16 real channels."""

_BLOCK = 100_000  # curves looked at together: bounded memory for a scan of any size

_FRAGMENT = 0.01
"""Share of the largest piece of tissue below which another is a speck."""


def mask_of(
    asked: Any, shape: tuple[int, ...], where: object, found: Callable[[], tuple[np.ndarray, str]]
) -> tuple[Bool[np.ndarray, "*s"], str]:
    """The voxels (*space) to work on, and in words where they come from.

    asked : an image (*space); "none" or None, all voxels; "auto", what `found` says.      where : what to call it.

    Raises InputError for another word or shape, and a mask without a voxel.
    """
    if asked is None or (isinstance(asked, str) and asked == "none"):
        return np.ones(shape, bool), "none, as asked for: all voxels"
    if isinstance(asked, str):
        if asked != "auto":
            raise InputError("--mask", asked, "is none of auto, none", "give one of them or an image")
        inside, words = found()
        if not inside.any():
            raise InputError("series", "", "no voxel of it looks like tissue", "give images of tissue, or a mask")
        return inside, words
    if np.shape(asked) != shape:
        raise InputError(where, "shape", f"{np.shape(asked)}, the series {shape}", "give one on the grid of the series")
    return region_of(asked, where, "mask"), region_words(asked, where)


def tissue_mask(data: Num[np.ndarray, "*s t"], quantity: str) -> Bool[np.ndarray, "*s"]:
    """Voxels of a series that are tissue.

    A voxel is air where its mean signal is below `DIM` of the 99th percentile and below `STEADY` times its noise, which
    is taken from successive frames and averaged over neighbours. Then every voxel goes with the majority of its
    neighbourhood, and specks are dropped; an image without air is left as it is. Voxels that are constant, or finite in
    no frame, are never tissue. A series of concentrations, whose noise no level tells from tissue, is taken to have
    been masked: all that varies is tissue.

    Parameters
    ----------
    data : (..., t) array
        Signals or concentrations.
    quantity : str
        Which of them: "signal" or "concentration".

    Returns
    -------
    (...) bool array
        True in tissue.
    """
    shape = data.shape[:-1]
    level, noise, alive = _facts(data.reshape(-1, data.shape[-1]))
    level, noise, alive = (a.reshape(shape) for a in (level, noise, alive))
    if quantity != "signal" or not alive.any():
        return alive
    if len(shape) > 1:
        share = np.maximum(_around(alive), 1e-6)
        noise = np.sqrt(np.maximum(_around(np.where(alive, noise**2, 0.0)), 0.0) / share)
    bright = float(np.percentile(level[alive], 99))
    tissue = alive & ((level >= DIM * bright) | (level > STEADY * noise))
    if np.array_equal(tissue, alive):  # no air: whatever varies no more has been masked already
        return alive
    tissue = _tidied(tissue) & alive
    return tissue if tissue.any() else alive


def _tidied(mask: Bool[np.ndarray, "*s"]) -> Bool[np.ndarray, "*s"]:
    """Every voxel with the majority of its neighbourhood, without specks; as it is where that leaves none, or where
    voxels have no neighbours (one dimension)."""
    if mask.ndim < 2:
        return mask
    smooth = _without_specks(_around(mask) > 0.5)
    return smooth if smooth.any() else mask


def _around(values: np.ndarray) -> np.ndarray:
    """Mean over a voxel and its neighbours."""
    return ndimage.uniform_filter(values.astype(float), 3, mode="nearest")


def _without_specks(tissue: np.ndarray) -> np.ndarray:
    """The pieces, voxels that touch in any way, that are no specks beside the largest."""
    pieces = np.zeros(tissue.shape, np.int32)
    ndimage.label(tissue, np.ones((3,) * tissue.ndim), output=pieces)
    size = np.bincount(pieces.ravel())
    kept = np.flatnonzero(size >= _FRAGMENT * size[1:].max(initial=0))
    return np.isin(pieces, kept[kept > 0])


def _facts(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and noise of every curve (v, t) over its finite frames, and whether these vary; few curves at a time."""
    level, noise = np.zeros(len(curves), np.float32), np.zeros(len(curves), np.float32)
    alive = np.zeros(len(curves), bool)
    for start in range(0, len(curves), _BLOCK):
        part = slice(start, start + _BLOCK)
        block = curves[part].astype(np.float32)
        finite = np.isfinite(block)
        mean = np.sum(np.where(finite, block, 0.0), axis=-1) / np.maximum(finite.sum(axis=-1), 1)
        block = np.where(finite, block, mean[:, None])
        level[part], noise[part], alive[part] = mean, curve_noise(block), np.ptp(block, axis=-1) > 0
    return level, noise, alive
