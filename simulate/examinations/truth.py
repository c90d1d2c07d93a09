"""Ground truth of a phantom with vessels, on voxels."""

from typing import Any

import numpy as np

from simulate.base.exchange import transfer_constant
from simulate.base.types import Maps
from simulate.bed.motion import plasma_motion
from simulate.examinations.perfused import PerfusedPhantom
from simulate.scanner.voxels import voxel_average


def truth_maps(perfused: PerfusedPhantom, *, coarsen: int = 1) -> Maps:
    """Ground truth on voxels, in clinical units.

    Parameters
    ----------
    perfused : PerfusedPhantom
        From `vascularise`.
    coarsen : int
        Cells along the edge of a voxel.

    Returns
    -------
    Maps
        By the names of `simulate.examinations.truth.true_values`, which says what each is.
    """
    affine = np.diag([*(coarsen * np.asarray(perfused.phantom.cell)), 1.0])
    return Maps.from_internal(true_values(perfused, coarsen=coarsen), affine)


def true_values(perfused: PerfusedPhantom, *, coarsen: int = 1) -> dict[str, Any]:
    """Ground truth on voxels by name, in internal units; every kind of flow has its own name.

    Fp : delivered plasma flow, that of the capillaries in the voxel.      through_flow : half the plasma flow
    across the voxel's faces in resolved vessels, over its volume; it depends on the voxel's size.
    speed, velocity_x.._z : mean speed and mean velocity of all plasma in the voxel [mm/s].
    vp : plasma of the capillary units.      vp_vessels : plasma of resolved vessels.      vp_total : both.
    PS, ve, Ktrans (of the unit's own model).      delay : mean time from the inlet to the capillaries [s].
    dispersion : mean of the exponential spread on the way [s].      Those two are weighted by Fp; NaN without flow.
    T10, T10_tissue : T1 before contrast of the whole voxel and of the tissue beside resolved vessels [s].
    """
    phantom, bed, tissue = perfused.phantom, perfused.bed, perfused.tissue
    shape = perfused.blood.shape
    motion = plasma_motion(bed, coarsen)
    Ktrans = np.asarray(transfer_constant(tissue.Fp, tissue.PS, phantom.mixing), float)
    arrival = np.asarray(motion.arrival)[bed.owner] + np.asarray(bed.local_delay)
    spread = np.asarray(bed.precapillary_dispersion)[bed.owner]
    flow = voxel_average(tissue.Fp, coarsen)

    def by_flow(values: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(flow > 0, voxel_average(tissue.Fp * np.reshape(values, shape), coarsen) / flow, np.nan)

    vp = voxel_average(tissue.vp, coarsen)
    return {
        "Fp": flow,
        "PS": voxel_average(tissue.PS, coarsen),
        "vp": vp,
        "ve": voxel_average(tissue.ve, coarsen),
        "Ktrans": voxel_average(Ktrans, coarsen),
        "vp_vessels": motion.plasma,
        "vp_total": vp + motion.plasma,
        "delay": by_flow(arrival),
        "dispersion": by_flow(spread),
        "T10": 1 / voxel_average(1 / perfused.t10, coarsen),
        "T10_tissue": tissue_t1(perfused, coarsen),
        "through_flow": motion.through_flow,
        "speed": motion.speed,
        **{f"velocity_{axis}": motion.velocity[..., i] for i, axis in enumerate("xyz")},
    }


def tissue_t1(perfused: PerfusedPhantom, coarsen: int = 1) -> Any:
    """(*voxels) T1 [s] of what resolved vessels leave of a voxel: rates add up by volume."""
    tissue = 1 - perfused.blood
    rate = voxel_average(tissue / np.maximum(perfused.phantom.t10, 1e-3), coarsen)
    return voxel_average(tissue, coarsen) / rate
