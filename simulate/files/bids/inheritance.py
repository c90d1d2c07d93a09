"""Which metadata files apply to an image: BIDS's inheritance principle.

https://bids-specification.readthedocs.io/en/stable/common-principles.html#the-inheritance-principle
A file applies from its folder downwards where its suffix is the image's and it has no entity that the image lacks.
BIDS allows one at each level; where there are several, each of which only adds entities to the one before, the order
is plain all the same, and they are taken from general to specific.
"""

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath
from simulate.files.image_files import image_stem, sidecar_path

DATASET = "dataset_description.json"
"""What lies in the root of a dataset."""

_ENTITY = re.compile(r"[a-zA-Z]+-[a-zA-Z0-9+]+")
_SUFFIX = re.compile(r"[a-zA-Z0-9]+")


class Name(NamedTuple):
    """sub-1_run-2_asl: entities {"sub-1", "run-2"} and suffix "asl"."""

    entities: frozenset[str]
    suffix: str


def parse_name(stem: str) -> Name | None:
    """The parts of a name after BIDS, None where it is none."""
    *entities, suffix = stem.split("_")
    if not (_SUFFIX.fullmatch(suffix) and all(map(_ENTITY.fullmatch, entities))):
        return None
    return Name(frozenset(entities), suffix)


def image_name(image_path: AnyPath) -> Name | None:
    """As `parse_name`, of an image: its name begins with the subject."""
    stem = image_stem(image_path)
    return parse_name(stem) if stem.startswith("sub-") else None


def dataset_root(path: AnyPath) -> Path | None:
    """The nearest folder above a file that holds dataset_description.json, absolute."""
    above = Path(os.path.abspath(path)).parents  # symbolic links are kept: git-annex stores the files elsewhere
    return next((folder for folder in above if os.path.isfile(folder / DATASET)), None)


def applicable_files(image_path: AnyPath, suffix: str, ending: str) -> list[Path]:
    """All *_SUFFIX.ENDING that apply to an image with a name after BIDS, from general to specific.

    Raises InputError where two of one level apply and neither is more specific, which BIDS forbids.
    """
    name = image_name(image_path)
    if name is None:
        return []
    return [file for folder in _levels(Path(image_path)) for file in _of_level(folder, name.entities, suffix, ending)]


def sidecars_of(image_path: AnyPath) -> list[Path]:
    """The JSON files that apply to an image, from general to specific; x.json alone where x is no name after BIDS."""
    name = image_name(image_path)
    if name is not None:
        return applicable_files(image_path, name.suffix, ".json")
    beside = sidecar_path(image_path)
    return [beside] if beside.exists() else []


def _levels(image_path: Path) -> list[Path]:
    """Folders from the dataset's root down to the image's; outside a dataset the image's alone."""
    root, own = dataset_root(image_path), image_path.parent
    if root is None:
        return [own]
    inside = Path(os.path.abspath(own))
    above = [folder for folder in reversed(inside.parents) if folder.is_relative_to(root)]
    if not image_path.is_absolute():
        above = [Path(os.path.relpath(folder)) for folder in above]  # as the user names his files
    return [*above, own]


def _of_level(folder: Path, entities: frozenset[str], suffix: str, ending: str) -> list[Path]:
    found = []
    for file in folder.glob(f"*{suffix}{ending}"):
        name = parse_name(file.name.removesuffix(ending))
        if name is not None and name.suffix == suffix and name.entities <= entities:
            found.append((name.entities, file))
    found.sort(key=lambda entry: (len(entry[0]), entry[1]))
    for (general, one), (specific, other) in pairwise(found):
        if not general < specific:
            problem = f"applies as well as {one}, and neither is more specific, which BIDS forbids"
            raise InputError(other, "", problem, "join the two, or name one after the image alone")
    return [file for _, file in found]
