"""From a measured DCE series to perfusion maps: T1, concentration, arterial input, fit. Draws nothing.

The series is worked through in blocks of voxels, so beside the series itself and the maps nothing large
is held.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from estimate.arterial import (
    LOWEST_PEAK,
    ArterialInput,
    CandidateT1,
    aif_from_roi,
    find_aif_among,
    frames_before_contrast,
    population_aif,
)
from estimate.arterial.averages import without_averages
from estimate.arterial.given import check_haematocrit
from estimate.baseline import estimate_onset
from estimate.error_budget import error_budget, warnings_of
from estimate.input_scale import CBFMap
from estimate.kinetic_fit import FIT_MODELS, fit_kinetics
from estimate.qtmnet.weights import SHIPPED
from estimate.t10 import VFA
from estimate.voxels import Estimate, Progress, Voxels, plain_maps, scatter, whole_mask
from estimate.without_input import METHODS as WITHOUT_INPUT
from estimate.without_input import check_request, estimate_by_qtm, estimate_by_qtmnet
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import Maps, Series
from simulate.relaxation import blood_t1

METHODS = (*FIT_MODELS, *WITHOUT_INPUT)


def estimate_maps(
    series: Series,
    *,
    method: str = "2cxm",
    aif: ArterialInput | np.ndarray | Literal["auto", "parker", "georgiou"] = "auto",
    aif_t1: float | Literal["measured", "blood"] = "measured",
    haematocrit: float | None = None,
    t10: float | np.ndarray | VFA | None = None,
    b1: float | np.ndarray = 1.0,
    mask: np.ndarray | None = None,
    fit_delay: bool = False,
    arterial_volume: bool = False,
    bounds: dict[str, tuple[float, float]] | None = None,
    scale: str = "population",
    cbf: CBFMap | np.ndarray | None = None,
    weights: Path | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Perfusion maps of a DCE series.

    Parameters
    ----------
    series : (*space, t) signal or concentration with its protocol.
    method : a model of `fit_kinetics`; "qtmnet" or "qtm", which need no arterial input but a volume.
    aif : an `ArterialInput`; a boolean array (*space), the region of an artery; "auto", found in the images;
        "parker" or "georgiou", the population's, arriving when contrast first appears.
    aif_t1 : T1 before contrast of the voxels that the input is measured in: as `t10` has it, that of blood
        (`simulate.relaxation.blood_t1`), or a number [s].
    haematocrit : of the vessels in which the input is measured, turns blood into plasma; None where nothing needs
        it (an `ArterialInput` holds plasma).
    t10 : T1 before contrast [s] (a number or a map), or the images to find it from; a series of
        concentrations needs none.
    b1 : transmit field relative to nominal (a number or a map).
    mask : (*space) voxels to estimate; all by default. The input is looked for in the whole image.
    fit_delay, arterial_volume, bounds : see `fit_kinetics`.
    scale : of methods without input, where absolute values come from (`estimate.input_scale`): "population";
        "vessels", the area of `aif`; "asl", a map `cbf` (*space) [mL/100 g/min] from spin labelling, with
        its standard error in a `CBFMap`.
    weights : of qtmnet; those that ship by default.

    Raises
    ------
    InputError where something the user gave cannot be used.
    """
    if method not in METHODS:
        raise InputError("method", method, "is no method", f"choose one of {', '.join(METHODS)}")
    voxels = Voxels(series, t10, b1, whole_mask(mask, series.data.shape[:-1], "mask"))
    report = progress or (lambda *_: None)
    times = np.asarray(voxels.protocol.frame_centres, dtype=float)

    def arterial_input() -> ArterialInput:
        if isinstance(aif, ArterialInput):
            return aif
        return _arterial_input(voxels, aif, aif_t1, times, _known(haematocrit), report)

    if method in WITHOUT_INPUT:
        shape, baseline = series.data.shape, voxels.protocol.baseline
        check_request(method, scale, with_cbf=cbf is not None, shape=shape, baseline=baseline)
        found = arterial_input() if scale == "vessels" else None
        if method == "qtm":
            x, y, z = (float(edge) for edge in np.linalg.norm(np.asarray(series.affine)[:3, :3], axis=0))
            return _warned(estimate_by_qtm(voxels, scale, found, (x, y, z), report))
        flow = CBFMap(cbf) if isinstance(cbf, np.ndarray) else cbf
        share = _known(haematocrit) if scale == "asl" else 0.0  # the other scales have no use for it
        return _warned(estimate_by_qtmnet(voxels, scale, found, flow, share, weights or SHIPPED, report))
    return _warned(_fit(voxels, method, arterial_input(), times, fit_delay, arterial_volume, bounds, report))


def _known(haematocrit: float | None) -> float:
    if haematocrit is None:
        problem = "is needed to turn blood into plasma"
        raise InputError("haematocrit", "", problem, "give it as a fraction, e.g. 0.42")
    check_haematocrit(haematocrit)
    return haematocrit


def _warned(estimate: Estimate) -> Estimate:
    """What is likely wrong with the input is wrong with the maps."""
    about_input = [] if estimate.aif is None else list(estimate.aif.warnings)
    return replace(estimate, warnings=about_input + estimate.warnings)


