r"""The finite-volume engine: a vascular bed as stirred volumes, marched through time.

The second opinion on the spectral engine (`simulate.spectral`), which shares none of its mathematics, and the only
one with what is not local: diffusion of tracer in the interstitium from cell to cell.

    arteries, veins   plug flow, `volumes` finite volumes along each vessel, upwind; spread (V/Q)^2/volumes
    supply            delay as such a chain, dispersion as one stirred volume, per terminal
    local delay       such a chain per cell
    cell              N stirred tanks, N = 1/mixing (`plug_tanks` for plug flow), each beside its EES
    diffusion         between the EES of neighbours

First order in 1/volumes, second order (theta 1/2) in the step. Vessels are plug flow here: radial mixing and
parabolic profiles (`simulate.spectral.residence`) are not represented.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from simulate.base.errors import InputError
from simulate.bed.assembly import Bed
from simulate.finite_volumes.capillary_units import Units, add_diffusion, add_units
from simulate.finite_volumes.compartments import OUTSIDE, CompartmentNetwork, Compartments
from simulate.finite_volumes.diffusion import neighbour_conductance
from simulate.finite_volumes.march import check_size, march
from simulate.vessels.tree import Tree

MOST_DIFFUSING = 100_000
"""EES volumes that may exchange: fill-in of a 3-D factorisation grows with their number to the power 4/3."""


class MassLedger(NamedTuple):
    """Amounts of tracer [mmol/L mm^3] at the end of every step (k,): what came in and went out, and what is where.

    Flows follow from the scheme's own quadrature of the fluxes, contents from the concentrations.
    """

    times: Any
    inflow: Any
    outflow: Any
    arteries: Any
    veins: Any
    supply: Any
    units: Any

    @property
    def content(self) -> Any:
        """(k,) all tracer in the bed."""
        return self.arteries + self.supply + self.units + self.veins

    @property
    def imbalance(self) -> Any:
        """(k,) inflow - outflow - content."""
        return self.inflow - self.outflow - self.content


class BedMarch(NamedTuple):
    """What the bed held at the wanted times [mmol/L].

    units : (c, t) in the capillary-tissue units, over the cell's volume.      ees : (c, t) in the EES, mean of the
        tanks; 0 where a cell has none.      arteries, veins : (n, t) in plasma, mean over the vessel above the node.
    """

    units: Any
    ees: Any
    arteries: Any
    veins: Any
    ledger: MassLedger


def march_bed(
    bed: Bed,
    aif: Any,
    aif_times: Any,
    times: Any,
    *,
    step: float = 0.1,
    theta: float = 0.5,
    volumes: int = 8,
    plug_tanks: int = 16,
    diffusivity: float = 0.0,
) -> BedMarch:
    """Curves of the whole bed by finite volumes.

    Parameters
    ----------
    bed : Bed
        Of c cells and n nodes in each tree.
    aif : (k,) array [mmol/L]
        Plasma concentration at the inlet, linear between its knots, zero before the first, constant after the last.
    aif_times : (k,) array [s]
        Its knots.
    times : (t,) array [s]
        Ascending; sampled.
    step : float [s]
        Of time.
    theta : float
        1/2 (second order) to 1 (positive).
    volumes : int
        Along every vessel and every delay.
    plug_tanks : int
        Tanks that stand for a plug-flow capillary (mixing 0).
    diffusivity : float [mm^2/s]
        Of tracer in the EES; small gadolinium chelates 1.5e-4 to 2.6e-4.

    Returns
    -------
    BedMarch
        Concentrations [mmol/L]: units and ees (c, t), arteries and veins (n, t) in plasma; and the ledger of masses.

    Raises
    ------
    InputError
        For a mixing that is not 1/N, a demand that the vessels do not carry, a size beyond the limits, a theta outside
        1/2 to 1, times or knots that do not ascend, or an aif that does not match its knots.
    """
    tanks = _tanks(bed.mixing, plug_tanks)
    _check_bed(bed, tanks, volumes, diffusivity)
    compartments, readers, parts = _discretise(bed, tanks, volumes, diffusivity)
    found = march(
        compartments, aif, aif_times, times,
        step=step, theta=theta, observe=sparse.vstack(readers, format="csr"), parts=parts,
    )  # fmt: skip
    units, ees, arteries, veins = np.split(found.curves, np.cumsum([r.shape[0] for r in readers])[:-1])
    ledger = MassLedger(found.steps, found.inflow, found.outflow, *found.held)
    return BedMarch(units, ees, arteries, veins, ledger)


def _discretise(bed: Bed, tanks: Any, volumes: int, diffusivity: float) -> tuple[Compartments, list[Any], list[slice]]:
    """The bed's volumes; what reads the curves of `BedMarch` from them, and the parts of `MassLedger`, in its order."""
    network, ends, vessels = CompartmentNetwork(), [0], bed.vessels
    arteries = _add_tree(network, vessels.arteries, bed.flow.arteries, volumes, towards_root=False)
    ends.append(network.size)
    veins = _add_tree(network, vessels.veins, bed.flow.veins, volumes, towards_root=True)
    ends.append(network.size)
    terminal, collecting = arteries[vessels.arteries.terminals - 1, -1], veins[vessels.veins.terminals - 1, 0]
    supply = _add_supply(network, bed, terminal, volumes)
    ends.append(network.size)
    units = add_units(network, bed.tissue, tanks, bed.cell_volume)
    ends.append(network.size)

    _join(network, bed, units, supply, collecting)
    network.carry(terminal, collecting, vessels.terminal_flow * vessels.shunt)
    if diffusivity > 0:
        ve = units.ve.reshape(vessels.territory.shape)
        add_diffusion(network, units, *neighbour_conductance(ve, vessels.cell, diffusivity))
    size = network.size
    readers = [units.concentration(size), units.ees_concentration(size)]
    readers += [_vessel_means(index, size) for index in (arteries, veins)]
    return network.assemble(), readers, [slice(a, b) for a, b in itertools.pairwise(ends)]


