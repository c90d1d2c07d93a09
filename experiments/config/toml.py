"""Configurations in TOML: tables of keys with default, unit and range; read strictly, printed with their words."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from simulate.base.errors import InputError


class Key(NamedTuple):
    """A key of the configuration: its default, what it may hold as a test and in words."""

    default: Any
    holds: Callable[[Any], bool]
    words: str


Rule = tuple[Callable[[Any], bool], str]


def number(low: float | int, high: float | int, unit: str, *, whole: bool = False) -> Rule:
    kinds = (int,) if whole else (int, float)

    def holds(value: Any) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high

    kind = "a whole number" if whole else "a number"
    return holds, f"{kind} from {low:g} to {high:g}{' ' + unit if unit else ''}"


def several(
    low: float | int, high: float | int, unit: str, *, whole: bool = False, count: Literal[2, 3] | None = 3
) -> Rule:
    """A list of two or three numbers; None takes any number of them, none as well."""
    one, words = number(low, high, unit, whole=whole)

    def holds(value: Any) -> bool:
        return isinstance(value, list) and (count is None or len(value) == count) and all(one(v) for v in value)

    length = "" if count is None else f" of {'two' if count == 2 else 'three'}"
    return holds, f"a list{length}, each {words}"


def switch(words: str) -> Rule:
    return (lambda value: isinstance(value, bool)), f"true to {words}, or false"


def one_of(*names: Any) -> Rule:
    return (lambda value: value in names and not isinstance(value, bool)), f"one of {', '.join(map(str, names))}"


Sections = dict[str, dict[str, Key]]
"""Section -> key -> what it may hold; the keys of section "" stand above all others."""


def read_toml(path: Path | None, sections_known: Sections) -> dict[str, dict[str, Any]]:
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
        if section not in sections_known:
            known = ", ".join(f"[{name}]" for name in sections_known if name)
            raise InputError(where, f"[{section}]", "is no known section", f"choose among {known}")
    return {
        section: _read_section(where, section, keys, sections.get(section, {}))
        for section, keys in sections_known.items()
    }


def _read_section(where: Path, section: str, keys: dict[str, Key], given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        label = f"{section}.{name}".lstrip(".")
        if name not in keys:
            raise InputError(where, label, "is no known key", f"choose among {', '.join(keys)}")
        if not keys[name].holds(value):
            raise InputError(where, label, f"is {value!r}", f"give {keys[name].words}")
    return {name: given.get(name, key.default) for name, key in keys.items()}


def toml_help(sections: Sections) -> str:
    """The whole configuration as TOML, with what every key may hold."""
    lines = []
    for section, keys in sections.items():
        lines += [f"[{section}]"] if section else []
        for name, key in keys.items():
            value = json.dumps(key.default)
            lines.append(f"{name} = {value}  # {key.words}")
        lines.append("")
    return "\n".join(lines)
