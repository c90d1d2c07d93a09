"""The folder of an estimate's results: what is written there, and that nothing else is touched.

Files that lie there and that no earlier run wrote as they are, inputs among them, are never overwritten or removed:
maps.json lists what a run wrote, with checksums. It is the last file to be complete; until then it says
"complete": false.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from estimate.maps.soundness import share_sound, sound
from simulate.base.errors import InputError
from simulate.base.types import Maps
from simulate.base.units import clinical_unit
from simulate.files.atomic import AnyPath, prepare_output_folder, sha256_of, write_atomically
from simulate.files.nifti import write_image
from simulate.files.provenance import InputFile

RECORD = "maps.json"
REPORTS = ("maps.png", "report.html")
"""What shows the maps, for people."""

ELSEWHERE = "give another --out"


@dataclass(frozen=True)
class Results:
    """A folder that one run may write to.

    names : files that it may write.      earlier : files as an earlier run of the same command wrote them, no inputs.
    written : files that this run has begun to write.
    """

    folder: Path
    command: str
    names: frozenset[str]
    earlier: frozenset[str]
    written: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Remove what an earlier run wrote; its description would be of maps that are no longer there."""
        self._record({"command": self.command, "complete": False, "files": dict.fromkeys(self.earlier)})
        for stale in self.earlier - {RECORD}:
            (self.folder / stale).unlink(missing_ok=True)
        self._record({"command": self.command, "complete": False, "files": {}})

    def path(self, name: str) -> Path:
        """Where to write one of `names`, which is on record from now on."""
        self.note(name)
        return self.folder / name

    def note(self, *names: str) -> None:
        """Put files on record that are about to be written."""
        if unknown := set(names) - self.names:
            raise AssertionError(f"{unknown} were not announced, so nobody has looked whether they overwrite a file")
        self.written.extend(names)
        self._record({"command": self.command, "complete": False, "files": dict.fromkeys(self.written)})

    def write_maps(self, maps: Maps, status: np.ndarray) -> None:
        """NAME.nii.gz of every map with its unit, and status.nii.gz."""
        for name, values in maps.values.items():
            path = self.path(f"{name}.nii.gz")
            write_image(path, values, maps.affine, unit_description=clinical_unit(name))
        write_image(self.path("status.nii.gz"), status, maps.affine, unit_description="bit mask")

    def finish(self, facts: dict[str, Any]) -> None:
        """Write maps.json, with the list of what is there and its checksums."""
        there = sorted(name for name in self.written if (self.folder / name).is_file())
        self._record({**facts, "complete": True, "files": {name: sha256_of(self.folder / name) for name in there}})

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
    read = {_identity(Path(each.path)) for each in inputs}
    listed = {RECORD: None, **record["files"]} if record is not None else {}
    own = {
        name for name, checksum in listed.items()
        if Path(name).name == name and (folder / name).is_file() and _identity(folder / name) not in read
        and checksum in (None, sha256_of(folder / name))
    }  # fmt: skip
    wanted = frozenset({*names, *REPORTS, RECORD})
    for name in sorted(wanted):
        path = folder / name
        if path.exists() and _identity(path) in read:
            raise InputError(path, "", "is an input, and the results would overwrite it", ELSEWHERE)
        if (path.exists() or path.is_symlink()) and name not in own:
            problem = "is there already, not as an earlier run wrote it, and the results would overwrite it"
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
    if not isinstance(record, dict) or not isinstance(record.get("files"), dict) or "command" not in record:
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
