"""What decides: linear functions of means over the image or over regions, learned from patients."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from classify.chain.chain import Chain
from classify.chain.estimator import Estimator
from classify.chain.features import RegionMeans
from experiments.studies.attribution.patients import Patient
from simulate.phantoms.priors import Region

HEADS = ("image means", "region means")

REGIONS = {"rim": Region.RIM, "infiltration": Region.INFILTRATION}
"""Of the head that is told of regions; nobody can fit PS in normal brain, so that has no feature."""

INVERSE_RIDGE = 1.0
"""scikit-learn's C of the logistic regression on standardised features (its default)."""


class Linear(NamedTuple):
    """logit = bias + weight (k,) . (phi - centre)/spread."""

    centre: np.ndarray
    spread: np.ndarray
    weight: np.ndarray
    bias: float

    def __call__(self, phi: Any) -> Any:
        return self.bias + jnp.sum(jnp.asarray(self.weight) * (phi - self.centre) / self.spread)


def features_of(head: str, patient: Patient, estimator: Estimator) -> RegionMeans:
    """Of one patient, whose maps are an estimator's. Raises InputError, see `RegionMeans.of`."""
    weights = np.tile(estimator.weight, (len(estimator.names), 1))
    if head == "image means":
        return RegionMeans.of(estimator.names, {"image": np.ones(len(patient.region), bool)}, weights)
    regions = {name: patient.region == which for name, which in REGIONS.items()}
    return RegionMeans.of(estimator.names, regions, weights)


def learned(features: np.ndarray, labels: np.ndarray) -> Linear:
    """From features (n, k) of patients and their labels (n,), both classes among them."""
    from sklearn.linear_model import LogisticRegression

    centre, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-12)
    fit = LogisticRegression(C=INVERSE_RIDGE).fit((features - centre) / spread, labels)
    return Linear(centre, spread, fit.coef_[0], float(fit.intercept_[0]))


def chain_of(estimators: Sequence[Estimator], features: RegionMeans, head: Linear) -> Chain:
    """From this patient's frames to the logit."""
    return Chain(tuple(estimators), head, features)
