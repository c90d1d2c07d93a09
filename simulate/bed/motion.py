"""How plasma moves through a grid: through-flow, velocity, speed, plasma of vessels, time of arrival."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from simulate.bed.assembly import Bed
from simulate.bed.segments import cut_at_planes
from simulate.flow.trees import TreeFlow
from simulate.scanner.voxels import voxel_average
from simulate.vessels.tree import Tree, sum_along_paths, sum_to_root

CAPILLARY_LENGTH = 0.8
"""Path [mm] through a capillary bed; 0.6 to 1 mm in cortex (chosen)."""


class Motion(NamedTuple):
    """On voxels (*voxels): plasma fraction of resolved vessels; through-flow [1/s]; mean velocity (*voxels, 3)
    and mean speed [mm/s] of all plasma.      arrival : (T,) mean time from the inlet to the territory [s]."""

    plasma: Any
    through_flow: Any
    velocity: Any
    speed: Any
    arrival: Any


def plasma_motion(bed: Bed, coarsen: int = 1) -> Motion:
    """Motion of plasma on voxels of `coarsen` cells along an edge.

    Capillaries run in all directions: they add to the speed (their length per transit time), not to the velocity.
    """
    vessels = bed.vessels
    fine = vessels.territory.shape
    shape = tuple(n // coarsen for n in fine)
    voxel = coarsen * np.asarray(vessels.cell)
    crossing = np.zeros(shape)
    totals = np.zeros((5, vessels.territory.size))  # plasma, path, momentum in x, y, z
    for tree, flow, pieces, away in (
        (vessels.arteries, bed.flow.arteries, bed.arterial_sections, 1.0),
        (vessels.veins, bed.flow.veins, bed.venous_sections, -1.0),
    ):
        plasma_flow = np.asarray(flow.plasma)
        crossing += _crossings(tree, plasma_flow, shape, voxel)
        span = tree.position - tree.position[tree.parent]
        # tortuous vessels wind: speed counts their whole length, velocity the way from end to end
        along = [np.asarray(flow.plasma_volume(tree)), plasma_flow * tree.length, *(away * plasma_flow * span.T)]
        for total, quantity in zip(totals, along, strict=True):
            total += np.bincount(pieces.cell, quantity[pieces.vessel] * pieces.share, total.size)
    plasma, path, *momentum = (voxel_average(t.reshape(fine), coarsen) / bed.cell_volume for t in totals)
    Fp, vp = (np.asarray(a).reshape(fine) for a in (bed.tissue.Fp, bed.tissue.vp))
    Fp, vp = voxel_average(Fp, coarsen), voxel_average(vp, coarsen)
    everything = np.maximum(plasma + vp, 1e-12)
    along = np.asarray(_along(vessels.arteries, bed.flow.arteries))
    arrival = along[vessels.arteries.terminals] + bed.precapillary_delay + bed.precapillary_dispersion
    return Motion(
        plasma=plasma,
        through_flow=crossing / 2 / float(np.prod(voxel)),
        velocity=np.stack(momentum, axis=-1) / everything[..., None],
        speed=(path + Fp * CAPILLARY_LENGTH) / everything,
        arrival=arrival,
    )


def _along(tree: Tree, flow: TreeFlow) -> Any:
    """(n,) mean time [s] between the root and every node."""
    return sum_along_paths(tree, jnp.asarray(flow.transit_time(tree)))


def arrival_times(bed: Bed) -> tuple[Any, Any]:
    """Mean time [s] since the inlet at every node of the arteries and of the veins (n,).

    At a venous node it is the mean over the plasma that passes: through capillary units (vp + ve)/Fp, through shunts 0.
    """
    vessels, flow = bed.vessels, bed.flow
    arterial = np.asarray(_along(vessels.arteries, flow.arteries))
    Fp, held = np.asarray(bed.tissue.Fp), np.asarray(bed.tissue.vp) + np.asarray(bed.tissue.ve)
    ends = arterial[vessels.arteries.terminals]
    wanted = vessels.terminal_flow
    own = ends + bed.precapillary_delay + bed.precapillary_dispersion
    # EES counts only where tracer can reach it
    held = np.where(np.asarray(bed.tissue.PS) > 0, held, np.asarray(bed.tissue.vp)) + Fp * bed.local_delay
    in_units = np.bincount(bed.owner, np.where(Fp > 0, held, 0.0) * bed.cell_volume, vessels.terminals)
    leaving = wanted * own + in_units + wanted * vessels.shunt * ends  # flow-weighted sum of times
    below = _along(vessels.veins, flow.veins)
    passing = jnp.asarray(vessels.plasma_flow)
    at = jnp.asarray(leaving) + passing * below[vessels.veins.terminals]
    venous = sum_to_root(vessels.veins, at) / sum_to_root(vessels.veins, passing) - below
    return arterial, np.asarray(venous)


def _crossings(tree: Tree, flow: Any, shape: tuple[int, ...], voxel: Any) -> Any:
    """(*voxels) sum of |flow| across the faces of each voxel, along the centre lines of the vessels."""
    cuts = cut_at_planes(tree.position[tree.parent[1:]], tree.position[1:], shape, voxel)
    crossed = cuts.segment[1:] == cuts.segment[:-1]
    carried, size = flow[1:][cuts.segment[1:][crossed]], int(np.prod(shape))
    total = sum(np.bincount(side[crossed], carried, size) for side in (cuts.cell[:-1], cuts.cell[1:]))
    return np.reshape(total, shape)
