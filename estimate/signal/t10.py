"""T1 before contrast of a whole image, as given or measured by variable flip angles, and how sure it is."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from estimate.signal.batches import in_batches
from estimate.signal.ceiling import ceiling_of
from estimate.signal.vfa import vfa_noise, vfa_t1
from simulate.base.status import Status

CHUNK = 131072
"""Voxels converted and fitted at a time: 50 MB of concentration at 100 frames."""

_BRIGHT = 0.2
"""Share of the brightest voxels' signal from which on residuals tell the noise: air has less of it."""


@dataclass(frozen=True)
class VFA:
    """Variable-flip-angle images for T1.

    Attributes
    ----------
    signal : (..., n) array
        An image for each angle.
    flip_angles : (n,) array [degrees]
        Nominal angles.
    repetition_time : float [s]
        TR.
    """

    signal: Any
    flip_angles: Any
    repetition_time: float


class T10(NamedTuple):
    """T1 [s], its standard error, and `Status` bits of its measurement: numbers or (*space).

    misfit : what the signal equation leaves, over the signal of bright voxels; 0 where nothing tells it.
    """

    t1: Any
    stderr: Any
    status: Any = 0
    misfit: float = 0.0


def measure_t10(vfa: VFA, b1: Any, mask: np.ndarray) -> T10:
    """T1 of every voxel (*space), block by block, with errors from one noise: that of the mask's bright voxels."""
    signal = np.asarray(vfa.signal)
    flat = signal.reshape(-1, signal.shape[-1])
    dtype = np.result_type(signal.dtype, np.float32)
    field = np.broadcast_to(np.asarray(b1, dtype), mask.shape).ravel()
    parts = []
    for start in range(0, len(flat), CHUNK):
        part = flat[start : start + CHUNK].astype(dtype)
        found = in_batches(
            lambda signal, b1: vfa_t1(signal, vfa.flip_angles, vfa.repetition_time, b1=b1),
            part, field[start : start + CHUNK],
        )  # fmt: skip
        parts.append([found.t1, found.stderr, found.residual, found.status])
    t1, stderr, residual, status = (np.concatenate(each) for each in zip(*parts, strict=True))
    level = flat.mean(axis=-1)
    bright = mask.ravel() & (level > _BRIGHT * np.nanpercentile(level, 99))
    noise = vfa_noise(residual[bright], signal.shape[-1])
    misfit = float(noise / np.median(level[bright])) if np.isfinite(noise) and bright.any() else 0.0
    stderr = np.nan_to_num(stderr * noise) if np.isfinite(noise) else np.zeros_like(stderr)
    cut = (flat >= ceiling_of(signal, repeated=True)).any(axis=-1)
    status = status | np.where(cut, int(Status.SATURATED), 0).astype(status.dtype)
    return T10(t1.reshape(mask.shape), stderr.reshape(mask.shape), status.reshape(mask.shape), misfit)
