"""Arteries and veins of a block of tissue: two trees over the same terminals, and who supplies which cell."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from simulate.base.constants import HAEMATOCRIT, MURRAY_EXPONENT
from simulate.base.errors import InputError
from simulate.base.units import PASCAL_PER_MMHG
from simulate.vessels.domain import Domain, check_domain, place_terminals, territories
from simulate.vessels.growth import SPLIT, Split, grow_tree
from simulate.vessels.radii import with_radii
from simulate.vessels.tree import Tree

# Design values (chosen): pial artery to precapillary arteriole, postcapillary venule to cortical vein.
ARTERIAL_DROP = 15 * PASCAL_PER_MMHG  # Pa
VENOUS_DROP = 5 * PASCAL_PER_MMHG  # Pa
DESIGN_VISCOSITY = 3.0e-3  # Pa s: one viscosity for the design; `simulate.flow` computes the true one


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Vessels:
    """A vascular bed; collision of vessels is not tested.

    Blood leaves the k-th arterial terminal through the capillaries of its territory and through its shunt, and enters
    the k-th venous terminal.

    Attributes
    ----------
    arteries : Tree
        Over T terminals.
    veins : Tree
        Over the same.
    territory : (x, y, z) int array
        Terminal that supplies each cell, -1 where none does.
    terminal_flow : (T,) array [mm^3/s]
        Plasma flow that the cells of each territory want.
    shunt : (T,) array
        Plasma flow past the capillaries, over the terminal's own flow (0 in normal tissue).
    cell : (3,) tuple of float [mm]
        Edges of a cell.
    """

    arteries: Tree
    veins: Tree
    territory: Any
    terminal_flow: Any
    shunt: Any
    cell: tuple[float, float, float] = field(metadata={"static": True})

    @property
    def terminals(self) -> int:
        """How many there are, T."""
        return self.terminal_flow.shape[0]

    @property
    def plasma_flow(self) -> Any:
        """(T,) array: plasma flow through each terminal, capillaries and shunt [mm^3/s]."""
        return self.terminal_flow * (1 + self.shunt)


def grow_vessels(
    key: Key[Array, ""],
    domain: Domain,
    *,
    terminals: int,
    inlet: tuple[float, float, float] = (0.5, 0.5, 0.0),
    outlet: tuple[float, float, float] = (0.5, 0.5, 1.0),
    haematocrit: float = HAEMATOCRIT,
    split: Split = SPLIT,
    exponent: float = MURRAY_EXPONENT,
    arterial_drop: float = ARTERIAL_DROP,
    venous_drop: float = VENOUS_DROP,
    viscosity: float = DESIGN_VISCOSITY,
) -> Vessels:
    """Grow arteries and veins that supply every cell of the domain with the plasma flow it wants.

    Terminals are as dense as the demand; each supplies the cells nearest to it, and its flow is their sum.
    Both trees are grown by bisection and relaxation
    (`simulate.vessels.growth`) with radii for equal terminal pressure and Murray's law (`simulate.vessels.radii`).

    Parameters
    ----------
    key : jax.random key
        Of terminals, splits and axes.
    domain : Domain
        What wants how much.
    terminals : int
        How many to place.
    inlet : (3,) tuple of float
        Root of the arteries, as fractions of the grid's edges.
    outlet : (3,) tuple of float
        Root of the veins, likewise.
    haematocrit : float [fraction]
        Of all blood, for the design: blood flow is plasma flow/(1-haematocrit).
    split : Split
        How unequally a group of terminals is divided.
    exponent : float
        Murray's.
    arterial_drop : float [Pa]
        Pressure from root to terminal in the arteries.
    venous_drop : float [Pa]
        Pressure from terminal to root in the veins.
    viscosity : float [Pa s]
        One for the design.

    Returns
    -------
    Vessels
        With the flow that is wanted, without shunts.

    Raises
    ------
    InputError
        For an empty or disconnected mask, negative demand, more terminals than cells, or a haematocrit outside 0 to
        0.7.
    """
    check_domain(domain, terminals)
    if not 0 <= haematocrit < 0.7:
        raise InputError("grow_vessels", "haematocrit", f"is {haematocrit}", "give a fraction from 0 to below 0.7")
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    at = place_terminals(rng, domain, terminals)
    territory = territories(domain, at)
    flow = _wanted(territory, domain, terminals)
    blood = flow / (1 - haematocrit)

    def grown(root: tuple[float, float, float], drop: float) -> Tree:
        tree = grow_tree(rng, at, blood, np.asarray(root) * domain.extent, split=split, exponent=exponent)
        return with_radii(tree, blood, pressure_drop=drop, viscosity=viscosity, exponent=exponent)

    arteries, veins = grown(inlet, arterial_drop), grown(outlet, venous_drop)
    return Vessels(arteries, veins, territory, flow, np.zeros_like(flow), domain.cell)


def _wanted(territory: Any, domain: Domain, terminals: int) -> Any:
    """(T,) plasma flow [mm^3/s] that the cells of each territory want."""
    inside = territory >= 0
    demand = np.asarray(domain.demand, float)[inside] * domain.cell_volume
    return np.bincount(territory[inside], demand, terminals)


def with_flow(vessels: Vessels, domain: Domain) -> Vessels:
    """The same vessels and territories, with the flow that another demand asks for."""
    return replace(vessels, terminal_flow=_wanted(vessels.territory, domain, vessels.terminals))


def make_irregular(
    key: Key[Array, ""],
    vessels: Vessels,
    where: Float[np.ndarray, "*space"],
    *,
    radius_spread: float = 0.12,
    tortuosity: float = 0.6,
    shunt_share: float = 0.1,
    shunt_flow: float = 0.5,
) -> Vessels:
    """Vessels of a tumour: uneven and tortuous, some terminals with a shunt from artery to vein.

    Murray's law and equal terminal pressures no longer hold; `simulate.flow` reports the spread.

    Parameters
    ----------
    key : jax.random key
        Of radii, lengths and shunts.
    vessels : Vessels
        Those of `grow_vessels`.
    where : (x, y, z) array
        How irregular the tissue of each cell is, 0 (normal) to 1.
    radius_spread : float
        Standard deviation of the logarithm of the radius.
    tortuosity : float
        Mean excess of the length over the distance (exponential).
    shunt_share : float
        Share of terminals with a shunt.
    shunt_flow : float
        Its plasma flow over the terminal's own.

    Returns
    -------
    Vessels
        Over the same terminals.
    """
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))

    def irregular(tree: Tree) -> Tree:
        cells = np.clip(tree.position / np.asarray(vessels.cell), 0, np.asarray(where.shape) - 1).astype(int)
        degree = where[tuple(cells.T)]
        radius = tree.radius * np.exp(radius_spread * degree * rng.standard_normal(tree.nodes))
        length = tree.length * (1 + tortuosity * degree * rng.exponential(size=tree.nodes))
        return replace(tree, radius=radius, length=length)

    ends = vessels.arteries.position[vessels.arteries.terminals]
    cells = np.clip(ends / np.asarray(vessels.cell), 0, np.asarray(where.shape) - 1).astype(int)
    shunted = rng.uniform(size=vessels.terminals) < shunt_share * where[tuple(cells.T)]
    return replace(
        vessels,
        arteries=irregular(vessels.arteries),
        veins=irregular(vessels.veins),
        shunt=np.where(shunted, shunt_flow, vessels.shunt),
    )
