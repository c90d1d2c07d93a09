"""The main job: files of a DCE examination in, maps and a report out."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from estimate.arterial import ArterialInput, describe_error, read_aif_csv, write_aif_csv
from estimate.baseline import detect_baseline
from estimate.capillary_fit import CAPILLARY_MODELS
from estimate.fit_input import frame_durations
from estimate.input_scale import CBFMap
from estimate.kinetic_fit import MODEL_CODES
from estimate.pipeline import METHODS, estimate_maps
from estimate.qtmnet.contrast.maps import MAPS
from estimate.t10 import VFA
from estimate.training.checkpoint import read_facts
from estimate.voxels import Estimate, Progress, check_baseline
from estimate.without_input import METHODS as WITHOUT_INPUT
from estimate.without_input import check_request
from experiments.dce_series import read_series, read_vfa, series_name
from experiments.figures.motion import frame_correlation
from experiments.inputs import files_of, read_map, read_mask, read_region
from experiments.outputs import REPORTS, median, number, write_maps
from experiments.report import Report, summary_rows, write_report
from experiments.typical import typical_voxels
from simulate.base.bids import DCE_FIELDS, VFA_FIELDS, DCESidecar, parse_set, read_dce_sidecar
from simulate.base.errors import InputError
from simulate.base.files import prepare_output_folder, write_atomically
from simulate.base.nifti import Image
from simulate.base.provenance import provenance
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps, Series

POPULATION = ("parker", "georgiou")

AIF = ArterialInput | np.ndarray | Literal["auto", "parker", "georgiou"]
"""What `estimate_maps` takes as its arterial input."""

LARGEST_T1 = 10.0
"""T1 [s] that nothing in the body exceeds: a map whose median does is in milliseconds."""

LARGEST_B1 = 10.0
"""Ratio to the nominal transmit field that nothing exceeds: a map whose median does is in per cent."""


@dataclass(frozen=True)
class DCEOptions:
    """What the user asked for; see `tracerflow estimate dce --help`.

    series : one file, or one for each frame in the order of time.      vfa : one file, or one for each flip angle.
    """

    series: Path | list[Path]
    out: Path
    method: str = "2cxm"
    quantity: Literal["signal", "concentration"] = "signal"
    aif: str = "auto"
    aif_is: Literal["blood", "plasma"] | None = None
    aif_t1: str = "measured"
    haematocrit: float | None = None
    fit_delay: bool = False
    arterial_volume: bool = False
    vfa: list[Path] | None = None
    t10: str | None = None
    b1: Path | None = None
    mask: Path | None = None
    relaxivity: float | None = None
    scale: Literal["population", "vessels", "asl"] = "population"
    cbf: Path | None = None
    weights: Path | None = None
    set: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Examination:
    """Everything read and found sound, before any long work."""

    series: Series
    sidecar: DCESidecar
    haematocrit: float | None
    t10: float | np.ndarray | VFA | None
    b1: float | np.ndarray
    mask: np.ndarray | None
    aif: AIF
    aif_t1: float | Literal["measured", "blood"]
    cbf: CBFMap | None
    files: list[Path]


def estimate_dce(
    options: DCEOptions,
    progress: Progress | None = None,
    *,
    truth: Maps | None = None,
    true_aif: tuple[Any, Any] | None = None,
) -> Estimate:
    """Read, check, estimate, and write every map, table and the report into `options.out`.

    truth, true_aif : what should have been found, where it is known (maps; times [s] and plasma concentration
        [mmol/L] of the input): the report sets them beside the estimate.

    Raises InputError before any long work where the input cannot be used; only then is the folder made.
    """
    exam = _read(options)
    out = prepare_output_folder(options.out)
    estimate = estimate_maps(
        exam.series, method=options.method, aif=exam.aif, aif_t1=exam.aif_t1,
        haematocrit=exam.haematocrit, t10=exam.t10, b1=exam.b1, mask=exam.mask,
        fit_delay=options.fit_delay, arterial_volume=options.arterial_volume,
        scale=options.scale, cbf=exam.cbf, weights=options.weights, progress=progress,
    )  # fmt: skip
    if progress is not None:
        progress("writing maps and report", 0, 1)
    _write(out, options, exam, estimate, truth, true_aif)
    return estimate


# -- reading --------------------------------------------------------------------------------------------


def _read(options: DCEOptions) -> _Examination:
    if options.method not in METHODS:
        raise InputError("--method", options.method, "is no method", f"choose one of {', '.join(METHODS)}")
    _check_scale(options)
    if options.arterial_volume and options.method in ("etm", "patlak"):
        raise InputError(
            "--arterial-volume", options.method, "its vp cannot be told apart from an arterial volume",
            "leave the option out, or use --method 2cxm",
        )  # fmt: skip
    image = read_series(options.series)
    overrides = parse_set(options.set, known=(*DCE_FIELDS, *VFA_FIELDS))
    if options.relaxivity is not None:
        overrides["LongitudinalRelaxivity"] = options.relaxivity
    sidecar = read_dce_sidecar(
        options.series, frames=image.data.shape[3], quantity=options.quantity, overrides=overrides
    )
    series = Series(image.data, sidecar.protocol, image.affine, options.quantity)
    frame_durations(sidecar.protocol.times, sidecar.protocol.frame_duration)
    if options.quantity == "signal" or options.method in WITHOUT_INPUT:
        series = _with_baseline(series)
    if options.method in WITHOUT_INPUT:
        check_request(
            options.method, options.scale, with_cbf=options.cbf is not None, shape=image.data.shape,
            baseline=series.protocol.baseline,
        )  # fmt: skip
    check_baseline(series)
    if options.weights is not None:
        read_facts(options.weights)
    files = files_of(*(options.series if isinstance(options.series, list) else [options.series]))
    mask = read_mask(options.mask, image, files)
    t10 = _read_t10(options, image, files, overrides) if options.quantity == "signal" else None
    b1 = 1.0 if options.b1 is None else _read_b1(options.b1, image, files)
    haematocrit = _haematocrit(options, sidecar)
    aif = _read_aif(options, image, sidecar, haematocrit, files) if _needs_aif(options) else "auto"
    if options.scale == "asl" and haematocrit is None:
        raise InputError(image.path, "Haematocrit", "is needed to turn CBF into plasma flow", _GIVE_HAEMATOCRIT)
    cbf = None if options.cbf is None else _read_cbf(options.cbf, image, files)
    files += [] if options.weights is None else [options.weights]
    return _Examination(series, sidecar, haematocrit, t10, b1, mask, aif, _read_aif_t1(options, aif), cbf, files)


def _read_cbf(path: Path, image: Image, files: list[Path]) -> CBFMap:
    """CBF where it can be believed, and how far: `estimate asl` says in the maps beside its CBF which voxels are sound,
    and their standard errors."""
    cbf = read_map(path, image, "CBF map", files)
    status, error = path.with_name("status.nii.gz"), path.with_name("CBF_stderr.nii.gz")
    if status.is_file():
        cbf = np.where(read_map(status, image, "status map of the CBF", files) == 0, cbf, np.nan)
    stderr = read_map(error, image, "standard error of the CBF", files) if error.is_file() else None
    return CBFMap(cbf, stderr)


def _with_baseline(series: Series) -> Series:
    """The number of frames before contrast, found in the images where the sidecar does not say."""
    if series.protocol.baseline:
        return series
    found = detect_baseline(np.asarray(series.data))
    return replace(series, protocol=replace(series.protocol, baseline=found))


_GIVE_HAEMATOCRIT = "give --haematocrit, e.g. 0.42"


def _needs_aif(options: DCEOptions) -> bool:
    return options.method not in WITHOUT_INPUT or options.scale == "vessels"


def _check_scale(options: DCEOptions) -> None:
    """Options of QTMnet that do not go together, or do not go with a fit."""
    if options.method not in WITHOUT_INPUT and options.scale != "population":
        cure = "leave it out, or use --method qtmnet"
        raise InputError("--scale", options.method, "belongs to methods without an arterial input", cure)
    if options.method != "qtmnet" and options.weights is not None:
        raise InputError("--weights", options.method, "belongs to qtmnet", "leave it out, or use --method qtmnet")
    if options.scale != "asl" and options.cbf is not None:
        raise InputError("--cbf", options.scale, "is used with --scale asl alone", "add --scale asl")
    if options.method in WITHOUT_INPUT and (options.fit_delay or options.arterial_volume):
        problem = "has no --fit-delay or --arterial-volume"
        raise InputError("--method", options.method, problem, "leave them out, or fit a model")


def _read_b1(path: Path, image: Image, files: list[Path]) -> np.ndarray:
    b1 = read_map(path, image, "B1 map", files)
    cure = "divide it by 100: it looks like per cent, and 1 is the nominal field"
    return _of_plausible_size(b1, LARGEST_B1, path, "B1 map", cure)


def _of_plausible_size(values: np.ndarray, largest: float, path: Path, what: str, cure: str) -> np.ndarray:
    """Refuse a map without a positive value, or in another unit by its median."""
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size == 0:
        raise InputError(path, what, "holds no positive value", "export the map again")
    if np.median(positive) > largest:
        raise InputError(path, what, f"has a median of {np.median(positive):g}", cure)
    return values


def _read_t10(
    options: DCEOptions, image: Image, files: list[Path], overrides: dict[str, object]
) -> float | np.ndarray | VFA:
    if (options.vfa is None) == (options.t10 is None):
        problem = "is not known" if options.vfa is None else "is given by both --vfa and --t10"
        raise InputError(image.path, "T10", problem, "give either --vfa or --t10 (seconds or a map)")
    if options.vfa is not None:
        return read_vfa(options.vfa, image, files, overrides)
    text = str(options.t10)
    try:
        seconds = float(text)
    except ValueError:
        return _read_t10_map(text, image, files)
    if not 0 < seconds < LARGEST_T1:
        raise InputError("--t10", "", f"{seconds:g} s is no T1 of tissue", "give seconds between 0 and 10")
    return seconds


def _read_t10_map(text: str, image: Image, files: list[Path]) -> np.ndarray:
    path = Path(text)
    if not path.is_file():
        raise InputError("--t10", text, "is neither a number nor a file", "give seconds, e.g. 1.2, or a map")
    t10 = read_map(path, image, "T10 map", files)
    cure = "convert it to seconds: it looks like milliseconds"
    return _of_plausible_size(t10, LARGEST_T1, path, "T10 map", cure)


def _haematocrit(options: DCEOptions, sidecar: DCESidecar) -> float | None:
    if options.haematocrit is not None:
        if not 0 <= options.haematocrit < 0.7:
            problem = f"{options.haematocrit:g} is outside 0-0.7"
            raise InputError("--haematocrit", "", problem, "give a fraction such as 0.42")
        return options.haematocrit
    return sidecar.haematocrit


def _read_aif(
    options: DCEOptions, image: Image, sidecar: DCESidecar, haematocrit: float | None, files: list[Path]
) -> AIF:
    path = Path(options.aif)
    named = options.aif in ("auto", *POPULATION)
    if not (named or path.is_file()):
        problem = f"is no file and none of auto, {', '.join(POPULATION)}"
        raise InputError("--aif", options.aif, problem, "give one of them, a curve.csv or a roi.nii.gz")
    times = np.asarray(sidecar.protocol.frame_centres)
    if not named and path.suffix.lower() == ".csv":
        files.append(path)
        return read_aif_csv(path, kind=options.aif_is, haematocrit=haematocrit, series_times=times)
    if haematocrit is None:
        problem = "is needed to turn blood into plasma"
        raise InputError(image.path, "Haematocrit", problem, _GIVE_HAEMATOCRIT)
    if named:
        return cast(Literal["auto", "parker", "georgiou"], options.aif)
    region = read_region(path, image, "arterial region", files)
    if not region.any():
        raise InputError(path, "arterial region", "holds no voxel", "draw it inside a vessel")
    return region


def _read_aif_t1(options: DCEOptions, aif: AIF) -> float | Literal["measured", "blood"]:
    if options.aif_t1 == "measured":
        return "measured"
    in_images = isinstance(aif, np.ndarray) or (isinstance(aif, str) and aif == "auto" and _needs_aif(options))
    if not in_images or options.quantity != "signal":
        problem = "is of an input that is measured in a series of signals"
        raise InputError("--aif-t1", options.aif_t1, problem, "leave it out, or use --aif auto or a region")
    if options.aif_t1 == "blood":
        return "blood"
    try:
        return float(options.aif_t1)
    except ValueError:
        cure = "give measured, blood or seconds, e.g. 1.65"
        raise InputError("--aif-t1", options.aif_t1, "is no T1", cure) from None


# -- writing --------------------------------------------------------------------------------------------

SHOWN = (
    "Fp", "PS", "vp", "ve", "va", "vp_vessels", "Ktrans", "kep", "E", "MTT", "vp_ve_ratio", "speed", "delay", "T10",
    "peak", "TTP", "IAUC60",
)  # fmt: skip
CRONE = "Fp (1-exp(-PS/Fp))"
KTRANS = dict.fromkeys(CAPILLARY_MODELS, CRONE) | {"qtmnet": "E Fp, E of the capillary model that fits best unasked"}
COMPARTMENTS = "Fp PS/(Fp+PS); PS itself for etm, tofts, patlak"
QTM_MAPS = (
    "velocity_x", "velocity_y", "velocity_z", "residual", "speed_one_compartment", "residual_one_compartment",
)  # fmt: skip
OPTIONAL_MAPS = (
    "aif.csv", "rss.nii.gz", "aicc.nii.gz", "model.nii.gz",
    *(f"{n}{s}.nii.gz" for n in ("va", *MAPS, *QTM_MAPS) for s in ("", "_stderr")),
)  # fmt: skip
"""Of some methods alone."""


def _write(
    out: Path,
    options: DCEOptions,
    exam: _Examination,
    estimate: Estimate,
    truth: Maps | None,
    true_aif: tuple[Any, Any] | None,
) -> None:
    """Write the maps, then what describes them, so that an interrupted run has no maps.json.

    An earlier run's is removed first: it would describe maps that are no longer there.
    """
    for stale in (*REPORTS, *OPTIONAL_MAPS):
        (out / stale).unlink(missing_ok=True)
    write_maps(out, estimate.maps, estimate.status, exam.series.affine)
    if estimate.aif is not None:
        write_aif_csv(out / "aif.csv", estimate.aif)
    facts = _facts(options, exam, estimate)
    write_atomically(out / "maps.json", json.dumps(facts, indent=2, allow_nan=False) + "\n")
    report = _report(options, exam, estimate, facts)
    write_report(out, replace(report, truth=truth, true_aif=true_aif))


def _facts(options: DCEOptions, exam: _Examination, estimate: Estimate) -> dict[str, Any]:
    """All that is needed to know what the maps are and to make them again."""
    asked = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    protocol = estimate.protocol
    inside = estimate.status != int(Status.OUTSIDE)
    return {
        "units": estimate.maps.units | {"status": "bit mask"},
        "method": estimate.method,
        "Ktrans": KTRANS.get(estimate.method, COMPARTMENTS),
        "status_bits": {flag.name: int(flag) for flag in Status if flag},
        "status_shares": status_shares(estimate.status),
        "model_codes": MODEL_CODES,
        "medians": {n: median(v[inside]) for n, v in estimate.maps.values.items()},
        "aif": estimate.aif and {
            "source": estimate.aif.source,
            "peak_plasma_mmol_per_L": float(np.max(np.asarray(estimate.aif.curve))),
            "details": estimate.aif.details,
            "sd of the logarithm of its area": number(estimate.aif.spread),
            "likely wrong": list(estimate.aif.warnings),
            "haematocrit": exam.haematocrit,
        },
        **estimate.facts,
        "warnings": _warnings(exam, estimate),
        "protocol": {
            "repetition_time_s": number(protocol.repetition_time),
            "flip_angle_degrees": number(protocol.flip_angle),
            "echo_time_s": float(protocol.echo_time),
            "relaxivity_per_s_per_mmol_per_L": float(protocol.relaxivity),
            "field_strength_T": float(protocol.field_strength),
            "baseline_frames": int(protocol.baseline),
            "frame_duration_s": float(protocol.frame_duration),
            "frames": len(protocol.times),
            "origin": exam.sidecar.origin,
        },
        **provenance(command="tracerflow estimate dce", options=asked, inputs=exam.files),
    }  # fmt: skip


def _warnings(exam: _Examination, estimate: Estimate) -> list[str]:
    found = list(estimate.warnings)
    if exam.sidecar.origin.get("LongitudinalRelaxivity") == "default":
        found.append("The sidecar has no LongitudinalRelaxivity: 4.5 /(s mmol/L) was assumed.")
    shares = status_shares(estimate.status)
    flags = ("saturated", "no signal", "not finite", "not converged")
    many = [name for name in flags if shares[name] > 0.05]
    return found + [f"{100 * shares[name]:.0f} % of the voxels are flagged '{name}'." for name in many]


def estimated_names(estimate: Estimate) -> list[str]:
    """The maps worth showing: those that hold an estimate anywhere (etm has no Fp)."""
    return [n for n in SHOWN if n in estimate.maps.values and np.isfinite(estimate.maps[n]).any()]


def _report(options: DCEOptions, exam: _Examination, estimate: Estimate, facts: dict[str, Any]) -> Report:
    times = np.asarray(estimate.protocol.frame_centres)
    inside = estimate.status != int(Status.OUTSIDE)
    names = [n + suffix for n in estimated_names(estimate) for suffix in ("", "_stderr")]
    found = {n: estimate.maps[n] for n in names if n in estimate.maps.values}
    maps = Maps(found, estimate.maps.affine)
    return Report(
        title=f"DCE-MRI perfusion: {series_name(options.series)}",
        summary=summary_rows(maps, mask=inside),
        maps=maps,
        provenance=facts,
        status=estimate.status,
        shares=status_shares(estimate.status),
        aif=estimate.aif and (np.asarray(estimate.aif.times), np.asarray(estimate.aif.curve), estimate.aif.source),
        aif_words="" if estimate.aif is None else describe_error(estimate.aif),
        voxels=typical_voxels(exam.series, estimate, exam.t10, exam.b1),
        motion=(times, frame_correlation(exam.series.data, exam.mask)),
        warnings=_warnings(exam, estimate),
        mask=inside,
    )
