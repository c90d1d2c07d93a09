"""Whether the standard errors of an attribution cover: a patient's noise is drawn again and again."""

from typing import Any

import numpy as np
from scipy.stats import norm

from classify.chain.attribution import ChainAttribution, chain_attribution
from classify.chain.chain import Chain
from classify.chain.estimator import Estimator
from experiments.studies.attribution.cohort import Case
from experiments.studies.attribution.heads import LinearHead, NetworkHead, features_of
from experiments.studies.attribution.patients import BASELINE, Patient, scanned

LEVEL, DRAWS = 0.9, 64
"""Of the intervals; of the noise for each of them."""

NODES = ((2, 16),)


def covered(
    case: Case,
    patient: Patient,
    estimator: Estimator,
    head_name: str,
    head: LinearHead | NetworkHead,
    redraws: int,
) -> dict[str, Any]:
    """Shares of intervals that hold the attribution of frames without noise, by what they are of.

    Voxels' weights and all that QTMnet takes of the scan stay as the patient's own frames have them. "ratio" : of the
    scatter over redraws to the error that is stated, for the logit.
    """
    features = (
        None if isinstance(head, NetworkHead) else features_of(head_name, case.region, np.asarray(estimator.weight))
    )
    chain = Chain((estimator,), head, features)
    target = _levels(chain_attribution(chain, patient.clean, baseline=BASELINE, nodes=NODES))
    counts = np.asarray(estimator.weight) > 0
    half = norm.ppf((1 + LEVEL) / 2)
    found: dict[str, list[Any]] = {level: [] for level in target}
    values: dict[str, list[Any]] = {"logit": [], "stated": []}
    for number in range(redraws):
        frames = scanned(patient, number + 1)
        again = chain_attribution(chain, frames, baseline=BASELINE, nodes=NODES, errors=DRAWS, seed=number)
        assert again.errors is not None
        stated = {"logit": again.errors.logit, "voxels": again.errors.voxels, "features": again.errors.features}
        for level, each in _levels(again).items():
            inside = np.abs(each - target[level]) <= half * np.asarray(stated[level])
            found[level].append(float(np.mean(inside[counts] if level == "voxels" else inside)))
        values["logit"].append(again.logit)
        values["stated"].append(again.errors.logit)
    ratio = float(np.std(values["logit"], ddof=1) / np.sqrt(np.mean(np.square(values["stated"]))))
    return {"covered": {level: float(np.mean(each)) for level, each in found.items()}, "ratio": ratio}


def _levels(found: ChainAttribution) -> dict[str, np.ndarray]:
    levels = {"logit": np.asarray(found.logit), "voxels": found.maps.sum(axis=0)}
    return levels if found.features is None else {**levels, "features": found.features}
