r"""Flow in a bed of two trees: sums, no solve; red cells by a fixed point; pressures along the paths.

Plasma flow is what tissue asks for, so that of every vessel is the sum over its terminals. Red cells divide at
arterial bifurcations by `red_cell_share`, which depends on the blood flow, which holds the red cells: a fixed
point. Veins collect what the terminals let through. Resistances are Poiseuille's, 8 \mu L/(\pi r^4).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from simulate.base.constants import HAEMATOCRIT, PLASMA_VISCOSITY
from simulate.base.errors import InputError
from simulate.flow.blood import (
    MICROMETRES,
    NARROWEST,
    red_cell_share,
    relative_viscosity,
    tube_haematocrit,
)
from simulate.vessels.network import Vessels
from simulate.vessels.tree import Tree, multiply_along_paths, sum_along_paths, sum_to_root

SWEEPS = 30
"""Of the fixed point; each reduces the error about fivefold."""


class TreeFlow(NamedTuple):
    """Flow in one tree, each (n,) for the vessel above the node.

    plasma, red_cells : volume flow [mm^3/s].      pressure : at the node, over that of the root [Pa]: negative in
        arteries, positive in veins.     tube_haematocrit : volume of red cells over that of the vessel.
    """

    plasma: Any
    red_cells: Any
    pressure: Any
    tube_haematocrit: Any

    @property
    def blood(self) -> Any:
        """Volume flow of blood [mm^3/s]."""
        return self.plasma + self.red_cells

    @property
    def haematocrit(self) -> Any:
        """Discharge haematocrit."""
        return self.red_cells / self.blood

    def plasma_volume(self, tree: Tree) -> Any:
        """(n,) volume of plasma in each vessel [mm^3]."""
        return (1 - self.tube_haematocrit) * tree.volume

    def transit_time(self, tree: Tree) -> Any:
        """(n,) mean time that plasma spends in each vessel [s]; 0 at the root."""
        return self.plasma_volume(tree) / self.plasma

    def blood_transit_time(self, tree: Tree) -> Any:
        """(n,) the same for blood as a whole, whose red cells are faster than its plasma."""
        return tree.volume / self.blood


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class VesselFlow:
    """Flow of the whole bed.

    Attributes
    ----------
    arteries : TreeFlow
        Flow in every artery.
    veins : TreeFlow
        Flow in every vein.
    change : float
        Of a red-cell flow in the last sweep over the blood flow there, the largest.
    """

    arteries: TreeFlow
    veins: TreeFlow
    change: Any

    @property
    def converged(self) -> Any:
        """Whether the red cells have settled: to 1e-6, in single precision 1e-4."""
        change = jnp.asarray(self.change)
        return change < jnp.maximum(1e-6, 1e3 * jnp.finfo(change.dtype).eps)


def solve_flow(vessels: Vessels, *, haematocrit: float = HAEMATOCRIT, viscosity: float | None = None) -> VesselFlow:
    """Flow that delivers to every territory the plasma it wants.

    Differentiable in radii, lengths and terminal flows.

    Parameters
    ----------
    vessels : Vessels
        Arteries and veins over the same terminals.
    haematocrit : float [fraction]
        Of the blood that enters.
    viscosity : float [Pa s]
        One for all vessels, red cells then following the blood (the design's assumptions); by default Pries' laws of
        viscosity, phase separation and Fåhraeus.

    Returns
    -------
    VesselFlow
        Plasma, red cells and pressures of every vessel.

    Raises
    ------
    InputError
        Where the haematocrit is outside 0 to 0.7 or a vessel is narrower than a red cell can pass.
    """
    if not 0 <= haematocrit < 0.7:
        raise InputError("solve_flow", "haematocrit", f"is {haematocrit}", "give a fraction from 0 to below 0.7")
    if viscosity is None and not isinstance(vessels.arteries.radius, Tracer):
        _check_radii(vessels)
    return _solve(vessels, haematocrit, viscosity)


def _check_radii(vessels: Vessels) -> None:
    for name, tree in (("arteries", vessels.arteries), ("veins", vessels.veins)):
        least = float(np.min(np.asarray(tree.radius)[1:]))
        if least < NARROWEST:
            raise InputError(
                "solve_flow", name, f"have a radius of {1000 * least:.2g} micrometres, outside Pries' laws",
                "grow fewer terminals or lower the pressure drop, or give one viscosity",
            )  # fmt: skip


@partial(jax.jit, static_argnames="viscosity")
def _solve(vessels: Vessels, haematocrit: Any, viscosity: float | None) -> VesselFlow:
    plasma = sum_to_root(vessels.arteries, jnp.asarray(vessels.plasma_flow))
    entering = plasma[0] * haematocrit / (1 - haematocrit)
    change = jnp.zeros(())
    if viscosity is None:
        red, change = _divide_red_cells(vessels.arteries, plasma, entering)
    else:
        red = plasma * haematocrit / (1 - haematocrit)
    arteries = _tree_flow(vessels.arteries, plasma, red, viscosity, sign=-1.0)
    leaving = red[vessels.arteries.terminals]
    veins = _tree_flow(
        vessels.veins, sum_to_root(vessels.veins, jnp.asarray(vessels.plasma_flow)),
        sum_to_root(vessels.veins, leaving), viscosity, sign=1.0,
    )  # fmt: skip
    return VesselFlow(arteries, veins, change)


def _divide_red_cells(tree: Tree, plasma: Array, entering: Array) -> tuple[Array, Array]:
    """Red-cell flow (n,) [mm^3/s] of every vessel, and its largest relative change in the last sweep."""
    diameter = MICROMETRES * jnp.asarray(tree.radius)
    parent, sibling = tree.parent, tree.siblings
    alone = sibling < 0  # the trunk: it takes all
    sibling = jnp.where(alone, 0, sibling)

    def sweep(red, _):
        blood = plasma + red
        share = red_cell_share(
            blood / blood[parent], (red / blood)[parent], jnp.where(alone, 1e3, diameter[parent]),
            jnp.where(alone, 1e3, diameter), jnp.where(alone, 1e3, diameter[sibling]),
        )  # fmt: skip
        new = entering * multiply_along_paths(tree, jnp.where(alone, 1.0, share))
        return new, jnp.max(jnp.abs(new - red) / (plasma + red))

    red, changes = jax.lax.scan(sweep, plasma * (entering / plasma[0]), None, length=SWEEPS)
    return red, changes[-1]


def _tree_flow(tree: Tree, plasma: Array, red: Array, viscosity: float | None, *, sign: float) -> TreeFlow:
    inner = jnp.arange(tree.nodes) > 0
    radius = jnp.where(inner, jnp.asarray(tree.radius), 1.0)
    blood = plasma + red
    haematocrit = red / blood
    if viscosity is None:
        mu = PLASMA_VISCOSITY * relative_viscosity(MICROMETRES * radius, haematocrit)
        tube = tube_haematocrit(MICROMETRES * radius, haematocrit)
    else:
        mu, tube = viscosity, haematocrit
    drop = 8 * mu * jnp.asarray(tree.length) / (jnp.pi * radius**4) * blood
    return TreeFlow(plasma, red, sign * sum_along_paths(tree, jnp.where(inner, drop, 0.0)), tube)
