"""What every output carries so that it can be reproduced: config, seed, versions, checksums of the inputs."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from simulate.base.selfcheck import environment
from simulate.files.atomic import AnyPath, sha256_of


class InputFile(NamedTuple):
    """A file as it was when it was read: results may be written before the record of a run is."""

    path: str
    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: AnyPath) -> "InputFile":
        """Raises InputError where the file cannot be read."""
        return cls(str(path), sha256_of(path), Path(path).stat().st_size)


def provenance(
    *, command: str, options: dict[str, Any], inputs: Iterable[InputFile], seed: int | None = None
) -> dict[str, Any]:
    """Record of one run, ready for JSON.

    command : what was run, as typed.     options : its settings; arrays become lists, paths strings.
    inputs : files that were read.        seed : of the random keys, where there were any.
    """
    return {
        "command": command,
        "options": _as_json(options),
        "seed": seed,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": environment(),
        "inputs": [each._asdict() for each in inputs],
    }


def _as_json(options: dict[str, Any]) -> dict[str, Any]:
    """The options in JSON's own types."""
    return json.loads(json.dumps(options, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v)))
