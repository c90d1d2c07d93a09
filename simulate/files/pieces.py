"""A list of independent pieces of work in one folder: each a file, written whole; what is there is not done again.

The folder holds `manifest.json` with the configuration, a digest of the code that makes the pieces, and their names. A
run that was killed goes on where it stopped, since a file that has its final name is complete; another configuration is
refused, and so is other code. Where pieces of one folder are made by different things, each carries the `key` of its
own in its name, so that what was made otherwise is left alone and not read. One run at a time works in a folder.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.runtime import drop_programs_if_many
from simulate.files.atomic import AnyPath, prepare_output_folder, remove_leftovers, write_atomically
from simulate.files.sources import code_digest

MANIFEST = "manifest.json"


def run_pieces(
    folder: AnyPath,
    names: Sequence[str],
    work: Callable[[int, Path], None],
    *,
    config: dict[str, Any],
    code: Sequence[str],
    what: str = "pieces",
    progress: Progress = silent,
) -> list[Path]:
    """Do every piece whose file is not there yet; return the paths of all.

    Parameters
    ----------
    names : file name of each piece.      work : called with the index and the path that it has to write, whole or
        not at all (`simulate.files.atomic.temporary_sibling`); it may depend on nothing but these and `config`.
    config : what makes the pieces, ready for JSON.
    code : modules that make them, see `simulate.files.sources`; none where every name carries a `key`.
    what : the pieces are, for the progress.

    Raises
    ------
    InputError where the folder holds pieces of another configuration, or made by other code.
    """
    folder = prepare_output_folder(folder)
    made_by = {"code": code_digest(*code)} if code else {}
    _claim(folder, {"config": config, **made_by, "pieces": list(names)})
    paths = [folder / name for name in names]
    for done, path in enumerate(paths):
        progress(what, done, len(paths))
        if not path.exists():
            remove_leftovers(path)
            work(done, path)
            drop_programs_if_many()
    progress(what, len(paths), len(paths))
    return paths


def key(facts: dict[str, Any], *modules: str) -> str:
    """Twelve hexadecimal digits that change with what makes a piece: facts, ready for JSON, and these modules' code."""
    text = json.dumps([facts, code_digest(*modules)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _claim(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or see that the one there is the same. More pieces of the same kind may be asked for."""
    path = folder / MANIFEST
    if path.exists():
        try:
            there = json.loads(path.read_text())
            known, code = there["config"], there.get("code")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(path, "", "is no manifest", "give another output folder") from error
        if known != json.loads(json.dumps(manifest["config"])):
            raise InputError(
                path, "config", "is another one than asked for now", "give another output folder, or the same options"
            )
        if code != manifest.get("code"):
            raise InputError(
                path, "code", "is of another version than runs now, which may make other pieces",
                "give another output folder, or delete this one",
            )  # fmt: skip
    write_atomically(path, json.dumps(manifest, indent=2) + "\n")
