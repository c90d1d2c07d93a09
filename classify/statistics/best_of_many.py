"""How good the best of many maps is on patients who had no part in choosing it."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from classify.statistics.delong import auc, placements
from classify.statistics.inputs import finite_scores, patients_of, per_patient, two_classes
from simulate.base.errors import InputError


class BestOfMany(NamedTuple):
    """The best of many maps, on the patients by whom it was chosen and on those who had no say.

    Attributes
    ----------
    apparent : float [fraction]
        Area of the best map on all patients.
    in_bag : float [fraction]
        Mean area of the best on the patients drawn, by whom it was chosen.
    out_of_bag : float [fraction]
        Mean area of the same map on the patients not drawn.
    chosen : (k,) array [fraction]
        How often each map was the best.
    """

    apparent: float
    in_bag: float
    out_of_bag: float
    chosen: Float[np.ndarray, " k"]

    @property
    def optimism(self) -> float:
        """By how much choosing flatters."""
        return self.in_bag - self.out_of_bag


def best_of_many(labels: Any, scores: Any, *, seed: int, groups: Any = None, draws: int = 1000) -> BestOfMany:
    """How good the best of many maps is on patients who had no part in choosing it.

    Patients are drawn with replacement, as many of each class as there are; the best map on them is scored on those who
    were not drawn (Efron & Tibshirani, JASA 1997 92:548, without the .632 mixture: the map is not fitted, only chosen).

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control; the same in all rows of a patient.
    scores : (n, k) array
        Of k maps; higher means case.
    seed : int
        Of the draws.
    groups : (n,) array, optional
        Patient of each row; without it each row is one.
    draws : int
        Number of resamples.

    Returns
    -------
    BestOfMany
        Area of the best in-bag and out-of-bag.

    Raises
    ------
    InputError
        Fewer than three patients of a class, labels that differ within a patient, scores that are not finite.
    """
    where = "best_of_many"
    cases = two_classes(where, labels)
    values = finite_scores(where, scores, len(cases))
    _, member = patients_of(where, groups, len(cases))
    dealt = per_patient(where, cases, member, "labels")
    classes = [np.flatnonzero(dealt == which) for which in (True, False)]
    if min(map(len, classes)) < 3:
        raise InputError(where, "labels", "hold fewer than three patients of a class", "give three and more of each")
    rows = [np.flatnonzero(member == patient) for patient in range(len(dealt))]
    rng = np.random.default_rng(seed)
    inside, outside, chosen = [], [], np.zeros(values.shape[1])
    while len(inside) < draws:
        bags = [rng.choice(each, len(each)) for each in classes]
        rest = [np.setdiff1d(each, bag) for each, bag in zip(classes, bags, strict=True)]
        if min(map(len, rest)) == 0:  # every patient of a class was drawn
            continue
        area = _area_of(values, rows, bags)
        chosen[area.argmax()] += 1
        inside.append(area.max())
        outside.append(_area_of(values[:, [area.argmax()]], rows, rest)[0])
    apparent = float(auc(cases, values).max())
    return BestOfMany(apparent, float(np.mean(inside)), float(np.mean(outside)), chosen / draws)


def _area_of(values: np.ndarray, rows: list[np.ndarray], patients: list[np.ndarray]) -> np.ndarray:
    """Of drawn cases and controls."""
    cases, controls = (values[np.concatenate([rows[patient] for patient in each])].T for each in patients)
    return placements(cases, controls)[0].mean(axis=-1)