def _fit(
    voxels: Voxels, method: str, aif: ArterialInput, times: np.ndarray, fit_delay: bool, arterial_volume: bool,
    bounds: dict[str, tuple[float, float]] | None, report: Progress,
) -> Estimate:  # fmt: skip
    arrays: dict[str, np.ndarray] = {}
    correlation = []
    total, done = int(voxels.mask.sum()), 0
    report(f"fitting {method}", done, total)
    for where, concentration, before, t10_here in voxels.blocks():
        fit = fit_kinetics(
            concentration, times, aif.curve, aif_times=aif.times, frame_duration=voxels.protocol.frame_duration,
            errors=voxels.errors(where), model=method, fit_delay=fit_delay, arterial_volume=arterial_volume,
            bounds=bounds,
        )  # fmt: skip
        # a frame without concentration is why the curve is not finite: say the cause
        status = np.where(before != 0, before, np.asarray(fit.status))
        correlation.append(np.asarray(fit.correlation))
        found = _named_maps(fit, fit_delay, arterial_volume)
        found |= plain_maps(concentration, times, voxels.protocol, t10_here)
        scatter(arrays, voxels.mask.shape, where, found, status)
        done += len(where[0])
        report(f"fitting {method}", done, total)
    status = arrays.pop("status").astype(np.int32)
    baseline = int(voxels.protocol.baseline) if voxels.series.quantity == "signal" else None
    budget = error_budget(aif, t10=voxels.t10_error, baseline=baseline, correlation=np.concatenate(correlation))
    return Estimate(
        Maps(arrays, voxels.series.affine), status, aif, voxels.protocol, method, {"errors": budget},
        warnings_of(budget),
    )  # fmt: skip


def _arterial_input(
    voxels: Voxels, aif: str | np.ndarray, aif_t1: float | str, times: np.ndarray, haematocrit: float, report: Progress
) -> ArterialInput:
    """Measure the input in the image, or place the population's where contrast first appears."""
    report("arterial input", 0, 1)
    seen = voxels if aif_t1 == "measured" else _in_blood(voxels, _blood_t1(voxels, aif_t1, haematocrit))
    if isinstance(aif, np.ndarray):
        region = whole_mask(aif, voxels.mask.shape, "arterial region")
        curves = np.concatenate([block[1] for block in seen.blocks(region)])
        found = aif_from_roi(curves, times, np.ones(len(curves), bool), haematocrit=haematocrit)
        return replace(without_averages(found, voxels.protocol.frame_duration), mask=region)
    if aif == "auto":
        where, curves, t10 = _artery_candidates(seen, np.ones(voxels.mask.shape, bool))
        t1 = _candidate_t1(voxels, t10, haematocrit) if aif_t1 == "measured" else "blood"
        baseline = frames_before_contrast(np.asarray(voxels.series.data))
        found = find_aif_among(curves, where, times, baseline=baseline, haematocrit=haematocrit, t1=t1)
        return without_averages(found, voxels.protocol.frame_duration)
    onset = estimate_onset(np.asarray(voxels.series.data), times)
    name = "parker" if aif == "parker" else "georgiou"
    return population_aif(name, times, haematocrit=haematocrit, onset=onset)


def _candidate_t1(voxels: Voxels, t10: np.ndarray, haematocrit: float) -> CandidateT1 | None:
    """T1 of the candidates; None for a series of concentrations, or where that of blood is not known."""
    try:
        return CandidateT1(t10, _blood_t1(voxels, "blood", haematocrit))
    except InputError:
        return None


def _blood_t1(voxels: Voxels, aif_t1: float | str, haematocrit: float) -> float:
    if voxels.series.quantity != "signal":
        cure = "leave it out"
        raise InputError("--aif-t1", "", "has no use for a series of concentrations", cure)
    if isinstance(aif_t1, str):
        return blood_t1(float(voxels.protocol.field_strength), haematocrit)
    if not 0.1 < aif_t1 < 10:
        raise InputError("--aif-t1", "", f"{aif_t1:g} s is no T1 of blood", "give seconds, e.g. 1.65")
    return float(aif_t1)


def _in_blood(voxels: Voxels, t1: float) -> Voxels:
    """The same voxels, were they all blood."""
    return Voxels(replace(voxels.series, protocol=voxels.protocol), t1, voxels.b1, voxels.mask)


def _artery_candidates(voxels: Voxels, everywhere: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxels that might be arterial, with their curves and T10 in the order of the image: all that enhance enough."""
    where = np.zeros(everywhere.shape, bool)
    kept: list[np.ndarray] = []
    places: list[np.ndarray] = []
    t10s: list[np.ndarray] = []
    for indices, curves, _, t10 in voxels.blocks(everywhere):
        high = np.max(curves, axis=-1) > LOWEST_PEAK  # False where a frame is NaN
        chosen = tuple(axis[high] for axis in indices)
        where[chosen] = True
        kept.append(curves[high])
        t10s.append(t10[high])
        places.append(np.asarray(np.ravel_multi_index(chosen, where.shape)))
    order = np.argsort(np.concatenate(places))
    return where, np.concatenate(kept)[order], np.concatenate(t10s)[order]


def _named_maps(fit: Any, fit_delay: bool, arterial_volume: bool) -> dict[str, Any]:
    """Every map of a fit, in internal units; NaN where the model lacks the parameter or it was not fitted."""
    names = ["Fp", "PS", "vp", "ve", "Ktrans", "delay"] + ["va"] * arterial_volume
    values = {n: fit.Ktrans if n == "Ktrans" else getattr(fit.tissue, n) for n in names}
    lacking = {"Fp": Status.NO_FP, "vp": Status.NO_VP, "ve": Status.NO_VE}
    for name, flag in lacking.items():
        values[name] = np.where(np.asarray(fit.status) & int(flag), np.nan, values[name])
    if not fit_delay:
        values["delay"] = np.full(np.shape(fit.rss), np.nan)
    errors = {f"{n}_stderr": fit.stderr[n] for n in names}
    return values | errors | {"rss": fit.rss, "aicc": fit.aicc, "model": fit.model}
