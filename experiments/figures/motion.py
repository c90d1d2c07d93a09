"""Motion check: how much each frame of a series resembles the one before it.

A shift of the head or a lost slice drops the correlation of one frame, or of two, far below the others.
The passage of the bolus lowers it too, but by little and over many frames.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float


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
    if np.isnan(threshold):
        return np.zeros(correlation.shape, bool)
    return ~(correlation >= threshold)  # a NaN is suspect too: a blank frame correlates with nothing


def correlation_threshold(correlation: Float[np.ndarray, " t"]) -> float:
    """Median - 5 MAD of the defined correlations, without the first, which is 1 by definition."""
    defined = correlation[1:][np.isfinite(correlation[1:])]
    if defined.size == 0:
        return float("nan")
    median = np.median(defined)
    return float(median - 5 * np.median(np.abs(defined - median)))


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 2:
        return float("nan")
    a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
    spread = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / spread) if spread > 0 else float("nan")
