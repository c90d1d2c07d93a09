"""What every output carries so that it can be reproduced: config, seed, versions, checksums of the inputs."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulate.base.files import AnyPath, sha256_of
from simulate.base.selfcheck import environment


def provenance(
    *, command: str, options: dict[str, Any], inputs: Iterable[AnyPath], seed: int | None = None
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
        "inputs": [
            {"path": str(path), "sha256": sha256_of(path), "bytes": Path(path).stat().st_size} for path in inputs
        ],
    }


def _as_json(options: dict[str, Any]) -> dict[str, Any]:
    """The options in JSON's own types."""
    return json.loads(json.dumps(options, default=lambda v: v.tolist() if hasattr(v, "tolist") else str(v)))