def _tanks(mixing: Any, plug_tanks: int) -> Any:
    """(c,) N of every cell."""
    if plug_tanks < 1:
        raise InputError("march_bed", "plug_tanks", f"are {plug_tanks}", "give at least 1")
    mixing = np.asarray(mixing, float)
    exact = np.where(mixing > 0, 1 / np.where(mixing > 0, mixing, 1.0), plug_tanks)
    number = np.rint(exact).astype(int)
    if (np.abs(number - exact) > 1e-3 * number).any():
        wrong = float(mixing[np.argmax(np.abs(number - exact))])
        raise InputError("bed", "mixing", f"{wrong:.4g} is not 1/N", "give 1, 1/2, 1/3, .. or 0 for plug flow")
    return number


def _check_bed(bed: Bed, tanks: Any, volumes: int, diffusivity: float) -> None:
    if volumes < 1:
        raise InputError("march_bed", "volumes", f"are {volumes}", "give at least 1")
    if not diffusivity >= 0:
        raise InputError("march_bed", "diffusivity", f"is {diffusivity}", "give 0 or more mm^2/s")
    cells, terminals = tanks.size, bed.vessels.terminals
    check_size(volumes * (5 * terminals + cells) + 2 * int(np.sum(tanks)), 0, 0)
    if diffusivity > 0 and np.sum(tanks) > MOST_DIFFUSING:
        raise InputError(
            "march_bed", "diffusivity", f"couples {np.sum(tanks)} volumes, more than {MOST_DIFFUSING}",
            "take a smaller block or fewer tanks",
        )  # fmt: skip
    demand = np.bincount(bed.owner, np.asarray(bed.tissue.Fp, float) * bed.cell_volume, terminals)
    carried = np.asarray(bed.vessels.terminal_flow, float)
    if (np.abs(demand - carried) > 1e-4 * carried).any():
        raise InputError("bed", "Fp", "is not the demand that the vessels carry", "call with_flow and solve_flow again")


def _add_tree(network: CompartmentNetwork, tree: Tree, flow: Any, volumes: int, *, towards_root: bool) -> Any:
    """Finite volumes of all vessels but the root: indices (n-1, volumes) in the order of their plasma."""
    plasma = np.asarray(flow.plasma, float)[1:]
    index = network.chain(np.asarray(flow.plasma_volume(tree), float)[1:], plasma, volumes)
    parent = np.asarray(tree.parent)[1:]
    upstream, downstream = (0, -1) if towards_root else (-1, 0)
    above = np.where(parent > 0, index[parent - 1, upstream], OUTSIDE)
    own = index[:, downstream]
    source, target = (own, above) if towards_root else (above, own)
    network.carry(source, target, plasma)
    return index


def _add_supply(network: CompartmentNetwork, bed: Bed, terminal: Any, volumes: int) -> Any:
    """(c,) what supplies each cell: its terminal's last volume, behind supply delay, dispersion and local delay."""
    flow = np.asarray(bed.vessels.terminal_flow, float)
    behind = _delayed(network, terminal, bed.supply_delay, flow, volumes)
    behind = _delayed(network, behind, bed.supply_dispersion, flow, 1)
    demand = np.asarray(bed.tissue.Fp, float) * bed.cell_volume
    return _delayed(network, behind[bed.owner], bed.local_delay, demand, volumes)


def _delayed(network: CompartmentNetwork, source: Any, time: Any, flow: Any, parts: int) -> Any:
    """The end of a chain of mean transit `time` (k,) behind each source; the source itself where nothing is late."""
    time = np.asarray(time, float)
    late = np.flatnonzero((time > 0) & (flow > 0))
    if late.size == 0:
        return source
    index = network.chain(time[late] * flow[late], flow[late], parts)
    network.carry(source[late], index[:, 0], flow[late])
    end = source.copy()
    end[late] = index[:, -1]
    return end


def _join(network: CompartmentNetwork, bed: Bed, units: Units, supply: Any, collecting: Any) -> None:
    """Blood from its supply into every perfused unit and on into the vein of its territory."""
    demand = np.asarray(bed.tissue.Fp, float) * bed.cell_volume
    perfused = np.flatnonzero(demand > 0)
    network.carry(supply[perfused], units.plasma[perfused], demand[perfused])
    network.carry(units.outlet[perfused], collecting[np.asarray(bed.owner)[perfused]], demand[perfused])


def _vessel_means(index: Any, size: int) -> Any:
    """(n, size) sparse: mean over the finite volumes of every vessel; the root, which has none, is 0."""
    number, parts = index.shape
    row = np.repeat(1 + np.arange(number), parts)
    return sparse.csr_array((np.full(row.size, 1 / parts), (row, index.ravel())), shape=(number + 1, size))
