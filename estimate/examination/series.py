"""The measured series: its shape, its times and its protocol, and how many of its frames come before contrast."""

from dataclasses import replace

import numpy as np

from estimate.arterial.sound import LARGEST_PEAK
from estimate.kinetics.curves import frame_durations
from estimate.signal.baseline import detect_baseline
from estimate.signal.empty_frames import check_frames
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Series
from simulate.files.bids.dce import PROTOCOL_FIELDS, RULES
from simulate.files.bids.frame_times import times_problem

FEWEST_BEFORE = 2
"""Frames before contrast of a series of signals, at least."""

FEWEST_TO_TELL = 4
"""Frames before contrast that tell whether the first is like the others."""

_UNSTEADY, _FAR = 0.03, 10.0  # share of the signal, and scatters of the other frames, by which a first frame is unlike

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
    if series.quantity == "concentration":
        _check_amounts(data, where)
    protocol = _checked_protocol(series.protocol, data.shape, series.quantity, where)
    affine = np.asarray(series.affine, float)
    if affine.shape != (4, 4) or not (np.isfinite(affine).all() and np.linalg.det(affine)):
        raise InputError(where, "affine", "is not a regular 4 by 4 matrix", "give voxel index to position in mm")
    cure = "leave that frame out of the images and of their times"
    check_frames(data, where, "frame", cure, zeros=series.quantity == "concentration")
    known = replace(protocol, baseline=protocol.baseline or detect_baseline(data))
    return replace(series, data=data, protocol=known)


def _check_amounts(data: np.ndarray, where: object) -> None:
    """Refuse concentrations that are micromoles, or signals."""
    finite = data[np.isfinite(data)]
    if finite.size and (high := float(np.percentile(finite, 99))) > LARGEST_PEAK:
        problem = f"holds values up to {high:g}, and is said to hold concentrations in mmol/L"
        raise InputError(where, "quantity", problem, "convert micromoles, or give it as a signal")


def steady_state_warnings(series: Series) -> list[str]:
    """A sentence where the first frame is none of the steady state that the signal equation is of: S0 holds it."""
    frames = np.moveaxis(np.asarray(series.data), -1, 0)[: series.protocol.baseline]
    if len(frames) < FEWEST_TO_TELL:
        return []
    first, *others = (float(np.nanmean(frame)) for frame in frames)
    usual = float(np.mean(others))
    if not usual > 0 or abs(first - usual) <= max(_UNSTEADY * usual, _FAR * float(np.std(others, ddof=1))):
        return []
    return [
        f"The first frame is {first / usual:.2f} of those that follow it: the magnetisation was not steady yet, and S0 "
        "is off; leave it out of the images and of their times."
    ]


def baseline_warnings(series: Series) -> list[str]:
    """A sentence where images show contrast in frames that were said to be before it."""
    declared = series.protocol.baseline
    try:
        found = detect_baseline(np.asarray(series.data))
    except InputError:
        return []
    if declared <= found + 1:
        return []
    return [
        f"BaselineVolumes is {declared}, and contrast shows in the images after {found}: S0 is then too high, and "
        "every concentration too low."
    ]


def check_baseline(frames: int, quantity: str, where: object) -> None:
    """Refuse a series of signals with too few frames before contrast."""
    if quantity == "signal" and frames < FEWEST_BEFORE:
        problem = f"shows contrast from its first frames on: {frames} before it, S0 and its error need {FEWEST_BEFORE}"
        cure = "measure more, or say how many there are if contrast comes later than it seems (`baseline=N`)"
        raise InputError(where, "BaselineVolumes", problem, cure)


def _checked_protocol(
    protocol: DCEProtocol, shape: tuple[int, ...], quantity: str, where: object
) -> DCEProtocol:  # fmt: skip
    times = np.asarray(protocol.times, float)
    if len(shape) < 2 or times.ndim != 1 or shape[-1] != times.size or times.size < 2:
        problem = f"has shape {shape} and {times.size} times"
        raise InputError(where, "times", problem, "give the start of every frame; frames are the last axis of the data")
    if (problem := times_problem(times)) is not None:
        raise InputError(where, "times", problem, "give the start of every frame in seconds, in order")
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
