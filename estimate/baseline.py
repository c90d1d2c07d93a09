"""When contrast arrives in a series, found in the images."""

import numpy as np
from jaxtyping import Int, Num

from simulate.base.errors import InputError

_EARLIEST = 50  # voxels averaged: enough to quench noise, few enough to fit in one artery
_BLOCK = 100_000  # voxels looked at together: bounded memory for a scan of any size
_RISE = 10.0  # a jump of ten standard deviations of the noise is contrast, not chance, among 1e7 voxels
_STILL_BASELINE = 3.0  # standard deviations


def detect_baseline(signal: Num[np.ndarray, "*s t"]) -> int:
    """Number of frames before the first contrast in a series of signals or concentrations.

    The voxels that jump most between two frames, counted in their own noise, are where the bolus passes.
    Of these the earliest are averaged, and the frames before their jump are kept as far as they do not yet
    stand out from those before them. At least one frame; `InputError` where nothing in the images jumps.
    """
    curve, jump = _earliest_curve(signal)
    return _frames_at_rest(curve, jump + 1)


def estimate_onset(signal: Num[np.ndarray, "*s t"], times: Num[np.ndarray, " t"]) -> float:
    """Time [s] at which contrast first appears: where the steepest rise, drawn back, leaves the baseline."""
    curve, jump = _earliest_curve(signal)
    count = _frames_at_rest(curve, jump + 1)
    rest = np.mean(curve[:count])
    slope = (curve[jump + 1] - curve[jump]) / (times[jump + 1] - times[jump])
    return float(np.clip(times[jump] - (curve[jump] - rest) / slope, times[count - 1], times[count]))


def _earliest_curve(signal: np.ndarray) -> tuple[np.ndarray, int]:
    """Mean curve, in units of one voxel's noise, of the earliest voxels, and the frame before it jumps."""
    voxels = np.reshape(signal, (-1, signal.shape[-1]))
    blocks = np.array_split(voxels, max(1, len(voxels) // _BLOCK))
    jump, frame = (np.concatenate(part) for part in zip(*map(_largest_jump, blocks), strict=True))
    candidates = np.flatnonzero(jump >= max(_RISE, np.max(jump, initial=0.0) / 4))
    if candidates.size == 0:
        raise InputError(
            "series",
            "BaselineVolumes",
            "no voxel shows contrast arriving",
            "give the number of frames before contrast (--set BaselineVolumes=N)",
        )
    order = candidates[np.lexsort((-jump[candidates], frame[candidates]))]
    earliest = order[:_EARLIEST]
    chosen = voxels[earliest].astype(float)
    curve = np.mean((chosen - chosen[:, :1]) / curve_noise(chosen)[:, None], axis=0)
    return curve, int(np.median(frame[earliest]))


def curve_noise(curves: np.ndarray) -> np.ndarray:
    """Standard deviation of each curve's noise, from the median of its successive differences."""
    return np.median(np.abs(np.diff(curves, axis=-1)), axis=-1) / (0.6745 * np.sqrt(2))


def _largest_jump(curves: np.ndarray) -> tuple[np.ndarray, Int[np.ndarray, " v"]]:
    """Largest rise between successive frames in units of noise, and the frame before it."""
    curves = curves.astype(np.float32)
    usable = np.all(np.isfinite(curves), axis=-1)
    curves = np.where(usable[:, None], curves, 0.0)
    rise = np.diff(curves, axis=-1)
    frame = np.argmax(rise, axis=-1)
    largest = np.take_along_axis(rise, frame[:, None], axis=-1)[:, 0]
    noise = curve_noise(curves)
    # a curve that stands still more than half the time has no noise to count in (air, a masked image)
    return np.where(noise > 0, largest / np.where(noise > 0, noise, 1.0), 0.0), frame


def _frames_at_rest(curve: np.ndarray, count: int) -> int:
    """Shorten the first `count` frames while the last of them stands out from those before it."""
    while count > 2:
        before = curve[: count - 1]
        spread = max(np.std(before, ddof=1), 1 / np.sqrt(_EARLIEST))
        if curve[count - 1] - np.mean(before) <= _STILL_BASELINE * spread:
            break
        count -= 1
    return count
