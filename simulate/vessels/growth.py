r"""Growing a tree over given terminals: recursive bisection, then weighted Steiner relaxation.

Bisection splits the terminals level by level at a random fraction along the longest axis of each group,
all groups of a level at once. Relaxation then moves every bifurcation to where the vessel volume around it
is least. With Murray's law r ~ q^{1/\gamma} that volume is \sum w l with w = q^{2/\gamma}, so Weiszfeld's step is

    x <- \sum_k (w_k/l_k) x_k / \sum_k (w_k/l_k)         (k: parent and two children).

Ten thousand terminals take a fraction of a second, where constrained constructive optimisation takes minutes
(Schreiner & Buxbaum, IEEE Trans Biomed Eng 40:482, 1993). Vessels are not tested for collision: two may cross.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.base.constants import MURRAY_EXPONENT
from simulate.vessels.radii import carried
from simulate.vessels.tree import Tree, distances

RELAXATION_STEPS = 60
_SHORTEST = 1e-4
"""Least length of a vessel, as a share of the mean distance between terminals: where bifurcations meet."""


class Split(NamedTuple):
    """How a group of terminals is divided (chosen: nearly balanced, yet no two trees alike).

    spread : standard deviation of the share that goes to one side.     least : smallest share.
    """

    spread: float = 0.12
    least: float = 0.2


SPLIT = Split()


class _Groups(NamedTuple):
    """The groups of one level: contiguous runs of the ordered terminals, and the node that each hangs from."""

    start: Int[np.ndarray, " g"]
    size: Int[np.ndarray, " g"]
    node: Int[np.ndarray, " g"]


def grow_tree(
    rng: np.random.Generator,
    terminals: Float[np.ndarray, "t 3"],
    flow: Float[np.ndarray, " t"],
    root: Float[np.ndarray, "3"],
    *,
    split: Split = SPLIT,
    exponent: float = MURRAY_EXPONENT,
    relaxation: int = RELAXATION_STEPS,
) -> Tree:
    """Grow a tree without radii from `root` [mm] to `terminals` [mm] that are to carry `flow` [any unit].

    exponent : Murray's, for the weights of the relaxation.     relaxation : number of its steps.
    """
    tree = _bisect(rng, terminals, root, split)
    weight = carried(tree, flow) ** (2 / exponent)
    position = _relax(tree, weight, relaxation)
    spacing = (np.prod(np.ptp(terminals, axis=0) + 1e-9) / len(terminals)) ** (1 / 3)
    length = np.maximum(distances(position, tree.parent), _SHORTEST * spacing)
    length[0] = 0.0
    return replace(tree, position=position, length=length)


def _bisect(
    rng: np.random.Generator, terminals: Float[np.ndarray, "t 3"], root: Float[np.ndarray, "3"], split: Split
) -> Tree:
    """Topology level by level; a bifurcation starts at the centroid of its terminals."""
    count = len(terminals)
    nodes = 2 * count
    position, parent = np.zeros((nodes, 3)), np.zeros(nodes, np.int32)
    children, of_terminal = np.full((nodes, 2), -1, np.int32), np.zeros(count, np.int32)
    position[0], children[0, 0] = root, 1
    order = np.arange(count)
    groups = _Groups(np.array([0]), np.array([count]), np.array([1]))
    made = 2
    while True:
        position[groups.node] = np.add.reduceat(terminals[order], groups.start) / groups.size[:, None]
        single = groups.size == 1
        of_terminal[order[groups.start[single]]] = groups.node[single]
        if single.all():
            break
        order, groups = _leave_out(order, groups, ~single)
        order = order[_order_in_groups(rng, terminals[order], groups)]
        share = np.clip(rng.normal(0.5, split.spread, groups.size.size), split.least, 1 - split.least)
        left = np.clip(np.rint(share * groups.size), 1, groups.size - 1).astype(int)
        node = made + np.arange(2 * groups.size.size)
        parent[node] = np.repeat(groups.node, 2)
        children[groups.node] = node.reshape(-1, 2)
        size = np.stack([left, groups.size - left], axis=1).ravel()
        groups = _Groups(np.cumsum(size) - size, size, node)
        made += node.size
    return Tree(position, parent, children, of_terminal, np.zeros(nodes), np.zeros(nodes))


def _leave_out(
    order: Int[np.ndarray, " t"], groups: _Groups, keep: Bool[np.ndarray, " g"]
) -> tuple[Int[np.ndarray, " u"], _Groups]:
    """The groups that are still to be divided, and their terminals."""
    order = order[np.repeat(keep, groups.size)]
    size = groups.size[keep]
    return order, _Groups(np.cumsum(size) - size, size, groups.node[keep])


def _order_in_groups(rng: np.random.Generator, at: Float[np.ndarray, "t 3"], groups: _Groups) -> Int[np.ndarray, " t"]:
    """Order that sorts every group along its longest axis, chosen with a little chance."""
    low = np.minimum.reduceat(at, groups.start)
    extent = np.maximum.reduceat(at, groups.start) - low
    axis = np.argmax(extent * np.exp(0.15 * rng.standard_normal(extent.shape)), axis=1)
    which = np.repeat(np.arange(groups.size.size), groups.size)
    along = at[np.arange(len(at)), axis[which]]
    pick = np.arange(axis.size), axis
    within = (along - low[pick][which]) / np.maximum(extent[pick][which], 1e-12)
    return np.argsort(which + 0.999999 * within, kind="stable")


def _relax(tree: Tree, weight: Float[np.ndarray, " n"], steps: int) -> Float[np.ndarray, "n 3"]:
    """Positions (n, 3) after `steps` of Weiszfeld; root and terminals stay."""
    branch = np.flatnonzero(tree.children[:, 1] >= 0)
    around = np.column_stack([tree.parent[branch], tree.children[branch]])  # (b, 3)
    w = np.column_stack([weight[branch], weight[tree.children[branch]]])
    x = tree.position.copy()
    softening = 1e-6 * float(np.mean(np.ptp(x, axis=0)) + 1e-12)
    for _ in range(steps):
        pulled = np.zeros((branch.size, 3))
        total = np.zeros(branch.size)
        here = x[branch]
        for k in range(3):
            other = x[around[:, k]]
            away = other - here
            pull = w[:, k] / np.sqrt(np.einsum("ij,ij->i", away, away) + softening**2)
            pulled += pull[:, None] * other
            total += pull
        x[branch] = pulled / total[:, None]
    return x
