"""Motion check: how much each frame of a series resembles the one before it.

A shift of the head or a lost slice drops the correlation of one frame, or of two, far below the others.
The passage of the bolus lowers it too, but by little and over many frames.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

ABRUPT = 10.0  # (chosen) a bolus sampled every 2 s changes the images up to 7 times faster than noise does
NEIGHBOURS = 5  # frames to either side


def frame_correlation(signal: Any, mask: Any = None) -> Float[np.ndarray, " t"]:
    """Pearson correlation over voxels of every frame with the previous one.

    Parameters
    ----------
    signal : (*space, t) array of any kind that slices (NumPy, JAX, a memory map); only two frames are held.
    mask : (*space) voxels to compare; all by default. Voxels that are not finite in a pair are left out.

    Returns
    -------
    (t,) correlation; the first is 1, and NaN stands where a frame is constant or has no voxel to compare.
    """
    inside = ... if mask is None else np.asarray(mask, bool)
    correlation = np.ones(signal.shape[-1])
    previous = None
    for k in range(signal.shape[-1]):
        frame = np.asarray(signal[..., k], float)[inside].ravel()
        if previous is not None:
            correlation[k] = _pearson(previous, frame)
        previous = frame
    return correlation


def suspect_frames(correlation: Float[np.ndarray, " t"]) -> Bool[np.ndarray, " t"]:
    """Frames with a correlation under `correlation_threshold`, or undefined (unless all are)."""
    threshold = correlation_threshold(correlation)
    if np.isnan(threshold).all():
        return np.zeros(correlation.shape, bool)
    return ~(correlation >= threshold)  # a NaN is suspect too: a blank frame correlates with nothing


def correlation_threshold(correlation: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Where a frame becomes suspect: `ABRUPT` times as far from 1 as is the rule among its neighbours.

    Noise and passing contrast lower the correlation too, but for many frames; motion does so for one or two.
    NaN where no correlation is defined. The first frame has none: it counts as the second.
    """
    loss = np.r_[1 - correlation[1:2], 1 - correlation[1:]]
    defined = np.isfinite(loss)
    if not defined.any():
        return np.full(correlation.shape, np.nan)
    loss = np.where(defined, loss, np.median(loss[defined]))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(loss, NEIGHBOURS, mode="reflect"), 2 * NEIGHBOURS + 1)
    return 1 - ABRUPT * np.median(around, axis=-1) - 1e-6  # a still object has only rounding errors


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 2:
        return float("nan")
    a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
    spread = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / spread) if spread > 0 else float("nan")
