"""The anatomy of a brain: outline, hemispheres, folded cortex, ventricles, deep grey matter, cerebellum.

Geometry that looks like a brain at 1 to 3 mm: no atlas, so nobody's images are in it. Axes are RAS: x to the right,
y to the front, z upwards [mm], with 0 between the hemispheres, over the middle of the corpus callosum's length.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_closing, distance_transform_edt, map_coordinates

from simulate.base.errors import InputError
from simulate.patients import healthy
from simulate.phantoms.fields import smooth_field
from simulate.phantoms.priors import Region

BOX = ((-74.0, 74.0), (-94.0, 90.0), (-72.0, 70.0))
"""Field of view [mm]."""

CEREBRUM = (66.0, 84.0, 62.0)
"""Half axes of the cerebrum's outline [mm]; about 1.2 L with what it encloses."""

ROUNDNESS = 2.4
"""Exponent of its superellipsoid; 2 is an ellipsoid."""

GYRUS = 5.0
"""Correlation length of what folds the cortex [mm]: sulci lie some 15 mm apart."""

SULCUS_DEPTH, SULCUS_WIDTH = 16.0, 1.3
"""How deep sulci reach below the outline, and how wide they are [mm]."""

LARGEST_CELL = 4.0
"""Cells [mm] beyond which there is no cortical ribbon to see."""

Ellipsoid = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Centre and half axes [mm], of the right side where x is not 0."""

VENTRICLES: tuple[Ellipsoid, ...] = (
    ((9.0, 2.0, 13.0), (4.5, 30.0, 6.0)),
    ((11.0, 27.0, 7.0), (4.5, 11.0, 9.0)),
    ((21.0, -33.0, 8.0), (5.0, 15.0, 8.0)),
    ((31.0, -14.0, -13.0), (3.0, 14.0, 3.5)),
)
THIRD_AND_FOURTH: tuple[Ellipsoid, ...] = (
    ((0.0, -6.0, -2.0), (2.0, 13.0, 8.0)),
    ((0.0, -44.0, -30.0), (5.0, 5.0, 8.0)),
)
THALAMUS_AND_CAUDATE: tuple[Ellipsoid, ...] = (
    ((11.5, -14.0, 3.0), (8.0, 14.0, 9.0)),
    ((14.0, 18.0, 7.0), (6.0, 13.0, 9.0)),
)
PUTAMEN: tuple[Ellipsoid, ...] = (((26.0, 4.0, -1.0), (6.0, 16.0, 10.0)),)


@dataclass(frozen=True)
class Brain:
    """Healthy tissue on a grid of cells.

    Attributes
    ----------
    region : (x, y, z) int array
        Values of `Region`.
    depth : (x, y, z) array [mm]
        Below the outline of the cerebrum; 0 outside of it.
    deep : (x, y, z) bool array
        Grey matter that is no cortex.
    cell : float [mm]
        Edge of a cell.
    affine : (4, 4) array [mm]
        Cell index to position, RAS.
    """

    region: Any
    depth: Any
    deep: Any
    cell: float
    affine: Any

    def positions(self) -> Float[np.ndarray, "3 x y z"]:
        """Of the cells' centres [mm]."""
        return positions(self.cell)


