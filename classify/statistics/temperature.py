"""The one number by which a network's logits are divided, that its probabilities become what happens."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import softmax

from classify.statistics.inputs import class_numbers, finite_scores
from simulate.base.errors import InputError


def fit_temperature(labels: Any, logits: Any) -> float:
    """Temperature T by which logits are divided, that their probabilities be calibrated.

    Minimises the mean of -log softmax(logits/T); it is convex in 1/T, so that its root is the only one (Guo et al.,
    ICML 2017). Logits of (n,) are those of a sigmoid. The order of classes, hence every AUC, stays.

    Parameters
    ----------
    labels : (n,) array
        Class, 0 to k - 1.
    logits : (n, k) or (n,) array
        On subjects that were not learned from, and are not judged by.

    Returns
    -------
    float
        T; above 1 where the logits are too sure.

    Raises
    ------
    InputError
        Logits that are right for every subject (T would be 0), or no better than chance (T would be infinite).
    """
    where = "fit_temperature"
    z = finite_scores(where, logits, len(np.asarray(labels)))
    z = np.concatenate([np.zeros_like(z), z], axis=1) if z.shape[1] == 1 else z
    y = class_numbers(where, labels, z.shape[1])
    own = z[np.arange(len(z)), y]

    def slope(beta: float) -> float:
        """Of the mean loss, by 1/T."""
        return float(np.mean((softmax(beta * z, axis=1) * z).sum(axis=1) - own))

    if slope(0.0) >= 0:
        raise InputError(where, "logits", "are no better than chance", "give those of a network that has learned")
    if np.mean(z.max(axis=1) - own) <= 0:
        raise InputError(
            where, "logits", "are right for every subject", "give more subjects, or keep the logits as they are"
        )
    return 1 / _root(slope, 1 / np.abs(z).max())


def _root(rising: Callable[[float], float], start: float) -> float:
    """Where a function that rises from below 0 passes it."""
    high = start
    while rising(high) < 0:
        high *= 2
    return float(root_scalar(rising, bracket=(0, high), xtol=1e-14).root)
