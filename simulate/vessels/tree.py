r"""A binary vessel tree as arrays: one root, T terminals, T-1 bifurcations, one vessel above every other node.

Nodes are numbered level by level from the root, so that a parent always comes before its children. The shapes
depend on T alone, and sums along paths are done by pointer doubling: whatever is compiled for one tree serves
every tree of as many terminals.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Inexact, Int

_DOUBLINGS = 7
"""Paths of up to 2^7 vessels; bisection into parts of at least a fifth needs 62 for a million terminals."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tree:
    """Geometry of one arterial or venous tree; node 0 is its root (inlet or outlet), n = 2T nodes in all.

    position : (n, 3) [mm].
    parent : (n,) node above; the root is its own.
    children : (n, 2) nodes below, -1 where there is none; the root has one child, a bifurcation two.
    terminals : (T,) node of each terminal.
    radius, length : (n,) of the vessel from the parent to the node [mm]; 0 at the root. A tortuous vessel is
        longer than the distance between its ends.
    """

    position: Any
    parent: Any
    children: Any
    terminals: Any
    radius: Any
    length: Any

    @property
    def nodes(self) -> int:
        return self.parent.shape[0]

    @property
    def volume(self) -> Any:
        """(n,) blood volume of each vessel [mm^3]."""
        return np.pi * self.radius**2 * self.length

    @property
    def siblings(self) -> Any:
        """(n,) the other child of a node's parent, -1 for the root and the trunk below it."""
        pair = self.children[self.parent]
        index = jnp.arange(self.nodes)
        other = jnp.where(pair[:, 0] == index, pair[:, 1], pair[:, 0])
        return jnp.where(index < 2, -1, other)


def level_slices(parent: Int[np.ndarray, " n"]) -> list[slice]:
    """The nodes of each depth, from the root's child downwards."""
    starts = [1]
    while starts[-1] < parent.size:
        # parents ascend: a level ends where the first child of its own first node begins
        starts.append(1 + int(np.searchsorted(parent[1:], starts[-1])))
    return [slice(a, b) for a, b in pairwise(starts)]


def distances(position: Float[np.ndarray, "n 3"], parent: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Length of a straight vessel from every node's parent to it [mm]; 0 at the root."""
    return np.linalg.norm(position - position[parent], axis=1)


def sum_along_paths(tree: Tree, along: Inexact[Array, "n *s"]) -> Inexact[Array, "n *s"]:
    """Sum of a quantity of the vessels on the path from the root to every node; what stands at the root is ignored."""
    along = along.at[0].set(0.0)
    for above in _doublings(tree):
        along = along + along[above]
    return along


def multiply_along_paths(tree: Tree, along: Inexact[Array, "n *s"]) -> Inexact[Array, "n *s"]:
    """Product of a quantity of the vessels on the path from the root to every node, likewise."""
    along = along.at[0].set(1.0)
    for above in _doublings(tree):
        along = along * along[above]
    return along


def sum_to_root(tree: Tree, at_terminals: Inexact[Array, "terminals *s"]) -> Inexact[Array, "n *s"]:
    """Sum over the terminals below each node: Kirchhoff's law of a tree. The root has what its child has.

    The transpose of `sum_along_paths`.
    """
    total = jnp.zeros((tree.nodes, *at_terminals.shape[1:]), at_terminals.dtype)
    total = total.at[tree.terminals].set(at_terminals)
    for above in reversed(_doublings(tree)):
        total = total.at[above].add(total)
    return total.at[0].set(total[1])


def collect_to_root(
    tree: Tree, along: Inexact[Array, "n *s"], at_terminals: Inexact[Array, "terminals *s"]
) -> Inexact[Array, "n *s"]:
    r"""What reaches each node from the terminals below it, weakened by `along` in every vessel on the way:

        x_node = at_terminals there + \sum_{children} along_{child} x_{child}

    Nothing is divided by a product along a path, which falls below the smallest number where vessels weaken much.
    """
    total = jnp.zeros((tree.nodes, *at_terminals.shape[1:]), at_terminals.dtype)
    total = total.at[tree.terminals].set(at_terminals)
    along = along.at[0].set(0.0)  # nothing is above the root
    for above in _doublings(tree):
        total = total.at[above].add(along * total)
        along = along * along[above]
    return total


def _doublings(tree: Tree) -> list[Array]:
    """Ancestors 1, 2, 4, ... steps above every node, the root beyond it."""
    above, steps = jnp.asarray(tree.parent), []
    for _ in range(_DOUBLINGS):
        steps.append(above)
        above = above[above]
    return steps
