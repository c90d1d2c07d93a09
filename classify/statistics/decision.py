"""What a prediction is worth for a decision: net benefit over the thresholds at which one would act."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from classify.statistics.inputs import probabilities, two_classes
from simulate.base.errors import InputError


class DecisionCurve(NamedTuple):
    """Net benefit [per subject] beside that of acting on all; that of acting on nobody is 0.

    Attributes
    ----------
    threshold : (t,) array [fraction]
        Probability from which one acts.
    net_benefit : (t,) array
        Of acting on those whose probability reaches it.
    act_on_all : (t,) array
        Of acting on everyone.
    """

    threshold: Float[np.ndarray, " t"]
    net_benefit: Float[np.ndarray, " t"]
    act_on_all: Float[np.ndarray, " t"]


def decision_curve(labels: Any, probability: Any, thresholds: Any) -> DecisionCurve:
    """Net benefit TP/n - FP/n t/(1-t) over thresholds t.

    Source: Vickers & Elkin, Med Decis Making 2006 26:565.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control.
    probability : (n,) array [fraction]
        Predicted, of class 1.
    thresholds : (t,) array [fraction]
        Between 0 and 1, 1 excluded.

    Returns
    -------
    DecisionCurve
        By threshold.

    Raises
    ------
    InputError
        One class only, probabilities outside [0, 1], thresholds outside [0, 1).
    """
    cases = two_classes("decision_curve", labels)
    p = probabilities("decision_curve", probability, len(cases))
    t = np.atleast_1d(np.asarray(thresholds, float))
    if t.ndim != 1 or not ((t >= 0) & (t < 1)).all():
        raise InputError("decision_curve", "thresholds", f"are {t}", "give numbers from 0 to below 1")
    acted = p >= t[:, None]
    odds = t / (1 - t)
    benefit = (acted & cases).mean(axis=1) - (acted & ~cases).mean(axis=1) * odds
    return DecisionCurve(t, benefit, cases.mean() - (~cases).mean() * odds)
