"""A patient as one HDF5 file: images, series, labelling, truth, and everything that caused a label."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from simulate.base.units import to_clinical
from simulate.files.hdf5 import write_hdf5
from simulate.patients.examination import ANGLES, ASL_COARSEN, Examination, Visit
from simulate.patients.outcome import Outcome
from simulate.patients.person import Person
from simulate.phantoms.priors import Region

GAIN = 50.0
"""Of the receiver: series are whole numbers, as scanners store them, and their noise is many of one."""

LABELS = {Region.CORE: 1, Region.OEDEMA: 2, Region.INFILTRATION: 2, Region.RIM: 4}
"""Of the segmentation, as BraTS numbers them: necrosis, oedema and infiltration, solid tumour."""

CLINICAL = ("Fp", "PS", "vp", "ve")

UNITS = (
    "affines and cell mm; times, T1 and T2 s; aif mmol/L of plasma; Fp and PS of person 1/s, of truth mL/100 mL/min; "
    "truth in truth_units; outcome days, log_hazard of 1/day"
)

PATIENT_BYTES = {"image": 0.5, "dce": 1.1, "asl": 2.5, "truth": 2.8}
"""On disk after compression, for each voxel of one image, frame, volume or map (measured)."""


def segmentation(region: Any) -> np.ndarray:
    """(x, y, z) of `LABELS`; 0 elsewhere."""
    labels = np.zeros(np.shape(region), np.uint8)
    for which, label in LABELS.items():
        labels[np.asarray(region) == which] = label
    return labels


def write_patient(
    path: Path, person: Person, found: Examination, after: Outcome, label: int, record: dict[str, Any]
) -> None:
    """Write everything of one visit.

    label : what a study of this cohort asks for.      record : provenance.
    """
    protocol, asl = found.protocol, found.asl
    inside = np.asarray(found.slab.region) > 0
    tree = {
        "images": {**found.images, "segmentation": segmentation(found.region), "affine": found.affine},
        "region": np.asarray(found.region, np.int8),
        "dce": {
            "signal": _stored(found.dce), "vfa": _stored(found.vfa), "vfa_angles": np.asarray(ANGLES),
            "mask": inside, "segmentation": segmentation(found.slab.region),
            "region": np.asarray(found.slab.region, np.int8), "affine": found.slab.affine,
            "protocol": {
                name: np.asarray(getattr(protocol, name)) for name in (
                    "times", "repetition_time", "flip_angle", "echo_time", "relaxivity", "field_strength", "baseline",
                    "frame_duration",
                )
            },
        },
        "asl": {
            "data": np.asarray(asl.data, np.float32), "affine": asl_affine(found.slab.affine),
            "volume_types": " ".join(asl.protocol.volume_types), "labelling": asl.protocol.labelling,
            **{
                name: np.asarray(getattr(asl.protocol, name)) for name in (
                    "label_duration", "post_label_delay", "repetition_time", "label_efficiency", "t1_blood",
                )
            },
        },
        "truth": {name: np.asarray(value, np.float32) for name, value in found.truth.values.items()},
        "truth_units": dict(found.truth.units),
        "true_aif": {"times": found.aif.times, "plasma": found.aif.curve},
        "true_asl": {name: np.asarray(asl.truth[name], np.float32) for name in ("CBF", "ATT")},
        "artery": found.slab.artery,
        "person": _numbers(person.record()),
        "outcome": {**after._asdict(), "label": label},
    }  # fmt: skip
    attributes: dict[str, str | int | float] = {
        "model": found.slab.perfused.phantom.model,
        "units": UNITS,
        "provenance": json.dumps(record),
    }
    write_hdf5(path, tree, attributes)


def patient_bytes(visit: Visit, brain_cells: int) -> float:
    """About what a file takes: stated before a cohort is made."""
    slab = float(np.prod(visit.slab))
    labelled = slab / ASL_COARSEN**3 * (1 + 2 * visit.pairs * len(visit.delays))
    each = PATIENT_BYTES
    return (
        4 * each["image"] * brain_cells + each["dce"] * slab * (visit.frames + len(ANGLES))
        + each["asl"] * labelled + 8 * each["truth"] * slab
    )  # fmt: skip


def asl_affine(affine: Any) -> np.ndarray:
    """Of voxels of several cells: their centre lies between those of the cells."""
    coarse = np.array(affine, float)
    coarse[:3, :3] *= ASL_COARSEN
    coarse[:3, 3] += np.asarray(affine)[:3, :3] @ np.full(3, (ASL_COARSEN - 1) / 2)
    return coarse


def true_columns(person: Person) -> dict[str, float]:
    """What the solid part was drawn with, clinical units, as columns of a table."""
    return {f"true_{name}": float(to_clinical(name, getattr(person, name))) for name in CLINICAL}


def _stored(signal: Any) -> np.ndarray:
    return np.clip(np.rint(GAIN * np.asarray(signal)), 0, np.iinfo(np.uint16).max).astype(np.uint16)


def _numbers(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _numbers(value) if isinstance(value, dict) else value if isinstance(value, str) else np.asarray(value)
        for name, value in record.items()
    }  # fmt: skip
