"""From a measured DCE series to perfusion maps: T1, concentration, arterial input, fit. Draws nothing.

The series is worked through in blocks of voxels, so beside the series itself and the maps nothing large is held, but
by the methods without an input: they hold the curves of the mask.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from estimate.arterial.averages import without_averages
from estimate.arterial.evidence import CandidateT1
from estimate.arterial.found import find_aif_among, frames_before_contrast
from estimate.arterial.given import aif_from_roi, population_aif
from estimate.arterial.scale import CBFMap
from estimate.arterial.search import LOWEST_PEAK
from estimate.arterial.sound import check_bolus
from estimate.examination.checked import DCEExamination, examine
from estimate.examination.input import needed
from estimate.examination.without_input import METHODS as WITHOUT_INPUT
from estimate.kinetics.fit import fit_kinetics
from estimate.maps.error_budget import error_budget, warnings_of
from estimate.signal.baseline import estimate_onset
from estimate.signal.t10 import VFA
from estimate.signal.voxels import Estimate, Voxels, plain_maps, scatter
from simulate.base.constants import blood_t1
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.status import LACKING, NO_ESTIMATE, Status, status_bit_share
from simulate.base.types import Maps, Series
from simulate.inputs.arterial_input import ArterialInput

MANY = 0.05
"""Share of voxels with a bit from which on the reader is told in words."""


LARGEST_MISFIT = 0.05
"""Share of the signal that noise leaves at most of images whose SNR is 20."""


def estimate_maps(
    series: Series,
    *,
    method: str = "2cxm",
    aif: ArterialInput | np.ndarray | Literal["auto", "parker", "georgiou"] = "auto",
    aif_t1: float | Literal["measured", "blood"] = "measured",
    haematocrit: float | None = None,
    t10: float | np.ndarray | VFA | None = None,
    b1: float | np.ndarray = 1.0,
    r2star: float = 0.0,
    mask: np.ndarray | str | None = "auto",
    fit_delay: bool = False,
    arterial_volume: bool = False,
    bounds: dict[str, tuple[float, float]] | None = None,
    scale: str = "population",
    cbf: CBFMap | np.ndarray | None = None,
    weights: Path | None = None,
    progress: Progress = silent,
) -> Estimate:
    """Perfusion maps of a DCE series.

    Parameters
    ----------
    series : Series
        Signal or concentration (..., t) with its protocol.
    method : str
        A model of `fit_kinetics`; "qtmnet" or "qtm", which need no arterial input but a volume.
    aif : ArterialInput, (...) bool array or str
        The array is the region of an artery; "auto", found in the images; "parker" or "georgiou", the population's,
        arriving when contrast first appears.
    aif_t1 : str or float [s]
        T1 before contrast of the voxels that the input is measured in: "measured", as `t10` has it; "blood", that of
        `simulate.blood_t1`; or a number.
    haematocrit : float [fraction]
        Of the vessels in which the input is measured, turns blood into plasma; None where nothing needs it (an
        `ArterialInput` holds plasma).
    t10 : float, (...) array [s] or VFA
        T1 before contrast, or the images to find it from; a series of concentrations needs none.
    b1 : float or (...) array
        Transmit field relative to nominal.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity r2* of the agent, to correct for T2* at the protocol's echo time
        (`simulate.spgr_concentration`); 0 leaves T2* out.
    mask : (...) array or str
        Voxels to estimate; "auto", tissue as `tissue_mask` finds it; "none" or None, all. The input is looked for in
        the whole image.
    fit_delay : bool
        See `fit_kinetics`.
    arterial_volume : bool
        See `fit_kinetics`.
    bounds : dict of (low, high)
        See `fit_kinetics`.
    scale : str
        Of methods without input, where absolute values come from (`estimate.arterial.scale`): "population"; "vessels",
        the area of `aif`; "asl", a map `cbf` from spin labelling.
    cbf : CBFMap or (...) array [mL/100 g/min]
        For "asl"; with its standard error in a `CBFMap`.
    weights : path
        Of qtmnet; those that ship by default.
    progress : function
        Told of every block of voxels (`simulate.base.progress.Progress`).

    Returns
    -------
    Estimate
        Maps and status on the grid of the series, and what made them.

    Raises
    ------
    InputError
        Where something the user gave cannot be used; nearly all before any long work (`examine`).
    """
    exam = examine(
        series, method=method, aif=aif, aif_t1=aif_t1, haematocrit=haematocrit, t10=t10, b1=b1, r2star=r2star,
        mask=mask, fit_delay=fit_delay, arterial_volume=arterial_volume, bounds=bounds, scale=scale, cbf=cbf,
        weights=weights,
    )  # fmt: skip
    return estimate_examination(exam, progress)


def estimate_examination(exam: DCEExamination, progress: Progress = silent) -> Estimate:
    """Perfusion maps of an examination that was found sound.

    Parameters
    ----------
    exam : DCEExamination
        From `examine`.
    progress : function
        Told of every block of voxels (`simulate.base.progress.Progress`).

    Returns
    -------
    Estimate
        Maps and status on the grid of the series, and what made them.

    Raises
    ------
    InputError
        For what only the images can tell: no artery, no contrast, nothing to scale by.
    """
    voxels = voxels_of(exam)
    if exam.method not in WITHOUT_INPUT:
        return _warned(exam, voxels, _fit(exam, voxels, _arterial_input(exam, voxels, progress), progress))
    from estimate.maps.without_input import (  # flax only where a network is asked for
        estimate_by_qtm,
        estimate_by_qtmnet,
    )

    found = _arterial_input(exam, voxels, progress) if exam.scale == "vessels" else None
    if exam.method == "qtm":
        x, y, z = (float(edge) for edge in np.linalg.norm(np.asarray(exam.series.affine)[:3, :3], axis=0))
        return _warned(exam, voxels, estimate_by_qtm(voxels, exam.scale, found, (x, y, z), progress))
    share = exam.haematocrit or 0.0  # no other scale than asl has a use for it, and `examine` asked for it there
    return _warned(exam, voxels, estimate_by_qtmnet(voxels, exam.scale, found, exam.cbf, share, exam.weights, progress))


def voxels_of(exam: DCEExamination) -> Voxels:
    """The examination's curves of concentration, block by block."""
    return Voxels(exam.series, exam.t10, exam.b1, exam.mask, r2star=exam.r2star, ceiling=exam.ceiling)


