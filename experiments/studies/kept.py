"""Records of a study's long work, kept in its folder: a killed run reads what is there and makes the rest."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulate.base.progress import Progress
from simulate.files.atomic import write_atomically
from simulate.files.pieces import run_pieces


def kept_records(
    folder: Path, names: Sequence[str], record: Callable[[int], dict[str, Any]], *, what: str, progress: Progress
) -> list[dict[str, Any]]:
    """All records, in the order of their names.

    names : of the files; each holds the `simulate.files.pieces.key` of all that makes its record, so that one that was
        made otherwise is left alone and not read.
    record : called with the index of a file that is not there; ready for JSON.
    what : they are, for the progress.
    """

    def work(index: int, path: Path) -> None:
        write_atomically(path, json.dumps(record(index)) + "\n")

    files = run_pieces(folder, names, work, config={}, code=(), what=what, progress=progress)
    return [json.loads(path.read_text()) for path in files]
