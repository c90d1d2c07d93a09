r"""How far predicted survival curves are from what happened, under censoring.

    BS(t) = 1/n \sum_i [ S_i(t)^2 1[T_i <= t, event]/G(T_i-) + (1 - S_i(t))^2 1[T_i > t]/G(t) ]

(Graf et al., Stat Med 1999 18:2529), with G the chance to be in view, events before censorings at equal times.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from classify.survival.horizon import censoring_until, event_weights
from classify.survival.inputs import followed
from classify.survival.kaplan_meier import KaplanMeier
from simulate.base.errors import InputError


class SurvivalBrier(NamedTuple):
    """Error of predicted survival.

    Attributes
    ----------
    times : (m,) array
        At which it was predicted.
    brier : (m,) array
        Weighted mean of squared differences at each.
    integrated : float
        Mean over the span of the times, by trapezoids.
    at_risk : (m,) array
        Subjects in view beyond each time.
    """

    times: Float[np.ndarray, " m"]
    brier: Float[np.ndarray, " m"]
    integrated: float
    at_risk: np.ndarray


def survival_brier(
    survival: Any, times: Any, time: Any, event: Any, *, tau: float, censoring: KaplanMeier | None = None
) -> SurvivalBrier:
    """Brier score of predicted survival by inverse probability of censoring, and its integral.

    Source: Graf et al., Stat Med 1999 18:2529. Put the curve of `kaplan_meier` for everyone beside it.

    Parameters
    ----------
    survival : (n, m) array [fraction]
        Predicted chance of each subject to be without an event just after each time.
    times : (m,) array
        In order, up to tau.
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    tau : float
        Up to which scores are taken; subjects must be in view at it.
    censoring : KaplanMeier, optional
        Of being censored, from `censoring_curve` of the training's subjects; by default of these.

    Returns
    -------
    SurvivalBrier
        By time, and integrated.

    Raises
    ------
    InputError
        tau or times at which nobody is in view any longer, times beyond tau or out of order, predictions outside
        [0, 1].
    """
    where = "survival_brier"
    t, e = followed(where, time, event)
    asked = np.asarray(times, float)
    predicted = np.asarray(survival, float)
    if asked.ndim != 1 or predicted.shape != (len(t), len(asked)) or len(asked) < 2:
        raise InputError(
            where,
            "survival",
            f"has the shape {predicted.shape}",
            f"give (n, m) for {len(t)} subjects at 2 times and more",
        )
    if not (predicted.min() >= 0 and predicted.max() <= 1):
        raise InputError(where, "survival", "is not between 0 and 1 everywhere", "give chances to be without an event")
    if (np.diff(asked) <= 0).any() or asked[0] < 0 or asked[-1] > tau:
        raise InputError(where, "times", f"do not rise from 0 or more up to tau = {tau:g}", "give them in order")
    curve = censoring_until(where, t, e, tau, censoring)
    alive = t[:, None] > asked
    followed_on, g = alive.any(axis=0), curve.at(asked)
    if (g[followed_on] == 0).any():
        raise InputError(
            where,
            "times",
            f"reach {asked[-1]:g}, when nobody was in view in the training any longer",
            "end them earlier",
        )
    in_view = np.divide(1, g, out=np.zeros(len(asked)), where=followed_on)
    died = event_weights(curve, t, e & (t <= tau))[:, None] * ~alive
    score = (died * predicted**2 + alive * in_view * (1 - predicted) ** 2).mean(axis=0)
    integrated = float(np.trapezoid(score, asked) / (asked[-1] - asked[0]))
    return SurvivalBrier(asked, score, integrated, alive.sum(axis=0))
