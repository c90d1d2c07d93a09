"""From the network's prediction and a scale to maps, errors, status and warnings."""

import numpy as np

from estimate.arterial.scale import InputScale
from estimate.kinetics.fit import IDENTIFIABLE
from estimate.qtmnet.contrast.domain import TRAINING
from estimate.qtmnet.contrast.inference import ScanPrediction
from estimate.qtmnet.contrast.targets import MAPS, PS_FLOOR, SCALED, SCORED, VESSEL_FLOOR
from estimate.qtmnet.out_of_distribution import OUTLIER_SHARE, scan_warning
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from simulate.base.status import Status, at_bound
from simulate.inputs.random import POPULATION_AREA

_FLAGS = {
    "Fp": Status.FP_NOT_IDENTIFIABLE, "PS": Status.PS_NOT_IDENTIFIABLE, "vp": Status.VP_NOT_IDENTIFIABLE,
    "ve": Status.VE_NOT_IDENTIFIABLE,
}  # fmt: skip


LEAKAGE = ("PS", "Ktrans", "kep", "E")
"""Quantities that are learnt as if PS were never below its floor."""


def parameters(
    predicted: ScanPrediction, scale: InputScale, calibration_factor: dict[str, float]
) -> dict[str, np.ndarray]:
    """Maps (v,) by name and NAME_stderr, in internal units.

    A standard error is the voxel's own, value x sigma with sigma times the calibration's factor, so that
    value exp(± 1.645 stderr/value) covers 90 % where the scale is right; the delay's is in s. The scale's error is one
    number for all voxels and not among them, see `with_scale_error`. Where PS may be as low as the floor below which it
    leaves no trace (`PS_FLOOR`), the values of `LEAKAGE` are upper limits, and their errors NaN.
    """
    found = {}
    per_area = predicted.level / scale.area
    tight = _tight(predicted, calibration_factor)
    for i, (name, map_name) in enumerate(zip(SCORED, MAPS, strict=True)):
        sigma = predicted.spread[:, i] * calibration_factor[name] / TO_ONE_SIGMA
        if name == "delay":
            found |= {map_name: predicted.value[:, i], f"{map_name}_stderr": sigma}
            continue
        value = np.exp(predicted.value[:, i].astype(float))
        error = value * sigma
        if name == "vp_vessels":
            value = np.maximum(value - VESSEL_FLOOR, 0.0)
        if name in SCALED:
            value, error = value * per_area, error * per_area
        found |= {map_name: value, f"{map_name}_stderr": np.where(tight, np.nan, error) if name in LEAKAGE else error}
    return found


def with_scale_error(found: dict[str, np.ndarray], scale: InputScale) -> dict[str, np.ndarray]:
    """Maps as of `parameters` whose errors of `SCALED` hold the scale's too: those of a distance from the truth."""
    wider = {f"{n}_stderr": np.hypot(found[f"{n}_stderr"], found[n] * scale.spread) for n in SCALED}
    return found | wider


def _tight(predicted: ScanPrediction, calibration_factor: dict[str, float]) -> np.ndarray:
    """Voxels whose interval of PS reaches down to the floor, which is one of PS times the input's area."""
    i = SCORED.index("PS")
    return too_low_to_see(predicted.level, predicted.value[:, i], calibration_factor["PS"] * predicted.spread[:, i])


def too_low_to_see(level: np.ndarray, value: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Whether intervals value ± half of log(PS A/b) reach the floor. level : b."""
    return level * np.exp(value - half) < PS_FLOOR * POPULATION_AREA


def unphysical(found: dict[str, np.ndarray]) -> np.ndarray:
    """Voxels whose volumes exceed the voxel: the tissue is none of the training's, or the scale is wrong."""
    return found["vp"] + found["ve"] > 1


def status_of(predicted: ScanPrediction, found: dict[str, np.ndarray], before: np.ndarray) -> np.ndarray:
    """Bits of every voxel: `before` the network, without enhancement, unlike the training, not identifiable, PS as low
    as can be seen."""
    status = before.astype(np.int32)
    status |= np.where(predicted.enhanced, 0, int(Status.NO_SIGNAL)).astype(np.int32)
    status |= np.where(predicted.out_of_distribution | unphysical(found), int(Status.UNFAMILIAR), 0).astype(np.int32)
    for name, flag in _FLAGS.items():
        vague = ~(found[f"{name}_stderr"] <= IDENTIFIABLE * found[name])
        status |= np.where(vague, int(flag | Status.NOT_IDENTIFIABLE), 0).astype(np.int32)
    status |= np.where(np.isnan(found["PS_stderr"]), at_bound("PS"), 0).astype(np.int32)
    return status


def warnings_of(
    predicted: ScanPrediction, found: dict[str, np.ndarray], times: np.ndarray, *, alarms: float
) -> list[str]:
    """What the reader must know before believing the maps. alarms : share of in-distribution scans that are marked."""
    spacing = float(np.median(np.diff(times)))
    after = float(times[-1] - predicted.facts.arrival)
    snr = float(predicted.facts.level / np.sqrt(predicted.facts.variance))
    shortest, longest = TRAINING.spacing
    known = [
        (f"the frame spacing is {spacing:.2g} s", spacing, (0.98 * shortest, 1.02 * longest), "s"),
        (f"there are {len(times)} frames", len(times), TRAINING.frames, "frames"),
        (f"{after:.0f} s were measured after contrast arrived", after, (60.0, 1e9), "s and more"),
        (f"the mean enhancement is {snr:.2g} times the noise", snr, (1.0, 100.0), "times"),
    ]
    sentences = [
        f"Outside QTMnet's training: {words}, it was trained with {low:g} to {high:g} {unit}."
        if high < 1e9
        else f"Outside QTMnet's training: {words}, it was trained with {low:g} {unit}."
        for words, value, (low, high), unit in known
        if not low <= value <= high
    ]
    outliers = float(np.mean(predicted.outlier[predicted.enhanced])) if predicted.enhanced.any() else 0.0
    if outliers > OUTLIER_SHARE:
        sentences.append(
            f"{100 * outliers:.0f} % of the enhancing voxels have curves unlike any that QTMnet was trained with "
            "(status: unfamiliar): the input or the tissue is of another kind, and its intervals do not hold there."
        )
    sentences += scan_warning(
        predicted.ood_score,
        alarms,
        "the injection was slower, the patient moved, the tissue is of another kind, or the mask holds little besides "
        "a tumour (then give one of all tissue, which the network reads the input from)",
    )
    impossible = float(np.mean(unphysical(found)[predicted.enhanced])) if predicted.enhanced.any() else 0.0
    if impossible > OUTLIER_SHARE:
        sentences.append(
            f"{100 * impossible:.0f} % of the enhancing voxels would have vp + ve above 1 (status: unfamiliar): the "
            "scale is wrong, or the tissue is of a kind that QTMnet was not trained with."
        )
    return sentences