def brain(rng: np.random.Generator, *, cell: float = 2.0, age: float = healthy.MEAN_AGE) -> Brain:
    """Draw the anatomy of somebody of this age.

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws.
    cell : float [mm]
        Edge of a cell.
    age : float [years]
        Ventricles grow with it, and the cortex thins.

    Returns
    -------
    Brain
        Without a lesion.

    Raises
    ------
    InputError
        For cells that cannot hold a cortical ribbon.
    """
    if not 0.5 <= cell <= LARGEST_CELL:
        raise InputError("brain", "cell", f"is {cell:g} mm", f"give 0.5 to {LARGEST_CELL:g} mm")
    at = positions(cell)
    scale = np.exp(0.03 * rng.standard_normal(3))[:, None, None, None]
    x, y, z = at / scale
    bumps = 0.02 * smooth_field(rng, x.shape, (cell,) * 3, 22.0)
    radius = _outline(x, y, z) + bumps
    cerebrum = (radius < 1) & ~_below(y, z)
    depth = np.asarray(distance_transform_edt(cerebrum, sampling=cell))
    hindbrain, its_depth = _hindbrain(x, y, z, cerebrum, cell)

    years = age - healthy.MEAN_AGE
    width = SULCUS_WIDTH * np.exp(0.01 * years + 0.1 * rng.standard_normal())
    fluid = cerebrum & (_sulci(rng, at, radius, depth, cell, width) | _fissures(x, y, z, cell))
    thickness = healthy.CORTEX.median * np.exp(
        healthy.CORTEX_PER_YEAR * years + healthy.CORTEX.sd * rng.standard_normal()
    )
    pial = np.asarray(distance_transform_edt(cerebrum & ~fluid, sampling=cell))
    inner = np.asarray(distance_transform_edt(hindbrain, sampling=cell))
    deep = cerebrum & ~fluid & (_any(THALAMUS_AND_CAUDATE, x, y, z) | _any(PUTAMEN, x, y, z))
    ventricles = _ventricles(rng, x, y, z, cell, years) & (cerebrum | hindbrain)

    region = np.full(x.shape, int(Region.OUTSIDE))
    region[cerebrum | hindbrain] = Region.WHITE_MATTER
    # from the face of a cell, not its centre
    region[cerebrum & (pial < thickness + cell / 2)] = Region.GREY_MATTER
    region[hindbrain & (inner < 5.0) & (its_depth > 0)] = Region.GREY_MATTER
    region[deep] = Region.GREY_MATTER
    region[fluid | ventricles] = Region.CSF
    around = binary_closing(region > 0, iterations=max(round(4 / cell), 1))
    region[around & (region == Region.OUTSIDE)] = Region.CSF
    affine = np.diag([cell, cell, cell, 1.0])
    affine[:3, 3] = [low + cell / 2 for low, _ in BOX]
    return Brain(region, depth, deep & (region == Region.GREY_MATTER), cell, affine)


def positions(cell: float) -> Float[np.ndarray, "3 x y z"]:
    """Of the centres of all cells in the field of view [mm]."""
    axes = [np.arange(low + cell / 2, high, cell) for low, high in BOX]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def grid_shape(cell: float) -> tuple[int, ...]:
    """Cells along each axis of the field of view."""
    return tuple(len(np.arange(low + cell / 2, high, cell)) for low, high in BOX)


def _outline(x: Any, y: Any, z: Any) -> Float[np.ndarray, "x y z"]:
    """1 on the surface of both hemispheres and temporal lobes: narrower in front, flat below."""
    a, b, c = CEREBRUM
    wide = a * (1 - 0.14 * np.maximum(y, 0) / b)
    high = np.where(z > 0, c, 0.55 * c)
    outer = (np.abs(x / wide) ** ROUNDNESS + np.abs(y / b) ** ROUNDNESS + np.abs(z / high) ** ROUNDNESS) ** (
        1 / ROUNDNESS
    )
    lobe = np.sqrt(((np.abs(x) - 42) / 20) ** 2 + ((y - 6) / 36) ** 2 + ((z + 24) / 20) ** 2)
    return np.minimum(outer, 0.25 + 0.75 * lobe)


def _below(y: Any, z: Any) -> Bool[np.ndarray, "x y z"]:
    """Under the tentorium, where the cerebellum lies."""
    return (y < -18) & (z < -14 - 0.25 * (y + 60))


def _hindbrain(
    x: Any, y: Any, z: Any, cerebrum: Any, cell: float
) -> tuple[Bool[np.ndarray, "x y z"], Float[np.ndarray, "x y z"]]:
    """Cerebellum and brain stem beside the cerebrum; above 0 where it is cerebellum."""
    halves = 1 - np.sqrt(((np.abs(x) - 21) / 27) ** 2 + ((y + 50) / 26) ** 2 + ((z + 38) / 21) ** 2)
    middle = 1 - np.sqrt((x / 10) ** 2 + ((y + 50) / 22) ** 2 + ((z + 34) / 20) ** 2)
    cerebellum = np.maximum(halves, middle)
    stem = (x**2 + (y + 20 + 0.15 * (z + 20)) ** 2 < 12.0**2) & (z < 0) & (z > -62)
    away = np.asarray(distance_transform_edt(~cerebrum, sampling=cell))
    inside = ((cerebellum > 0) & (away > 2.5)) | (stem & ~cerebrum)
    return inside, np.where(stem, 0.0, cerebellum)


