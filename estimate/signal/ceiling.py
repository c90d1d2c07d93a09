"""The largest number that an image could store: signals beyond it were cut off, and nobody knows how high they were."""

import numpy as np
from jaxtyping import Num

from estimate.signal.baseline import curve_noise

SEVERAL = 3
"""Frames of one voxel on the image's largest value from which on it is a limit: noise does not repeat a number."""

LIMITS = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 15, 16))
"""Largest whole numbers of scanners' converters and of files; two frames, or several voxels, on one of them tell."""

_SMOOTH = 1e-5
"""Noise over signal below which a curve has none: there a plateau is a plateau. So it is where noise is below the step
of whole numbers."""


def ceiling_of(images: Num[np.ndarray, "*s n"], *, repeated: bool = False) -> float:
    """The value at which signals were cut off, so that voxels at it are SATURATED; infinity where none was.

    It is the image's largest value, where a voxel that is not constant stands on it in `SEVERAL` frames, or in two and
    it is one of `LIMITS`; or where it is one of these and `SEVERAL` voxels stand on it.
    repeated : the images are of few kinds, each measured again and again: without noise their largest value comes
    again as well, and only `LIMITS` tell.
    """
    frames = np.moveaxis(images, -1, 0)
    top = max((float(frame[np.isfinite(frame)].max(initial=0.0)) for frame in frames), default=0.0)
    if top <= 0:
        return np.inf
    count = np.zeros(images.shape[:-1], np.int32)
    for frame in frames:  # one at a time: a scan of any size
        count += frame == top
    moving = count < len(frames) if len(frames) > 1 else count >= 0
    count = np.where(moving, count, 0)
    there, lower = int(np.sum(count > 0)), sum(int(np.sum((frame > 0) & (frame < top))) for frame in frames)
    if top in LIMITS and lower and (count.max(initial=0) >= 2 or there >= SEVERAL):  # an image of one value has no top
        return top
    if repeated or len(frames) < SEVERAL:
        return np.inf
    many = images[count >= SEVERAL].astype(float)
    least = np.where(np.all(many == np.round(many), axis=-1), 1.0, _SMOOTH * top)
    return top if np.any(curve_noise(many) > least) else np.inf
