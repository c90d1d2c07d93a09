"""Whether the standard errors of an attribution cover: a patient's noise is drawn again and again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import t as student

from classify.chain.attribution import ChainAttribution, chain_attribution
from classify.chain.chain import Chain
from classify.chain.estimator import Estimator
from experiments.studies.attribution.cohort import Case
from experiments.studies.attribution.heads import LinearHead, NetworkHead, features_of
from experiments.studies.attribution.measured import Remembered
from experiments.studies.attribution.patients import BASELINE, Patient, scanned

LEVEL, DRAWS = 0.9, 16
"""Of the intervals; of the noise for each of them."""

NODES = ((2, 16),)

Head = LinearHead | NetworkHead


def covered(
    case: Case, patient: Patient, estimator: Estimator, heads: Mapping[str, Head], redraws: int
) -> dict[str, dict[str, Any]]:
    """By head: shares of intervals that hold the attribution of frames without noise, by what they are of.

    Voxels' weights and all that QTMnet takes of the scan stay as the patient's own frames have them. Intervals are
    Student's, since an error is known by few draws. "ratio" : of the scatter over redraws to the error that is stated,
    for the logit.
    """
    counts = np.any(estimator.weight, axis=0)
    half = student.ppf((1 + LEVEL) / 2, DRAWS - 1)

    def chains(known: Remembered) -> dict[str, Chain]:
        return {name: _chain(case, known, name, head) for name, head in heads.items()}

    target = {
        name: _levels(chain_attribution(chain, patient.clean, baseline=BASELINE, nodes=NODES))
        for name, chain in chains(Remembered(estimator)).items()
    }
    held: dict[str, dict[str, list[float]]] = {name: {level: [] for level in target[name]} for name in heads}
    logits: dict[str, list[tuple[float, float]]] = {name: [] for name in heads}
    for number in range(redraws):
        frames = scanned(patient, number + 1)
        for name, chain in chains(Remembered(estimator)).items():
            again = chain_attribution(chain, frames, baseline=BASELINE, nodes=NODES, errors=DRAWS, seed=number)
            assert again.errors is not None
            stated = {"logit": again.errors.logit, "voxels": again.errors.voxels, "features": again.errors.features}
            for level, value in _levels(again).items():
                inside = np.abs(value - target[name][level]) <= half * np.asarray(stated[level])
                held[name][level].append(float(np.mean(inside[counts] if level == "voxels" else inside)))
            logits[name].append((again.logit, again.errors.logit))
    return {
        name: {
            "covered": {level: float(np.mean(each)) for level, each in held[name].items()},
            "ratio": _ratio(*np.transpose(logits[name])),
        }
        for name in heads
    }


def _chain(case: Case, estimator: Estimator, name: str, head: Head) -> Chain:
    linear = not isinstance(head, NetworkHead)
    return Chain((estimator,), head, features_of(name, case.region, np.asarray(estimator.weight)) if linear else None)


def _ratio(values: np.ndarray, stated: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(np.mean(np.square(stated))))


def _levels(found: ChainAttribution) -> dict[str, np.ndarray]:
    levels = {"logit": np.asarray(found.logit), "voxels": found.maps.sum(axis=0)}
    return levels if found.features is None else {**levels, "features": found.features}
