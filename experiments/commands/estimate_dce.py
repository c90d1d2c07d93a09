"""The main job: files of a DCE examination in, maps and a report out."""

from dataclasses import replace
from typing import Any

import numpy as np

from estimate.arterial.table import write_aif_csv
from estimate.examination.request import needs_input
from estimate.kinetics.capillary import CAPILLARY_MODELS
from estimate.kinetics.fit import MODEL_CODES
from estimate.maps.pipeline import estimate_examination
from estimate.qtmnet.contrast.targets import MAPS
from estimate.signal.voxels import Estimate
from experiments.commands.dce_series import series_name
from experiments.commands.outputs import REPORTS, Results, claim, medians, number
from experiments.commands.read_dce import DCEFiles, DCEOptions, read_dce
from experiments.report.figures.motion import frame_correlation
from experiments.report.page import Report, mask_section, summary_rows, write_report
from experiments.report.typical import typical_voxels
from simulate.base.constants import USUAL_RELAXIVITY
from simulate.base.progress import Progress, silent
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps
from simulate.files.nifti import write_image
from simulate.files.provenance import provenance
from simulate.inputs.arterial_input import ArterialInput

COMMAND = "tracerflow estimate dce"


def estimate_dce(
    options: DCEOptions,
    progress: Progress = silent,
    *,
    truth: Maps | None = None,
    true_aif: ArterialInput | None = None,
) -> Estimate:
    """Read, check, estimate, and write every map, table and the report into `options.out`.

    Parameters
    ----------
    options : DCEOptions
        Files, and what is asked for.
    progress : function
        Told of every block of voxels (`simulate.base.progress.Progress`).
    truth : Maps
        What should have been found, where it is known: the report sets it beside the estimate.
    true_aif : ArterialInput
        Likewise.

    Returns
    -------
    Estimate
        What was written.

    Raises
    ------
    InputError
        Where the input cannot be used; nearly all before any long work, and only then is the folder made.
    """
    read = read_dce(options)
    names = written_names(options.method, options.scale, arterial_volume=options.arterial_volume)
    results = claim(options.out, command=COMMAND, names=names, inputs=read.inputs)
    estimate = estimate_examination(read.exam, progress)
    progress("writing maps and report", 0, 1)
    _write(results, options, read, estimate, truth, true_aif)
    return estimate


# -- writing --------------------------------------------------------------------------------------------

SHOWN = (
    "Fp", "PS", "vp", "ve", "va", "vp_vessels", "Ktrans", "kep", "E", "MTT", "vp_ve_ratio", "speed", "delay", "T10",
    "peak", "TTP", "IAUC60",
)  # fmt: skip
CRONE = "Fp (1-exp(-PS/Fp))"
KTRANS = dict.fromkeys(CAPILLARY_MODELS, CRONE) | {"qtmnet": "E Fp, E of the capillary model that fits best unasked"}
COMPARTMENTS = "Fp PS/(Fp+PS); PS itself for etm, tofts, patlak"
MASK = "mask.nii.gz"
QTM_MAPS = (
    "velocity_x", "velocity_y", "velocity_z", "residual", "speed_one_compartment", "residual_one_compartment",
)  # fmt: skip
_EVERY = ("peak", "TTP", "IAUC60", "T10", "status")


def written_names(method: str, scale: str, *, arterial_volume: bool) -> set[str]:
    """Files that an estimate may write, besides what describes them."""
    if method == "qtmnet":
        maps = {n + suffix for n in MAPS for suffix in ("", "_stderr")}
    elif method == "qtm":
        maps = {"vp", "PS", "ve", "kep", "vp_ve_ratio", "speed", *QTM_MAPS}
    else:
        fitted = ("Fp", "PS", "vp", "ve", "Ktrans", "delay", *(["va"] if arterial_volume else []))
        maps = {n + suffix for n in fitted for suffix in ("", "_stderr")} | {"rss", "aicc", "model"}
    names = {f"{name}.nii.gz" for name in maps.union(_EVERY)}
    return names | {MASK} | ({"aif.csv"} if needs_input(method, scale) else set())


