"""The measured series: its shape, its times and its protocol, and how many of its frames come before contrast."""

from dataclasses import replace

import numpy as np

from estimate.baseline import detect_baseline
from estimate.fit_input import frame_durations
from simulate.base.bids.dce import PROTOCOL_FIELDS, RULES
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Series

FEWEST_BEFORE = 2
"""Frames before contrast of a series of signals, at least."""

QUANTITIES = ("signal", "concentration")


def checked_series(series: Series, where: object) -> Series:
    """The series with its baseline known.

    Raises InputError for another shape than its times say, times that do not increase, and numbers that are none of a
    protocol's.
    """
    if series.quantity not in QUANTITIES:
        problem = f"is {series.quantity!r}"
        raise InputError(where, "quantity", problem, f"choose one of {', '.join(QUANTITIES)}")
    data = np.asarray(series.data)
    if data.dtype.kind not in "iuf":
        raise InputError(where, "data", f"is of type {data.dtype}, not real numbers", "give magnitudes as floats")
    protocol = _checked_protocol(series.protocol, data.shape, series.quantity, where)
    affine = np.asarray(series.affine, float)
    if affine.shape != (4, 4) or not (np.isfinite(affine).all() and np.linalg.det(affine)):
        raise InputError(where, "affine", "is not a regular 4 by 4 matrix", "give voxel index to position in mm")
    known = replace(protocol, baseline=protocol.baseline or detect_baseline(data))
    return replace(series, data=data, protocol=known)


def check_baseline(frames: int, quantity: str, where: object) -> None:
    """Refuse a series of signals with too few frames before contrast."""
    if quantity == "signal" and frames < FEWEST_BEFORE:
        problem = f"shows contrast from its first frames on: {frames} before it, S0 and its error need {FEWEST_BEFORE}"
        cure = "measure more, or say how many there are if contrast comes later than it seems (--set BaselineVolumes=N)"
        raise InputError(where, "BaselineVolumes", problem, cure)


def _checked_protocol(
    protocol: DCEProtocol, shape: tuple[int, ...], quantity: str, where: object
) -> DCEProtocol:  # fmt: skip
    times = np.asarray(protocol.times, float)
    if len(shape) < 2 or times.ndim != 1 or shape[-1] != times.size or times.size < 2:
        problem = f"has shape {shape} and {times.size} times"
        raise InputError(where, "times", problem, "give the start of every frame; frames are the last axis of the data")
    step = np.diff(times)
    if not (np.isfinite(times).all() and (step > 0).all()):
        i = int(np.argmin(np.isfinite(times[:-1]) & (step > 0)))
        problem = f"does not increase from frame {i + 1} ({times[i]:g} s) to the next ({times[i + 1]:g} s)"
        raise InputError(where, "times", problem, "sort the frames by time, each once")
    of_signal = ("RepetitionTimeExcitation", "FlipAngle")
    for field, attribute in PROTOCOL_FIELDS.items():
        values = np.asarray(getattr(protocol, attribute), float)
        needed = quantity == "signal" or field not in of_signal
        if needed and not all(RULES[field].holds(float(v)) for v in values.ravel()):
            problem = f"is {values.ravel()[0]:g}, and must be in {RULES[field].words}"
            raise InputError(where, f"{field} ({attribute})", problem, "correct the protocol")
    frame_durations(protocol.frame_centres, protocol.frame_duration)
    baseline = protocol.baseline
    if isinstance(baseline, bool) or not isinstance(baseline, int | np.integer) or not 0 <= baseline < times.size:
        problem = f"is {baseline!r}, and must be a whole number from 1 to {times.size - 1}, 0 where it is not known"
        raise InputError(where, "BaselineVolumes (baseline)", problem, "correct it, or leave it out")
    return replace(protocol, times=np.asarray(protocol.times))
