"""An ASL series to maps: M0, differences, CBF by one delay or CBF and ATT by several. Draws nothing, reads no file."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from estimate.asl.differences import Differences
from estimate.asl.examination import ASLExamination, ASLOptions, Constant
from estimate.asl.multi_delay import LARGEST_CBF, fit_asl
from estimate.asl.partial_volume import partial_volume_corrected
from estimate.asl.white_paper import EQUATIONS, white_paper_flow
from estimate.kinetics.fit import IDENTIFIABLE
from estimate.least_squares.standard_errors import for_few
from estimate.signal.voxels import scatter
from simulate.base.constants import (
    ASL_TISSUE_T1,
    LABEL_EFFICIENCY,
    PARTITION_COEFFICIENT,
    SUPPRESSION_EFFICIENCY,
    asl_blood_t1,
)
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.status import Status, at_bound
from simulate.base.types import ASLProtocol, Maps
from simulate.files.bids.asl import ASLSidecar
from simulate.labelling.background import label_left

SAME_EFFICIENCY = 0.02
"""Share by which an efficiency may differ from one that holds suppression's loss, to be taken for it."""

SWAPPED = 0.5
"""Share of negative voxels from which on control and label are evidently swapped."""


@dataclass(frozen=True)
class ASLEstimate:
    """Maps of an ASL examination with all that made them.

    Attributes
    ----------
    maps : Maps
        In clinical units, NaN outside the mask.
    status : (x, y, z) int array
        Bits of `Status`.
    protocol : ASLProtocol
        With what was resolved.
    method : str
        See `ASLOptions`.
    equation : str
        By which CBF was computed.
    constants : list of Constant
        In the equation, with their origin.
    negative : float
        Share of the mask's voxels with negative CBF.
    differences : Differences
        What was fitted.
    warnings : list of str
        Sentences that the reader must not miss.
    """

    maps: Maps
    status: np.ndarray
    protocol: ASLProtocol
    method: str
    equation: str
    constants: list[Constant]
    negative: float
    differences: Differences
    warnings: list[str] = field(default_factory=list)


def quantify(exam: ASLExamination, progress: Progress = silent) -> ASLEstimate:
    """Maps of an ASL examination that was found sound.

    Parameters
    ----------
    exam : ASLExamination
        From `examine_asl`.
    progress : function
        Told of every slice or block of voxels (`simulate.base.progress.Progress`).

    Returns
    -------
    ASLEstimate
        Maps and status on the grid of the series, and what made them.

    Raises
    ------
    InputError
        Where T1 of blood is neither given nor known for the field.
    """
    found, sidecar, method, options = exam.differences, exam.sidecar, exam.method, exam.options
    protocol, more = _constants(sidecar, method, options)
    constants = _delays(found, sidecar) + more + exam.constants
    late = np.asarray(protocol.slice_times) if np.size(protocol.slice_times) else np.zeros(exam.mask.shape[2])
    lam = _value(constants, "λ")
    warnings = [*sidecar.warnings, *exam.warnings, *_efficiency_warnings(sidecar)]
    usable = replace(exam, m0=np.where(exam.saturated, np.nan, exam.m0))
    if method == "qtmnet":
        arrays, of_network = _by_network(usable, protocol, late, lam, progress)
        warnings += of_network
    else:
        arrays = _by_slices(usable, protocol, late, lam, progress)
    if options.grey is not None:
        arrays |= partial_volume_corrected(arrays["CBF"], options.grey, options.white, exam.mask)
    status = arrays.pop("status").astype(np.int32)
    cut = exam.saturated & exam.mask
    status = np.where(cut, int(Status.SATURATED), status).astype(np.int32)
    if cut.any():
        share = 100 * cut.sum() / exam.mask.sum()
        warnings.append(f"{share:.1f} % of the voxels are cut off at the largest number stored (status: saturated).")
    value = found.value[exam.mask]
    below = np.where(np.isfinite(value).all(-1), value.mean(-1), 0.0) < 0
    share = float(np.mean(below)) if below.size else 0.0
    if share > SWAPPED:
        warnings.append(
            f"{100 * share:.0f} % of the voxels have less signal in control than in label: the two seem to be swapped."
        )
    return ASLEstimate(
        Maps(arrays, exam.affine), status, protocol, method, _equation(method, protocol, options), constants, share,
        found, warnings,
    )  # fmt: skip


