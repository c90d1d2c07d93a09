"""Frames of a series that hold nothing: a scan was interrupted there, or a file is damaged."""

import numpy as np
from jaxtyping import Num

from simulate.base.errors import InputError


def check_frames(data: Num[np.ndarray, "*s t"], where: object, what: str, cure: str, *, zeros: bool = False) -> None:
    """Refuse a series of which a whole frame holds no finite number, or (unless `zeros` may be) nothing but zeros.

    what : what a frame is called, to count from 1.      cure : what to do about it.
    """
    for i, frame in enumerate(np.moveaxis(data, -1, 0), 1):
        if not np.isfinite(frame).any():
            raise InputError(where, f"{what} {i}", "holds no finite number", cure)
        if not (zeros or frame.any()):
            raise InputError(where, f"{what} {i}", "holds zeros alone", cure)
