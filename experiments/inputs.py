"""Images on the grid of a series, read and noted for the provenance: maps, masks, regions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from simulate.base.bids import sidecars_of
from simulate.base.errors import InputError
from simulate.base.image_files import image_files
from simulate.base.nifti import Image, check_same_grid, read_image


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


def read_mask(path: Path | None, image: Image, files: list[Path]) -> np.ndarray | None:
    if path is None:
        return None
    mask = read_region(path, image, "mask", files)
    if not mask.any():
        raise InputError(path, "mask", "holds no voxel", "give one that covers the tissue of interest")
    return mask


def read_region(path: Path, image: Image, what: str, files: list[Path]) -> np.ndarray:
    """Voxels that are not zero; NaN, which some programs write outside a region, is outside."""
    return np.nan_to_num(read_map(path, image, what, files)) != 0
