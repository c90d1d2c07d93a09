"""A block of tissue as transport sees it: vessels, their flow, and a capillary-tissue unit in every cell."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import ArrayLike, Float

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.bed.sections import Sections, lay_out_vessels
from simulate.flow.trees import VesselFlow
from simulate.vessels.network import Vessels

LOCAL_SPEED = 5.0
"""Mean speed [mm/s] from the end of a resolved artery to a capillary: arterioles of 10 to 30 micrometres (chosen)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Bed:
    """Everything that carries tracer in a block of tissue; c cells (the grid, flattened), T terminals.

    Attributes
    ----------
    vessels : Vessels
        Arteries and veins.
    flow : VesselFlow
        Flow in them.
    tissue : Tissue
        Parameters (c,) of the capillary-tissue unit that fills each cell; Fp is 0 where there is none.
    mixing : (c,) array
        1 for one stirred capillary (2CXM) .. 1/N for N tanks .. 0 for plug flow.
    owner : (c,) int array
        Terminal that feeds the cell.
    local_delay : (c,) array [s]
        From there to the cell.
    precapillary_delay : (T,) array [s]
        Of the supply outside the block.
    precapillary_dispersion : (T,) array [s]
        Mean time of an exponential distribution of delays there.
    arterial_sections : Sections
        Where the resolved arteries lie.
    venous_sections : Sections
        Where the resolved veins lie.
    cell_volume : float [mm^3]
        Of one cell.
    """

    vessels: Vessels
    flow: VesselFlow
    tissue: Tissue
    mixing: Any
    owner: Any
    local_delay: Any
    precapillary_delay: Any
    precapillary_dispersion: Any
    arterial_sections: Sections
    venous_sections: Sections
    cell_volume: float = field(metadata={"static": True})


def make_bed(
    vessels: Vessels,
    flow: VesselFlow,
    tissue: Tissue,
    *,
    pieces: tuple[Sections, Sections] | None = None,
    mixing: Float[ArrayLike, "*#space"] = 1.0,
    precapillary_delay: Float[ArrayLike, "*#t"] = 0.0,
    precapillary_dispersion: Float[ArrayLike, "*#t"] = 0.0,
) -> Bed:
    """Put a capillary-tissue unit into every cell of the grid over which the vessels were grown.

    Parameters
    ----------
    vessels : Vessels
        Arteries and veins over T terminals.
    flow : VesselFlow
        Flow in them.
    tissue : Tissue
        Parameters (x, y, z) in internal units; its Fp must be the demand that the vessels carry.
    pieces : tuple of Sections
        Where arteries and veins lie, from `lay_out_vessels`, which is called where they are not given.
    mixing : float or (x, y, z) array
        1 stirred capillary (2CXM) to 0 plug flow, per cell.
    precapillary_delay : float or (T,) array [s]
        Per terminal, see `Bed`.
    precapillary_dispersion : float or (T,) array [s]
        Likewise.

    Returns
    -------
    Bed
        What `transport` and `march_bed` take.

    Raises
    ------
    InputError
        Where the demand of the cells is not the flow of the vessels.
    """
    shape, cell = vessels.territory.shape, np.asarray(vessels.cell)

    def flat(values: Any) -> Any:
        return np.broadcast_to(np.asarray(values, float), shape).ravel()

    wanted = np.sum(np.broadcast_to(np.asarray(tissue.Fp, float), shape)) * np.prod(cell)
    if not np.isclose(wanted, np.sum(np.asarray(vessels.terminal_flow)), rtol=1e-5):
        raise InputError(
            "make_bed", "tissue.Fp", "is not the demand that the vessels carry",
            "grow the vessels for it, or give them this flow by with_flow",
        )  # fmt: skip
    owner = np.maximum(vessels.territory.ravel(), 0)
    ends = vessels.arteries.position[vessels.arteries.terminals]
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * cell
    distance = np.linalg.norm(centres - ends[owner], axis=1)
    if pieces is None:
        pieces, _ = lay_out_vessels((vessels.arteries, vessels.veins), shape, vessels.cell)
    return Bed(
        vessels=vessels,
        flow=flow,
        tissue=Tissue(*(flat(getattr(tissue, name)) for name in ("Fp", "PS", "vp", "ve"))),
        mixing=flat(mixing),
        owner=owner,
        local_delay=distance / LOCAL_SPEED,
        precapillary_delay=np.broadcast_to(np.asarray(precapillary_delay, float), (vessels.terminals,)),
        precapillary_dispersion=np.broadcast_to(np.asarray(precapillary_dispersion, float), (vessels.terminals,)),
        arterial_sections=pieces[0],
        venous_sections=pieces[1],
        cell_volume=float(np.prod(cell)),
    )
