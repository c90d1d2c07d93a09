"""What `tracerflow simulate dce` can be told, in a TOML file: every key with its default, unit and range."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from simulate.base.errors import InputError


class Key(NamedTuple):
    """A key of the configuration: its default, what it may hold as a test and in words."""

    default: Any
    holds: Callable[[Any], bool]
    words: str


Rule = tuple[Callable[[Any], bool], str]


def _number(low: float | int, high: float | int, unit: str, *, whole: bool = False) -> Rule:
    kinds = (int,) if whole else (int, float)

    def holds(value: Any) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high

    kind = "a whole number" if whole else "a number"
    return holds, f"{kind} from {low:g} to {high:g}{' ' + unit if unit else ''}"


def _three(low: float | int, high: float | int, unit: str, *, whole: bool = False) -> tuple[Callable[[Any], bool], str]:
    one, words = _number(low, high, unit, whole=whole)

    def holds(value: Any) -> bool:
        return isinstance(value, list) and len(value) == 3 and all(one(v) for v in value)

    return holds, f"a list of three, each {words}"


def _one_of(*names: Any) -> Rule:
    return (lambda value: value in names and not isinstance(value, bool)), f"one of {', '.join(map(str, names))}"


def _capillaries(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"2cxm|dp|tanks-[1-9]\d?", value) is not None


CONFIG: dict[str, dict[str, Key]] = {
    "": {
        "seed": Key(0, *_number(0, 2**31 - 1, "", whole=True)),
        "phantoms": Key(1, *_number(1, 1_000_000, "", whole=True)),
        "memory": Key(8.0, *_number(0.1, 4096, "GB")),
    },
    "phantom": {
        "grade": Key(4, *_one_of(0, 2, 3, 4)),
        "capillaries": Key("2cxm", _capillaries, "2cxm, dp or tanks-N with N up to 99"),
        "shape": Key([32, 32, 32], *_three(8, 1024, "cells", whole=True)),
        "cell": Key([2.0, 2.0, 2.0], *_three(0.05, 20, "mm")),
        "late_feed": Key(4.0, *_number(0, 30, "s")),
    },
    "vessels": {
        "terminals": Key(5000, *_number(2, 10_000_000, "", whole=True)),
        "haematocrit": Key(0.42, *_number(0, 0.69, "")),
    },
    "aif": {
        "name": Key("parker", *_one_of("parker", "georgiou")),
        "onset": Key(20.0, *_number(0, 600, "s")),
        "amplitude": Key(1.0, *_number(0.05, 10, "times the population's")),
    },
    "protocol": {
        "frames": Key(100, *_number(2, 10_000, "", whole=True)),
        "frame_spacing": Key(2.0, *_number(0.1, 300, "s")),
        "RepetitionTimeExcitation": Key(0.004, *_number(1e-4, 0.999, "s")),
        "EchoTime": Key(0.0015, *_number(0, 0.999, "s")),
        "FlipAngle": Key(20.0, *_number(0.1, 90, "degrees")),
        "LongitudinalRelaxivity": Key(5.0, *_number(0.1, 100, "1/(s mmol/L)")),
        "MagneticFieldStrength": Key(3.0, *_number(0.1, 30, "T")),
    },
    "measurement": {
        "snr": Key(50.0, *_number(0.1, 1e6, "")),
        "coarsen": Key(1, *_number(1, 64, "cells", whole=True)),
        "frequencies": Key(512, *_number(64, 65536, "", whole=True)),
    },
}
"""Section -> key -> what it may hold. One phantom is one examination; phantom i has the seed and i as its key."""


def read_config(path: Path | None) -> dict[str, dict[str, Any]]:
    """The configuration of a TOML file, every key filled in; the defaults where there is no file.

    Raises InputError for a file that is no TOML, an unknown section or key, or a value out of its range.
    """
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(path, "", f"cannot be read ({error.strerror})", "check the path") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(path, "", f"is not valid TOML ({error})", "mend it") from error
    where = path or Path("defaults")
    sections = {name: value for name, value in given.items() if isinstance(value, dict)}
    sections[""] = {name: value for name, value in given.items() if not isinstance(value, dict)}
    for section in sections:
        if section not in CONFIG:
            known = ", ".join(f"[{name}]" for name in CONFIG if name)
            raise InputError(where, f"[{section}]", "is no known section", f"choose among {known}")
    return {section: _read_section(where, section, sections.get(section, {})) for section in CONFIG}


def _read_section(where: Path, section: str, given: dict[str, Any]) -> dict[str, Any]:
    keys = CONFIG[section]
    for name, value in given.items():
        label = f"{section}.{name}".lstrip(".")
        if name not in keys:
            raise InputError(where, label, "is no known key", f"choose among {', '.join(keys)}")
        if not keys[name].holds(value):
            raise InputError(where, label, f"is {value!r}", f"give {keys[name].words}")
    return {name: given.get(name, key.default) for name, key in keys.items()}


def config_help() -> str:
    """The whole configuration as TOML, with what every key may hold."""
    lines = []
    for section, keys in CONFIG.items():
        lines += [f"[{section}]"] if section else []
        for name, key in keys.items():
            value = f'"{key.default}"' if isinstance(key.default, str) else key.default
            lines.append(f"{name} = {value}  # {key.words}")
        lines.append("")
    return "\n".join(lines)