def _write(
    results: Results, options: DCEOptions, read: DCEFiles, estimate: Estimate, truth: Maps | None,
    true_aif: ArterialInput | None,
) -> None:  # fmt: skip
    """Write the maps, then what describes them."""
    results.begin()
    results.write_maps(estimate.maps, estimate.status)
    write_image(results.path(MASK), read.exam.mask, estimate.maps.affine, unit_description="voxels estimated")
    if estimate.aif is not None:
        write_aif_csv(results.path("aif.csv"), estimate.aif)
    facts = _facts(options, read, estimate)
    results.note(*REPORTS)
    write_report(results.folder, replace(_report(options, read, estimate, facts), truth=truth, true_aif=true_aif))
    results.finish(facts)


def _facts(options: DCEOptions, read: DCEFiles, estimate: Estimate) -> dict[str, Any]:
    """All that is needed to know what the maps are and to make them again."""
    asked = dict(vars(options))
    protocol = estimate.protocol
    return {
        "units": estimate.maps.units | {"status": "bit mask"},
        "method": estimate.method,
        "Ktrans": KTRANS.get(estimate.method, COMPARTMENTS),
        "status_bits": {flag.name: int(flag) for flag in Status if flag},
        "status_shares": status_shares(estimate.status),
        "model_codes": MODEL_CODES,
        "mask": {"source": read.exam.mask_source, "voxels": int(read.exam.mask.sum())},
        "medians over sound voxels": medians(estimate.maps, estimate.status),
        "aif": estimate.aif and {
            "source": estimate.aif.source,
            "peak_plasma_mmol_per_L": float(np.max(np.asarray(estimate.aif.curve))),
            "details": estimate.aif.details,
            "sd of the logarithm of its area": number(estimate.aif.spread),
            "likely wrong": list(estimate.aif.warnings),
            "haematocrit": read.exam.haematocrit,
        },
        **estimate.facts,
        "warnings": _warnings(read, estimate),
        "protocol": {
            "repetition_time_s": number(protocol.repetition_time),
            "flip_angle_degrees": number(protocol.flip_angle),
            "echo_time_s": float(protocol.echo_time),
            "relaxivity_per_s_per_mmol_per_L": float(protocol.relaxivity),
            "field_strength_T": float(protocol.field_strength),
            "baseline_frames": int(protocol.baseline),
            "frame_duration_s": float(protocol.frame_duration),
            "frames": len(protocol.times),
            "origin": read.sidecar.origin,
        },
        **provenance(command=COMMAND, options=asked, inputs=read.inputs),
    }  # fmt: skip


def _warnings(read: DCEFiles, estimate: Estimate) -> list[str]:
    found = [*read.sidecar.warnings, *estimate.warnings]
    if read.sidecar.origin.get("LongitudinalRelaxivity") == "default":
        found.append(f"The sidecar has no LongitudinalRelaxivity: {USUAL_RELAXIVITY:g} /(s mmol/L) was assumed.")
    shares = status_shares(estimate.status)
    flags = ("saturated", "no signal", "not finite", "not converged")
    many = [name for name in flags if shares[name] > 0.05]
    return found + [f"{100 * shares[name]:.0f} % of the voxels are flagged '{name}'." for name in many]


def estimated_names(estimate: Estimate) -> list[str]:
    """The maps worth showing: those that hold an estimate anywhere (etm has no Fp)."""
    return [n for n in SHOWN if n in estimate.maps.values and np.isfinite(estimate.maps[n]).any()]


def _report(options: DCEOptions, read: DCEFiles, estimate: Estimate, facts: dict[str, Any]) -> Report:
    times = np.asarray(estimate.protocol.frame_centres)
    inside, exam = estimate.status != int(Status.OUTSIDE), read.exam
    names = [n + suffix for n in estimated_names(estimate) for suffix in ("", "_stderr")]
    found = {n: estimate.maps[n] for n in names if n in estimate.maps.values}
    maps = Maps(found, estimate.maps.affine)
    return Report(
        title=f"DCE-MRI perfusion: {series_name(options.series)}",
        summary=summary_rows(estimate.maps, names=estimated_names(estimate), status=estimate.status),
        maps=maps,
        provenance=facts,
        status=estimate.status,
        shares=status_shares(estimate.status),
        aif=estimate.aif,
        voxels=typical_voxels(exam, estimate),
        motion=(times, frame_correlation(exam.series.data, exam.mask)),
        warnings=_warnings(read, estimate),
        mask=inside,
        more=[mask_section(np.mean(exam.series.data, axis=-1), exam.mask, estimate.maps.affine, exam.mask_source)],
    )
