"""Methods that need no arterial input: QTMnet, and the inversion of the transport equation (QTM).

Neither knows an absolute scale; both take it from the same stated source (`estimate.arterial.scale`). Both look at all
of a scan at once, so the curves of the mask are held, in single precision: as much as a series of such voxels.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from estimate.arterial.scale import CBFMap, asl_scale, describe, population_scale, vessel_scale
from estimate.qtmnet.contrast.features import ARRIVED
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.contrast.maps import parameters, status_of, unphysical, warnings_of
from estimate.qtmnet.contrast.targets import SCALED, SCORED
from estimate.qtmnet.weights import SHIPPED, Trained, load_trained
from estimate.signal.voxels import Estimate, Voxels, plain_maps, scatter
from estimate.transport_mapping.inversion import one_compartment, plasma_volume, two_compartments
from simulate.base.errors import InputError
from simulate.base.progress import Progress
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import Maps
from simulate.files.atomic import sha256_of
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import AREA_WINDOW


def estimate_by_qtmnet(
    voxels: Voxels, scale: str, aif: ArterialInput | None, cbf: CBFMap | None, haematocrit: float,
    weights: Path | None, report: Progress,
) -> Estimate:  # fmt: skip
    """The whole image through the network, by default the shipped one; voxels that have no curve are left out of it."""
    weights = weights or SHIPPED
    trained, protocol = load_trained(weights), voxels.protocol
    if trained.network.shape.aif_given:
        raise InputError(weights, "aif_given", "was trained with the input given, for comparison", "give other weights")
    times = np.asarray(protocol.frame_centres, dtype=float)
    arrays: dict[str, np.ndarray] = {}
    where, curves = _read(voxels, times, arrays)
    report("qtmnet", 0, len(curves))
    found = predict_scan(
        trained, curves, np.asarray(protocol.times), float(protocol.frame_duration),
        where=where, shape=voxels.mask.shape, progress=report,
    )  # fmt: skip
    if found.facts.arrival <= times[1]:
        raise InputError("series", "", "contrast is there from the first frames on", "fit a model instead")
    if scale == "vessels":
        assert aif is not None
        chosen = vessel_scale(aif)
    elif scale == "asl":
        flow = np.exp(found.value[:, SCORED.index("Fp")]) * found.level
        assert cbf is not None
        common = trained.calibration.common_error["Fp"]
        chosen = asl_scale(flow, cbf.at(where), haematocrit=haematocrit, own_error=common)
    else:
        chosen = population_scale()
    values = parameters(found, chosen, trained.calibration_factor)
    scatter(arrays, voxels.mask.shape, where, values, status_of(found, values, arrays["status"][where]))
    status = arrays.pop("status").astype(np.int32)
    facts = {
        "scale": describe(chosen, SCALED),
        "weights": _weights_facts(weights, trained),
        "strangeness of the scan": found.ood_score,
    }
    warnings = warnings_of(found, values, times, alarms=trained.calibration.limits["scans"]["alarms"])
    return Estimate(Maps(arrays, voxels.series.affine), status, aif, protocol, "qtmnet", facts, warnings)


def _read(
    voxels: Voxels, times: np.ndarray, arrays: dict[str, np.ndarray]
) -> tuple[tuple[np.ndarray, ...], Float[np.ndarray, "v t"]]:
    """Go once through the series: indices and curves [mmol/L] of the voxels of the mask that have one.

    arrays : plain maps and status are put into it.
    """
    curves = np.empty((int(voxels.mask.sum()), len(times)), np.float32)
    places: list[tuple[np.ndarray, ...]] = []
    done = 0
    for where, concentration, before, t10_here in voxels.blocks():
        maps = plain_maps(concentration, times, voxels.protocol, t10_here)
        scatter(arrays, voxels.mask.shape, where, maps, before)
        sound = (before & int(NO_ESTIMATE)) == 0
        places.append(tuple(axis[sound] for axis in where))
        curves[done : done + sound.sum()] = concentration[sound]
        done += int(sound.sum())
    if done == 0:
        raise InputError("series", "", "no voxel of the mask has a curve", "give a mask that covers enhancing tissue")
    return tuple(np.concatenate(axis) for axis in zip(*places, strict=True)), curves[:done]


def _weights_facts(path: Path, trained: Trained) -> dict[str, Any]:
    made, known = trained.facts.get("provenance", {}), trained.calibration
    return {
        "file": path.name, "sha256": sha256_of(path), "trained": made.get("time"), "seed": made.get("seed"),
        "limits: shares of in-distribution curves and scans beyond, of out-of-distribution scans found": known.limits,
        "what a scan's voxels are off by together, sd of the logarithm (delay: s)": known.common_error,
    }  # fmt: skip


def estimate_by_qtm(
    voxels: Voxels, scale: str, aif: ArterialInput | None, cell: tuple[float, float, float], report: Progress
) -> Estimate:
    """Velocity of plasma and its exchange by inverting the transport equation over the mask.

    The box around the mask is held in memory at once, with its curves.
    """
    protocol = voxels.protocol
    times = np.asarray(protocol.frame_centres, dtype=float)
    arrays: dict[str, np.ndarray] = {}
    where, curves = _read(voxels, times, arrays)
    here = tuple(axis - axis.min() for axis in where)
    box = np.zeros((*(int(axis.max()) + 1 for axis in here), len(times)), np.float32)
    box[here] = curves
    inside = np.zeros(box.shape[:-1], bool)
    inside[here] = True
    report("qtm, one compartment", 0, 2)
    first = one_compartment(box, times, cell, inside=inside)
    report("qtm, two compartments", 1, 2)
    second = two_compartments(box, times, cell, inside=inside)
    chosen = vessel_scale(aif) if aif is not None else population_scale()
    mean = np.mean(curves, axis=0)
    arrival = float(times[np.argmax(mean > ARRIVED * mean.max())])
    vp = plasma_volume(second, times, arrival, AREA_WINDOW, chosen.area)
    with np.errstate(all="ignore"):
        values = {
            "vp": vp, "PS": vp * second.PS_over_vp, "ve": vp * second.PS_over_vp / second.PS_over_ve,
            "kep": second.PS_over_ve, "vp_ve_ratio": second.PS_over_ve / second.PS_over_vp,
            "speed": second.speed, "residual": second.residual,
            **{f"velocity_{axis}": second.velocity[..., i] for i, axis in enumerate("xyz")},
            "speed_one_compartment": first.speed, "residual_one_compartment": first.residual,
        }  # fmt: skip
    flat = {name: np.where(np.isfinite(v[here]), v[here], np.nan) for name, v in values.items()}
    status = np.where(unphysical(flat), int(Status.UNFAMILIAR), 0)
    status |= arrays["status"][where] | (0 if second.converged else int(Status.NOT_CONVERGED))
    scatter(arrays, voxels.mask.shape, where, flat, status.astype(np.int32))
    report("qtm", 2, 2)
    status = arrays.pop("status").astype(np.int32)
    left = {"one compartment": first.residual[here], "two compartments": second.residual[here]}
    facts = {
        "scale": describe(chosen, ("vp", "PS", "ve")),
        "convergence": {
            "converged": second.converged, "iterations": second.iterations,
            **{f"median residual, {name}": float(np.median(r)) for name, r in left.items()},
        },
    }  # fmt: skip
    unsolved = [f"The inversion stopped after {second.iterations} iterations, before its optimum."]
    return Estimate(
        Maps(arrays, voxels.series.affine), status, aif, protocol, "qtm", facts, [] if second.converged else unsolved
    )
