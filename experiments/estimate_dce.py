"""The main job: files of a DCE examination in, maps and a report out."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from estimate.arterial import ArterialInput, read_aif_csv, write_aif_csv
from estimate.kinetic_fit import FIT_MODELS, MODEL_CODES
from estimate.pipeline import VFA, Estimate, Progress, estimate_maps
from experiments.figures.motion import frame_correlation
from experiments.report import Report, summary_rows, write_report
from experiments.typical import typical_voxels
from simulate.base.bids import DCESidecar, parse_set, read_dce_sidecar, read_vfa_sidecar
from simulate.base.errors import InputError
from simulate.base.files import prepare_output_folder, write_atomically
from simulate.base.nifti import Image, check_same_grid, read_image, write_image
from simulate.base.provenance import provenance
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps, Series
from simulate.base.units import clinical_unit

POPULATION = ("parker", "georgiou")


@dataclass(frozen=True)
class DCEOptions:
    """What the user asked for; see `tracerflow estimate dce --help`."""

    series: Path
    out: Path
    method: str = "2cxm"
    quantity: Literal["signal", "concentration"] = "signal"
    aif: str = "auto"
    aif_is: Literal["blood", "plasma"] | None = None
    haematocrit: float | None = None
    fit_delay: bool = False
    arterial_volume: bool = False
    vfa: Path | None = None
    t10: str | None = None
    b1: Path | None = None
    mask: Path | None = None
    relaxivity: float | None = None
    set: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Examination:
    """Everything read and found sound, before any long work."""

    series: Series
    sidecar: DCESidecar
    haematocrit: float
    t10: float | np.ndarray | VFA | None
    b1: float | np.ndarray
    mask: np.ndarray | None
    aif: ArterialInput | np.ndarray | str
    files: list[Path]


def estimate_dce(options: DCEOptions, progress: Progress | None = None) -> Estimate:
    """Read, check, estimate, write every file of DESIGN's list into `options.out`.

    Raises InputError before any long work where the input cannot be used.
    """
    out = prepare_output_folder(options.out)
    exam = _read(options)
    estimate = estimate_maps(
        exam.series, method=options.method, aif=exam.aif, haematocrit=exam.haematocrit, t10=exam.t10, b1=exam.b1,
        mask=exam.mask, fit_delay=options.fit_delay, arterial_volume=options.arterial_volume, progress=progress,
    )  # fmt: skip
    if progress is not None:
        progress("writing maps and report", 0, 1)
    _write(out, options, exam, estimate)
    return estimate


# -- reading --------------------------------------------------------------------------------------------


def _read(options: DCEOptions) -> _Examination:
    if options.method not in FIT_MODELS:
        raise InputError("--method", "", f"unknown method {options.method!r}", f"choose one of {', '.join(FIT_MODELS)}")
    if options.arterial_volume and options.method in ("etm", "patlak"):
        raise InputError(
            "--arterial-volume", options.method, "its vp cannot be told apart from an arterial volume",
            "leave the option out, or use --method 2cxm",
        )  # fmt: skip
    image = read_image(options.series, dimensions=4)
    overrides = parse_set(options.set)
    if options.relaxivity is not None:
        overrides["LongitudinalRelaxivity"] = options.relaxivity
    sidecar = read_dce_sidecar(
        options.series, frames=image.data.shape[3], quantity=options.quantity, overrides=overrides
    )
    series = Series(image.data, sidecar.protocol, image.affine, options.quantity)
    files = [options.series]
    mask = _read_mask(options.mask, image, files)
    t10 = _read_t10(options, image, files) if options.quantity == "signal" else None
    b1 = 1.0 if options.b1 is None else _read_map(options.b1, image, "the B1 map", files)
    haematocrit = _haematocrit(options, sidecar)
    aif = _read_aif(options, image, sidecar, haematocrit, files)
    return _Examination(series, sidecar, haematocrit or 0.0, t10, b1, mask, aif, files)


def _read_map(path: Path, image: Image, what: str, files: list[Path]) -> np.ndarray:
    own = read_image(path, dimensions=3)
    check_same_grid(own, image, what)
    files.append(path)
    return own.data


def _read_mask(path: Path | None, image: Image, files: list[Path]) -> np.ndarray | None:
    if path is None:
        return None
    mask = _read_map(path, image, "the mask", files) != 0
    if not mask.any():
        raise InputError(path, "", "the mask holds no voxel", "give one that covers the tissue of interest")
    return mask


def _read_t10(options: DCEOptions, image: Image, files: list[Path]) -> float | np.ndarray | VFA:
    if (options.vfa is None) == (options.t10 is None):
        problem = "T1 before contrast is not known" if options.vfa is None else "both --vfa and --t10 are given"
        raise InputError(options.series, "T10", problem, "give either --vfa images or --t10 (seconds or a map)")
    if options.vfa is not None:
        vfa = read_image(options.vfa, dimensions=4)
        check_same_grid(vfa, image, "the VFA images")
        files.append(options.vfa)
        angles, repetition_time = read_vfa_sidecar(options.vfa, volumes=vfa.data.shape[3])
        return VFA(vfa.data, angles, repetition_time)
    try:
        seconds = float(options.t10 or "")
    except ValueError:
        return _read_map(Path(options.t10 or ""), image, "the T10 map", files)
    if not 0 < seconds < 10:
        raise InputError("--t10", "", f"{seconds:g} s is no T1 of tissue", "give seconds between 0 and 10")
    return seconds


def _haematocrit(options: DCEOptions, sidecar: DCESidecar) -> float | None:
    if options.haematocrit is not None:
        if not 0 <= options.haematocrit < 0.7:
            raise InputError("--haematocrit", "", f"{options.haematocrit:g} is outside 0-0.7", "give a fraction such as 0.42")
        return options.haematocrit
    return sidecar.haematocrit


def _read_aif(
    options: DCEOptions, image: Image, sidecar: DCESidecar, haematocrit: float | None, files: list[Path]
) -> ArterialInput | np.ndarray | str:
    path = Path(options.aif)
    times = np.asarray(sidecar.protocol.frame_centres)
    if options.aif not in ("auto", *POPULATION) and path.suffix == ".csv":
        files.append(path)
        return read_aif_csv(path, kind=options.aif_is, haematocrit=haematocrit, series_times=times)
    if haematocrit is None:
        raise InputError(
            options.series, "Haematocrit", "is needed to turn blood into plasma", "give --haematocrit, e.g. 0.42"
        )
    if options.aif in ("auto", *POPULATION):
        return options.aif
    region = _read_map(path, image, "the arterial region", files) != 0
    if not region.any():
        raise InputError(path, "", "the arterial region holds no voxel", "draw it inside a vessel")
    return region


# -- writing --------------------------------------------------------------------------------------------


def _write(out: Path, options: DCEOptions, exam: _Examination, estimate: Estimate) -> None:
    maps, affine = estimate.maps, exam.series.affine
    for name, values in maps.values.items():
        write_image(out / f"{name}.nii.gz", values, affine, unit_description=clinical_unit(name))
    write_image(out / "status.nii.gz", estimate.status, affine, unit_description="bit mask")
    write_aif_csv(out / "aif.csv", estimate.aif)
    facts = _facts(options, exam, estimate)
    write_atomically(out / "maps.json", json.dumps(facts, indent=2) + "\n")
    write_report(out, _report(options, exam, estimate, facts))


def _facts(options: DCEOptions, exam: _Examination, estimate: Estimate) -> dict[str, Any]:
    """All that is needed to know what the maps are and to make them again."""
    asked = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items()}
    protocol = estimate.protocol
    inside = estimate.status != int(Status.OUTSIDE)
    return {
        "units": estimate.maps.units | {"status": "bit mask"},
        "method": estimate.method,
        "Ktrans": "Fp (1-exp(-PS/Fp))" if estimate.method in ("dp", "aath") else "Fp PS/(Fp+PS); PS itself for etm, tofts, patlak",
        "status_bits": {flag.name: int(flag) for flag in Status if flag},
        "status_shares": status_shares(estimate.status),
        "model_codes": MODEL_CODES,
        "medians": {n: _median(v[inside]) for n, v in estimate.maps.values.items()},
        "aif": {
            "source": estimate.aif.source,
            "peak_plasma_mmol_per_L": float(np.max(np.asarray(estimate.aif.curve))),
            "details": estimate.aif.details,
            "haematocrit": exam.haematocrit,
        },
        "protocol": {
            "repetition_time_s": float(protocol.repetition_time),
            "flip_angle_degrees": float(protocol.flip_angle),
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


def _median(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None


def _warnings(exam: _Examination, estimate: Estimate) -> list[str]:
    found = []
    if exam.sidecar.origin.get("LongitudinalRelaxivity") == "default":
        found.append("The sidecar has no LongitudinalRelaxivity: 4.5 /(s mmol/L) was assumed.")
    shares = status_shares(estimate.status)
    for name in ("saturated", "no signal", "not finite", "not converged"):
        if shares.get(name, 0.0) > 0.05:
            found.append(f"{100 * shares[name]:.0f} % of the voxels are flagged '{name}'.")
    return found


def _report(options: DCEOptions, exam: _Examination, estimate: Estimate, facts: dict[str, Any]) -> Report:
    times = np.asarray(estimate.protocol.frame_centres)
    inside = estimate.status != int(Status.OUTSIDE)
    shown = ("Fp", "PS", "vp", "ve", "va", "Ktrans", "delay", "T10", "peak", "TTP", "IAUC60")
    maps = Maps({n: estimate.maps[n] for n in shown if n in estimate.maps.values}, estimate.maps.affine)
    return Report(
        title=f"DCE-MRI perfusion: {options.series.name}",
        summary=summary_rows(maps, mask=inside),
        maps=maps,
        provenance=facts,
        status=estimate.status,
        shares=status_shares(estimate.status),
        aif=(np.asarray(estimate.aif.times), np.asarray(estimate.aif.curve), estimate.aif.source),
        voxels=typical_voxels(exam.series, estimate, exam.t10, exam.b1),
        motion=(times, frame_correlation(exam.series.data, exam.mask)),
        warnings=_warnings(exam, estimate),
        mask=inside,
    )
