"""The fields of JSON sidecars after BIDS, with the user's --set on top: found, checked, and pointed to when wrong.

Every number is checked against what an MR scanner can do, so that milliseconds or a missing bracket are refused with
a sentence and never become a wrong perfusion map. Nothing is converted by guess.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath
from simulate.files.bids.inheritance import sidecars_of
from simulate.files.image_files import sidecar_path

ROUNDING = 1e-3
"""Share by which converters round one and the same setting differently from file to file."""


@dataclass(frozen=True)
class Rule:
    """What a field may hold, as a test and in words; from `milliseconds` on, the unit is evidently wrong."""

    holds: Callable[[float], bool]
    words: str
    milliseconds: float = float("inf")


@dataclass(frozen=True)
class Fields:
    """The raw fields of an image's sidecars, and those that the user set over them.

    path : the file beside the image.      files : all that were looked in.      sources : field -> file that has it.
    rules : of those that hold one number.      synonyms : other names under which a field may be given.
    prefix : what --set writes before a field of this image, "" for the series itself.
    """

    path: Path
    files: tuple[Path, ...]
    sources: Mapping[str, Path]
    sidecar: dict[str, Any]
    overrides: dict[str, Any]
    rules: Mapping[str, Rule]
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prefix: str = ""

    def find(self, field: str) -> tuple[str, Any, str]:
        """The name by which the field is given, its value and its origin ("absent" where it is not)."""
        for origin, values in (("--set", self.overrides), ("sidecar", self.sidecar)):
            for name in self.synonyms.get(field, (field,)):
                if name in values:
                    return name, values[name], origin
        return field, None, "absent"

    def require(self, *fields: str) -> None:
        """Refuse unless all are given; one error names all that are missing."""
        missing = [field for field in fields if self.find(field)[2] == "absent"]
        if missing:
            problem = "missing" if self.files else "missing, there is no such file"
            options = " ".join(f"--set {self.prefix}{field}=value" for field in missing)
            there = "in one of them" if len(self.files) > 1 else "there"
            where = ", ".join(map(str, self.files or (self.path,)))
            raise InputError(where, ", ".join(missing), problem, f"write it {there} or give {options}")

    def error(self, name: str, problem: str) -> InputError:
        """The error for a wrong value; it points to where the user wrote it."""
        if name in self.overrides:
            return InputError(f"--set for {self.path.name}", name, problem, f"give --set {self.prefix}{name}=value")
        where = self.sources.get(name, self.files[-1] if self.files else self.path)
        return InputError(where, name, problem, f"correct it there or give --set {self.prefix}{name}=value")

    def differs(self, name: str, value: Any, other: "Fields", known: Any, cure: str) -> InputError:
        """The error for a value that has to be that of another image and is not."""
        where, there = (fields.sources.get(name, fields.path) for fields in (self, other))
        cure = f"{cure}, or --set {self.prefix}{name}=value"
        return InputError(where, name, f"is {value}, and {known} in {there}", cure)

    def number(self, field: str, default: float | None) -> tuple[float | None, str]:
        """The checked number and its origin."""
        name, value, origin = self.find(field)
        if origin == "absent":
            return default, "default" if default is not None else "absent"
        return self.checked(name, value, self.rules[field]), origin

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


def same_value(one: Any, other: Any) -> bool:
    """Whether two files say the same; numbers within `ROUNDING`."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= ROUNDING * max(abs(one), abs(other))
    return one == other


def read_fields(
    image_path: AnyPath, overrides: dict[str, object] | None, rules: Mapping[str, Rule],
    synonyms: Mapping[str, tuple[str, ...]] | None = None, prefix: str = "",
) -> Fields:  # fmt: skip
    """The fields of an image's sidecars, the nearer over the farther (see `inheritance`); none where there is none.

    overrides : as from `parse_set`; of them those with this `prefix` ("m0scan.") count.
    """
    files = tuple(sidecars_of(image_path))
    contents = {file: _read_json(file) for file in files}
    given = {name: value for content in contents.values() for name, value in content.items()}
    sources = {name: file for file, content in contents.items() for name in content}
    own = {name.removeprefix(prefix): value for name, value in (overrides or {}).items() if name.startswith(prefix)}
    return Fields(sidecar_path(image_path), files, sources, given, own, rules, synonyms or {}, prefix)


def _read_json(path: Path) -> dict[str, Any]:
    """The fields of one file; JSON's null is a field that is not given."""
    cure = "mend it, or remove it and give each --set Field=value"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some Windows programs write a byte order mark
    except OSError as error:
        raise InputError(path, "", f"cannot be read ({error.strerror})", cure) from error
    except ValueError as error:
        raise InputError(path, "", f"is not valid JSON ({error})", cure) from error
    if not isinstance(content, dict):
        raise InputError(path, "", "is not a JSON object of fields", cure)
    return {name: value for name, value in content.items() if value is not None}


def parse_set(assignments: Iterable[str], *, known: Iterable[str]) -> dict[str, object]:
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
