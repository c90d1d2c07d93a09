"""What both estimators make of a patient, and estimators that remember."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from classify.chain.estimator import Estimator, Local, Weighted
from classify.chain.kinetic import KineticEstimator
from classify.chain.qtmnet import QTMnetEstimator
from estimate.qtmnet.weights import Trained
from experiments.studies.attribution.patients import PROTOCOL, Patient
from simulate.base.progress import Progress, silent

FIT, NETWORK = "2CXM", "QTMnet"
ESTIMATORS = (FIT, NETWORK)
"""2CXM with its true input and the delay fitted; QTMnet without any, its scale the population's."""

PARAMETERS = ("Fp", "PS", "vp", "ve")


class Measured(NamedTuple):
    """maps (4, v) of `PARAMETERS`, clinical units, 0 where it is not believed.      weight (4, v) from 0 to 1."""

    maps: np.ndarray
    weight: np.ndarray


class Remembered:
    """An estimator that is asked about the same frames once, however many heads and labels follow: chains that differ
    in these alone walk the same path."""

    def __init__(self, estimator: Estimator):
        self._estimator = estimator
        self.label, self.names, self.weight = estimator.label, estimator.names, estimator.weight
        self._known: dict[bytes, Local] = {}
        self._maps, self._again = _of_the_last(estimator.maps), _of_the_last(estimator.measured_again)

    def at(self, frames: Any, progress: Progress = silent, *, place: float = 1.0, end: Local | None = None) -> Local:
        key = np.asarray(frames).tobytes()
        if key not in self._known:
            local = self._estimator.at(frames, progress, place=place, end=end)
            self._known[key] = local._replace(slope=_of_the_last(local.slope))
        return self._known[key]

    def maps(self, frames: Any) -> Any:
        return self._maps(frames)

    def without_noise(self, frames: Any, noise: float) -> Any:
        return self._estimator.without_noise(frames, noise)

    def measured_again(self, frames: Any) -> Weighted:
        return self._again(frames)

    def sensitivities(self, frames: Any, cotangent: Any) -> dict[str, Any]:
        return self._estimator.sensitivities(frames, cotangent)


def _of_the_last(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function, which is not called again for what it was called with last: there is one direction of a path, and
    one seed of the noise."""
    known: list[tuple[bytes, Any]] = []

    def remembering(x: Any) -> Any:
        key = np.asarray(x).tobytes()
        if not known or known[0][0] != key:
            known[:] = [(key, function(x))]
        return known[0][1]

    return remembering


def estimators_of(patient: Patient, trained: Trained) -> Mapping[str, Estimator]:
    """Both, with the weights of the patient's own frames."""
    return {name: estimator_of(name, patient, trained) for name in ESTIMATORS}


def estimator_of(name: str, patient: Patient, trained: Trained) -> Estimator:
    """One of them."""
    if name == FIT:
        return KineticEstimator.measured(patient.frames, PROTOCOL, t10=patient.t10, aif=patient.aif, fit_delay=True)
    return QTMnetEstimator.measured(patient.frames, PROTOCOL, t10=patient.t10, trained=trained, inside=patient.inside)


def measured(patient: Patient, estimators: Mapping[str, Estimator]) -> dict[str, Measured]:
    """By estimator."""
    return {
        name: Measured(np.asarray(each.maps(patient.frames)), np.asarray(each.weight))
        for name, each in estimators.items()
    }
