r"""What is known of each subject at a horizon, and the weights that stand for those who were lost before it.

With G(t) the chance to be in view beyond t, a subject with an event before the horizon h stands for 1/G(T-) subjects,
one in view at h for 1/G(h-), one censored before h for none (inverse probability of censoring weights: Robins &
Rotnitzky 1992; as labels: Vock et al., J Biomed Inform 2016 61:119). While somebody is in view G is above 0; a horizon
beyond that is refused, and no small number is added.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from classify.survival.inputs import followed, positive
from classify.survival.kaplan_meier import KaplanMeier, censoring_curve
from simulate.base.errors import InputError


class HorizonLabel(NamedTuple):
    """Event before a horizon, or not.

    Attributes
    ----------
    label : (n,) array
        1 with an event before the horizon, 0 in view at it without one; 0 as well where unknown, with weight 0.
    weight : (n,) array
        Subjects for which each stands; 0 where censored before the horizon.
    unknown : float [fraction]
        Share of subjects censored before the horizon.
    """

    label: Bool[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    unknown: float


def horizon_label(time: Any, event: Any, *, tau: float, censoring: KaplanMeier | None = None) -> HorizonLabel:
    """Label "event before tau", with weights for the censored.

    Alive or dead at last contact is no such label: it calls those who were followed briefly alive. With these weights
    means over the subjects with a label are, in the limit, those of all (Vock et al., J Biomed Inform 2016 61:119).

    Parameters
    ----------
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    tau : float
        Horizon, in the unit of the times, such as 365 days.
    censoring : KaplanMeier, optional
        Of being censored, from `censoring_curve` of the training's subjects; by default of these.

    Returns
    -------
    HorizonLabel
        Labels and weights.

    Raises
    ------
    InputError
        A horizon at which nobody is in view any longer (a weight would be infinite), a negative time, an event other
        than 0 and 1.
    """
    t, e = followed("horizon_label", time, event)
    curve = censoring_until("horizon_label", t, e, tau, censoring)
    early, there = e & (t < tau), t >= tau
    weight = event_weights(curve, t, early) + there / curve.at(tau, before=True)
    return HorizonLabel(early, weight, float(np.mean(~early & ~there)))


def event_weights(curve: KaplanMeier, time: np.ndarray, counted: np.ndarray) -> Float[np.ndarray, " n"]:
    """1/G(T-) of the events that count, 0 of all others."""
    weight = np.zeros(len(time))
    weight[counted] = 1 / curve.at(time[counted], before=True)
    return weight


def censoring_until(
    where: str, time: np.ndarray, event: np.ndarray, tau: float, censoring: KaplanMeier | None
) -> KaplanMeier:
    """G, by default of these subjects; refused where nobody is in view at tau, so that G comes to 0 before it."""
    curve = censoring_curve(time, event) if censoring is None else censoring
    if positive(where, "tau", tau) > curve.last:
        raise InputError(
            where, "tau", f"is {tau:g}, when nobody is in view any longer, so that weights are infinite",
            f"give a tau up to {curve.last:g}, where subjects are still in view",
        )  # fmt: skip
    return curve
