"""Images on the grid of a series, read and noted for the provenance: maps, masks, regions."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from estimate.signal.region import region_of, region_words
from simulate.files.bids.inheritance import sidecars_of
from simulate.files.image_files import image_files
from simulate.files.nifti import Image, check_same_grid, read_image

_LABELLED = re.compile(r"(?P<path>.+\.(nii|nii\.gz|hdr|img|hdr\.gz|img\.gz)):(?P<labels>\d+(,\d+)*)")


def read_map(path: Path, image: Image, what: str, files: list[Path]) -> np.ndarray:
    own = read_image(path, dimensions=3)
    check_same_grid(own, image, what)
    files += image_files(path)
    return own.data


def as_series(image: Image) -> Image:
    """One volume is stored in three dimensions by many programs: a series of one."""
    return image if image.data.ndim == 4 else replace(image, data=image.data[..., None])


def files_of(*paths: Path) -> list[Path]:
    """All that is read of images, each once: their own files and the sidecars, where there are any."""
    return list(dict.fromkeys(file for path in paths for file in (*image_files(path), *sidecars_of(path))))


def split_labels(text: str | Path) -> tuple[Path, tuple[int, ...] | None]:
    """The file of a region, and the labels of it that are asked for: seg.nii.gz:1 or seg.nii.gz:1,2."""
    found = _LABELLED.fullmatch(str(text))
    if found is None or Path(text).is_file():
        return Path(text), None
    return Path(found["path"]), tuple(int(label) for label in found["labels"].split(","))


def read_region(text: str | Path, image: Image, what: str, files: list[Path]) -> np.ndarray:
    """The image of a region as it is stored, for who checks it; booleans where labels of it are asked for."""
    path, labels = split_labels(text)
    values = read_map(path, image, what, files)
    return values if labels is None else region_of(values, path, what, labels=labels)


def read_mask(text: str | Path, image: Image, files: list[Path]) -> tuple[np.ndarray, str]:
    """Voxels of a mask, and what of the file makes them."""
    path, labels = split_labels(text)
    values = read_region(text, image, "mask", files)
    if labels is not None:
        return values, f"{path}, label {', '.join(map(str, labels))}"
    return region_of(values, path, "mask"), region_words(values, path)
