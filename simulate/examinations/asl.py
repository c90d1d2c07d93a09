"""An ASL examination of a phantom with vessels: labelled water carried by the flow that also carries contrast."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Key

from simulate.base.errors import InputError
from simulate.base.types import ASLProtocol, Maps
from simulate.examinations.perfused import PerfusedPhantom
from simulate.examinations.truth import tissue_t1
from simulate.labelling.series import labelled_volumes
from simulate.scanner.measurement import PROTON_DENSITY
from simulate.scanner.voxels import voxel_average
from simulate.vessels.tree import sum_along_paths
from simulate.water.transport import (
    FREQUENCIES,
    WATER,
    Water,
    blood_supply,
    difference_from,
    label_curves,
    label_readout,
)

INLET_DELAY = 0.7
"""Seconds of blood from the labelling plane in the neck to a block of brain (chosen)."""


@dataclass(frozen=True)
class ASLSimulation:
    """A simulated examination.

    Attributes
    ----------
    data : (x, y, z, n) array
        Noisy volumes.
    difference : (x, y, z, n) array
        Control minus label behind them, noise-free.
    protocol : ASLProtocol
        How it was measured.
    affine : (4, 4) array [mm]
        Voxel index to position in the world.
    truth : Maps
        On voxels in clinical units: CBF, ATT, aBV, M0, T1 and T1_tissue, of the physical model `model`
        (`simulate.examinations.asl.true_asl_values`).
    perfused : PerfusedPhantom
        What was measured.
    """

    data: Any
    difference: Any
    protocol: ASLProtocol
    affine: np.ndarray
    truth: Maps
    perfused: PerfusedPhantom

    @property
    def model(self) -> str:
        """Name of the physical model that made the truth."""
        return f"labelled water on a vascular bed; {self.perfused.phantom.model}"


def simulate_asl(
    key: Key[Array, ""],
    perfused: PerfusedPhantom,
    protocol: ASLProtocol,
    *,
    inlet_delay: float = INLET_DELAY,
    exchange: Any = WATER.exchange,
    residual: float | None = None,
    sigma: float = 0.002,
    coarsen: int = 1,
    frequencies: int = FREQUENCIES,
) -> ASLSimulation:
    """Simulate control, label and M0 volumes of a phantom whose vessels and flow also serve `simulate_dce`.

    Parameters
    ----------
    key : jax.random key
        Of the noise.
    perfused : PerfusedPhantom
        From `vascularise`.
    protocol : ASLProtocol
        See `asl_protocol`.
    inlet_delay : float [s]
        From the labelling plane to the block.
    exchange : float or (x, y, z) array [1/s]
        PSw, one number or one for every cell.
    residual : float
        See `asl_series`.
    sigma : float
        Noise of a volume over M0.
    coarsen : int
        Cells along the edge of a voxel.
    frequencies : int
        See `simulate.water.transport.label_readout`.

    Returns
    -------
    ASLSimulation
        The volumes with all that is behind them.

    Raises
    ------
    InputError
        Where the grid is no multiple of `coarsen`, or slice times are not one for each slice.
    """
    shape = perfused.blood.shape
    if any(n % coarsen for n in shape):
        raise InputError("simulate_asl", "coarsen", f"{coarsen} does not divide {shape}", "give a common divisor")
    slices = np.asarray(protocol.slice_times)
    if slices.size not in (0, shape[2] // coarsen):
        problem = f"are {slices.size}, and there are {shape[2] // coarsen} slices"
        raise InputError("simulate_asl", "slice_times", problem, "give one for each, or none")
    t1 = np.asarray(perfused.phantom.t10, float)
    water = WATER._replace(
        t1_blood=protocol.t1_blood, t1_tissue=jnp.asarray(np.maximum(t1, 0.1).ravel()),
        exchange=jnp.asarray(np.broadcast_to(exchange, shape).ravel() if np.ndim(exchange) else exchange),
    )  # fmt: skip
    cells = _differences(perfused, protocol, water, inlet_delay, frequencies)
    voxels = [voxel_average(part.reshape(*shape, -1), coarsen) for part in cells]
    late = np.unique(slices) if slices.size else np.zeros(1)
    of_slice = np.searchsorted(late, slices) if slices.size else np.zeros(shape[2] // coarsen, int)
    difference = jnp.stack([voxels[k][:, :, z] for z, k in enumerate(of_slice)], axis=2)
    truth = true_asl_values(perfused, inlet_delay=inlet_delay, water=water, coarsen=coarsen)
    data = labelled_volumes(
        key, difference, protocol, m0=truth["M0"], t1_tissue=truth["T1"], residual=residual,
        sigma=sigma * PROTON_DENSITY,
    )  # fmt: skip
    affine = np.diag([*(coarsen * np.asarray(perfused.phantom.cell)), 1.0])
    return ASLSimulation(data, difference, protocol, affine, Maps.from_internal(truth, affine), perfused)


def _differences(
    perfused: PerfusedPhantom, protocol: ASLProtocol, water: Water, inlet_delay: float, frequencies: int
) -> list[Array]:
    """(cells, n) for every distinct slice time: transport once for each distinct time and duration."""
    slices = np.unique(np.asarray(protocol.slice_times)) if np.size(protocol.slice_times) else np.zeros(1)
    labelled = np.isin(protocol.volume_types, ("label", "deltam", "control"))
    times, durations = np.asarray(protocol.times, float), np.asarray(protocol.label_duration, float)
    schemes = np.stack([times, durations], axis=1)
    unique, which = np.unique(schemes[labelled], axis=0, return_inverse=True)
    wanted = np.concatenate([unique[:, 0] + late for late in slices])
    out = label_readout(
        wanted, np.tile(unique[:, 1], len(slices)), labelling=protocol.labelling, inlet_delay=inlet_delay,
        t1_blood=protocol.t1_blood, frequencies=frequencies,
    )  # fmt: skip
    label = difference_from(
        label_curves(perfused.bed, out, water), m0=PROTON_DENSITY, label_efficiency=protocol.label_efficiency,
        water=water,
    )  # fmt: skip
    columns = np.zeros(len(times), int)
    columns[labelled] = which.ravel()
    parts = jnp.split(label, len(slices), axis=1)
    return [jnp.where(labelled, part[:, columns], 0.0) for part in parts]


def true_asl_values(
    perfused: PerfusedPhantom, *, inlet_delay: float = INLET_DELAY, water: Water = WATER, coarsen: int = 1
) -> dict[str, Any]:
    """CBF [mL/g/s] = F/rho of the capillaries in the voxel; ATT [s], the mean time of blood from the labelling
    plane to them, weighted by their flow (NaN without flow); aBV, arterial blood in resolved vessels; M0 [signal] at
    full recovery; T1 and T1_tissue [s], of the whole voxel and of its tissue beside resolved vessels."""
    bed, shape = perfused.bed, perfused.blood.shape
    flow, _ = blood_supply(bed)
    tree = bed.vessels.arteries
    along = sum_along_paths(tree, jnp.asarray(bed.flow.arteries.blood_transit_time(tree)))
    supply = np.asarray(bed.precapillary_delay) + np.asarray(bed.precapillary_dispersion)
    arrival = inlet_delay + (np.asarray(along)[tree.terminals] + supply)[bed.owner] + np.asarray(bed.local_delay)
    F = voxel_average(np.asarray(flow, float).reshape(shape), coarsen)
    with np.errstate(invalid="ignore", divide="ignore"):
        att = np.where(F > 0, voxel_average((np.asarray(flow) * arrival).reshape(shape), coarsen) / F, np.nan)
    volume = tree.volume
    pieces = bed.arterial_sections
    held = np.bincount(pieces.cell, np.asarray(volume)[pieces.vessel] * pieces.share, int(np.prod(shape)))
    abv = voxel_average(held.reshape(shape), coarsen) / bed.cell_volume
    return {
        "CBF": F / water.density, "ATT": att, "aBV": abv,
        "M0": np.full(F.shape, PROTON_DENSITY), "T1": 1 / voxel_average(1 / np.asarray(perfused.t10, float), coarsen),
        "T1_tissue": tissue_t1(perfused, coarsen),
    }  # fmt: skip
