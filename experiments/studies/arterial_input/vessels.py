"""Shares of blood of vessels painted into a grid: straight, diagonal or curved, whole voxels wide or less."""

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

_FINE = 5  # points along each edge of a voxel: the width of a thin vessel along an axis is right on average alone
_STEP = 0.05  # voxels between points of a centre line


def random_vessel(
    rng: np.random.Generator, shape: tuple[int, int, int], diameter: float, slices: int
) -> Float[np.ndarray, "x y z"]:
    """Share of blood of a vessel [voxels] somewhere in the last slices of a grid, straight in two of three."""
    bend = float(rng.choice([0.0, 0.0, rng.uniform(0.1, 0.6)]))
    slab = (*shape[:2], slices)
    share = blood_share(centre_line(rng, slab, bend=bend), slab, diameter)
    return np.pad(share, ((0, 0), (0, 0), (shape[2] - slices, 0)))


def centre_line(rng: np.random.Generator, shape: tuple[int, int, int], *, bend: float) -> Float[np.ndarray, "p 3"]:
    """A line through the middle of the grid from face to face, in any direction [voxels].

    bend : curvature over the grid's edge; 0 is straight.
    """
    size = np.asarray(shape, float)
    direction, across = rng.normal(size=(2, 3))
    if rng.random() < 0.5:  # many vessels run along an axis of the image
        direction = np.eye(3)[rng.integers(3)] + 0.02 * direction
    direction /= np.linalg.norm(direction)
    across -= direction * (across @ direction)
    across /= np.linalg.norm(across)
    along = np.arange(-1.5 * size.max(), 1.5 * size.max(), _STEP)[:, None]
    middle = size * rng.uniform(0.25, 0.75, 3)
    line = middle + along * direction + bend * along**2 / size.max() * across
    return line[np.all((line > -5) & (line < size + 5), axis=1)]


def blood_share(
    line: Float[np.ndarray, "p 3"], shape: tuple[int, int, int], diameter: float
) -> Float[np.ndarray, "x y z"]:
    """Share of every voxel within a tube of this diameter [voxels] around a line."""
    tree = KDTree(line)
    centres = np.indices(shape).reshape(3, -1).T + 0.5
    near = np.flatnonzero(tree.query(centres, distance_upper_bound=diameter / 2 + 1)[0] < np.inf)
    share = np.zeros(len(centres))
    if near.size:
        offsets = (np.indices((_FINE,) * 3).reshape(3, -1).T + 0.5) / _FINE - 0.5
        points = (centres[near, None] + offsets).reshape(-1, 3)
        inside = tree.query(points, distance_upper_bound=diameter / 2)[0] < np.inf
        share[near] = inside.reshape(near.size, -1).mean(axis=1)
    return share.reshape(shape)
