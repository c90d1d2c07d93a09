"""Whether the standard errors of an attribution cover: a patient's noise is drawn again and again."""

from collections.abc import Callable, Mapping
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
    case: Case, patient: Patient, estimator: Callable[[np.ndarray], Estimator], heads: Mapping[str, Head], redraws: int
) -> dict[str, dict[str, Any]]:
    """By head: shares of intervals that hold the mean of all other redraws, by what they are of.

    estimator : of a scan's frames. Every scan has its own weights, as it would have at its reader's: those of another
    believe voxels that lie on a bound in this one, and nothing closes. Voxels that some scan does not count are left
    out.

    The mean is what stated errors are about: they hold no bias. Intervals are Student's, since an error is known by few
    draws, and wider by what the mean of the others does not know. "ratio" : of the scatter over redraws to the error
    that is stated, for the logit. "gap" : the largest.
    """
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in heads}
    counts, gaps = np.ones(len(patient.frames), bool), dict.fromkeys(heads, 0.0)
    for number in range(redraws):
        frames = scanned(patient, number + 1)
        known = Remembered(estimator(frames))
        counts &= np.any(known.weight, axis=0)
        for name, head in heads.items():
            chain = _chain(case, known, name, head)
            again = chain_attribution(chain, frames, baseline=BASELINE, nodes=NODES, errors=DRAWS, seed=number)
            gaps[name] = max(gaps[name], again.gap)
            for level, pair in _levels(again).items():
                found[name].setdefault(level, []).append(np.stack(pair))
    judged = {}
    for name, levels in found.items():
        arrays = {level: np.stack(each, axis=1) for level, each in levels.items()}
        arrays["voxels"] = arrays["voxels"][..., counts]
        judged[name] = {**_judged(arrays), "gap": gaps[name]}
    return judged


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


def _levels(found: ChainAttribution) -> dict[str, tuple[Any, Any]]:
    """Values and stated errors."""
    errors = found.errors
    assert errors is not None
    levels = {
        "logit": (np.asarray(found.logit), np.asarray(errors.logit)),
        "voxels": (found.maps.sum(axis=0), errors.voxels),
    }
    return levels if found.features is None else {**levels, "features": (found.features, errors.features)}
