r"""Area under the ROC curve, and the covariance of several that were measured on the same subjects.

With midranks R of all subjects and R' of a class alone, the placements of case i and control j are

    V_i = (R_i - R'_i) / n_0,      W_j = 1 - (R_j - R'_j) / n_1,

their means are the AUC, and cov = cov(V) / n_1 + cov(W) / n_0 (DeLong et al., Biometrics 1988 44:837; by ranks in
O(n log n): Sun & Xu, IEEE Signal Process Lett 2014 21:1389). A tie between a case and a control counts one half.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from classify.statistics.inputs import finite_scores, two_classes
from simulate.base.errors import InputError


class DeLong(NamedTuple):
    """Areas under the curve of scores on the same subjects.

    Attributes
    ----------
    auc : (k,) array [fraction]
        Of each score.
    covariance : (k, k) array
        Of these areas; 0 for a score that separates the classes without error, which is no certainty
        (see `auc_interval`).
    cases : int
        Number of subjects of class 1.
    controls : int
        Number of subjects of class 0.
    """

    auc: Float[np.ndarray, " k"]
    covariance: Float[np.ndarray, "k k"]
    cases: int
    controls: int


def auc(labels: Any, scores: Any) -> Float[np.ndarray, " k"]:
    """Area under the ROC curve: the chance that a case scores higher than a control.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control.
    scores : (n,) or (n, k) array
        Higher means case: the sign is not chosen from the data. A tie counts one half.

    Returns
    -------
    (k,) array [fraction]
        Of each column; k = 1 for (n,).

    Raises
    ------
    InputError
        One class only, labels other than 0 and 1, scores that are not finite.
    """
    cases = two_classes("auc", labels)
    split = finite_scores("auc", scores, len(cases)).T
    return placements(split[:, cases], split[:, ~cases])[0].mean(axis=-1)


def delong(labels: Any, scores: Any) -> DeLong:
    """Areas under the curve and their covariance.

    Source: DeLong et al., Biometrics 1988 44:837; Sun & Xu, IEEE Signal Process Lett 2014 21:1389.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control; independent subjects (else `cluster_bootstrap`).
    scores : (n,) or (n, k) array
        Of k classifiers on the same subjects; higher means case.

    Returns
    -------
    DeLong
        Areas and covariance.

    Raises
    ------
    InputError
        Fewer than two subjects of a class, labels other than 0 and 1, scores that are not finite.
    """
    cases = two_classes("delong", labels)
    split = finite_scores("delong", scores, len(cases)).T
    counts = int(cases.sum()), int((~cases).sum())
    if min(counts) < 2:
        raise InputError("delong", "labels", f"hold {min(counts)} of one class", "give two and more of each")
    area, covariance = area_and_covariance(split[:, cases], split[:, ~cases])
    return DeLong(area, covariance, *counts)


def placements(
    cases: Float[np.ndarray, "*draws k n1"], controls: Float[np.ndarray, "*draws k n0"]
) -> tuple[Float[np.ndarray, "*draws k n1"], Float[np.ndarray, "*draws k n0"]]:
    """Share of controls below each case, and of cases above each control."""
    n1, n0 = cases.shape[-1], controls.shape[-1]
    ranks = rankdata(np.concatenate([cases, controls], axis=-1), axis=-1)
    above = (ranks[..., :n1] - rankdata(cases, axis=-1)) / n0
    return above, 1 - (ranks[..., n1:] - rankdata(controls, axis=-1)) / n1


def area_and_covariance(
    cases: Float[np.ndarray, "*draws k n1"], controls: Float[np.ndarray, "*draws k n0"]
) -> tuple[Float[np.ndarray, "*draws k"], Float[np.ndarray, "*draws k k"]]:
    """For many samples at once."""
    above, below = placements(cases, controls)
    return above.mean(axis=-1), _covariance_of_mean(above) + _covariance_of_mean(below)


def _covariance_of_mean(x: Float[np.ndarray, "*draws k n"]) -> Float[np.ndarray, "*draws k k"]:
    apart = x - x.mean(axis=-1, keepdims=True)
    count = x.shape[-1]
    return apart @ np.swapaxes(apart, -1, -2) / (count * (count - 1))
