r"""Stirred volumes joined by flows: the one discrete form of vessels, delays, capillaries and interstitium.

    V_i dc_i/dt = \sum_j q_{ij} c_j - c_i \sum_j q_{ji},      q_{ij} [mm^3/s] >= 0 from j to i.

Blood carries tracer one way (upwind); exchange through a wall and diffusion are equal flows both ways. What one
volume gives the other takes, so mass is kept by construction, and no flow is negative, so concentrations stay
positive under any scheme that does. A volume beyond the border has the given plasma concentration.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from simulate.base.errors import InputError

OUTSIDE = -1
"""Index of what lies beyond the border: flow from there brings the input, flow to there leaves."""


@dataclass(frozen=True)
class Compartments:
    """V dc/dt = M c + b c_a(t), with outflow o c; u stirred volumes, float64.

    volume : (u,) V [mm^3].      matrix : (u, u) sparse M [mm^3/s]; its columns sum to -o.
    inlet, outlet : (u,) b and o, flows from and to outside [mm^3/s].
    """

    volume: Any
    matrix: Any
    inlet: Any
    outlet: Any


class CompartmentNetwork:
    """Collects volumes and flows, then `assemble`s them.

    size : volumes so far; they are numbered in the order in which they are added.
    """

    def __init__(self) -> None:
        self.size = 0
        self._volumes: list[Any] = []
        self._flows: list[Any] = []

    def split(self, volume: Any, parts: int) -> Any:
        """Add k volumes (k,) [mm^3], each in `parts` equal ones; their indices (k, parts)."""
        volume = np.asarray(volume, float).ravel()
        self._volumes.append(np.repeat(volume / parts, parts))
        index = self.size + np.arange(volume.size * parts).reshape(-1, parts)
        self.size += index.size
        return index

    def chain(self, volume: Any, flow: Any, parts: int) -> Any:
        """Add k plug flows (k,) as `parts` stirred volumes in series; their indices (k, parts), upstream first.

        The delay V/Q is exact, its spread (V/Q)^2/parts.
        """
        index = self.split(volume, parts)
        self.carry(index[:, :-1], index[:, 1:], np.reshape(np.asarray(flow, float), (-1, 1)))
        return index

    def carry(self, source: Any, target: Any, flow: Any) -> None:
        """Flow [mm^3/s] one way from volumes to volumes; the three are broadcast against each other."""
        source, target, flow = np.broadcast_arrays(source, target, np.asarray(flow, float))
        self._flows.append((source.ravel(), target.ravel(), flow.ravel()))

    def exchange(self, one: Any, other: Any, conductance: Any) -> None:
        """Equal flows both ways [mm^3/s]: permeability times surface, or diffusivity times area over distance."""
        self.carry(one, other, conductance)
        self.carry(other, one, conductance)

    def assemble(self) -> Compartments:
        """The linear system.

        Raises InputError where a volume or flow is negative or not finite, or a volume is 0 and nothing leaves it.
        """
        volume = np.concatenate([*self._volumes, np.zeros(0)])
        source, target, flow = (np.concatenate(a) for a in zip(*self._flows, strict=True))
        for name, values in (("volumes", volume), ("flows", flow)):
            if not np.isfinite(values).all() or (values < 0).any():
                raise InputError("compartments", name, "are negative or not finite", "give flows and volumes >= 0")
        leaving, entering = source != OUTSIDE, target != OUTSIDE
        given = np.bincount(source[leaving], flow[leaving], self.size)
        if ((volume == 0) & (given == 0)).any():
            raise InputError("compartments", "volumes", "of 0 hold tracer that cannot leave", "leave such volumes out")
        inner = leaving & entering
        matrix = sparse.coo_array((flow[inner], (target[inner], source[inner])), shape=(self.size, self.size))
        from_outside, to_outside = entering & ~leaving, leaving & ~entering
        return Compartments(
            volume=volume,
            matrix=(matrix - sparse.diags_array(given)).tocsc(),
            inlet=np.bincount(target[from_outside], flow[from_outside], self.size),
            outlet=np.bincount(source[to_outside], flow[to_outside], self.size),
        )
