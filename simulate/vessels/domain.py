"""The tissue that vessels have to supply: a grid of cells with their demand, and who supplies which cell."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import KDTree

from simulate.base.errors import InputError


@dataclass(frozen=True)
class Domain:
    """Cells on a grid; cell (i, j, k) reaches from (i, j, k) cell to (i+1, j+1, k+1) cell.

    Attributes
    ----------
    demand : (x, y, z) array [1/s]
        Delivered plasma flow per volume of tissue, Fp; 0 where nothing is supplied.
    cell : (3,) tuple of float [mm]
        Edges of a cell.
    """

    demand: Any
    cell: tuple[float, float, float]

    @property
    def mask(self) -> Any:
        """(x, y, z) bool array: the cells that are supplied."""
        return self.demand > 0

    @property
    def cell_volume(self) -> float:
        """Of one cell [mm^3]."""
        return float(np.prod(self.cell))

    @property
    def extent(self) -> Float[np.ndarray, "3"]:
        """(3,) array: edges of the whole grid [mm]."""
        return np.asarray(self.demand.shape) * np.asarray(self.cell)

    def centres(self, cells: Int[np.ndarray, "c 3"]) -> Float[np.ndarray, "c 3"]:
        """Where cells are.

        Parameters
        ----------
        cells : (c, 3) int array
            Their indices.

        Returns
        -------
        (c, 3) array [mm]
            Their centres.
        """
        return (cells + 0.5) * np.asarray(self.cell)


def check_domain(domain: Domain, terminals: int) -> None:
    """Raise InputError for demands that no vessels can meet: none, negative, in pieces, too finely divided."""
    demand = np.asarray(domain.demand)
    if demand.ndim != 3:
        raise InputError("domain", "demand", f"has {demand.ndim} axes", "give one value per cell of a 3-D grid")
    if not np.isfinite(demand).all() or (demand < 0).any():
        raise InputError("domain", "demand", "is negative or not finite in some cells", "give Fp >= 0 in 1/s")
    count = int(np.count_nonzero(demand))
    if count == 0:
        raise InputError("domain", "mask", "is empty: no cell wants flow", "give demand > 0 somewhere")
    pieces = connected_components(demand > 0)[1]
    if pieces > 1:
        raise InputError(
            "domain", "mask", f"falls into {pieces} separate pieces", "connect them or grow vessels for each"
        )
    if not 2 <= terminals <= count:
        raise InputError(
            "domain", "terminals", f"{terminals} do not fit a mask of {count} cells",
            f"give 2 to {count}, or smaller cells",
        )  # fmt: skip


def connected_components(mask: Bool[np.ndarray, "x y z"]) -> tuple[Int[np.ndarray, "x y z"], int]:
    """Number of the piece to which every cell belongs (0 outside), and how many pieces there are.

    Cells that share a corner hang together.
    """
    numbers = np.empty(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3, 3, 3)), output=numbers)
    return numbers, int(numbers.max())


def place_terminals(rng: np.random.Generator, domain: Domain, count: int) -> Float[np.ndarray, "t 3"]:
    """Positions [mm] of terminals, as dense as the demand is high.

    Systematic sampling of the demand along a space-filling curve: every terminal stands for the same flow and
    neighbours keep their distance, without a search. At most one terminal to a cell.
    """
    cells = np.argwhere(domain.mask)
    cells = cells[np.argsort(_morton(cells))]
    cumulative = np.cumsum(np.asarray(domain.demand, float)[tuple(cells.T)])
    # one to a cell: the k-th terminal lies at least k cells along, and leaves one for each that is to come
    wanted = np.searchsorted(cumulative, (np.arange(count) + rng.uniform(size=count)) * cumulative[-1] / count)
    ahead = np.maximum.accumulate(wanted - np.arange(count)) + np.arange(count)
    chosen = np.minimum(ahead, len(cells) - count + np.arange(count))
    return (cells[chosen] + rng.uniform(0.1, 0.9, (count, 3))) * np.asarray(domain.cell)


def _morton(cells: Int[np.ndarray, "c 3"]) -> Int[np.ndarray, " c"]:
    """Position along the Z-order curve: the bits of the three indices, interleaved."""
    bits = int(cells.max()).bit_length()
    code = np.zeros(len(cells), np.int64)
    for bit in range(bits):
        for axis in range(3):
            code |= ((cells[:, axis].astype(np.int64) >> bit) & 1) << (3 * bit + axis)
    return code


def territories(domain: Domain, terminals: Float[np.ndarray, "t 3"]) -> Int[np.ndarray, "*space"]:
    """Index of the terminal that supplies each cell: the one inside it, else the nearest. -1 outside the mask."""
    cells = np.argwhere(domain.mask)
    owner = np.full(domain.demand.shape, -1, np.int32)
    owner[tuple(cells.T)] = KDTree(terminals).query(domain.centres(cells), workers=-1)[1]
    own = np.floor(terminals / np.asarray(domain.cell)).astype(int)
    owner[tuple(own.T)] = np.arange(len(terminals))
    return owner
