"""An ASL series to maps: M0, differences, CBF by one delay or CBF and ATT by several. Draws nothing, reads no file."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from estimate.asl.differences import Differences, differences
from estimate.asl.m0 import LONG, M0Images, equilibrium, images_in_series
from estimate.asl.multi_delay import LARGEST_CBF, fit_asl
from estimate.asl.network import check_request, load, network_maps
from estimate.asl.partial_volume import partial_volume_corrected
from estimate.asl.white_paper import EQUATIONS, white_paper_cbf
from estimate.kinetic_fit import IDENTIFIABLE
from estimate.standard_errors import for_few
from estimate.voxels import Progress, scatter
from simulate.asl.background import label_left
from simulate.asl.constants import (
    LABEL_EFFICIENCY,
    PARTITION_COEFFICIENT,
    SUPPRESSION_EFFICIENCY,
    T1_TISSUE,
    t1_of_blood,
)
from simulate.base.bids.asl import ASLSidecar
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import ASLProtocol, Maps
from simulate.base.units import from_clinical

METHODS = ("white_paper", "multi_delay", "qtmnet")

MASK_SHARE = 0.25
"""Of the 99th percentile of M0: voxels below it are taken for air where no mask is given."""

SAME_EFFICIENCY = 0.02
"""Share by which an efficiency may differ from one that holds suppression's loss, to be taken for it."""

SWAPPED = 0.5
"""Share of negative voxels from which on control and label are evidently swapped."""


class Constant(NamedTuple):
    """A number in the equation: what it is called there, its value, unit, and where it came from."""

    name: str
    value: float
    unit: str
    origin: str


@dataclass(frozen=True)
class Calibration:
    """M0: one image (*space) of one TR [s], several (*space, m) of as many, or one number without (an estimate).

    of_blood : whether it is M0 of blood.
    """

    image: Any
    repetition_time: float | np.ndarray | None
    of_blood: bool = False


@dataclass(frozen=True)
class ASLOptions:
    """How to quantify. None takes the sidecar's or the default constant.

    method : of `METHODS`, or None: by whether there are several delays.      model, arterial : see `fit_asl`.
    correct_m0 : divide an M0 of short TR by its recovery.
    grey, white : (*space) shares of tissue, for partial volume correction.
    weights : file of a QTMnet for labelled water, None for the one that ships.
    """

    method: str | None = None
    model: str = "recommended"
    arterial: bool = False
    correct_m0: bool = True
    t1_blood: float | None = None
    t1_tissue: float | None = None
    partition_coefficient: float | None = None
    grey: Any = None
    white: Any = None
    weights: Path | None = None


