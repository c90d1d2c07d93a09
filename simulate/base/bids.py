"""Acquisition parameters from the JSON sidecar beside an image, after BIDS, with the user's --set on top.

Every number is checked against what an MR scanner can do, so that milliseconds or a missing bracket are
refused with a sentence and never become a wrong perfusion map. Nothing is converted by guess.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from simulate.base.errors import InputError
from simulate.base.files import AnyPath, write_atomically
from simulate.base.nifti import sidecar_path
from simulate.base.types import DCEProtocol

LONGEST_TR = 1.0
"""TR [s] that no spoiled gradient echo reaches (they run at 2 to 20 ms): from here on it is milliseconds."""

LONGEST_FRAME = 300.0
"""Seconds from frame to frame that no DCE series exceeds (slow breast protocols take two minutes)."""


@dataclass(frozen=True)
class Rule:
    """What a field may hold, as a test and in words; from `milliseconds` on, the unit is evidently wrong."""

    holds: Callable[[float], bool]
    words: str
    milliseconds: float = float("inf")


RULES = {
    "RepetitionTimeExcitation": Rule(lambda v: 0 < v < LONGEST_TR, "seconds between 0 and 1", LONGEST_TR),
    "FlipAngle": Rule(lambda v: 0 < v <= 90, "degrees above 0 and up to 90"),
    "EchoTime": Rule(lambda v: 0 <= v < LONGEST_TR, "seconds from 0 to below 1", LONGEST_TR),
    "FrameDuration": Rule(lambda v: 0 <= v <= LONGEST_FRAME, "seconds from 0 to 300", LONGEST_FRAME),
    "LongitudinalRelaxivity": Rule(lambda v: v > 0, "1/(s mmol/L) above 0"),
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

SYNONYMS = {"RepetitionTimeExcitation": ("RepetitionTimeExcitation", "RepetitionTime")}
"""BIDS calls the TR of the excitation by the first name, many converters by the second; where VolumeTiming
gives the frames, the second cannot mean the time from volume to volume."""

DCE_FIELDS = (*RULES, "RepetitionTime", "VolumeTiming", "BaselineVolumes")
"""Every field that --set knows for DCE."""


@dataclass(frozen=True)
class DCESidecar:
    """What is known about a DCE series, and from where.

    protocol : the acquisition. Its `baseline` is 0 where BaselineVolumes is not given: unknown, to be
        detected from the curves. TR and flip angle are NaN where a concentration series lacks them.
    haematocrit : fraction, or None where it is not given.
    origin : field -> "sidecar", "--set", "default", "detected" (the baseline) or "absent".
    """

    protocol: DCEProtocol
    haematocrit: float | None
    origin: dict[str, str]


@dataclass(frozen=True)
class _Fields:
    """The raw fields of one sidecar, and those that the user set over them."""

    path: Path
    sidecar: dict[str, Any]
    overrides: dict[str, Any]

    def find(self, field: str) -> tuple[str, Any, str]:
        """The name by which the field is given, its value and its origin ("absent" where it is not)."""
        for origin, values in (("--set", self.overrides), ("sidecar", self.sidecar)):
            for name in SYNONYMS.get(field, (field,)):
                if name in values:
                    return name, values[name], origin
        return field, None, "absent"

    def require(self, *fields: str) -> None:
        """Refuse unless all are given; one error names all that are missing."""
        missing = [field for field in fields if self.find(field)[2] == "absent"]
        if missing:
            problem = "missing" if self.path.is_file() else "missing, there is no such file"
            options = " ".join(f"--set {field}=value" for field in missing)
            raise InputError(self.path, ", ".join(missing), problem, f"write it there or give {options}")

    def error(self, name: str, problem: str) -> InputError:
        """The error for a wrong value; it points to where the user wrote it."""
        if name in self.overrides:
            return InputError(f"--set for {self.path.name}", name, problem, f"give --set {name}=value")
        return InputError(self.path, name, problem, f"correct it there or give --set {name}=value")

    def number(self, field: str, default: float | None) -> tuple[float | None, str]:
        """The checked number and its origin."""
        name, value, origin = self.find(field)
        if origin == "absent":
            return default, "default" if default is not None else "absent"
        return self.checked(name, value, RULES[field]), origin

    def numbers(self, name: str, length: int, what: str, rule: Rule | None = None) -> np.ndarray:
        """The checked list with one number for each of the `length` frames or volumes (`what`)."""
        values = self.find(name)[1]
        if not isinstance(values, list | tuple | np.ndarray):
            raise self.error(name, f"is {values!r}, not a list with a number for each of the {length} {what}")
        if len(values) != length:
            raise self.error(name, f"has length {len(values)}, and the image has {length} {what}")
        return np.array([self.checked(name, value, rule) for value in values])

    def checked(self, name: str, value: Any, rule: Rule | None) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise self.error(name, f"holds {value!r}, which is not a number")
        if not abs(value) <= sys.float_info.max:  # catches NaN, infinity and integers beyond any float
            raise self.error(name, f"holds {value}, which is not finite")
        if rule is not None and not rule.holds(float(value)):
            hint = " (this looks like milliseconds)" if float(value) >= rule.milliseconds else ""
            raise self.error(name, f"is {value}, and must be in {rule.words}{hint}")
        return float(value)


def read_dce_sidecar(
    image_path: AnyPath,
    *,
    frames: int,
    quantity: Literal["signal", "concentration"] = "signal",
    overrides: dict[str, object] | None = None,
) -> DCESidecar:
    """Read and check the sidecar of a DCE series.

    frames : number of volumes in the image.
    quantity : what the image holds; "concentration" needs no TR and no flip angle.
    overrides : what the user gave as --set Field=value (see `parse_set`); it wins over the sidecar and may
        stand in for it altogether.
    """
    if frames < 2:
        raise InputError(image_path, "shape", f"has {frames} frame", "give the whole series")
    fields = _read_fields(image_path, overrides)
    of_signal = ("RepetitionTimeExcitation", "FlipAngle") if quantity == "signal" else ()
    fields.require(*of_signal, "VolumeTiming")
    origin = {"VolumeTiming": fields.find("VolumeTiming")[2]}
    baseline, origin["BaselineVolumes"] = _baseline(fields, frames)
    haematocrit, origin["Haematocrit"] = fields.number("Haematocrit", None)
    numbers = {}
    for field, attribute in PROTOCOL_FIELDS.items():
        number, origin[field] = fields.number(field, getattr(DCEProtocol, attribute, None))
        numbers[attribute] = float("nan") if number is None else number
    protocol = DCEProtocol(times=_frame_times(fields, frames), baseline=baseline, **numbers)
    return DCESidecar(protocol, haematocrit, origin)


def read_vfa_sidecar(
    image_path: AnyPath, *, volumes: int, overrides: dict[str, object] | None = None
) -> tuple[Float[np.ndarray, " volumes"], float]:
    """Read the flip angles (volumes,) [degrees] and TR [s] of a variable-flip-angle series."""
    fields = _read_fields(image_path, overrides)
    fields.require("RepetitionTimeExcitation", "FlipAngle")
    angles = fields.numbers("FlipAngle", volumes, "volumes", RULES["FlipAngle"])
    if np.unique(angles).size < 2:
        raise fields.error("FlipAngle", "holds fewer than 2 distinct angles, which determine no T1")
    name, repetition_time, _ = fields.find("RepetitionTimeExcitation")
    return angles, fields.checked(name, repetition_time, RULES["RepetitionTimeExcitation"])


def _read_fields(image_path: AnyPath, overrides: dict[str, object] | None) -> _Fields:
    """The sidecar's fields; none where there is no such file. JSON's null is a field that is not given."""
    path = sidecar_path(image_path)
    cure = "mend it, or remove it and give each --set Field=value"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some Windows programs write a byte order mark
    except FileNotFoundError:
        content = {}
    except OSError as error:
        raise InputError(path, "", f"cannot be read ({error.strerror})", cure) from error
    except ValueError as error:
        raise InputError(path, "", f"is not valid JSON ({error})", cure) from error
    if not isinstance(content, dict):
        raise InputError(path, "", "is not a JSON object of fields", cure)
    given = {name: value for name, value in content.items() if value is not None}
    return _Fields(path, given, overrides or {})


def _frame_times(fields: _Fields, frames: int) -> np.ndarray:
    """(frames,) start of each frame [s]."""
    times = fields.numbers("VolumeTiming", frames, "frames")
    spacing = np.diff(times)
    if not (spacing > 0).all():
        i = int(np.argmin(spacing > 0))
        raise fields.error(
            "VolumeTiming",
            f"does not increase from frame {i + 1} ({times[i]} s) to the next ({times[i + 1]} s)",
        )
    if np.median(spacing) > LONGEST_FRAME:
        problem = f"has frames {np.median(spacing):g} s apart, so that the times look like milliseconds"
        raise fields.error("VolumeTiming", problem)
    return times


def _baseline(fields: _Fields, frames: int) -> tuple[int, str]:
    """Number of frames before contrast arrives, 0 where it is yet to be detected; and its origin."""
    name, value, origin = fields.find("BaselineVolumes")
    if origin == "absent":
        return 0, "detected"
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 1 <= value < frames:
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
    numbers = {field: float(getattr(protocol, name)) for field, name in PROTOCOL_FIELDS.items()}
    fields |= {field: number for field, number in numbers.items() if not np.isnan(number)}
    if protocol.baseline:
        fields["BaselineVolumes"] = protocol.baseline
    if haematocrit is not None:
        fields["Haematocrit"] = haematocrit
    path = sidecar_path(image_path)
    write_atomically(path, json.dumps({**(extra or {}), **fields}, indent=2, allow_nan=False) + "\n")
    return path


def parse_set(assignments: Iterable[str], *, known: Iterable[str] = DCE_FIELDS) -> dict[str, object]:
    """Read ["Field=value", ...] as given to --set: values are JSON, and bare words stay strings."""
    known, values = sorted(known), {}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise InputError("--set", assignment, "has no =", f"write --set {assignment}=value")
        if name not in known:
            raise InputError("--set", name, "is no known field", f"choose among {', '.join(known)}")
        values[name] = _json_or_text(text)
    return values


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