def _warned(exam: DCEExamination, voxels: Voxels, estimate: Estimate) -> Estimate:
    """What is likely wrong with the images or the input is wrong with the maps."""
    about = [*exam.warnings, *([] if estimate.aif is None else estimate.aif.warnings)]
    if np.isfinite(exam.ceiling):
        share = status_bit_share(estimate.status, Status.SATURATED)
        about.append(
            f"The images were cut off at a signal of {exam.ceiling:g}: {100 * share:.1f} % of the voxels estimated "
            "reach it (status: saturated), and so may an artery."
        )
    if voxels.t10_misfit > LARGEST_MISFIT:
        about.append(
            f"The images of variable flip angles differ from the signal equation by {100 * voxels.t10_misfit:.0f} % of "
            "their signal: the angles may be out of order or off (B1), or the images scaled one by one."
        )
    if status_bit_share(estimate.status, Status.T10_AT_BOUND) > MANY:
        share = status_bit_share(estimate.status, Status.T10_AT_BOUND)
        about.append(
            f"T1 before contrast ended on its bound in {100 * share:.0f} % of the voxels (status: at bound, T10): flip "
            "angles, TR or B1 may be wrong."
        )
    return replace(estimate, warnings=about + estimate.warnings)


def _fit(exam: DCEExamination, voxels: Voxels, aif: ArterialInput, report: Progress) -> Estimate:
    arrays: dict[str, np.ndarray] = {}
    correlation = []
    total, done = int(voxels.mask.sum()), 0
    report(f"fitting {exam.method}", done, total)
    for where, concentration, before, t10_here in voxels.blocks():
        fit = fit_kinetics(
            concentration, exam.times, aif.curve, aif_times=aif.times, frame_duration=voxels.protocol.frame_duration,
            errors=voxels.errors(where), model=exam.method, fit_delay=exam.fit_delay,
            arterial_volume=exam.arterial_volume, bounds=exam.bounds,
        )  # fmt: skip
        # a frame without concentration is why the curve is not finite: say the cause
        status = np.where(before & int(NO_ESTIMATE), before, before | np.asarray(fit.status))
        correlation.append(np.asarray(fit.correlation))
        found = _named_maps(fit, exam.fit_delay, exam.arterial_volume)
        found |= plain_maps(concentration, exam.times, voxels.protocol, t10_here)
        scatter(arrays, voxels.mask.shape, where, found, status)
        done += len(where[0])
        report(f"fitting {exam.method}", done, total)
    status = arrays.pop("status").astype(np.int32)
    baseline = int(voxels.protocol.baseline) if voxels.series.quantity == "signal" else None
    budget = error_budget(aif, t10=voxels.t10_error, baseline=baseline, correlation=np.concatenate(correlation))
    return Estimate(
        Maps(arrays, voxels.series.affine), status, aif, voxels.protocol, exam.method, {"errors": budget},
        warnings_of(budget),
    )  # fmt: skip


