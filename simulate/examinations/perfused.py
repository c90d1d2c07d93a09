"""A phantom with vessels: grown, flowing, and what they leave of every cell's tissue."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from simulate.base.constants import HAEMATOCRIT, blood_t1
from simulate.base.types import Tissue
from simulate.bed.assembly import Bed, make_bed
from simulate.bed.sections import lay_out_vessels
from simulate.flow.trees import solve_flow
from simulate.phantoms.tumour import Phantom
from simulate.vessels.domain import Domain
from simulate.vessels.network import Vessels, grow_vessels, make_irregular, with_flow


@dataclass(frozen=True)
class PerfusedPhantom:
    """A phantom with vessels: what transport needs, and what it displaced.

    Attributes
    ----------
    phantom : Phantom
        Before vessels were grown into it.
    bed : Bed
        Vessels, flow, capillary-tissue units.
    tissue : Tissue
        Parameters (x, y, z) beside the vessels, over the whole cell.
    blood : (x, y, z) array [fraction]
        Share of each cell that resolved vessels take.
    t10 : (x, y, z) array [s]
        T1 before contrast of both together.
    haematocrit : float [fraction]
        Of the blood that enters.
    t1_blood : float [s]
        Its T1 before contrast.
    """

    phantom: Phantom
    bed: Bed
    tissue: Tissue
    blood: Any
    t10: Any
    haematocrit: float
    t1_blood: float


def vascularise(
    key: Key[Array, ""],
    phantom: Phantom,
    *,
    terminals: int = 5000,
    haematocrit: float = HAEMATOCRIT,
    field_strength: float = 3.0,
) -> PerfusedPhantom:
    """Grow vessels that supply the phantom and solve their flow.

    Parameters
    ----------
    key : jax.random key
        Of vessels and their irregularity.
    phantom : Phantom
        From `tumour_phantom`.
    terminals : int
        How many arteries end in it.
    haematocrit : float [fraction]
        Of the blood that enters.
    field_strength : float [T]
        For the T1 of blood.

    Returns
    -------
    PerfusedPhantom
        What `simulate_dce` and `simulate_asl` take.

    Raises
    ------
    InputError
        As `grow_vessels`, `solve_flow` and `blood_t1` do.
    """
    grow, bend = jax.random.split(key)
    domain = Domain(np.asarray(phantom.tissue.Fp, float), phantom.cell)
    vessels = grow_vessels(grow, domain, terminals=terminals, haematocrit=haematocrit)
    vessels = make_irregular(bend, vessels, phantom.irregularity)
    shape = domain.demand.shape
    pieces, blood = lay_out_vessels((vessels.arteries, vessels.veins), shape, phantom.cell)
    tissue = Tissue(*(np.asarray(getattr(phantom.tissue, n), float) * (1 - blood) for n in ("Fp", "PS", "vp", "ve")))
    vessels = with_flow(vessels, Domain(tissue.Fp, phantom.cell))
    flow = solve_flow(vessels, haematocrit=haematocrit)
    ends = _cells_of(vessels, shape)
    bed = make_bed(
        vessels, flow, tissue, pieces=pieces, mixing=phantom.mixing,
        precapillary_delay=np.asarray(phantom.precapillary_delay)[ends],
        precapillary_dispersion=np.asarray(phantom.precapillary_dispersion)[ends],
    )  # fmt: skip
    t1_blood = blood_t1(field_strength, haematocrit)
    rate = (1 - blood) / np.maximum(phantom.t10, 1e-3) + blood / t1_blood
    return PerfusedPhantom(phantom, bed, tissue, blood, 1 / rate, haematocrit, t1_blood)


def _cells_of(vessels: Vessels, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Index of the cell in which every arterial terminal lies."""
    ends = vessels.arteries.position[vessels.arteries.terminals]
    return tuple(np.clip(ends / np.asarray(vessels.cell), 0, np.asarray(shape) - 1).astype(int).T)
