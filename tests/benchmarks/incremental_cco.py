r"""Incremental constrained constructive optimisation, small and plain: the comparison for `simulate.vessels.grow_tree`.

Terminals are added one at a time. Each is joined to the vessels nearest to it in turn: a bifurcation is placed on the
vessel and moved by Weiszfeld's steps to where \sum w l with w = q^{2/\gamma} of its three vessels is least, and the
radii of the whole tree are found anew for equal terminal pressure. The join with the least total volume is kept
(Schreiner & Buxbaum, IEEE Trans Biomed Eng 40:482, 1993; with its update along the path to the root, Karch et al.,
Comput Biol Med 29:19, 1999). Vessels are not tested for collision.
"""

import numpy as np

from simulate.vessels.tree import Tree

NEAREST = 20
WEISZFELD_STEPS = 8


class GrowingTree:
    """Arrays for up to `count` terminals; node 0 is the root, a vessel runs above every other node.

    The volume of the subtree at a node whose vessel has radius 1 is `volume`, its resistance times pi/(8 mu) is
    `resistance` (both reduced), so that a join changes only the path from the new bifurcation to the root.
    """

    def __init__(self, root: np.ndarray, count: int, exponent: float):
        self.exponent, self.nodes = exponent, 1
        self.position = np.zeros((2 * count, 3))
        self.parent, self.children = np.zeros(2 * count, int), np.full((2 * count, 2), -1)
        self.flow, self.resistance, self.volume = np.zeros((3, 2 * count))
        self.position[0] = root

    def add(self, position: np.ndarray, parent: int, flow: float) -> int:
        node, self.nodes = self.nodes, self.nodes + 1
        self.position[node], self.parent[node], self.flow[node] = position, parent, flow
        return node

    def length(self, node: int, position: np.ndarray | None = None) -> float:
        here = self.position[node] if position is None else position
        return float(np.sqrt(((here - self.position[self.parent[node]]) ** 2).sum())) + 1e-12

    def reduced(self, length: float, *subtrees: tuple[float, float, float]) -> tuple[float, float]:
        """Reduced resistance and volume of a vessel above two subtrees (flow, resistance, volume), or above none."""
        if not subtrees:
            return length, length
        (ql, rl, vl), (qr, rr, vr) = subtrees
        x = (ql * rl / (qr * rr)) ** 0.25
        left, right = ((1 + x**sign) ** (-1 / self.exponent) for sign in (-self.exponent, self.exponent))
        return length + 1 / (left**4 / rl + right**4 / rr), length + left**2 * vl + right**2 * vr

    def subtree(self, node: int) -> tuple[float, float, float]:
        return self.flow[node], self.resistance[node], self.volume[node]

    def joined(self, vessel: int, terminal: np.ndarray, flow: float) -> tuple[float, np.ndarray]:
        """Total volume, up to a constant factor, if a terminal joined this vessel; and its best bifurcation."""
        ends = np.stack([self.position[self.parent[vessel]], self.position[vessel], terminal])
        weight = np.array([self.flow[vessel] + flow, self.flow[vessel], flow]) ** (2 / self.exponent)
        fork = weight @ ends / weight.sum()
        for _ in range(WEISZFELD_STEPS):
            pull = weight / np.sqrt(((ends - fork) ** 2).sum(1) + 1e-18)
            fork = pull @ ends / pull.sum()
        above, below, beside = np.sqrt(((ends - fork) ** 2).sum(1)) + 1e-12
        shorter = below - self.length(vessel)
        old = (self.flow[vessel], self.resistance[vessel] + shorter, self.volume[vessel] + shorter)
        state = (self.flow[vessel] + flow, *self.reduced(above, old, (flow, beside, beside)))
        node, child = self.parent[vessel], vessel
        while node:
            sibling = self.children[node].sum() - child
            state = (self.flow[node] + flow, *self.reduced(self.length(node), state, self.subtree(sibling)))
            node, child = self.parent[node], node
        return state[2] * np.sqrt(state[0] * state[1]), fork  # r_root^2 is as sqrt(Q R*)

    def join(self, vessel: int, terminal: np.ndarray, flow: float, fork: np.ndarray) -> int:
        above = self.parent[vessel]
        node = self.add(fork, above, self.flow[vessel])
        self.children[above][self.children[above] == vessel] = node
        self.parent[vessel] = node
        added = self.add(terminal, node, flow)
        self.children[node] = vessel, added
        self.resistance[vessel], self.volume[vessel] = self.renewed(vessel)
        self.resistance[added], self.volume[added] = self.renewed(added)
        while node:
            self.flow[node] += flow
            self.resistance[node], self.volume[node] = self.renewed(node)
            node = self.parent[node]
        return added

    def renewed(self, node: int) -> tuple[float, float]:
        below = [self.subtree(child) for child in self.children[node] if child >= 0]
        return self.reduced(self.length(node), *below)

    def nearest(self, point: np.ndarray) -> np.ndarray:
        """Vessels by their distance, as straight pieces, from a point; the NEAREST of them."""
        b = self.position[1 : self.nodes]
        a = self.position[self.parent[1 : self.nodes]]
        along = np.einsum("ij,ij->i", point - a, b - a) / (np.einsum("ij,ij->i", b - a, b - a) + 1e-24)
        distance = ((a + np.clip(along, 0, 1)[:, None] * (b - a) - point) ** 2).sum(1)
        return 1 + np.argsort(distance)[:NEAREST]


def grow_incrementally(
    rng: np.random.Generator, terminals: np.ndarray, flow: np.ndarray, root: np.ndarray, *, exponent: float
) -> Tree:
    """A tree without radii over all `terminals` (t, 3) [mm] that carry `flow` (t,), added in random order."""
    growing = GrowingTree(root, len(terminals), exponent)
    of_terminal = np.zeros(len(terminals), int)
    first, *rest = rng.permutation(len(terminals))
    of_terminal[first] = growing.add(terminals[first], 0, flow[first])
    growing.children[0, 0] = 1
    growing.resistance[1], growing.volume[1] = growing.renewed(1)
    for k in rest:
        tried = [(*growing.joined(v, terminals[k], flow[k]), v) for v in growing.nearest(terminals[k])]
        _, fork, vessel = min(tried, key=lambda option: option[0])
        of_terminal[k] = growing.join(vessel, terminals[k], flow[k], fork)
    return _by_levels(growing, of_terminal)


def _by_levels(growing: GrowingTree, of_terminal: np.ndarray) -> Tree:
    """The same tree with its nodes numbered level by level from the root."""
    level = [np.array([0])]
    while level[-1].size:
        below = growing.children[level[-1]].ravel()
        level.append(below[below >= 0])
    order = np.concatenate(level)
    rank = np.append(np.argsort(order), -1)  # -1 stays -1
    position = growing.position[order]
    parent = rank[growing.parent[order]]
    length = np.sqrt(((position - position[parent]) ** 2).sum(1)) + 1e-12
    length[0] = 0.0
    children = rank[growing.children[order]]
    return Tree(position, parent, children, rank[of_terminal], np.zeros(len(order)), length)
