"""Images on the grid of a series, read and noted for the provenance: maps, masks, regions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from simulate.base.errors import InputError
from simulate.base.image_files import sidecar_path
from simulate.base.nifti import Image, check_same_grid, read_image


def read_map(path: Path, image: Image, what: str, files: list[Path]) -> np.ndarray:
    own = read_image(path, dimensions=3)
    check_same_grid(own, image, what)
    files.append(path)
    return own.data


def as_series(image: Image) -> Image:
    """One volume is stored in three dimensions by many programs: a series of one."""
    return image if image.data.ndim == 4 else replace(image, data=image.data[..., None])


def sidecar_of(path: Path) -> list[Path]:
    """The sidecar, where there is one: --set can stand in for all of it."""
    return [sidecar] if (sidecar := sidecar_path(path)).is_file() else []


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
