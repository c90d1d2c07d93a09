"""The acquisition of a DCE series from the JSON sidecar beside it, and back."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol
from simulate.files.atomic import AnyPath, write_atomically
from simulate.files.bids.fields import Fields, Rule, read_fields
from simulate.files.bids.frame_times import LONGEST_FRAME, times_problem
from simulate.files.bids.frames import read_frames_fields
from simulate.files.image_files import sidecar_path

LONGEST_TR = 1.0
"""TR [s] that no spoiled gradient echo reaches (they run at 2 to 20 ms): from here on it is milliseconds."""

RULES = {
    "RepetitionTimeExcitation": Rule(lambda v: 0 < v < LONGEST_TR, "seconds between 0 and 1", LONGEST_TR),
    "FlipAngle": Rule(lambda v: 0 < v <= 90, "degrees above 0 and up to 90"),
    "EchoTime": Rule(lambda v: 0 <= v < LONGEST_TR, "seconds from 0 to below 1", LONGEST_TR),
    "FrameDuration": Rule(lambda v: 0 <= v <= LONGEST_FRAME, "seconds from 0 to 300", LONGEST_FRAME),
    "LongitudinalRelaxivity": Rule(lambda v: 0.5 <= v <= 100, "1/(s mmol/L) from 0.5 to 100"),
    "MagneticFieldStrength": Rule(lambda v: 0 < v <= 30, "tesla above 0 and up to 30"),
    "Haematocrit": Rule(lambda v: 0 <= v < 0.7, "a fraction from 0 to below 0.7"),
}
"""The fields that hold one number."""

PROTOCOL_FIELDS = {
    "RepetitionTimeExcitation": "repetition_time",
    "FlipAngle": "flip_angle",
    "EchoTime": "echo_time",
    "LongitudinalRelaxivity": "relaxivity",
    "MagneticFieldStrength": "field_strength",
    "FrameDuration": "frame_duration",
}
"""Field -> attribute of `DCEProtocol`, where one number is one number."""

_NO_RELAXIVITY = ("IODINE", "CARBON_DIOXIDE", "CO2", "BARIUM")

LARGEST_SLICE_SPREAD = 0.5
"""Seconds between a frame's first and last slice above which the reader is told: a quarter of a short frame."""

SYNONYMS = {"RepetitionTimeExcitation": ("RepetitionTimeExcitation", "RepetitionTime")}
"""BIDS calls the TR of the excitation by the first name, many converters by the second; where VolumeTiming
gives the frames, the second cannot mean the time from volume to volume."""

DCE_FIELDS = (
    *RULES, "RepetitionTime", "VolumeTiming", "BaselineVolumes", "InversionTime", "MTState", "ContrastBolusIngredient",
)  # fmt: skip
"""Every field that --set knows for DCE."""


COMMON = tuple(name for name in (*DCE_FIELDS, "SliceTiming") if name not in ("RepetitionTime", "VolumeTiming"))
"""Fields that the frames of a series of one file for each have in common; RepetitionTime is a synonym of one."""


@dataclass(frozen=True)
class DCESidecar:
    """What is known about a DCE series, and from where.

    protocol : the acquisition. Its `baseline` is 0 where BaselineVolumes is not given: unknown, to be
        detected from the curves. TR and flip angle are NaN where a concentration series lacks them.
    haematocrit : fraction, or None where it is not given.
    origin : field -> "sidecar", "--set", "default", "detected" (the baseline) or "absent".
    warnings : sentences for the reader.
    """

    protocol: DCEProtocol
    haematocrit: float | None
    origin: dict[str, str]
    warnings: list[str] = field(default_factory=list)


def read_dce_sidecar(
    image_path: AnyPath | list[Path],
    *,
    frames: int,
    quantity: Literal["signal", "concentration"] = "signal",
    overrides: dict[str, object] | None = None,
) -> DCESidecar:
    """Read and check the sidecar of a DCE series, or those of its frames where each is a file of its own.

    frames : number of volumes in the image, or of files.
    quantity : what the image holds; "concentration" needs no TR and no flip angle.
    overrides : what the user gave as --set Field=value (see `parse_set`); it wins over the sidecar and may
        stand in for it altogether.
    """
    if frames < 2:
        raise InputError(image_path, "shape", f"has {frames} frame", "give the whole series")
    if isinstance(image_path, list):
        fields = read_frames_fields(image_path, overrides, RULES, SYNONYMS, COMMON)
    else:
        fields = read_fields(image_path, overrides, RULES, SYNONYMS)
    of_signal = ("RepetitionTimeExcitation", "FlipAngle") if quantity == "signal" else ()
    fields.require(*of_signal, "VolumeTiming")
    times = _frame_times(fields, frames)
    if quantity == "signal":
        _check_excitation(fields, times)
    origin = {"VolumeTiming": fields.find("VolumeTiming")[2]}
    baseline, origin["BaselineVolumes"] = _baseline(fields, frames)
    haematocrit, origin["Haematocrit"] = fields.number("Haematocrit", None)
    numbers = {}
    for name, attribute in PROTOCOL_FIELDS.items():
        number, origin[name] = fields.number(name, getattr(DCEProtocol, attribute, None))
        numbers[attribute] = float("nan") if number is None else number
    protocol = DCEProtocol(times=times, baseline=baseline, **numbers)
    _refuse(fields)
    return DCESidecar(protocol, haematocrit, origin, _warnings(fields))


