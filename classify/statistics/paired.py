"""Two classifiers on the same subjects: whether their areas under the curve differ."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from classify.statistics.delong import delong
from classify.statistics.inputs import share
from classify.statistics.intervals import exact_edge
from simulate.base.errors import InputError


class PairedAUC(NamedTuple):
    """Difference of two areas under the curve.

    Attributes
    ----------
    auc : tuple of float [fraction]
        Of the first and of the second.
    difference : float
        First less second.
    low : float
        Lower limit of the difference.
    high : float
        Upper limit of the difference.
    z : float
        Difference over its standard error.
    p : float
        Two-sided.
    """

    auc: tuple[float, float]
    difference: float
    low: float
    high: float
    z: float
    p: float


def compare_aucs(labels: Any, first: Any, second: Any, *, level: float = 0.95) -> PairedAUC:
    """Paired test of two areas under the curve by DeLong's covariance.

    An area of 1 brings no variance of its own, so that the test against it is too sure of itself; where both are 1,
    the limits are those of the exact interval. Source: DeLong et al., Biometrics 1988 44:837.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control; independent subjects.
    first : (n,) array
        Scores of one classifier; higher means case.
    second : (n,) array
        Scores of the other on the same subjects.
    level : float [fraction]
        Of confidence.

    Returns
    -------
    PairedAUC
        Difference, limits and test.

    Raises
    ------
    InputError
        Fewer than two subjects of a class, scores that are not finite, or a difference without variance.
    """
    share("compare_aucs", "level", level)
    shapes = np.shape(first), np.shape(second)
    if shapes[0] != shapes[1] or len(shapes[0]) != 1:
        raise InputError(
            "compare_aucs", "first, second", f"have the shapes {shapes}", "give one score per row each, (n,)"
        )
    known = delong(labels, np.stack([first, second], axis=1))
    difference, error = float(known.auc[0] - known.auc[1]), float(difference_error(known.covariance))
    if error == 0 and difference != 0:
        raise InputError(
            "compare_aucs", "first, second", "differ by the same for every subject, which leaves no variance",
            "test with permutation_test, or give more subjects",
        )  # fmt: skip
    reach = float(norm.ppf((1 + level) / 2) * error)
    if (known.auc == 1).all() or (known.auc == 0).all():
        reach = 1 - exact_edge(known.cases, known.controls, level)
    z = difference / error if error else 0.0
    areas = float(known.auc[0]), float(known.auc[1])
    return PairedAUC(areas, difference, difference - reach, difference + reach, z, float(2 * norm.sf(abs(z))))


def difference_error(covariance: np.ndarray) -> Any:
    """Standard error of the first area less the second, for covariances (..., 2, 2)."""
    variance = covariance[..., 0, 0] + covariance[..., 1, 1] - 2 * covariance[..., 0, 1]
    scale = covariance[..., 0, 0] + covariance[..., 1, 1]
    return np.sqrt(np.where(variance > 1e-12 * scale, variance, 0.0))  # below, what rounding leaves of the same scores