@dataclass(frozen=True)
class ASLEstimate:
    """maps : clinical units, NaN outside the mask.      status : (*space) bits.      protocol : with what was resolved.
    equation, constants : by which CBF was computed.      negative : share of the mask's voxels with negative CBF.
    differences : what was fitted.      warnings : sentences that the reader must not miss.
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


def quantify(
    data: np.ndarray, affine: np.ndarray, sidecar: ASLSidecar, calibration: Calibration | None, mask: np.ndarray | None,
    options: ASLOptions = ASLOptions(), progress: Progress | None = None,
) -> ASLEstimate:  # fmt: skip
    """Maps of an ASL series.

    data : (*space, n).      calibration : M0 where it is not in the series (M0Type Separate or Estimate).
    mask : (*space); by default M0 above `MASK_SHARE` of its 99th percentile.

    Raises
    ------
    InputError where the method does not go with the series, or M0 is nowhere positive.
    """
    found = differences(data, sidecar.protocol)
    method = options.method or ("multi_delay" if len(found.repeats) > 1 else "white_paper")
    _check(method, found, sidecar.protocol.labelling, options)
    m0, constants = _m0(data, sidecar, calibration, options)
    protocol, more = _constants(sidecar, method, options)
    constants = _delays(found, sidecar) + more + constants
    mask = _default_mask(m0) if mask is None else mask
    late = np.asarray(protocol.slice_times) if np.size(protocol.slice_times) else np.zeros(data.shape[2])
    lam = _value(constants, "λ")
    warnings = list(sidecar.warnings) + _efficiency_doubts(sidecar)
    if method == "qtmnet":
        arrays, doubts = _by_network(found, mask, m0, protocol, late, options, lam, progress)
        warnings += doubts
    else:
        arrays = _by_slices(found, mask, m0, protocol, late, method, options, lam, progress)
    if options.grey is not None:
        arrays |= partial_volume_corrected(arrays["CBF"], options.grey, options.white, mask)
    status = arrays.pop("status").astype(np.int32)
    below = np.where(np.isfinite(found.value[mask]).all(-1), found.value[mask].mean(-1), 0.0) < 0
    share = float(np.mean(below)) if below.size else 0.0
    if share > SWAPPED:
        warnings.append(
            f"{100 * share:.0f} % of the voxels have less signal in control than in label: the two seem to be swapped."
        )
    return ASLEstimate(
        Maps(arrays, affine), status, protocol, method, _equation(method, protocol, options), constants, share, found,
        warnings,
    )  # fmt: skip


def _check(method: str, found: Differences, labelling: str, options: ASLOptions) -> None:
    if method not in METHODS:
        raise InputError("--method", method, "is no method", f"choose one of {', '.join(METHODS)}")
    if method == "white_paper" and len(found.repeats) > 1:
        raise InputError(
            "--method", method, f"takes one delay, and the series has {len(found.repeats)}", "use multi_delay"
        )
    if method == "qtmnet":
        check_request(found, labelling, arterial=options.arterial)
    elif options.weights is not None:
        raise InputError("--weights", method, "is for --method qtmnet", "leave it out")
    if method == "white_paper" and options.arterial:
        raise InputError("--arterial", method, "needs several delays", "leave it out")
    if (options.grey is None) != (options.white is None):
        raise InputError("--grey, --white", "", "go together", "give both maps")
    for name, value in (("--t1-blood", options.t1_blood), ("--t1-tissue", options.t1_tissue)):
        if value is not None and not 0.1 < value < 10:
            raise InputError(name, f"{value:g}", "is no T1 in seconds", "give one such as 1.65")
    lam = options.partition_coefficient
    if lam is not None and not 0.1 < lam < 2:
        raise InputError("--partition-coefficient", f"{lam:g}", "is none in mL/g", "give one such as 0.9")


def _m0(
    data: np.ndarray, sidecar: ASLSidecar, calibration: Calibration | None, options: ASLOptions
) -> tuple[np.ndarray, list[Constant]]:
    """M0 of tissue (*space), and the constants that went into it."""
    lam = PARTITION_COEFFICIENT if options.partition_coefficient is None else options.partition_coefficient
    in_series = {"Included": "m0scan", "Absent": "control"}.get(sidecar.m0_type)
    if in_series is not None:
        images = images_in_series(data, sidecar.protocol, in_series)
    elif calibration is not None and calibration.repetition_time is not None:
        images = _separate(calibration, data.shape[:3])
    elif calibration is None and sidecar.m0_type != "Estimate":
        raise InputError("M0", "", "is Separate, and no image of it was given", "give --m0 m0scan.nii.gz")
    else:
        images = None
    constants = []
    if images is None:
        given = Calibration(sidecar.m0_estimate, None, of_blood=True) if calibration is None else calibration
        m0 = np.broadcast_to(np.asarray(given.image, float), data.shape[:3])
        m0 = lam * m0 if given.of_blood else m0
    else:
        t1, origin = (T1_TISSUE, "default") if options.t1_tissue is None else (options.t1_tissue, "option")
        m0 = equilibrium(images, t1, correct=options.correct_m0)
        short = np.unique(images.repetition_time[images.repetition_time < LONG])
        if short.size and options.correct_m0:
            constants = [Constant("TR of M0", float(tr), "s", sidecar.m0_type) for tr in short]
            constants.append(Constant("T1 in M0", t1, "s", origin))
    if not (np.isfinite(m0) & (m0 > 0)).any():
        raise InputError("M0", "", "is nowhere above zero", "give an M0 image of this series")
    return m0, constants


def _separate(calibration: Calibration, shape: tuple[int, ...]) -> M0Images:
    """Images of M0 that are no part of the series, each with its TR."""
    image, times = np.asarray(calibration.image, float), np.atleast_1d(np.asarray(calibration.repetition_time, float))
    image = image if image.ndim == len(shape) + 1 else image[..., None]
    if image.shape[:-1] not in (shape, ()) or times.size not in (1, image.shape[-1]):
        problem = f"of shape {image.shape} with {times.size} repetition times does not go with a series of {shape}"
        raise InputError("M0", "image", problem, "give images on the grid of the series, and one TR or one for each")
    return M0Images(np.broadcast_to(image, (*shape, image.shape[-1])), np.broadcast_to(times, image.shape[-1:]))


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
        raise InputError("MagneticFieldStrength", "", "is not given, and T1 of blood depends on it", "give --t1-blood")
    t1b = options.t1_blood if options.t1_blood is not None else t1_of_blood(float(sidecar.field_strength or 0))

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
        t1t, t1t_origin = chosen(options.t1_tissue, T1_TISSUE)
        constants.append(Constant("T1t", t1t, "s", t1t_origin))
    return replace(own, label_efficiency=alpha, t1_blood=t1b), constants


def _efficiency_doubts(sidecar: ASLSidecar) -> list[str]:
    """LabelingEfficiency is of the inversion alone; one that equals the usual less the pulses' loss may hold it."""
    given, pulses = float(sidecar.protocol.label_efficiency), sidecar.pulses or 0
    both = LABEL_EFFICIENCY[sidecar.protocol.labelling] * label_left(pulses)
    if not pulses or not abs(given / both - 1) < SAME_EFFICIENCY:
        return []
    return [
        f"LabelingEfficiency is {given:g}, what usual labelling leaves after {pulses} pulses of background "
        "suppression: if their loss is in it already, CBF is too high; then give --set "
        "BackgroundSuppressionNumberPulses=0."
    ]


