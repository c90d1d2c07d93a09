"""What a voxel records of the cells in it."""

from typing import Any


def voxel_average(cells: Any, coarsen: int) -> Any:
    """Mean of a NumPy or JAX array over cubes of `coarsen` cells along its first three axes.

    Where that is 1 the cells are the voxels, on a grid or not.
    """
    if coarsen == 1:
        return cells
    x, y, z = (n // coarsen for n in cells.shape[:3])
    return cells.reshape(x, coarsen, y, coarsen, z, coarsen, *cells.shape[3:]).mean(axis=(1, 3, 5))
