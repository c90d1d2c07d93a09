r"""Whether predicted probabilities are what happens: slope, intercept, Brier score.

Recalibration on the logit scale, logit P(y) = a + b logit(p) (Cox, Biometrika 1958 45:562): b below 1 tells of
probabilities too extreme. The intercept is that of b = 1 (calibration in the large): above 0 the probabilities are too
low. Levels and words of Van Calster et al., J Clin Epidemiol 2016 74:167.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit, log_softmax, logit

from classify.statistics.inputs import probabilities, two_classes
from simulate.base.errors import InputError


class Calibration(NamedTuple):
    """Predicted probabilities beside what happened.

    Attributes
    ----------
    slope : float
        1 is right; below 1 the probabilities are too extreme.
    slope_error : float
        Standard error of the slope.
    intercept : float
        0 is right; above 0 the probabilities are too low.
    intercept_error : float
        Standard error of the intercept.
    brier : float
        Mean squared difference of probability and outcome.
    scaled_brier : float
        1 - brier/(prevalence (1 - prevalence)): 0 for the prevalence said of everyone, 1 at best.
    prevalence : float [fraction]
        Of class 1.
    """

    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    brier: float
    scaled_brier: float
    prevalence: float


def calibration(labels: Any, probability: Any) -> Calibration:
    """Calibration slope and intercept, and the Brier score beside that of the prevalence.

    Source: Cox, Biometrika 1958 45:562; Brier, Mon Weather Rev 1950 78:1; scaled: Steyerberg et al., Epidemiology 2010
    21:128.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control.
    probability : (n,) array [fraction]
        Predicted, of class 1.

    Returns
    -------
    Calibration
        On the subjects given, which must not be those that were learned from.

    Raises
    ------
    InputError
        One class only, probabilities of exactly 0 or 1 (their logit is infinite) or all the same, or such as separate
        the classes without error, where no slope is finite.
    """
    cases = two_classes("calibration", labels)
    p = probabilities("calibration", probability, len(cases))
    if p.min() == 0 or p.max() == 1:
        raise InputError(
            "calibration",
            "probability",
            "is exactly 0 or 1 in some rows",
            "give logits' float64 sigmoid, or clip and say so",
        )
    if np.ptp(p) == 0:
        raise InputError("calibration", "probability", f"is {p[0]:g} in all rows", "give predictions that differ")
    z = logit(p)
    if z[cases].min() >= z[~cases].max() or z[cases].max() <= z[~cases].min():
        raise InputError(
            "calibration", "probability", "separates the classes without error, so that no slope is finite",
            "give more subjects, or report the Brier score alone (brier_score)",
        )  # fmt: skip
    slope = _logistic(cases, np.stack([np.ones_like(z), z], axis=1), np.zeros_like(z))
    large = _logistic(cases, np.ones((len(z), 1)), z)
    score, prevalence = brier_score(cases, p), float(cases.mean())
    return Calibration(
        slope[0][1],
        slope[1][1],
        large[0][0],
        large[1][0],
        score,
        1 - score / (prevalence * (1 - prevalence)),
        prevalence,
    )


def brier_score(labels: Any, probability: Any) -> float:
    """Mean squared difference of probability and outcome.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control.
    probability : (n,) array [fraction]
        Predicted, of class 1.

    Returns
    -------
    float
        0 at best; prevalence (1 - prevalence) for the prevalence said of everyone (Brier, Mon Weather Rev 1950 78:1).

    Raises
    ------
    InputError
        One class only, or probabilities outside [0, 1].
    """
    cases = two_classes("brier_score", labels)
    return float(np.mean((probabilities("brier_score", probability, len(cases)) - cases) ** 2))


def _logistic(
    cases: np.ndarray, design: Float[np.ndarray, "n p"], offset: Float[np.ndarray, " n"]
) -> tuple[list[float], list[float]]:
    """Coefficients and standard errors of a logistic regression without penalty, by Newton with step halving."""

    def loss(b: np.ndarray) -> float:
        eta = design @ b + offset
        return float(-log_softmax(np.stack([np.where(cases, -eta, eta), np.zeros_like(eta)]), axis=0)[1].sum())

    b = np.zeros(design.shape[1])
    for _ in range(100):
        p = expit(design @ b + offset)
        information = design.T @ (design * (p * (1 - p))[:, None])
        step = np.linalg.solve(information, design.T @ (cases - p))
        while loss(b + step) > loss(b) + 1e-12 * abs(loss(b)):
            step /= 2
        b = b + step
        if np.abs(step).max() < 1e-10:
            break
    return b.tolist(), np.sqrt(np.diag(np.linalg.inv(information))).tolist()
