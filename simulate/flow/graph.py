"""A network of vessels as nodes and edges, and the flow found in it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from simulate.vessels.tree import Tree


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Network:
    """Vessels k = 0..m-1, each from node tail[k] to node head[k]; nodes are numbered 0..n-1 without a gap.

    Attributes
    ----------
    tail : (m,) int array
        Node where a vessel begins.
    head : (m,) int array
        Node where it ends.
    radius : (m,) array [mm]
        Of each vessel.
    length : (m,) array [mm]
        Of each vessel.
    """

    tail: Any
    head: Any
    radius: Any
    length: Any

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return int(max(np.max(self.tail), np.max(self.head))) + 1


class NetworkFlow(NamedTuple):
    """Flow of a network.

    pressure : (n,) at the nodes [Pa].      flow : (m,) of blood from tail to head, negative if it runs back [mm^3/s].
    haematocrit : (m,) discharge haematocrit.       viscosity : (m,) with which the flow was computed [Pa s].
    residual : largest net flow at a node of free pressure, over the mean flow of the vessels.
    iterations : steps of conjugate gradients, all sweeps together.
    sweeps : of the fixed point between haematocrit and viscosity; 0 where the viscosity is given.
    change : largest change of a red-cell flow in the last sweep, over the mean flow.
    converged : whether pressures and, with Pries' laws, red cells met their tolerances.
    """

    pressure: Any
    flow: Any
    haematocrit: Any
    viscosity: Any
    residual: Any
    iterations: Any
    sweeps: Any
    change: Any
    converged: Any

    @property
    def red_cells(self) -> Any:
        """(m,) flow of red cells from tail to head [mm^3/s]."""
        return self.haematocrit * self.flow

    @property
    def plasma(self) -> Any:
        """(m,) flow of plasma from tail to head [mm^3/s]."""
        return (1 - self.haematocrit) * self.flow


def network_of(tree: Tree) -> Network:
    """The tree as a network with the same nodes; its vessel k is the tree's vessel above node k+1."""
    return Network(tree.parent[1:], np.arange(1, tree.nodes), tree.radius[1:], tree.length[1:])


def conductance(network: Network, viscosity: Any) -> Array:
    r"""Poiseuille's \pi r^4/(8 \mu L) of every vessel, (m,) [mm^3/s/Pa]. viscosity : one, or (m,) [Pa s]."""
    return jnp.pi * jnp.asarray(network.radius) ** 4 / (8 * viscosity * jnp.asarray(network.length))
