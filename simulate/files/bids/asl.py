"""The acquisition of an ASL series from its JSON sidecar and aslcontext.tsv, and of its M0."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulate.base.errors import InputError
from simulate.base.schemes import schemes_of
from simulate.base.types import ASLProtocol
from simulate.files.atomic import AnyPath, write_atomically
from simulate.files.bids.asl_fields import FIELDS
from simulate.files.bids.fields import Fields, Rule, read_fields
from simulate.files.bids.inheritance import applicable_files
from simulate.files.bids.uses import Use
from simulate.files.image_files import image_stem, sidecar_path
from simulate.files.tables import cells, read_lines, table_text

LONGEST = 10.0
"""Label durations and delays [s] that no label survives: from here on they are milliseconds."""

LONGEST_TR = 60.0

VOLUME_TYPES = ("control", "label", "deltam", "m0scan", "noRF", "cbf")
M0_TYPES = ("Separate", "Included", "Estimate", "Absent")
LABELLING = {"PCASL": "pcasl", "CASL": "casl", "PASL": "pasl"}

_DELAY = Rule(lambda v: 0 <= v < LONGEST, "seconds from 0 to below 10", LONGEST)
_DURATION = Rule(lambda v: 0 < v < LONGEST, "seconds above 0 and below 10", LONGEST)
_ANY_DURATION = Rule(lambda v: 0 <= v < LONGEST, "seconds from 0 to below 10", LONGEST)
TR = Rule(lambda v: 0 < v < LONGEST_TR, "seconds above 0 and below 60", LONGEST_TR)

_NO_CUT_OFF = ("QUIPSS", "QUIPSSI")
"""Of `BolusCutOffTechnique`, without spaces: Wong et al., MRM 1998 39:702 saturate the slices in the first version."""

_PULSES = "BackgroundSuppressionNumberPulses"

RULES = {
    "LabelingEfficiency": Rule(lambda v: 0 < v <= 1, "a fraction above 0 and up to 1"),
    "MagneticFieldStrength": Rule(lambda v: 0 < v <= 30, "tesla above 0 and up to 30"),
    "M0Estimate": Rule(lambda v: v > 0, "signal above 0"),
    _PULSES: Rule(lambda v: v >= 0 and v == int(v), "whole numbers from 0"),
}

ASL_FIELDS = tuple(name for name, field in FIELDS.items() if field.use is not Use.NOTED)
"""Every field that --set knows for ASL."""


@dataclass(frozen=True)
class ASLSidecar:
    """What is known about an ASL series, and from where.

    protocol : its label_efficiency and t1_blood are NaN where the sidecar says nothing.
    suppressed : whether static tissue was suppressed.      pulses : its inversion pulses, None where not told.
    m0_type : of `M0_TYPES`.      m0_estimate : of BLOOD, in the unit of the series.
    field_strength : [T], None where not told.      echo_time : as the sidecar has it, None where it is not one number.
    origin : field -> "sidecar", "--set" or "absent".      warnings : sentences for the reader.
    """

    protocol: ASLProtocol
    suppressed: bool
    pulses: int | None
    m0_type: str
    m0_estimate: float | None
    field_strength: float | None
    origin: dict[str, str]
    warnings: list[str]
    echo_time: float | None = None


def read_asl_sidecar(
    image_path: AnyPath,
    *,
    volumes: int,
    slices: int,
    context: AnyPath | None = None,
    overrides: dict[str, object] | None = None,
) -> ASLSidecar:
    """Read and check the sidecar of an ASL series and the table of its volumes.

    volumes, slices : of the image.      context : aslcontext.tsv, by default that which applies to the image.
    overrides : what the user gave as --set Field=value (see `parse_set`); it wins over the sidecar.

    Raises
    ------
    InputError for what is missing, of the wrong length, in milliseconds or contradicts itself.
    """
    fields = read_fields(image_path, overrides, RULES)
    table = find_context(image_path) if context is None else context
    kinds = read_context(table, volumes)
    fields.require("ArterialSpinLabelingType", "RepetitionTimePreparation", "PostLabelingDelay", "M0Type")
    labelling = LABELLING[_choice(fields, "ArterialSpinLabelingType", tuple(LABELLING))]
    if _flag(fields, "LookLocker", False):
        raise fields.error("LookLocker", "is true: readouts after one label are not quantified here")
    labelled = np.isin(kinds, ("control", "label", "deltam"))
    durations = _bolus(fields, volumes) if labelling == "pasl" else _durations(fields, volumes, labelled)
    m0_type = _choice(fields, "M0Type", M0_TYPES)
    numbers = {name: fields.number(name, None) for name in RULES}
    suppressed, pulses, warnings = _suppression(fields, m0_type, numbers[_PULSES][0])
    _check_m0(fields, m0_type, kinds, suppressed)
    if m0_type == "Estimate" and numbers["M0Estimate"][0] is None:
        raise fields.error("M0Estimate", "is missing, and M0Type is Estimate")
    efficiency = numbers["LabelingEfficiency"][0]
    protocol = ASLProtocol(
        volume_types=tuple(kinds),
        labelling=labelling,
        label_duration=durations,
        post_label_delay=per_volume(fields, "PostLabelingDelay", volumes, _DELAY),
        repetition_time=per_volume(fields, "RepetitionTimePreparation", volumes, TR),
        label_efficiency=float("nan") if efficiency is None else efficiency,
        t1_blood=float("nan"),
        slice_times=_slice_times(fields, slices),
    )
    schemes_of(protocol, table)
    return ASLSidecar(
        protocol, suppressed, pulses, m0_type, numbers["M0Estimate"][0],
        numbers["MagneticFieldStrength"][0], {name: fields.find(name)[2] for name in ASL_FIELDS},
        warnings + _warnings(fields, kinds), _echo_time(fields),
    )  # fmt: skip


def context_path(image_path: AnyPath) -> Path:
    """The table beside an image: sub-1_asl.nii.gz has sub-1_aslcontext.tsv."""
    image = Path(image_path)
    return image.with_name(image_stem(image).removesuffix("_asl") + "_aslcontext.tsv")


def find_context(image_path: AnyPath) -> Path:
    """The nearest table that applies to an image (BIDS takes tables whole); where none does, the one beside it."""
    return (applicable_files(image_path, "aslcontext", ".tsv") or [context_path(image_path)])[-1]


def read_context(path: AnyPath, volumes: int) -> list[str]:
    """What every volume is, from aslcontext.tsv: control, label, deltam, m0scan or noRF.

    Raises InputError for another number of rows, an unknown type, CBF, or controls and labels that do not match.
    """
    path = Path(path)
    try:
        rows = [cells(line, "\t") for line in read_lines(path) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        cure = "write a table with the column volume_type and a row for each volume, or give --context"
        raise InputError(path, "", "cannot be read", cure) from error
    head = rows[0] if rows else []
    if "volume_type" not in head:
        raise InputError(path, "volume_type", "is no column", "name the column of the volumes' types so")
    column = head.index("volume_type")
    kinds = [row[column] if column < len(row) else "" for row in rows[1:]]
    for number, kind in enumerate(kinds, 1):
        if kind not in VOLUME_TYPES:
            raise InputError(
                path, f"row {number}", f"is {kind!r}", f"write one of {', '.join(VOLUME_TYPES)} for each volume"
            )
    if len(kinds) != volumes:
        raise InputError(path, "volume_type", f"has {len(kinds)} rows, and the image {volumes} volumes", "make it fit")
    count = Counter(kinds)
    if count["cbf"]:
        raise InputError(path, "volume_type", "says that the image holds CBF already", "give the series it came from")
    if count["control"] != count["label"]:
        raise InputError(
            path, "volume_type", f"has {count['control']} control and {count['label']} label volumes",
            "remove those without a partner from image and table",
        )  # fmt: skip
    if not count["control"] and not count["deltam"]:
        raise InputError(path, "volume_type", "has no control, label or deltam", "give a labelled series")
    return kinds


# -- one field after the other --------------------------------------------------------------------------


def _choice(fields: Fields, name: str, known: tuple[str, ...]) -> str:
    name, value, _ = fields.find(name)
    if value not in known:
        raise fields.error(name, f"is {value!r}, and must be one of {', '.join(known)}")
    return str(value)


def _flag(fields: Fields, name: str, default: bool) -> bool:
    name, value, origin = fields.find(name)
    if origin == "absent":
        return default
    if not isinstance(value, bool):
        raise fields.error(name, f"is {value!r}, and must be true or false")
    return value


def per_volume(fields: Fields, name: str, volumes: int, rule: Rule) -> np.ndarray:
    """(volumes,) from one number or a list of them."""
    value = fields.find(name)[1]
    if isinstance(value, list | tuple | np.ndarray):
        return fields.numbers(name, volumes, "volumes", rule)
    return np.full(volumes, fields.checked(name, value, rule))


def _durations(fields: Fields, volumes: int, labelled: np.ndarray) -> np.ndarray:
    fields.require("LabelingDuration")
    found = per_volume(fields, "LabelingDuration", volumes, _ANY_DURATION)
    for value in found[labelled]:
        fields.checked("LabelingDuration", float(value), _DURATION)
    return found


def _bolus(fields: Fields, volumes: int) -> np.ndarray:
    """TI1 of a PASL series: without a cut-off nobody knows how long its bolus is."""
    name = "BolusCutOffFlag"
    if not _flag(fields, name, False):
        raise fields.error(name, "is not true, so the duration of the bolus, and with it CBF, is unknown")
    technique, named, _ = fields.find("BolusCutOffTechnique")
    if isinstance(named, str) and named.upper().replace(" ", "") in _NO_CUT_OFF:
        raise fields.error(technique, f"is {named}, which does not end the bolus, so that its duration is unknown")
    fields.require("BolusCutOffDelayTime")
    value = fields.find("BolusCutOffDelayTime")[1]
    first = value[0] if isinstance(value, list | tuple) and value else value  # Q2TIPS gives first and last
    return np.full(volumes, fields.checked("BolusCutOffDelayTime", first, _DURATION))


def _echo_time(fields: Fields) -> float | None:
    """Of a readout with several echoes, and of what is no number, nothing follows."""
    value = fields.find("EchoTime")[1]
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _suppression(fields: Fields, m0_type: str, declared: float | None) -> tuple[bool, int | None, list[str]]:
    """Whether static tissue was suppressed, by how many pulses (None where nobody says), and what contradicts it."""
    flag, times = "BackgroundSuppression", "BackgroundSuppressionPulseTime"
    if m0_type == "Absent":
        fields.require(flag)
    suppressed = _flag(fields, flag, False)
    said = fields.find(flag)[2] != "absent"
    listed = fields.find(times)[1]
    counted = len(fields.numbers(times, len(listed), "pulses", _DELAY)) if isinstance(listed, list | tuple) else None
    if declared is not None and counted is not None and declared != counted:
        raise fields.error(_PULSES, f"is {declared:g}, and {times} lists {counted}")
    pulses = counted if declared is None else int(declared)
    if pulses and said and not suppressed:
        return False, 0, [f"{_PULSES} is {pulses}, and {flag} is false: no label was taken to be lost to pulses."]
    if pulses and not said:
        return True, pulses, [f"{flag} is not given: it was taken to be true, since there are {pulses} pulses."]
    if suppressed and pulses is None:
        warning = f"{_PULSES} is not given: label lost to its pulses is not corrected for, CBF is low."
        return True, None, [warning]
    return suppressed, pulses, []


def _check_m0(fields: Fields, m0_type: str, kinds: list[str], suppressed: bool) -> None:
    if m0_type == "Included" and "m0scan" not in kinds:
        raise fields.error("M0Type", "is Included, and no volume is an m0scan")
    if m0_type == "Absent":
        if suppressed:
            raise fields.error(
                "M0Type",
                "is Absent, and controls with background suppression cannot stand in; measure M0 or estimate it",
            )
        if "control" not in kinds:
            raise fields.error("M0Type", "is Absent, and there is no control volume to stand in")


def _slice_times(fields: Fields, slices: int) -> np.ndarray:
    """(slices,) [s] after the first readout, by the image's third index; empty unless the acquisition is 2-D."""
    name, kind, origin = fields.find("MRAcquisitionType")
    if origin != "absent" and kind not in ("2D", "3D"):
        raise fields.error(name, f"is {kind!r}, and must be 2D or 3D")
    if origin == "absent" and _spread(fields.find("SliceTiming")[1]) > 0:
        raise fields.error(name, "is not given, and SliceTiming has slices at different times, as 2D has")
    if kind != "2D":
        return np.zeros(0)
    fields.require("SliceTiming")
    times = fields.numbers("SliceTiming", slices, "slices", _DELAY)
    name, direction, origin = fields.find("SliceEncodingDirection")
    if origin != "absent" and direction not in ("k", "k-"):
        raise fields.error(name, f"is {direction!r}: slices are quantified along the third axis alone, k or k-")
    return (times[::-1] if direction == "k-" else times) - times.min()


