"""Grids of voxels in the scanner's space: how coarse a layer's cells are, and a map brought to another grid.

An affine leads from voxel indices, whose integers are voxels' centres, to positions in mm; d axes, mostly 3.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float, Real
from nibabel.affines import voxel_sizes
from scipy.ndimage import affine_transform

from classify.attribution.function import check_finite
from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath
from simulate.files.nifti import Image, same_place, write_image

EDGE = 1e-6
"""Of a voxel, by which rounding may put the edge of a field of view."""


def cells_affine(affine: Any, shape: Sequence[int], cells: Sequence[int]) -> Float[np.ndarray, "d1 d1"]:
    """Affine of a coarser grid of so many cells over the same field of view as the image's (d+1, d+1)."""
    affine = np.asarray(affine, float)
    d = len(shape)
    if affine.shape != (d + 1, d + 1) or len(cells) != d:
        problem = f"has shape {affine.shape} for an image of {d} axes and cells on {len(cells)}"
        raise InputError(
            "affine", "", problem, f"give a ({d + 1}, {d + 1}) affine and cells over all axes of the image"
        )
    ratio = np.asarray(shape) / np.asarray(cells)
    inner = np.diag(np.append(ratio, 1.0))
    inner[:d, d] = (ratio - 1) / 2  # the first cell's centre
    return affine @ inner


def cell_size(affine: Any) -> Float[np.ndarray, " d"]:
    """Edges of a cell [mm]."""
    return voxel_sizes(np.asarray(affine))


def resampled(
    values: Real[ArrayLike, "*space"],
    affine: Any,
    shape: Sequence[int],
    to_affine: Any,
    *,
    outside: float = float("nan"),
) -> Float[np.ndarray, "*grid"]:
    """Bring a map to another grid by linear interpolation in the scanner's space.

    A linear function of position stays what it is. In the outer half of the border's voxels the border's own value
    holds. Onto a coarser grid this samples, it does not average.

    Parameters
    ----------
    values : (...) array
        A map of d axes.
    affine : (d+1, d+1) array
        Of its voxels to positions [mm], oblique as it may be.
    shape : (d,) int
        Of the other grid.
    to_affine : (d+1, d+1) array
        Of the other grid's voxels.
    outside : float
        Value of voxels outside the map's field of view.

    Returns
    -------
    (shape) array
        In the unit of the values.

    Raises
    ------
    InputError
        Where values are not finite, or an affine has not the map's number of axes.
    """
    check_finite("map", "", values, "replace these values, or mask them out, beforehand")
    values = np.asarray(values, float)
    d = values.ndim
    to_affine, affine = np.asarray(to_affine, float), np.asarray(affine, float)
    if not affine.shape == to_affine.shape == (d + 1, d + 1) or len(shape) != d:
        problem = f"have shapes {affine.shape} and {to_affine.shape} for a map of {d} axes"
        raise InputError("affines", "", problem, "bring a map to a grid of as many axes")
    steps = np.linalg.solve(affine, to_affine)  # from the other grid's indices to the map's
    matrix, offset = steps[:d, :d], steps[:d, d]
    found = affine_transform(values, matrix, offset, output_shape=tuple(shape), order=1, mode="nearest")
    found[~_within(values.shape, shape, matrix, offset)] = outside
    return found


def _within(space: Sequence[int], shape: Sequence[int], matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Which voxels of the other grid lie in the map's field of view, its voxels' outer halves with it."""
    inside = np.ones(tuple(shape), bool)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    for row, start, length in zip(matrix, offset, space, strict=True):
        index = sum(step * places for step, places in zip(row, grid, strict=True)) + start
        inside &= (index >= -0.5 - EDGE) & (index <= length - 0.5 + EDGE)
    return inside


def check_one_grid(
    what: str, shape: Sequence[int], other: Sequence[int], affine: Any = None, other_affine: Any = None
) -> None:
    """Refuse two arrays that are not on one grid: by their shapes and, where both are known, by their affines."""
    cure = f"resample one to the other's grid (classify.resampled), then give the {what}"
    if tuple(shape) != tuple(other):
        raise InputError(what, "grid", f"has shape {tuple(shape)}, and the attribution {tuple(other)}", cure)
    if affine is not None and other_affine is not None and not same_place(affine, other_affine):
        raise InputError(what, "grid", "lies elsewhere than the attribution: their affines differ", cure)


def write_attribution(
    path: AnyPath,
    values: Real[ArrayLike, "x y z"],
    affine: Any,
    *,
    anatomy: Image | None = None,
    unit: str = "logit",
) -> None:
    """Write a map as NIfTI with its own affine, or on the grid of an anatomical image to lie over it.

    Parameters
    ----------
    path : path
        Of a .nii or .nii.gz file.
    values : (x, y, z) array
        An attribution.
    affine : (4, 4) array
        Of its voxels to positions [mm].
    anatomy : Image, optional
        Whose grid the map is brought to by `resampled`; 0 outside the map's field of view.
    unit : str
        Of the values, kept in the header.

    Raises
    ------
    InputError
        Where values are not finite.
    """
    check_finite("map", "", values, "replace these values, or mask them out, beforehand")
    if anatomy is not None:
        values = resampled(values, affine, anatomy.data.shape[:3], anatomy.affine, outside=0.0)
        affine = anatomy.affine
    write_image(path, values, affine, unit_description=unit)