def _delays(found: Differences, sidecar: ASLSidecar) -> list[Constant]:
    """Duration and delay of a series that has but one of each."""
    if len(found.repeats) > 1:
        return []
    pasl = sidecar.protocol.labelling == "pasl"
    fields = ("BolusCutOffDelayTime" if pasl else "LabelingDuration", "PostLabelingDelay")
    values = (found.label_duration[0], found.post_label_delay[0])
    names = ("TI1", "TI") if pasl else ("τ", "PLD")
    return [Constant(n, float(v), "s", sidecar.origin[f]) for n, v, f in zip(names, values, fields, strict=True)]


def _constants(sidecar: ASLSidecar, method: str, options: ASLOptions) -> tuple[ASLProtocol, list[Constant]]:
    """The protocol with its constants resolved, and these with their origin."""
    own = sidecar.protocol
    origin = sidecar.origin
    given = np.isfinite(own.label_efficiency)
    inversion = float(own.label_efficiency) if given else LABEL_EFFICIENCY[own.labelling]
    alpha = inversion * label_left(sidecar.pulses or 0)
    t1b_origin = "option" if options.t1_blood is not None else f"field ({origin['MagneticFieldStrength']})"
    if options.t1_blood is None and sidecar.field_strength is None:
        raise InputError("MagneticFieldStrength", "", "is not given, and T1 of blood depends on it", "give `t1_blood`")
    t1b = options.t1_blood if options.t1_blood is not None else asl_blood_t1(float(sidecar.field_strength or 0))

    def chosen(value: float | None, default: float) -> tuple[float, str]:
        return (default, "default") if value is None else (value, "option")

    lam, lam_origin = chosen(options.partition_coefficient, PARTITION_COEFFICIENT)
    constants = [
        Constant("α, inversion", inversion, "1", origin["LabelingEfficiency"] if given else "default"),
        Constant("α, with suppression", alpha, "1", f"{sidecar.pulses or 0} pulses of {SUPPRESSION_EFFICIENCY:g}"),
        Constant("T1b", t1b, "s", t1b_origin),
        Constant("λ", lam, "mL/g", lam_origin),
    ]
    if method == "multi_delay" and options.model != "recommended":
        t1t, t1t_origin = chosen(options.t1_tissue, ASL_TISSUE_T1)
        constants.append(Constant("T1t", t1t, "s", t1t_origin))
    return replace(own, label_efficiency=alpha, t1_blood=t1b), constants


def _efficiency_warnings(sidecar: ASLSidecar) -> list[str]:
    """LabelingEfficiency is of the inversion alone; one that equals the usual less the pulses' loss may hold it."""
    given, pulses = float(sidecar.protocol.label_efficiency), sidecar.pulses or 0
    both = LABEL_EFFICIENCY[sidecar.protocol.labelling] * label_left(pulses)
    if not pulses or not abs(given / both - 1) < SAME_EFFICIENCY:
        return []
    return [
        f"LabelingEfficiency is {given:g}, what usual labelling leaves after {pulses} pulses of background "
        "suppression: if their loss is in it already, CBF is too high; then give `pulses=0`."
    ]


def _value(constants: list[Constant], name: str) -> float:
    return next(c.value for c in constants if c.name == name)


def _equation(method: str, protocol: ASLProtocol, options: ASLOptions) -> str:
    if method == "white_paper":
        return EQUATIONS[protocol.labelling]
    if method == "qtmnet":
        return "QTMnet, trained on labelled water carried through vessels and exchanged with tissue"
    arteries = " with label in arteries (aBV, aBAT)" if options.arterial else ""
    return (
        f"{options.model} model of {protocol.labelling}{arteries}, fitted to all delays (simulate.labelling.difference)"
    )


def _by_slices(
    exam: ASLExamination, protocol: ASLProtocol, late: np.ndarray, lam: float, progress: Progress
) -> dict[str, np.ndarray]:
    """Maps and status by a formula or fit: all slices at once in 3-D, one by one in 2-D. late : (z,) of slices [s]."""
    arrays: dict[str, np.ndarray] = {}
    mask, done, inside = exam.mask, 0, int(exam.mask.sum())
    for seconds in np.unique(late):
        where = np.nonzero(mask & (late == seconds))
        progress("quantifying", done, inside)
        done += len(where[0])
        values, status = _voxels(exam, where, protocol, float(seconds), lam)
        scatter(arrays, mask.shape, where, values, status)
    return arrays


