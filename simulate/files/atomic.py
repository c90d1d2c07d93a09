"""Files appear whole or not at all: written to a temporary name in the same folder, then renamed."""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from simulate.base.errors import InputError

AnyPath = str | os.PathLike[str]


@contextmanager
def temporary_sibling(path: AnyPath) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on any exception.

    The temporary name ends with the full name of `path`, because libraries choose the format by the ending.
    The rename is atomic, so a reader sees the old file or the new one and never a part of either.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(path, "", "is a folder", "give the name of a file to write")
    if not path.parent.is_dir():
        raise InputError(path, "", "its folder does not exist", "create the folder first")
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: AnyPath) -> None:
    """Remove what a killed process left of `path` under temporary names. No other may be writing it."""
    path = Path(path)
    for temporary in path.parent.glob(f".{'[0-9a-f]' * 8}.{escape(path.name)}"):
        temporary.unlink(missing_ok=True)


def write_atomically(path: AnyPath, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes to `path`, whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    with temporary_sibling(path) as temporary:
        temporary.write_bytes(data)


def prepare_output_folder(path: AnyPath) -> Path:
    """Create the folder (and its parents) and prove that a file can be written there, before long work."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # os.access says yes to root even on a read-only disk; only a real file tells.
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        blocking = next((p for p in (folder, *folder.parents) if p.is_file()), folder)
        raise InputError(
            folder, "", f"cannot be a folder, because {blocking} is a file", "give another output folder"
        ) from error
    except OSError as error:
        raise InputError(
            folder, "", f"cannot be written to ({error.strerror})", "give a folder that you may write to"
        ) from error
    return folder


def sha256_of(path: AnyPath) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(path, "", f"cannot be read ({error.strerror})", "check the path") from error
