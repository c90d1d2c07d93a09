r"""Capillary-tissue units as stirred volumes: N plasma tanks in series, each beside its own share of the EES.

    (vp/N) dcp_k/dt = Fp (cp_{k-1} - cp_k) - (PS/N)(cp_k - ce_k),      (ve/N) dce_k/dt = (PS/N)(cp_k - ce_k)

per volume of tissue; N = 1 is the two-compartment exchange model, N -> infinity plug flow (`simulate.kinetics`).
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.finite_volumes.compartments import CompartmentNetwork
from simulate.finite_volumes.diffusion import overlap

_NONE = -2  # a cell without that space


class Units(NamedTuple):
    """Where the units of c cells are among the volumes.

    plasma, ees : (c,) index of the first tank, the others follow; negative where the cell has none.
    tanks : (c,) N.      vp, ve : (c,) volume fractions.
    """

    plasma: Any
    ees: Any
    tanks: Any
    vp: Any
    ve: Any

    @property
    def outlet(self) -> Any:
        """(c,) the last plasma tank."""
        return self.plasma + self.tanks - 1

    def mean(self, first: Any, weight: Any, size: int) -> Any:
        """(c, size) sparse: weight (c,) times the mean over the tanks that begin at `first`."""
        cells = np.flatnonzero(first >= 0)
        number = self.tanks[cells]
        row = np.repeat(cells, number)
        tank = np.arange(row.size) - np.repeat(np.cumsum(number) - number, number)
        share = np.repeat((weight / self.tanks)[cells], number)
        return sparse.csr_array((share, (row, first[row] + tank)), shape=(first.size, size))

    def concentration(self, size: int) -> Any:
        """(c, size) sparse: from all `size` volumes to C = vp cp + ve ce of each cell."""
        return self.mean(self.plasma, self.vp, size) + self.mean(self.ees, self.ve, size)

    def ees_concentration(self, size: int) -> Any:
        """(c, size) sparse: mean ce of each cell, 0 where it has no EES."""
        return self.mean(self.ees, np.ones(self.ees.size), size)


def add_units(network: CompartmentNetwork, tissue: Tissue, tanks: Any, cell_volume: float) -> Units:
    """Add the units of c cells; what supplies their first plasma tank and drains their last is left to the caller.

    tissue : parameters (c,) [1/s, fractions].      tanks : (c,) N.      cell_volume : [mm^3].
    A cell without vp has no plasma tanks, one without ve no EES.
    Raises InputError where plasma flows (Fp > 0) but has no volume.
    """
    Fp, PS, vp, ve = (np.asarray(getattr(tissue, name), float).ravel() for name in ("Fp", "PS", "vp", "ve"))
    tanks = np.broadcast_to(np.asarray(tanks, int), Fp.shape)
    if ((Fp > 0) & (vp <= 0)).any():
        raise InputError("tissue", "vp", "is 0 in cells with plasma flow", "give vp > 0 wherever Fp > 0")
    plasma, ees = np.full(Fp.shape, _NONE), np.full(Fp.shape, _NONE)
    for number in np.unique(tanks):
        chosen = np.flatnonzero((tanks == number) & (vp > 0))
        if chosen.size:
            plasma[chosen] = network.chain(vp[chosen] * cell_volume, Fp[chosen] * cell_volume, int(number))[:, 0]
        chosen = np.flatnonzero((tanks == number) & (ve > 0))
        if chosen.size:
            ees[chosen] = network.split(ve[chosen] * cell_volume, int(number))[:, 0]
        chosen = np.flatnonzero((tanks == number) & (plasma >= 0) & (ees >= 0))
        along = np.arange(number)
        across = PS[chosen, None] * cell_volume / number
        network.exchange(plasma[chosen, None] + along, ees[chosen, None] + along, across)
    return Units(plasma, ees, tanks, vp, ve)


def add_diffusion(network: CompartmentNetwork, units: Units, one: Any, other: Any, conductance: Any) -> None:
    """Let the EES of pairs of cells exchange, tank beside tank (`overlap` where their numbers differ).

    one, other : (p,) cells that have EES.      conductance : (p,) [mm^3/s].
    """
    numbers = np.stack([units.tanks[one], units.tanks[other]])
    for first, second in np.unique(numbers, axis=1).T:
        chosen = (numbers[0] == first) & (numbers[1] == second)
        shared = overlap(int(first), int(second))
        for k, m in np.argwhere(shared > 0):
            network.exchange(
                units.ees[one[chosen]] + k, units.ees[other[chosen]] + m, conductance[chosen] * shared[k, m]
            )
