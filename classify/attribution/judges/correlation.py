"""Correlations with what chance gives, and the agreement of two attributions of one thing."""

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, PyTree
from scipy.stats import rankdata

from classify.attribution.judges.inside import elements


class Agreement(NamedTuple):
    """How alike two attributions are.

    Attributes
    ----------
    spearman : float
        Of the signed values; 0 where one of them is the same everywhere.
    cosine : float
        Of the signed values; 0 where one of them is 0.
    chance : float
        Standard deviation of either around 0 for unrelated maps, 1/sqrt(n-1). Maps that are smooth in space have fewer
        than n independent elements, and a wider one.
    """

    spearman: float
    cosine: float
    chance: float


def agreement(one: PyTree[ArrayLike], other: PyTree[ArrayLike], *, inside: ArrayLike | None = None) -> Agreement:
    """Compare two attributions of the same input.

    Parameters
    ----------
    one : pytree of arrays
        An attribution.
    other : pytree of arrays like one
        Another.
    inside : bool array over the leading axes, optional
        Elements to compare; all by default.

    Returns
    -------
    Agreement
        Rank correlation and cosine, beside chance.

    Raises
    ------
    InputError
        Where shapes differ, a value is not finite, or fewer than two elements are inside.
    """
    a, b = elements(inside, attribution=one, other=other)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return Agreement(spearman(a, b), float(a @ b) / length if length else 0.0, chance_correlation(len(a)))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation with midranks for ties; 0 where one of them does not vary."""
    return pearson(rankdata(a), rankdata(b))


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation; 0 where one of them does not vary."""
    a, b = a - a.mean(), b - b.mean()
    product = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / product, -1.0, 1.0)) if product > 0 else 0.0


def chance_correlation(count: int) -> float:
    """Standard deviation of the correlation of so many pairs of unrelated numbers, exact for ranks."""
    return float(1 / np.sqrt(count - 1))
