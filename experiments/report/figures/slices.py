"""How a volume lies on the page: axial slices in radiological convention, whatever its stored orientation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Real, Shaped
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from nibabel.affines import voxel_sizes
from nibabel.orientations import apply_orientation, io_orientation


def display_slices(volume: Any, affine: Any) -> Shaped[np.ndarray, "slices rows columns"]:
    """Axial slices as drawn: row 0 anterior, column 0 the patient's right, slices from inferior to superior.

    volume : array of 1 to 3 dimensions in any orientation, told by `affine` (None: taken as RAS+).
    """
    volume = np.asarray(volume)
    volume = volume.reshape(volume.shape + (1,) * (3 - volume.ndim))
    ras = apply_orientation(volume, _orientation(affine))
    return ras[::-1, ::-1].transpose(2, 1, 0)


def slice_titles(slices: Sequence[int], shape: tuple[int, ...], affine: Any) -> list[str]:
    """Slice numbers as stored in the file, from 0, whatever the direction of the stored axis."""
    axis, direction = next((a, d) for a, (to, d) in enumerate(_orientation(affine)) if to == 2)
    length = (*shape, 1, 1)[axis]
    return [f"slice {k if direction > 0 else length - 1 - k}" for k in slices]


def pixel_aspect(affine: Any) -> float:
    """Height over width of a displayed voxel."""
    if affine is None:
        return 1.0
    size = dict(zip(_orientation(affine)[:, 0], voxel_sizes(affine), strict=True))
    return float(size[1] / size[0])


def representative(amounts: Real[np.ndarray, " slices"], most: int) -> list[int]:
    """Evenly spaced among the fullest slices: those with at least half of what the fullest holds."""
    fullest = np.flatnonzero(amounts >= amounts.max() / 2)
    count = min(most, len(fullest))
    return [int(fullest[(2 * k + 1) * len(fullest) // (2 * count)]) for k in range(count)]


def mark_sides(axes: Axes, affine: Any) -> None:
    """R and L, where the affine tells which side is which: `display_slices` puts the patient's right in column 0."""
    if affine is None:
        return
    outline = [withStroke(linewidth=1.6, foreground="black")]
    for x, side in ((0.03, "R"), (0.97, "L")):
        axes.text(
            x, 0.04, side, transform=axes.transAxes, fontsize=7.5, color="white", fontweight="bold",
            ha="left" if side == "R" else "right", va="bottom", path_effects=outline,
        )  # fmt: skip


def _orientation(affine: Any) -> np.ndarray:
    return io_orientation(np.eye(4) if affine is None else np.asarray(affine))
