"""Configurations from TOML, read strictly, and as TOML with what every key may hold."""

import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs

from simulate.base.errors import InputError
from simulate.base.typed import Config, words

C = TypeVar("C", bound=Config)


def read_toml(path: Path | None, kind: type[C]) -> C:
    """The configuration of a TOML file; what it does not name, and all where there is no file, is the default.

    Raises InputError for a file that is no TOML, an unknown section or key, a value out of its range, or values that
    do not go together.
    """
    if path is None:
        return kind()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, "", f"cannot be read ({error.strerror})", "check the path") from error
    except ValueError as error:  # no TOML, no UTF-8, or a whole number of thousands of digits
        raise InputError(path, "", f"is not valid TOML ({error})", "mend it") from error
    return _read_section(path, kind, given)


def _read_section(path: Path, kind: type[C], given: dict[str, Any], section: str = "") -> C:
    sections = _sections(kind())
    keys = [name for name in kind.__struct_fields__ if name not in sections]
    values = {}
    for name, value in given.items():
        label = _join(section, name)
        if isinstance(value, dict) and sections:
            if name not in sections:
                known = ", ".join(f"[{_join(section, each)}]" for each in sections)
                raise InputError(path, f"[{label}]", "is no known section", f"choose among {known}")
            values[name] = _read_section(path, type(sections[name]), value, label)
        elif name in keys:
            values[name] = value
        else:
            raise InputError(path, label, "is no known key", f"choose among {', '.join(keys)}")
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(path, _join(section, error.field), error.problem, error.cure) from error


def as_toml(config: Config, section: str = "") -> str:
    """A configuration as TOML, what every key may hold beside it."""
    sections = _sections(config)
    keys = [field for field in structs.fields(config) if field.name not in sections]
    lines = [f"{key.name} = {json.dumps(getattr(config, key.name))}  # {words(key.type)}" for key in keys]
    for name, part in sections.items():
        label = _join(section, name)
        lines += ["", f"[{label}]", as_toml(part, label)]
    return "\n".join(lines)


def _sections(config: Config) -> dict[str, Config]:
    return {name: value for name, value in structs.asdict(config).items() if isinstance(value, Config)}


def _join(section: str, name: str) -> str:
    return f"{section}.{name}".lstrip(".")
