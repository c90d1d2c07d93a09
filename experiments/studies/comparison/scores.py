"""How far an estimate is from the truth: per parameter and region of one examination."""

from collections.abc import Iterator

import numpy as np

from estimate.qtmnet.prediction import TO_ONE_SIGMA
from experiments.studies.comparison.found import PARAMETERS, Found, derived
from experiments.studies.comparison.scans import Examination
from experiments.studies.regions import FEWEST, REGIONS
from simulate.inputs.arterial_input import ArterialInput

MAIN = ("Fp", "PS", "vp", "ve")
ERROR, COMMON = "median |log error|", "after one factor"

MEASURES = {
    ERROR: "median |ln(estimate/truth)|",
    COMMON: "the same after one common factor for the phantom",
    "bias": "median ln(estimate/truth)",
    "RMSE of logarithms": "",
    "SD of log error": "half of the 95 % limits of agreement is 1.96 of it",
    "CCC": "Lin's concordance of logarithms",
    "coverage": "share of truths in the estimator's own 90 % interval, where it states one",
    "intervals": "share of voxels with such an interval",
    "failures": "share of voxels without a positive finite estimate",
}
"""What is computed of every parameter, and in words."""


def score(found: Found, exam: Examination) -> dict[str, dict[str, dict[str, float]]]:
    """region -> parameter -> measure, of one examination; regions with few voxels are left out."""
    truth = derived(exam.truth)
    out: dict[str, dict[str, dict[str, float]]] = {}
    for name, inside in _regions(exam):
        known = [p for p in PARAMETERS if p in found]
        errors = {p: found[f"{p}_stderr"][inside] if f"{p}_stderr" in found else None for p in known}
        out[name] = {p: _measures(found[p][inside], truth[p][inside], errors[p]) for p in known}
    return out


def local_peaks(exam: Examination) -> dict[str, float]:
    """region -> median over its voxels of ln(peak of the local arterial input / peak of the global one): how far the
    vessels on the way have dispersed the bolus, which a voxel's curve shows much as it shows a lower flow."""
    whole = np.interp(exam.local_aif_times, exam.aif.times, exam.aif.curve).max()
    peaks = exam.local_aif.max(axis=1) / whole
    return {name: float(np.median(np.log(peaks[inside]))) for name, inside in _regions(exam)}


def shares(marked: np.ndarray, exam: Examination) -> dict[str, float]:
    """region -> share of its scored voxels that are marked."""
    return {name: float(np.mean(marked[inside])) for name, inside in _regions(exam)}


def _regions(exam: Examination) -> Iterator[tuple[str, np.ndarray]]:
    """Names of the regions with enough voxels, and which of the scored are theirs."""
    for name, which in REGIONS.items():
        inside = exam.region == int(which)
        if inside.sum() >= FEWEST:
            yield name, inside


def _measures(estimate: np.ndarray, truth: np.ndarray, stderr: np.ndarray | None) -> dict[str, float]:
    sound = np.isfinite(estimate) & (estimate > 0) & (truth > 0)
    failures = 1 - float(np.mean(sound))
    if sound.sum() < FEWEST:
        return {"failures": failures}
    e, t = np.log(estimate[sound]), np.log(truth[sound])
    error = e - t
    found = {
        ERROR: float(np.median(np.abs(error))),
        COMMON: float(np.median(np.abs(error - np.median(error)))),
        "bias": float(np.median(error)),
        "RMSE of logarithms": float(np.sqrt(np.mean(error**2))),
        "SD of log error": float(np.std(error)),
        "CCC": float(2 * np.cov(e, t, bias=True)[0, 1] / (np.var(e) + np.var(t) + np.mean(error) ** 2)),
        "failures": failures,
    }
    if stderr is not None:
        stated = np.isfinite(stderr[sound])
        half = TO_ONE_SIGMA * stderr[sound] / estimate[sound]
        found["intervals"] = float(np.mean(stated))
        if stated.sum() >= FEWEST:
            found["coverage"] = float(np.mean((np.abs(error) <= half)[stated]))
    return {name: value for name, value in found.items() if np.isfinite(value)}


def input_errors(found: ArterialInput | None, exam: Examination) -> dict[str, float]:
    """Of an automatic input against the exact one: ratio of peaks and of areas, and how much later it rises [s]."""
    if found is None:
        return {}
    times, curve = np.asarray(found.times), np.asarray(found.curve)
    exact = np.interp(times, exam.aif.times, exam.aif.curve, left=0.0)

    def rise(values: np.ndarray) -> float:
        top = int(np.argmax(values))
        return float(np.interp(0.5 * values[top], np.maximum.accumulate(values[: top + 1]), times[: top + 1]))

    return {
        "peak": float(curve.max() / exact.max()),
        "area": float(np.trapezoid(curve, times) / np.trapezoid(exact, times)),
        "arrival": rise(np.asarray(curve, float)) - rise(exact),
    }