def _by_network(
    exam: ASLExamination, protocol: ASLProtocol, late: np.ndarray, lam: float, progress: Progress
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The same by QTMnet, which sees all slices at once, and its warnings."""
    arrays: dict[str, np.ndarray] = {}
    mask, found, m0 = exam.mask, exam.differences, exam.m0
    where = np.nonzero(mask)
    status = _unusable(found.value[where], m0[where])
    nothing = np.full(len(status), np.nan)
    scatter(arrays, mask.shape, where, dict.fromkeys(("CBF", "CBF_stderr", "ATT", "ATT_stderr"), nothing), status)
    usable = tuple(axis[status == 0] for axis in where)
    if not usable[0].size:
        return arrays, []
    from estimate.asl.network import load, network_maps  # flax only where a network is asked for

    maps = network_maps(
        found, m0[usable], usable, late=late[usable[2]], label_efficiency=float(protocol.label_efficiency),
        partition_coefficient=lam, t1_blood=float(protocol.t1_blood), trained=load(exam.options.weights),
        progress=progress,
    )  # fmt: skip
    scatter(arrays, mask.shape, usable, maps.values, maps.status)
    return arrays, maps.warnings


def _unusable(value: np.ndarray, m0: np.ndarray) -> np.ndarray:
    """(v,) bits of voxels without finite differences or M0."""
    finite, sound = np.isfinite(value).all(-1), np.isfinite(m0) & (m0 > 0)
    return (np.where(finite, 0, int(Status.NOT_FINITE)) | np.where(sound, 0, int(Status.NO_SIGNAL))).astype(np.int32)


def _voxels(
    exam: ASLExamination, where: tuple, protocol: ASLProtocol, late: float, lam: float
) -> tuple[dict[str, Any], np.ndarray]:
    """Maps and status of voxels read out `late` [s] after the first slice."""
    found, m0, options = exam.differences, exam.m0[where], exam.options
    value, variance = found.value[where], found.variance[where]
    before = _unusable(value, m0)
    m0 = np.where(before & int(Status.NO_SIGNAL), 1.0, m0)
    delay = found.post_label_delay + late
    value = np.where((before & int(Status.NOT_FINITE))[:, None], 0.0, value)
    pair = np.sqrt(variance * found.repeats)  # of one pair, at every delay
    if exam.method == "white_paper":
        cbf, error = (
            np.asarray(white_paper_flow(
                x[:, 0], m0, labelling=protocol.labelling, label_duration=found.label_duration[0],
                post_label_delay=delay[0], label_efficiency=protocol.label_efficiency, partition_coefficient=lam,
                t1_blood=protocol.t1_blood,
            )) for x in (value, for_few(int(found.repeats[0]) - 1) * np.sqrt(variance))
        )  # fmt: skip
        impossible = (cbf < 0) | (cbf > LARGEST_CBF)
        vague = ~(error <= IDENTIFIABLE * np.abs(cbf)) & np.isfinite(error)
        status = before | np.where(impossible, at_bound("CBF"), 0)
        status |= np.where(vague, int(Status.NOT_IDENTIFIABLE | Status.CBF_NOT_IDENTIFIABLE), 0)
        values = {"CBF": cbf, "CBF_stderr": error}
        if found.repeats[0] == 1:  # nothing says how noisy a single pair is
            values.pop("CBF_stderr")
        return values, status.astype(np.int32)
    times = delay + (0.0 if protocol.labelling == "pasl" else found.label_duration)
    fit = fit_asl(
        value, times, m0=m0, labelling=protocol.labelling,
        label_duration=found.label_duration, label_efficiency=float(protocol.label_efficiency),
        partition_coefficient=lam, t1_blood=float(protocol.t1_blood),
        t1_tissue=ASL_TISSUE_T1 if options.t1_tissue is None else options.t1_tissue, model=options.model,
        arterial=options.arterial, repeats=found.repeats, sigma=_pooled(pair, found.repeats),
        sigma_freedom=int(np.sum(found.repeats - 1)),
    )  # fmt: skip
    names = ("CBF", "ATT", "aBV", "aBAT") if options.arterial else ("CBF", "ATT")
    values = {name: fit.values[name] for name in names} | {f"{n}_stderr": error for n, error in fit.errors.items()}
    return values, before | fit.status


def _pooled(pair: np.ndarray, repeats: np.ndarray) -> np.ndarray | None:
    """Noise (v,) of one pair's difference, from the repeats of all delays; None where nothing was repeated."""
    freedom = repeats - 1
    if freedom.sum() == 0:
        return None
    return np.sqrt(np.nansum(pair**2 * freedom, axis=-1) / freedom.sum())
