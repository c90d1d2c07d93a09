"""Files of an arterial spin labelling examination in, maps and a report out."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from estimate.asl.examination import ASLExamination, ASLOptions, examine_asl
from estimate.asl.quantify import ASLEstimate, quantify
from experiments.commands.inputs import as_series, files_of, read_map, read_mask
from experiments.commands.m0_images import read_m0
from experiments.commands.options import errors_in_options, in_options
from experiments.commands.outputs import REPORTS, claim, medians
from experiments.report.figures.asl import differences_figure
from experiments.report.page import Report, Section, mask_section, summary_rows, write_report
from simulate.base.progress import Progress, silent
from simulate.base.status import Status, status_shares
from simulate.base.types import Maps
from simulate.files.bids.asl import ASL_FIELDS, find_context, read_asl_sidecar
from simulate.files.bids.fields import parse_set
from simulate.files.bids.m0 import M0_FIELDS
from simulate.files.nifti import read_image, write_image
from simulate.files.provenance import InputFile, provenance

COMMAND = "tracerflow estimate asl"
MASK = "mask.nii.gz"


@dataclass(frozen=True)
class ASLFiles:
    """What the user gave; `tracerflow estimate asl --help` says more of each.

    Attributes
    ----------
    series : path
        With its sidecar and aslcontext.tsv, beside it or inherited as in BIDS.
    out : path
        Folder for the results.
    how : ASLOptions
        How to quantify.
    m0 : path
        Separate M0 image; by default the m0scan beside the series or intended for it.
    mask : str or path
        "auto", "none" or an image.
    context : path
        Table of the volumes' types, where it is neither beside the series nor inherited.
    grey : path
        Share of grey matter, for partial volume correction.
    white : path
        Share of white matter.
    set : list of str
        Field=value, over the sidecar's.
    """

    series: Path
    out: Path
    how: ASLOptions = field(default_factory=ASLOptions)
    m0: Path | None = None
    mask: str | Path = "auto"
    context: Path | None = None
    grey: Path | None = None
    white: Path | None = None
    set: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Read:
    """The examination, and every file with its checksum, taken before any is written."""

    exam: ASLExamination
    inputs: list[InputFile]


@errors_in_options()
def estimate_asl(asked: ASLFiles, progress: Progress = silent) -> ASLEstimate:
    """Read, check, quantify, and write every map and the report into `asked.out`.

    Parameters
    ----------
    asked : ASLFiles
        Files, and what is asked for.
    progress : function
        Told of every slice or block of voxels (`simulate.base.progress.Progress`).

    Returns
    -------
    ASLEstimate
        What was written.

    Raises
    ------
    InputError
        Where the input cannot be used, before any long work; only then is the folder made.
    """
    read = _read(asked)
    results = claim(asked.out, command=COMMAND, names=written_names(read.exam), inputs=read.inputs)
    found = quantify(read.exam, progress)
    found = replace(found, warnings=[in_options(text) for text in found.warnings])
    progress("writing maps and report", 0, 1)
    results.begin()
    results.write_maps(found.maps, found.status)
    write_image(results.path(MASK), read.exam.mask, found.maps.affine, unit_description="voxels quantified")
    facts = _facts(asked, read, found)
    results.note(*REPORTS)
    write_report(results.folder, _report(asked, read, found, facts))
    results.finish(facts)
    return found


def written_names(exam: ASLExamination) -> set[str]:
    """Files that the quantification of an examination may write, besides what describes them."""
    maps = ["CBF"] if exam.method == "white_paper" else ["CBF", "ATT"]
    maps += ["aBV", "aBAT"] if exam.options.arterial else []
    maps += ["CBF_GM", "CBF_WM"] if exam.options.grey is not None else []
    return {f"{name}{suffix}.nii.gz" for name in maps for suffix in ("", "_stderr")} | {"status.nii.gz", MASK}


# -- reading --------------------------------------------------------------------------------------------


def _read(asked: ASLFiles) -> _Read:
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
    calibration, warnings = read_m0(asked.m0, image, sidecar, files, overrides)
    sidecar = replace(sidecar, warnings=[*sidecar.warnings, *warnings])
    named = asked.mask in ("auto", "none")
    mask, source = (str(asked.mask), None) if named else read_mask(asked.mask, image, files)
    exam = examine_asl(image.data, image.affine, sidecar, calibration, mask, how)
    files += [] if how.weights is None else [how.weights]
    return _Read(exam if source is None else replace(exam, mask_source=source), [InputFile.of(path) for path in files])


# -- what is written ------------------------------------------------------------------------------------


def _facts(asked: ASLFiles, read: _Read, found: ASLEstimate) -> dict[str, Any]:
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
        "mask": {"source": read.exam.mask_source, "voxels": int(read.exam.mask.sum())},
        "means over all voxels": {n: _mean(v[inside]) for n, v in found.maps.values.items()},
        "medians over sound voxels": medians(found.maps, found.status),
        "share_of_negative_voxels": found.negative,
        "warnings": found.warnings,
        "protocol": {
            "labelling": found.protocol.labelling,
            "label_durations_and_delays_s": [[float(a), float(b)] for a, b in schemes],
            "repeats": found.differences.repeats.tolist(),
            "m0": read.exam.sidecar.m0_type,
            "origin": read.exam.sidecar.origin,
        },
        **provenance(command=COMMAND, options=options, inputs=read.inputs),
    }


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.mean(finite)) if finite.size else None


def _report(asked: ASLFiles, read: _Read, found: ASLEstimate, facts: dict[str, Any]) -> Report:
    inside, exam = found.status != int(Status.OUTSIDE), read.exam
    section = Section.of(
        "differences", "Control minus label", differences_figure(found, inside),
        "Mean difference inside the mask over M0's own unit, at every delay, and its distribution over voxels.",
        f"{100 * found.negative:.1f} % of the voxels have a negative mean difference.",
    )  # fmt: skip
    return Report(
        title=f"ASL perfusion: {asked.series.name}",
        summary=summary_rows(found.maps, status=found.status),
        maps=Maps(found.maps.values, found.maps.affine),
        provenance=facts,
        status=found.status,
        shares=status_shares(found.status),
        warnings=found.warnings,
        mask=inside,
        more=[mask_section(exam.anatomy, exam.mask, found.maps.affine, exam.mask_source), section],
    )