def _value(constants: list[Constant], name: str) -> float:
    return next(c.value for c in constants if c.name == name)


def _default_mask(m0: np.ndarray) -> np.ndarray:
    finite = m0[np.isfinite(m0)]
    return np.isfinite(m0) & (m0 > MASK_SHARE * np.percentile(finite, 99))


def _equation(method: str, protocol: ASLProtocol, options: ASLOptions) -> str:
    if method == "white_paper":
        return EQUATIONS[protocol.labelling]
    if method == "qtmnet":
        return "QTMnet, trained on labelled water carried through vessels and exchanged with tissue"
    arteries = " with label in arteries (aBV, aBAT)" if options.arterial else ""
    return f"{options.model} model of {protocol.labelling}{arteries}, fitted to all delays (simulate.asl.difference)"


def _by_slices(
    found: Differences, mask: np.ndarray, m0: np.ndarray, protocol: ASLProtocol, late: np.ndarray, method: str,
    options: ASLOptions, lam: float, progress: Progress | None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Maps and status by a formula or fit: all slices at once in 3-D, one by one in 2-D. late : (z,) of slices [s]."""
    arrays: dict[str, np.ndarray] = {}
    done, inside = 0, int(mask.sum())
    for seconds in np.unique(late):
        where = np.nonzero(mask & (late == seconds))
        if progress is not None:
            progress("quantifying", done, inside)
        done += len(where[0])
        values, status = _voxels(found, where, m0[where], protocol, float(seconds), method, options, lam)
        scatter(arrays, mask.shape, where, values, status)
    return arrays


def _by_network(
    found: Differences, mask: np.ndarray, m0: np.ndarray, protocol: ASLProtocol, late: np.ndarray,
    options: ASLOptions, lam: float, progress: Progress | None,
) -> tuple[dict[str, np.ndarray], list[str]]:  # fmt: skip
    """The same by QTMnet, which sees all slices at once, and what it doubts."""
    arrays: dict[str, np.ndarray] = {}
    where = np.nonzero(mask)
    status = _unusable(found.value[where], m0[where])
    nothing = np.full(len(status), np.nan)
    scatter(arrays, mask.shape, where, dict.fromkeys(("CBF", "CBF_stderr", "ATT", "ATT_stderr"), nothing), status)
    usable = tuple(axis[status == 0] for axis in where)
    if not usable[0].size:
        return arrays, []
    maps = network_maps(
        found, m0[usable], usable, late=late[usable[2]], label_efficiency=float(protocol.label_efficiency),
        partition_coefficient=lam, t1_blood=float(protocol.t1_blood), trained=load(options.weights),
        progress=None if progress is None else lambda done, total: progress("qtmnet", done, total),
    )  # fmt: skip
    scatter(arrays, mask.shape, usable, maps.values, maps.status)
    return arrays, maps.warnings


def _unusable(value: np.ndarray, m0: np.ndarray) -> np.ndarray:
    """(v,) bits of voxels without finite differences or M0."""
    finite, sound = np.isfinite(value).all(-1), np.isfinite(m0) & (m0 > 0)
    return (np.where(finite, 0, int(Status.NOT_FINITE)) | np.where(sound, 0, int(Status.NO_SIGNAL))).astype(np.int32)


def _voxels(
    found: Differences, where: tuple, m0: np.ndarray, protocol: ASLProtocol, late: float, method: str,
    options: ASLOptions, lam: float,
) -> tuple[dict[str, Any], np.ndarray]:  # fmt: skip
    """Maps and status of voxels read out `late` [s] after the first slice."""
    value, variance = found.value[where], found.variance[where]
    before = _unusable(value, m0)
    m0 = np.where(before & int(Status.NO_SIGNAL), 1.0, m0)
    delay = found.post_label_delay + late
    value = np.where((before & int(Status.NOT_FINITE))[:, None], 0.0, value)
    pair = np.sqrt(variance * found.repeats)  # of one pair, at every delay
    if method == "white_paper":
        cbf, error = (
            np.asarray(white_paper_cbf(
                x[:, 0], m0, labelling=protocol.labelling, label_duration=found.label_duration[0],
                post_label_delay=delay[0], label_efficiency=protocol.label_efficiency, partition_coefficient=lam,
                t1_blood=protocol.t1_blood,
            )) for x in (value, for_few(int(found.repeats[0]) - 1) * np.sqrt(variance))
        )  # fmt: skip
        impossible = (cbf < 0) | (cbf > LARGEST_CBF)
        vague = ~(error <= IDENTIFIABLE * np.abs(cbf)) & np.isfinite(error)
        status = before | np.where(impossible, int(Status.AT_BOUND), 0)
        status |= np.where(vague, int(Status.NOT_IDENTIFIABLE | Status.CBF_NOT_IDENTIFIABLE), 0)
        values = {"CBF": from_clinical("CBF", cbf), "CBF_stderr": from_clinical("CBF", error)}
        if found.repeats[0] == 1:  # nothing says how noisy a single pair is
            values.pop("CBF_stderr")
        return values, status.astype(np.int32)
    times = delay + (0.0 if protocol.labelling == "pasl" else found.label_duration)
    fit = fit_asl(
        value, times, m0=m0, labelling=protocol.labelling,
        label_duration=found.label_duration, label_efficiency=float(protocol.label_efficiency),
        partition_coefficient=lam, t1_blood=float(protocol.t1_blood),
        t1_tissue=T1_TISSUE if options.t1_tissue is None else options.t1_tissue, model=options.model,
        arterial=options.arterial, repeats=found.repeats, sigma=_pooled(pair, found.repeats),
        sigma_freedom=int(np.sum(found.repeats - 1)),
    )  # fmt: skip
    values = {
        "CBF": from_clinical("CBF", fit.cbf), "CBF_stderr": from_clinical("CBF", fit.stderr["CBF"]),
        "ATT": fit.att, "ATT_stderr": fit.stderr["ATT"],
    }  # fmt: skip
    if options.arterial:
        values |= {"aBV": fit.abv, "aBV_stderr": fit.stderr["aBV"], "aBAT": fit.abat}
    return values, before | fit.status


def _pooled(pair: np.ndarray, repeats: np.ndarray) -> np.ndarray | None:
    """Noise (v,) of one pair's difference, from the repeats of all delays; None where nothing was repeated."""
    freedom = repeats - 1
    if freedom.sum() == 0:
        return None
    return np.sqrt(np.nansum(pair**2 * freedom, axis=-1) / freedom.sum())
