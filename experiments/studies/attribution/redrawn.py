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
    """By head: shares of intervals that hold the mean of all other redraws, by what they are of.

    Voxels' weights and all that QTMnet takes of the scan stay as the patient's own frames have them. The mean is what
    stated errors are about: they hold no bias, and of a scan without noise QTMnet makes nothing. Intervals are
    Student's, since an error is known by few draws, and wider by what the mean of the others does not know. "ratio" :
    of the scatter over redraws to the error that is stated, for the logit.
    """
    counts = np.any(estimator.weight, axis=0)
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in heads}
    for number in range(redraws):
        frames, known = scanned(patient, number + 1), Remembered(estimator)
        for name, head in heads.items():
            chain = _chain(case, known, name, head)
            again = chain_attribution(chain, frames, baseline=BASELINE, nodes=NODES, errors=DRAWS, seed=number)
            for level, pair in _levels(again, counts).items():
                found[name].setdefault(level, []).append(np.stack(pair))
    return {name: _judged({level: np.stack(each, axis=1) for level, each in found[name].items()}) for name in heads}


def _judged(found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """found : (2, n, ...) values and stated errors of n redraws, by level."""
    covered = {}
    for level, (values, stated) in found.items():
        count = len(values)
        others = (values.sum(axis=0) - values) / (count - 1)
        half = student.ppf((1 + LEVEL) / 2, DRAWS - 1) * np.sqrt(1 + 1 / (count - 1))
        covered[level] = float(np.mean(np.abs(values - others) <= half * stated))
    values, stated = found["logit"]
    return {"covered": covered, "ratio": float(np.std(values, ddof=1) / np.sqrt(np.mean(np.square(stated))))}


def _chain(case: Case, estimator: Estimator, name: str, head: Head) -> Chain:
    linear = not isinstance(head, NetworkHead)
    return Chain((estimator,), head, features_of(name, case.region, np.asarray(estimator.weight)) if linear else None)


def _levels(found: ChainAttribution, counts: np.ndarray) -> dict[str, tuple[Any, Any]]:
    """Values and stated errors; of the voxels that count."""
    errors = found.errors
    assert errors is not None
    levels = {
        "logit": (np.asarray(found.logit), np.asarray(errors.logit)),
        "voxels": (found.maps.sum(axis=0)[counts], errors.voxels[counts]),
    }
    return levels if found.features is None else {**levels, "features": (found.features, errors.features)}
