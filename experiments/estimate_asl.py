"""Files of an arterial spin labelling examination in, maps and a report out."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from estimate.asl.quantify import ASLEstimate, ASLOptions, Calibration, quantify
from estimate.voxels import Progress
from experiments.figures.asl import differences_figure
from experiments.inputs import as_series, files_of, read_map, read_mask
from experiments.m0_images import read_m0
from experiments.outputs import REPORTS, median, write_maps
from experiments.report import Report, Section, summary_rows, write_report
from simulate.base.bids import (
    ASL_FIELDS,
    M0_FIELDS,
    ASLSidecar,
    find_context,
    parse_set,
    read_asl_sidecar,
)
from simulate.base.files import prepare_output_folder, write_atomically
from simulate.base.nifti import Image, read_image
from simulate.base.provenance import provenance
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps

OPTIONAL_MAPS = tuple(
    f"{name}{suffix}.nii.gz" for name in ("CBF", "ATT", "aBV", "aBAT", "CBF_GM", "CBF_WM") for suffix in ("", "_stderr")
)


@dataclass(frozen=True)
class ASLFiles:
    """What the user gave; see `tracerflow estimate asl --help`."""

    series: Path
    out: Path
    how: ASLOptions = field(default_factory=ASLOptions)
    m0: Path | None = None
    mask: Path | None = None
    context: Path | None = None
    grey: Path | None = None
    white: Path | None = None
    set: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Examination:
    """Everything read and found sound, before any long work."""

    image: Image
    sidecar: ASLSidecar
    calibration: Calibration | None
    mask: np.ndarray | None
    how: ASLOptions
    files: list[Path]


def estimate_asl(asked: ASLFiles, progress: Progress | None = None) -> ASLEstimate:
    """Read, check, quantify, and write every map and the report into `asked.out`.

    Raises InputError before any long work where the input cannot be used; only then is the folder made.
    """
    exam = _read(asked)
    found = quantify(
        exam.image.data, exam.image.affine, exam.sidecar, exam.calibration, exam.mask, exam.how, progress
    )  # fmt: skip
    out = prepare_output_folder(asked.out)
    for stale in (*REPORTS, *OPTIONAL_MAPS):
        (out / stale).unlink(missing_ok=True)
    if progress is not None:
        progress("writing maps and report", 0, 1)
    write_maps(out, found.maps, found.status, exam.image.affine)
    facts = _facts(asked, exam, found)
    write_atomically(out / "maps.json", json.dumps(facts, indent=2, allow_nan=False) + "\n")
    write_report(out, _report(asked, exam, found, facts))
    return found


# -- reading --------------------------------------------------------------------------------------------


def _read(asked: ASLFiles) -> _Examination:
    image = as_series(read_image(asked.series, dimensions=(3, 4)))
    overrides = parse_set(asked.set, known=(*ASL_FIELDS, *M0_FIELDS))
    context = find_context(asked.series) if asked.context is None else asked.context
    sidecar = read_asl_sidecar(
        asked.series, volumes=image.data.shape[3], slices=image.data.shape[2], context=context,
        overrides=overrides,
    )  # fmt: skip
    files = [*files_of(asked.series), context]
    grey, white = (
        None if path is None else read_map(path, image, f"map of {name} matter", files)
        for name, path in (("grey", asked.grey), ("white", asked.white))
    )
    how = ASLOptions(**{**vars(asked.how), "grey": grey, "white": white})
    calibration, doubts = read_m0(asked.m0, image, sidecar, files, overrides)
    sidecar = replace(sidecar, warnings=[*sidecar.warnings, *doubts])
    return _Examination(image, sidecar, calibration, read_mask(asked.mask, image, files), how, files)


# -- what is written ------------------------------------------------------------------------------------


def _facts(asked: ASLFiles, exam: _Examination, found: ASLEstimate) -> dict[str, Any]:
    """All that is needed to know what the maps are and to make them again."""
    inside = found.status != int(Status.OUTSIDE)
    scalars = {k: v for k, v in vars(asked.how).items() if k not in ("grey", "white", "weights")}
    scalars["weights"] = None if asked.how.weights is None else str(asked.how.weights)
    options = {k: str(v) if isinstance(v, Path) else v for k, v in vars(asked).items() if k != "how"} | scalars
    schemes = zip(found.differences.label_duration, found.differences.post_label_delay, strict=True)
    return {
        "units": found.maps.units | {"status": "bit mask"},
        "method": found.method,
        "equation": found.equation,
        "constants": {c.name: f"{c.value:g} {c.unit} ({c.origin})" for c in found.constants},
        "status_bits": {flag.name: int(flag) for flag in Status if flag},
        "status_shares": status_shares(found.status),
        "means": {n: _mean(v[inside]) for n, v in found.maps.values.items()},
        "medians": {n: median(v[inside]) for n, v in found.maps.values.items()},
        "share_of_negative_voxels": found.negative,
        "warnings": found.warnings,
        "protocol": {
            "labelling": found.protocol.labelling,
            "label_durations_and_delays_s": [[float(a), float(b)] for a, b in schemes],
            "repeats": found.differences.repeats.tolist(),
            "m0": exam.sidecar.m0_type,
            "origin": exam.sidecar.origin,
        },
        **provenance(command="tracerflow estimate asl", options=options, inputs=exam.files),
    }


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.mean(finite)) if finite.size else None


def _report(asked: ASLFiles, exam: _Examination, found: ASLEstimate, facts: dict[str, Any]) -> Report:
    inside = found.status != int(Status.OUTSIDE)
    section = Section.of(
        "differences", "Control minus label", differences_figure(found, inside),
        "Mean difference inside the mask over M0's own unit, at every delay, and its distribution over voxels.",
        f"{100 * found.negative:.1f} % of the voxels have a negative mean difference.",
    )  # fmt: skip
    return Report(
        title=f"ASL perfusion: {asked.series.name}",
        summary=summary_rows(found.maps, mask=inside),
        maps=Maps(found.maps.values, found.maps.affine),
        provenance=facts,
        status=found.status,
        shares=status_shares(found.status),
        warnings=found.warnings,
        mask=inside,
        more=[section],
    )
