"""Area under the curve for more than two classes: two definitions that differ, each under its name."""

from itertools import combinations
from typing import Any

import numpy as np

from classify.statistics.delong import auc
from classify.statistics.inputs import class_numbers, finite_scores
from simulate.base.errors import InputError


def one_vs_rest_auc(labels: Any, scores: Any) -> float:
    """Mean over the classes of the area with which a class's score tells it from all others together.

    Changes with how frequent the classes are (Provost & Domingos, 2000; here without weights: macro).

    Parameters
    ----------
    labels : (n,) array
        Class, 0 to k - 1; every class must occur.
    scores : (n, k) array
        Of each class.

    Returns
    -------
    float [fraction]
        Mean area.

    Raises
    ------
    InputError
        A class that does not occur, scores that are not finite.
    """
    given, values = _checked("one_vs_rest_auc", labels, scores)
    return float(np.mean([auc(given == k, values[:, k])[0] for k in range(values.shape[1])]))


def hand_till_auc(labels: Any, scores: Any) -> float:
    """Mean over all pairs of classes of the areas with which either score of a pair tells the two apart.

    M = 2/(k(k-1)) sum over i < j of [A(i|j) + A(j|i)]/2, which does not change with how frequent the classes are (Hand
    & Till, Mach Learn 2001 45:171).

    Parameters
    ----------
    labels : (n,) array
        Class, 0 to k - 1; every class must occur.
    scores : (n, k) array
        Of each class.

    Returns
    -------
    float [fraction]
        Mean area.

    Raises
    ------
    InputError
        A class that does not occur, scores that are not finite.
    """
    given, values = _checked("hand_till_auc", labels, scores)
    areas = []
    for i, j in combinations(range(values.shape[1]), 2):
        pair = (given == i) | (given == j)
        is_j = given[pair] == j
        areas += [auc(is_j, values[pair, j])[0], auc(~is_j, values[pair, i])[0]]
    return float(np.mean(areas))


def _checked(where: str, labels: Any, scores: Any) -> tuple[np.ndarray, np.ndarray]:
    values = finite_scores(where, scores, len(np.asarray(labels)))
    if values.shape[1] < 2:
        raise InputError(where, "scores", "are of one class only", "give one column per class, (n, k)")
    given = class_numbers(where, labels, values.shape[1])
    missing = np.setdiff1d(np.arange(values.shape[1]), given)
    if len(missing):
        raise InputError(
            where, "labels", f"hold no row of class {', '.join(map(str, missing))}",
            "give rows of every class, or leave its column out",
        )  # fmt: skip
    return given, values
