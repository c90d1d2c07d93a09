"""When contrast arrives in a series, found in the images."""

import numpy as np
from jaxtyping import Int, Num

from simulate.base.errors import InputError

_EARLIEST = 50  # voxels averaged: enough to quench noise, few enough to fit in one artery
_BLOCK = 100_000  # voxels looked at together: bounded memory for a scan of any size
_RISE = 10.0  # a jump of ten standard deviations of the noise is contrast, not chance, among 1e7 voxels
_STILL_BASELINE = 3.0  # standard deviations
_ARITHMETIC = 1e-5  # share of a signal below which it is rounding of single precision, in noise-free images
_SAMPLED = 10_000  # voxels whose numbers tell how far apart those of the image are


def detect_baseline(signal: Num[np.ndarray, "*s t"]) -> int:
    """Number of frames before the first contrast in a series of signals or concentrations.

    The voxels that jump most between two frames, counted in their own noise, are where the bolus passes.
    Of these the earliest are averaged, and the frames before their jump are kept as far as they do not yet
    stand out from those before them. Where noise hides every voxel's jump the mean of all voxels is looked at
    instead: it has little noise, and where tissue enhances it rises with the first contrast.

    Parameters
    ----------
    signal : (..., t) array
        Signals or concentrations.

    Returns
    -------
    int
        At least one.

    Raises
    ------
    InputError
        Where nothing in the images jumps.
    """
    return _at_rest(*_rising_curve(signal))


def estimate_onset(signal: Num[np.ndarray, "*s t"], times: Num[np.ndarray, " t"]) -> float:
    """Time at which contrast first appears: where the steepest rise, drawn back, leaves the baseline.

    Parameters
    ----------
    signal : (..., t) array
        Signals or concentrations.
    times : (t,) array [s]
        Of the frames.

    Returns
    -------
    float [s]
        On the clock of `times`.

    Raises
    ------
    InputError
        Where nothing in the images jumps.
    """
    curve, jump, noise = _rising_curve(signal)
    count = _at_rest(curve, jump, noise)
    rest = np.mean(curve[:count])
    slope = (curve[jump + 1] - curve[jump]) / (times[jump + 1] - times[jump])
    return float(np.clip(times[jump] - (curve[jump] - rest) / slope, times[count - 1], times[count]))


def _rising_curve(signal: np.ndarray) -> tuple[np.ndarray, int, float]:
    """A curve that shows contrast arriving, in units of one voxel's noise, the frame before it jumps, and its noise."""
    voxels = np.reshape(signal, (-1, signal.shape[-1]))
    blocks = np.array_split(voxels, max(1, len(voxels) // _BLOCK))
    for step in (None, _smallest_step(blocks)):
        found = [_largest_jump(block, step) for block in blocks]
        jump, frame = (np.concatenate(part) for part in zip(*found, strict=True))
        candidates = np.flatnonzero(jump >= max(_RISE, np.max(jump, initial=0.0) / 4))
        if candidates.size:
            break
    else:
        return _mean_curve(blocks)
    order = candidates[np.lexsort((-jump[candidates], frame[candidates]))]
    earliest = order[:_EARLIEST]
    chosen = voxels[earliest].astype(float)
    curve = np.mean((chosen - chosen[:, :1]) / _noise(chosen, step)[:, None], axis=0)
    return curve, int(np.median(frame[earliest])), float(1 / np.sqrt(_EARLIEST))


def _mean_curve(blocks: list[np.ndarray]) -> tuple[np.ndarray, int, float]:
    """`_rising_curve` of all voxels together. Tissue rises for many frames: its jump is where it leaves its rest."""
    total, count = np.zeros(blocks[0].shape[-1]), 0
    for block in blocks:
        curves = block[np.all(np.isfinite(block), axis=-1)].astype(float)
        scale = curve_noise(curves)
        moving = scale > 0
        total += np.sum((curves[moving] - curves[moving, :1]) / scale[moving, None], axis=0)
        count += int(np.sum(moving))
    curve = total / max(count, 1)
    # of second differences: those of a slow rise are small, its first differences are not
    noise = float(np.median(np.abs(np.diff(curve, 2))) / (0.6745 * np.sqrt(6)))
    rise = np.diff(curve)
    if noise == 0 or rise.max() < _RISE * noise:
        raise InputError(
            "series",
            "BaselineVolumes",
            "no voxel shows contrast arriving",
            "give the number of frames before contrast (--set BaselineVolumes=N)",
        )
    steepest = int(np.argmax(rise))  # may be the first rise of all: then there is one frame before it
    left = next((k for k in range(2, steepest + 1) if _stands_out(curve, k, noise)), steepest + 1)
    return curve, left - 1, noise


def curve_noise(curves: np.ndarray) -> np.ndarray:
    """Standard deviation of each curve's noise, from the median of its successive differences."""
    return np.median(np.abs(np.diff(curves, axis=-1)), axis=-1) / (0.6745 * np.sqrt(2))


def _noise(curves: np.ndarray, step: float | None) -> np.ndarray:
    """Noise (v,) of curves; where `step` is given at least that of rounding: of numbers that far apart, of arithmetic.

    Quantised or noise-free curves stand still more than half the time, and have no noise of their own; so have curves
    of air and of a masked image, which is why they count only where no other curve jumps. Infinite without any noise.
    """
    if step is None:
        own = curve_noise(curves)
        return np.where(own > 0, own, np.inf)
    rounding = max(step / np.sqrt(12), float(np.finfo(np.float32).tiny))
    return np.maximum(curve_noise(curves), np.maximum(rounding, _ARITHMETIC * np.max(np.abs(curves), axis=-1)))


def _smallest_step(blocks: list[np.ndarray]) -> float:
    """Distance of neighbouring numbers of an image that holds whole multiples of one; 0 of any other."""
    values = np.unique(blocks[len(blocks) // 2][:_SAMPLED])
    values = values[np.isfinite(values)].astype(float)
    if values.size < 3:
        return 0.0
    steps = np.diff(values)
    multiples = steps / steps.min()
    return float(steps.min()) if np.allclose(multiples, np.round(multiples), rtol=1e-3) else 0.0


def _largest_jump(curves: np.ndarray, step: float | None) -> tuple[np.ndarray, Int[np.ndarray, " v"]]:
    """Largest rise between successive frames in units of noise, and the frame before it."""
    curves = curves.astype(np.float32)
    usable = np.all(np.isfinite(curves), axis=-1)
    curves = np.where(usable[:, None], curves, 0.0)
    rise = np.diff(curves, axis=-1)
    frame = np.argmax(rise, axis=-1)
    largest = np.take_along_axis(rise, frame[:, None], axis=-1)[:, 0]
    return np.where(largest > 0, largest, 0.0) / _noise(curves, step), frame


def _at_rest(curve: np.ndarray, jump: int, noise: float) -> int:
    """Frames up to the jump, fewer while the last of them stands out from those before it."""
    count = jump + 1
    while count > 2 and _stands_out(curve, count - 1, noise):
        count -= 1
    return count


def _stands_out(curve: np.ndarray, frame: int, noise: float) -> bool:
    before = curve[:frame]
    return bool(curve[frame] - np.mean(before) > _STILL_BASELINE * max(np.std(before, ddof=1), noise))
