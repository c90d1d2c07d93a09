r"""Intervals that cover: of an area under the curve, also where it is 1, and of a share of counts.

Between 0 and 1 the logit of the AUC is taken for normal, with DeLong's variance:

    logit A \pm z sqrt(var A) / (A (1 - A)).

On the AUC's own scale the interval covers 75 % instead of 95 at an AUC of .973 with 15 subjects v 15, and passes 1.
Where A is 1 there is no variance to be had. But m = min(n_1, n_0) pairs that share no subject are independent, and all
of them are in order with a chance of at most A^m: A below (\alpha/2)^{1/m} is refused whatever the distribution, which
makes [(\alpha/2)^{1/m}, 1] exact. (Hanley and McNeil's variance at (n_1 n_0 - 1/2)/(n_1 n_0) would give .99 to 1 for
15 v 15, where the exact interval begins at .78.)
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import binomtest, norm

from classify.statistics.delong import delong
from classify.statistics.inputs import share
from simulate.base.errors import InputError


class Interval(NamedTuple):
    """An estimate between its limits.

    Attributes
    ----------
    estimate : float
        What was measured.
    low : float
        Lower limit.
    high : float
        Upper limit.
    method : str
        Which interval it is.
    """

    estimate: float
    low: float
    high: float
    method: str


def auc_interval(labels: Any, scores: Any, *, level: float = 0.95) -> Interval:
    """Area under the ROC curve of one score, with limits that hold near 1 and at 1.

    By the logit of the AUC with DeLong's variance (Pepe, The Statistical Evaluation of Medical Tests, 2003, 5.2);
    where the AUC is 1 or 0, exact: from (alpha/2)^(1/m) to 1 with m the size of the smaller class.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control; independent subjects (else `cluster_bootstrap`).
    scores : (n,) array
        Higher means case.
    level : float [fraction]
        Of confidence.

    Returns
    -------
    Interval
        `method` is "logit-DeLong" or "exact".

    Raises
    ------
    InputError
        Fewer than two subjects of a class, scores that are not finite or all the same.
    """
    share("auc_interval", "level", level)
    known = delong(labels, scores)
    if len(known.auc) != 1:
        raise InputError("auc_interval", "scores", f"are {len(known.auc)}", "give one score at a time, (n,)")
    area, variance = float(known.auc[0]), float(known.covariance[0, 0])
    if 0 < area < 1 and variance == 0:
        raise InputError("auc_interval", "scores", "are the same for all", "leave this score out: it says nothing")
    low, high = auc_limits(known.auc[0], known.covariance[0, 0], known.cases, known.controls, level)
    return Interval(area, float(low), float(high), "logit-DeLong" if 0 < area < 1 else "exact")


def hanley_mcneil_interval(auc: float, cases: int, controls: int, *, level: float = 0.95) -> Interval:
    """Area under the curve as a paper prints it, with the interval that its numbers of subjects allow.

    The variance is that of exponential scores, [A(1-A) + (n1-1)(Q1-A^2) + (n0-1)(Q2-A^2)]/(n1 n0) with Q1 = A/(2-A)
    and Q2 = 2A^2/(1+A), on the AUC's own scale, cut at 0 and 1 (Hanley & McNeil, Radiology 1982 143:29); where the
    AUC is 1 or 0, the exact interval of `auc_interval`.

    Parameters
    ----------
    auc : float [fraction]
        As printed.
    cases : int
        Number of subjects of class 1.
    controls : int
        Number of subjects of class 0.
    level : float [fraction]
        Of confidence.

    Returns
    -------
    Interval
        `method` is "Hanley-McNeil" or "exact".

    Raises
    ------
    InputError
        An AUC outside [0, 1], or a class without subjects.
    """
    share("hanley_mcneil_interval", "level", level)
    if not 0 <= auc <= 1:
        raise InputError("hanley_mcneil_interval", "auc", f"is {auc}", "give a number from 0 to 1")
    if min(cases, controls) < 1:
        raise InputError("hanley_mcneil_interval", "cases, controls", f"are {cases}, {controls}", "give 1 and more")
    if auc in (0, 1):
        low, high = auc_limits(np.float64(auc), np.float64(0), cases, controls, level)
        return Interval(auc, float(low), float(high), "exact")
    both_cases, both_controls = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (cases - 1) * (both_cases - auc**2) + (controls - 1) * (both_controls - auc**2)
    reach = norm.ppf((1 + level) / 2) * np.sqrt(spread / (cases * controls))
    return Interval(auc, float(max(auc - reach, 0)), float(min(auc + reach, 1)), "Hanley-McNeil")


def proportion_interval(count: int, total: int, *, level: float = 0.95) -> Interval:
    """Share of counts with its exact interval, as of a sensitivity or specificity.

    Source: Clopper & Pearson, Biometrika 1934 26:404.

    Parameters
    ----------
    count : int
        Of those that were right.
    total : int
        Of all.
    level : float [fraction]
        Of confidence.

    Returns
    -------
    Interval
        `method` is "Clopper-Pearson".

    Raises
    ------
    InputError
        No subject at all, or a count beyond the total.
    """
    share("proportion_interval", "level", level)
    if not 0 <= count <= total or total < 1:
        raise InputError(
            "proportion_interval", "count", f"is {count} of {total}", "give 0 <= count <= total, total >= 1"
        )
    limits = binomtest(int(count), int(total)).proportion_ci(level, method="exact")
    return Interval(count / total, float(limits.low), float(limits.high), "Clopper-Pearson")


def auc_limits(area: Any, variance: Any, cases: int, controls: int, level: float) -> tuple[Any, Any]:
    """Both limits, for areas and variances of any one shape."""
    inside = (area > 0) & (area < 1)
    middle = np.where(inside, area, 0.5)
    reach = norm.ppf((1 + level) / 2) * np.sqrt(variance) / (middle * (1 - middle))
    edge = exact_edge(cases, controls, level)
    low = np.where(inside, expit(logit(middle) - reach), np.where(area == 1, edge, 0.0))
    high = np.where(inside, expit(logit(middle) + reach), np.where(area == 1, 1.0, 1 - edge))
    return low, high


def exact_edge(cases: int, controls: int, level: float) -> float:
    """Lower limit of an area that was found to be 1."""
    return ((1 - level) / 2) ** (1 / min(cases, controls))