def _refuse(fields: Fields) -> None:
    """Fields of which some values are of another signal than that of a spoiled gradient echo with gadolinium."""
    name, time, _ = fields.find("InversionTime")
    if isinstance(time, int | float) and time > 0:
        raise fields.error(name, f"is {time:g}: a signal after an inversion is not that of a spoiled gradient echo")
    name, state, _ = fields.find("MTState")
    if state is True:
        raise fields.error(name, "is true: magnetisation transfer pulses change the signal, and with it T1")
    name, agent, _ = fields.find("ContrastBolusIngredient")
    if isinstance(agent, str) and agent.upper().replace(" ", "_") in _NO_RELAXIVITY:
        raise fields.error(name, f"is {agent}, which does not shorten T1")


def _warnings(fields: Fields) -> list[str]:
    """What is taken for negligible, and may not be."""
    times = fields.find("SliceTiming")[1]
    known = isinstance(times, list) and all(isinstance(t, int | float) for t in times)
    spread = float(np.ptp(times)) if known and times else 0.0
    if spread <= LARGEST_SLICE_SPREAD:
        return []
    return [
        f"SliceTiming spreads over {spread:.2g} s, and every slice was taken to be measured when its frame begins: "
        "delays hold that difference, and the flow of a fit without --fit-delay errs by it."
    ]


def _frame_times(fields: Fields, frames: int) -> np.ndarray:
    """(frames,) start of each frame [s]."""
    times = fields.numbers("VolumeTiming", frames, "frames")
    if (problem := times_problem(times)) is not None:
        raise fields.error("VolumeTiming", problem)
    return times


def _check_excitation(fields: Fields, times: np.ndarray) -> None:
    """A RepetitionTime that is that of the volumes says nothing of the excitation's."""
    name, value, _ = fields.find("RepetitionTimeExcitation")
    spacing = float(np.median(np.diff(times)))
    if name == "RepetitionTime" and isinstance(value, int | float) and 0.2 * spacing < value < 5 * spacing:
        problem = f"is {value:g} s and frames are {spacing:g} s apart: it is that of the volumes, not of the excitation"
        raise InputError(fields.path, name, problem, "give --set RepetitionTimeExcitation=value")


def _baseline(fields: Fields, frames: int) -> tuple[int, str]:
    """Number of frames before contrast arrives, 0 where it is yet to be detected; and its origin."""
    name, value, origin = fields.find("BaselineVolumes")
    if origin == "absent":
        return 0, "detected"
    whole = isinstance(value, int | float | np.integer) and not isinstance(value, bool) and value == int(value)
    if not whole or not 1 <= value < frames:
        raise fields.error(name, f"is {value!r}, and must be a whole number from 1 to {frames - 1}")
    return int(value), origin


def write_sidecar(
    image_path: AnyPath,
    protocol: DCEProtocol,
    *,
    haematocrit: float | None = None,
    extra: dict[str, Any] | None = None,
) -> Path:
    """Write the sidecar of a DCE image, from which `read_dce_sidecar` gives the same protocol back.

    extra : further fields, ready for JSON.     Returns the path of the sidecar.
    """
    fields: dict[str, Any] = {"VolumeTiming": np.asarray(protocol.times, float).tolist()}
    numbers = {bids: float(getattr(protocol, name)) for bids, name in PROTOCOL_FIELDS.items()}
    fields |= {bids: number for bids, number in numbers.items() if not np.isnan(number)}
    if protocol.baseline:
        fields["BaselineVolumes"] = protocol.baseline
    if haematocrit is not None:
        fields["Haematocrit"] = haematocrit
    path = sidecar_path(image_path)
    write_atomically(path, json.dumps({**(extra or {}), **fields}, indent=2, allow_nan=False) + "\n")
    return path
