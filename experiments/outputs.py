"""The folder of an estimate's results: what is written there, and that nothing else is touched.

Files that lie there and that no earlier run wrote, inputs among them, are never overwritten or removed: maps.json lists
what a run wrote. It is the last file to be complete; until then it says "complete": false.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from estimate.soundness import share_sound, sound
from simulate.base.errors import InputError
from simulate.base.files import AnyPath, prepare_output_folder, write_atomically
from simulate.base.nifti import write_image
from simulate.base.provenance import InputFile
from simulate.base.types import Maps
from simulate.base.units import clinical_unit

RECORD = "maps.json"
REPORTS = (RECORD, "maps.png", "report.html")
"""What describes the maps."""

ELSEWHERE = "give another --out"


@dataclass(frozen=True)
class Results:
    """A folder that one run may write to.

    names : files that it may write.      earlier : files that an earlier run of the same command wrote, no inputs.
    """

    folder: Path
    command: str
    names: frozenset[str]
    earlier: frozenset[str]

    def begin(self) -> None:
        """Remove what an earlier run wrote; its description would be of maps that are no longer there."""
        files = sorted(self.names | self.earlier)
        self._record({"command": self.command, "complete": False, "files": files})
        for stale in self.earlier - {RECORD}:
            (self.folder / stale).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Where to write one of `names`."""
        if name not in self.names:
            raise AssertionError(f"{name} was not announced, so nobody has looked whether it overwrites a file")
        return self.folder / name

    def write_maps(self, maps: Maps, status: np.ndarray) -> None:
        """NAME.nii.gz of every map with its unit, and status.nii.gz."""
        for name, values in maps.values.items():
            path = self.path(f"{name}.nii.gz")
            write_image(path, values, maps.affine, unit_description=clinical_unit(name))
        write_image(self.path("status.nii.gz"), status, maps.affine, unit_description="bit mask")

    def finish(self, facts: dict[str, Any]) -> None:
        """Write maps.json, with the list of what is there."""
        written = sorted(name for name in self.names | {RECORD} if name == RECORD or (self.folder / name).is_file())
        self._record({**facts, "complete": True, "files": written})

    def _record(self, content: dict[str, Any]) -> None:
        write_atomically(self.folder / RECORD, json.dumps(content, indent=2, allow_nan=False) + "\n")


def claim(folder: AnyPath, *, command: str, names: Iterable[str], inputs: Iterable[InputFile]) -> Results:
    """The folder for the results of a run, made where there is none.

    command : whose results these are ("tracerflow estimate dce").      names : files that it may write.

    Raises
    ------
    InputError where a file that the run would write lies there already and is an input or nobody's that is known, or
    the folder holds results of another command.
    """
    folder = Path(folder)
    record = written_record(folder)
    if record is not None and record.get("command") != command:
        problem = f"holds results of {record.get('command')}, and maps of both would be mixed up"
        raise InputError(folder, RECORD, problem, ELSEWHERE)
    listed = {name for name in (record or {}).get("files", []) if isinstance(name, str) and Path(name).name == name}
    listed |= {RECORD} if record is not None else set()
    read = {_identity(Path(each.path)) for each in inputs}
    own = {name for name in listed if (folder / name).is_file() and _identity(folder / name) not in read}
    wanted = frozenset(names) | set(REPORTS)
    for name in sorted(wanted):
        path = folder / name
        if path.exists() and _identity(path) in read:
            raise InputError(path, "", "is an input, and the results would overwrite it", ELSEWHERE)
        if (path.exists() or path.is_symlink()) and name not in own:
            problem = "is there already, no earlier run says that it wrote it, and the results would overwrite it"
            raise InputError(path, "", problem, ELSEWHERE)
    return Results(prepare_output_folder(folder), command, wanted, frozenset(own))


def _identity(path: Path) -> tuple[int, int]:
    """Of a file, whatever it is called: links have several names."""
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def written_record(folder: AnyPath) -> dict[str, Any] | None:
    """What maps.json in a folder says; None where there is none.

    Raises InputError where the file is not one that a run wrote.
    """
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("files"), list) or "command" not in record:
        raise InputError(path, "", "is there already, and no run wrote it", ELSEWHERE)
    return record


def number(value: Any) -> float | None:
    """JSON knows no NaN: what is not known is null."""
    return float(value) if np.isfinite(value) else None


def medians(maps: Maps, status: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Of every map: its median over the voxels in which it is sound, and their share of all estimated."""
    found = {}
    for name in maps.values:
        values = np.asarray(maps[name], float)[sound(maps, status, name)]
        middle = float(np.median(values)) if values.size else None
        found[name] = {"median": middle, "share of voxels": share_sound(maps, status, name)}
    return found