def _spread(times: Any) -> float:
    """Seconds between the first and the last slice; 0 of what is no list of numbers."""
    known = isinstance(times, list) and all(isinstance(t, int | float) for t in times)
    return float(np.ptp(times)) if known and times else 0.0


def _warnings(fields: Fields, kinds: list[str]) -> list[str]:
    """What contradicts itself without hindering the work."""
    sentences = []
    declared, pairs = fields.find("TotalAcquiredPairs")[1], kinds.count("control")
    if isinstance(declared, int) and pairs and declared != pairs:
        sentences.append(f"TotalAcquiredPairs is {declared}, and the series holds {pairs} pairs.")
    return sentences


def write_asl_sidecar(
    image_path: AnyPath, protocol: ASLProtocol, *, field_strength: float = 3.0, extra: dict[str, Any] | None = None
) -> Path:
    """Write sidecar and aslcontext.tsv of an ASL image, from which `read_asl_sidecar` gives the same protocol back.

    M0 is Included where a volume is an m0scan, else Absent.     extra : further fields, ready for JSON; they win.
    Returns the path of the sidecar.
    """
    kinds = protocol.volume_types
    names = {ours: bids for bids, ours in LABELLING.items()}
    slices = np.asarray(protocol.slice_times, float)
    fields: dict[str, Any] = {
        "ArterialSpinLabelingType": names[protocol.labelling],
        "RepetitionTimePreparation": np.asarray(protocol.repetition_time, float).tolist(),
        "PostLabelingDelay": np.asarray(protocol.post_label_delay, float).tolist(),
        "LabelingEfficiency": float(protocol.label_efficiency),
        "BackgroundSuppression": False,
        "M0Type": "Included" if "m0scan" in kinds else "Absent",
        "MagneticFieldStrength": field_strength,
        "MRAcquisitionType": "2D" if slices.size else "3D",
        "TotalAcquiredPairs": kinds.count("control"),
    }
    if slices.size:
        fields["SliceTiming"] = slices.tolist()
    duration = np.asarray(protocol.label_duration, float)
    if protocol.labelling == "pasl":
        fields |= {"BolusCutOffFlag": True, "BolusCutOffDelayTime": float(duration.max())}
    else:
        fields["LabelingDuration"] = duration.tolist()
    path = sidecar_path(image_path)
    context = table_text([[cell] for cell in ("volume_type", *kinds)], delimiter="\t")
    write_atomically(context_path(image_path), context)
    write_atomically(path, json.dumps({**fields, **(extra or {})}, indent=2, allow_nan=False) + "\n")
    return path