def _arterial_input(exam: DCEExamination, voxels: Voxels, report: Progress) -> ArterialInput:
    """As given, measured in the image, or the population's placed where contrast first appears."""
    aif = exam.aif
    if isinstance(aif, ArterialInput):
        return aif
    report("arterial input", 0, 1)
    haematocrit = needed(exam.haematocrit, "haematocrit")
    if isinstance(aif, str) and aif != "auto":
        onset = estimate_onset(np.asarray(voxels.series.data), exam.times)
        return population_aif(aif, exam.times, haematocrit=haematocrit, onset=onset)
    found = _measured_input(exam, voxels, haematocrit)
    check_bolus(exam.names.get("aif", "arterial input"), np.asarray(found.times), np.asarray(found.curve))
    return found


def _measured_input(exam: DCEExamination, voxels: Voxels, haematocrit: float) -> ArterialInput:
    measured = exam.aif_t1 == "measured"
    seen = voxels if measured else _in_blood(exam, _blood_t1(voxels, exam.aif_t1, haematocrit))
    if isinstance(exam.aif, np.ndarray):
        curves = np.concatenate([block[1] for block in seen.blocks(exam.aif)])
        found = aif_from_roi(curves, exam.times, np.ones(len(curves), bool), haematocrit=haematocrit)
        source = f"{found.source} {exam.names.get('aif', '')}".strip()
        return replace(without_averages(found, voxels.protocol.frame_duration), mask=exam.aif, source=source)
    where, curves, t10 = _artery_candidates(seen, np.ones(voxels.mask.shape, bool))
    t1 = _candidate_t1(voxels, t10, haematocrit) if measured else "blood"
    baseline = frames_before_contrast(np.asarray(voxels.series.data))
    found = find_aif_among(curves, where, exam.times, baseline=baseline, haematocrit=haematocrit, t1=t1)
    return without_averages(found, voxels.protocol.frame_duration)


def _candidate_t1(voxels: Voxels, t10: np.ndarray, haematocrit: float) -> CandidateT1 | None:
    """T1 of the candidates; None for a series of concentrations, or where that of blood is not known."""
    if voxels.series.quantity != "signal":
        return None
    try:
        return CandidateT1(t10, _blood_t1(voxels, "blood", haematocrit))
    except InputError:
        return None


def _blood_t1(voxels: Voxels, aif_t1: float | str, haematocrit: float) -> float:
    return blood_t1(float(voxels.protocol.field_strength), haematocrit) if isinstance(aif_t1, str) else aif_t1


def _in_blood(exam: DCEExamination, t1: float) -> Voxels:
    """The same voxels, were they all blood."""
    return voxels_of(replace(exam, t10=t1))


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
    for name, flag in LACKING.items():
        values[name] = np.where(np.asarray(fit.status) & int(flag), np.nan, values[name])
    if not fit_delay:
        values["delay"] = np.full(np.shape(fit.rss), np.nan)
    errors = {f"{n}_stderr": fit.stderr[n] for n in names}
    return values | errors | {"rss": fit.rss, "aicc": fit.aicc, "model": fit.model}
