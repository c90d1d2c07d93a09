r"""Radii that give every terminal the same pressure and obey Murray's law at every bifurcation.

With Poiseuille's resistance 8 \mu L/(\pi r^4) the reduced resistance R* = R r^4 of a subtree obeys, bottom-up,

    R* = K L + 1/(b_l^4/R*_l + b_r^4/R*_r),  K = 8 \mu/\pi,
    b_l = (1 + x^{-\gamma})^{-1/\gamma},  b_r = (1 + x^{\gamma})^{-1/\gamma},  x = (q_l R*_l/(q_r R*_r))^{1/4},

where b is a child's radius over its parent's, so that b_l^\gamma + b_r^\gamma = 1 (Murray, exponent \gamma) and
r_root = (Q R*/\Delta P)^{1/4} (Karch et al., Comput Biol Med 29:19, 1999).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from simulate.base.constants import MURRAY_EXPONENT
from simulate.vessels.tree import Tree, level_slices


def carried(tree: Tree, flow: Float[np.ndarray, " t"]) -> Float[np.ndarray, " n"]:
    """Flow of every vessel from that of the terminals, level by level; `tree.sum_to_root` for growth in NumPy."""
    total = np.zeros(tree.nodes)
    total[tree.terminals] = flow
    for branch, left, right in _bifurcations(tree, level_slices(tree.parent)):
        total[branch] = total[left] + total[right]
    total[0] = total[1]
    return total


def _bifurcations(tree: Tree, levels: list[slice]) -> Iterator[tuple[Any, Any, Any]]:
    """The bifurcations of each level with their two children, from the terminals upwards."""
    for nodes in reversed(levels):
        branch = np.flatnonzero(tree.children[nodes, 1] >= 0) + nodes.start
        yield branch, *tree.children[branch].T


def with_radii(
    tree: Tree,
    flow: Float[np.ndarray, " t"],
    *,
    pressure_drop: float,
    viscosity: float,
    exponent: float = MURRAY_EXPONENT,
) -> Tree:
    """Give the tree the radii [mm] at which terminals that carry `flow` [mm^3/s] lie equally far below the root.

    pressure_drop : from root to terminals [Pa].      viscosity : one for all vessels [Pa s].
    """
    through = carried(tree, flow)
    resistance = (8 * viscosity / np.pi) * tree.length  # reduced, of the vessel alone
    share = np.ones(tree.nodes)  # radius over the parent's
    levels = level_slices(tree.parent)
    for branch, left, right in _bifurcations(tree, levels):
        x = (through[left] * resistance[left] / (through[right] * resistance[right])) ** 0.25
        share[left] = (1 + x**-exponent) ** (-1 / exponent)
        share[right] = (1 + x**exponent) ** (-1 / exponent)
        parallel = share[left] ** 4 / resistance[left] + share[right] ** 4 / resistance[right]
        resistance[branch] += 1 / parallel
    radius = np.zeros(tree.nodes)
    radius[1] = (through[1] * resistance[1] / pressure_drop) ** 0.25
    for nodes in levels[1:]:
        radius[nodes] = share[nodes] * radius[tree.parent[nodes]]
    return replace(tree, radius=radius)