def _sulci(
    rng: np.random.Generator, at: Any, radius: Any, depth: Any, cell: float, width: float
) -> Bool[np.ndarray, "x y z"]:
    """Sheets that run inwards from the outline: where a field that hardly changes with depth changes its sign."""
    shape = at.shape[1:]
    one = smooth_field(rng, shape, (cell,) * 3, GYRUS)
    both = (one + one[::-1]) / np.sqrt(2)  # hemispheres resemble each other
    field = np.sqrt(0.5) * both + np.sqrt(0.5) * smooth_field(rng, shape, (cell,) * 3, GYRUS)
    outward = at / np.maximum(radius, 0.2) ** 0.8  # of a point below the surface, the point above it
    origin = np.asarray([low + cell / 2 for low, _ in BOX])[:, None, None, None]
    above = map_coordinates(field, (outward - origin) / cell, order=1, mode="nearest")
    # |gradient| of a field of variance 1 along a line is 1/GYRUS on average: |field| < w/2/GYRUS is a sheet of width w
    across = np.maximum(width * np.exp(-depth / SULCUS_DEPTH), 0.45 * cell)
    return (np.abs(above) < across / 2 / GYRUS * np.sqrt(2)) & (depth < SULCUS_DEPTH)


def _fissures(x: Any, y: Any, z: Any, cell: float) -> Bool[np.ndarray, "x y z"]:
    """Between the hemispheres, but for the corpus callosum; and between the temporal lobes and the rest."""
    callosum = ((y + 2) / 40) ** 2 + ((z - 2) / 24) ** 2 < 1
    between = (x >= 0) & (x < max(2.0, cell)) & ~callosum  # one cell of 2 mm
    # oblique to every plane of an image, as the Sylvian fissure is: sqrt(1 + .5^2 + .35^2) turns height into distance
    height = z + 12 - 0.5 * (y - 6) - 0.35 * (np.abs(x) - 45)
    lateral = (np.abs(height) / 1.17 < max(1.2, 0.55 * cell)) & (np.abs(x) > 30) & (y > -20) & (y < 36)
    return between | lateral


def _ventricles(
    rng: np.random.Generator, x: Any, y: Any, z: Any, cell: float, years: float
) -> Bool[np.ndarray, "x y z"]:
    """As large as they are at this age, the lateral ones a little unequal."""
    typical = healthy.VENTRICLES.median + healthy.VENTRICLES_PER_YEAR * years
    wanted = max(typical, 8.0) * np.exp(healthy.VENTRICLES.sd * rng.standard_normal())
    as_drawn = 2 * sum(4 / 3 * np.pi * np.prod(axes) for _, axes in VENTRICLES) / 1e3 * 0.8  # they overlap
    factor = (wanted / as_drawn) ** (1 / 3)
    sides = np.exp(0.04 * rng.standard_normal(2))
    lateral = np.where(
        x > 0, _any(VENTRICLES, x, y, z, factor * sides[0]), _any(VENTRICLES, x, y, z, factor * sides[1])
    )
    return lateral | _any(THIRD_AND_FOURTH, x, y, z, factor)


def _any(shapes: tuple[Ellipsoid, ...], x: Any, y: Any, z: Any, factor: float = 1.0) -> Bool[np.ndarray, "x y z"]:
    """In one of these ellipsoids, on either side."""
    inside = np.zeros(x.shape, bool)
    for (cx, cy, cz), axes in shapes:
        a, b, c = (factor * axis for axis in axes)
        across = np.abs(x) - cx
        inside |= (across / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2 < 1
    return inside


def volume_ml(region: Int[np.ndarray, "x y z"], which: Region, cell: float) -> float:
    """Volume of one region [mL]."""
    return float(np.count_nonzero(region == which) * cell**3 / 1e3)
