r"""The share that is still without an event, from subjects of whom some were lost from view.

    S(t) = \prod_{t_k <= t} (1 - d_k/n_k),   Greenwood: var S = S^2 \sum d_k / (n_k (n_k - d_k))

(Kaplan & Meier, JASA 1958 53:457). Limits by log(-log S), within [0, 1] (Kalbfleisch & Prentice 1980).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm

from classify.survival.inputs import followed
from simulate.base.errors import InputError


@dataclass(frozen=True)
class KaplanMeier:
    """A curve that steps at the times of events.

    Attributes
    ----------
    times : (k,) array [unit of the times given]
        At which an event was seen, in order.
    survival : (k,) array [fraction]
        Share without an event just after each.
    error : (k,) array [fraction]
        Greenwood's standard error; NaN once the curve is at 0.
    low : (k,) array [fraction]
        Lower limit; NaN once the curve is at 0.
    high : (k,) array [fraction]
        Upper limit; NaN once the curve is at 0.
    at_risk : (k,) array
        Subjects in view just before each.
    events : (k,) array
        Events at each.
    last : float
        Longest time in view: beyond it nothing is known, unless the curve has come to 0.
    """

    times: Float[np.ndarray, " k"]
    survival: Float[np.ndarray, " k"]
    error: Float[np.ndarray, " k"]
    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    at_risk: Int[np.ndarray, " k"]
    events: Int[np.ndarray, " k"]
    last: float

    def at(self, times: Any, *, before: bool = False) -> Float[np.ndarray, "*s"]:
        """Share without an event at any times.

        Parameters
        ----------
        times : float or (...) array
            In the unit of the times given.
        before : bool
            Just before them, S(t-), rather than just after.

        Returns
        -------
        (...) array [fraction]
            The curve.

        Raises
        ------
        InputError
            A time beyond the follow-up of a curve that has not come to 0.
        """
        asked = np.asarray(times, float)
        ended = len(self.survival) > 0 and self.survival[-1] == 0
        if asked.size and asked.max() > self.last and not ended:
            raise InputError(
                "KaplanMeier.at", "times", f"reach {asked.max():g}, the follow-up {self.last:g}",
                f"ask for times up to {self.last:g}",
            )  # fmt: skip
        steps = np.searchsorted(self.times, asked, side="left" if before else "right")
        return np.asarray(np.concatenate([[1.0], self.survival])[steps])


def kaplan_meier(time: Any, event: Any, *, level: float = 0.95) -> KaplanMeier:
    """Kaplan-Meier curve with Greenwood's errors and log(-log) limits.

    Subjects that are censored at the time of an event are at risk of it.

    Parameters
    ----------
    time : (n,) array
        To the event or to the end of follow-up, in any one unit.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    level : float [fraction]
        Of confidence.

    Returns
    -------
    KaplanMeier
        Empty of steps where no event was seen: the curve stays at 1.

    Raises
    ------
    InputError
        A negative time, an event other than 0 and 1, a level outside (0, 1).
    """
    t, e = followed("kaplan_meier", time, event)
    if not 0 < level < 1:
        raise InputError("kaplan_meier", "level", f"is {level}", "give a number between 0 and 1")
    times, events = np.unique(t[e], return_counts=True)
    at_risk = len(t) - np.searchsorted(np.sort(t), times, side="left")
    return _curve(times, events, at_risk, float(t.max()), level)


def censoring_curve(time: Any, event: Any) -> KaplanMeier:
    """Kaplan-Meier curve G of being in view: events and censorings change places.

    At equal times events come before censorings, so that those who had one are not at risk of being censored; the
    product of both curves is the share in view.

    Parameters
    ----------
    time : (n,) array
        To the event or to the end of follow-up, in any one unit.
    event : (n,) array
        1 where the event was seen, 0 where censored.

    Returns
    -------
    KaplanMeier
        Whose "events" are censorings, for weights of other subjects.

    Raises
    ------
    InputError
        A negative time, an event other than 0 and 1.
    """
    t, e = followed("censoring_curve", time, event)
    times, lost = np.unique(t[~e], return_counts=True)
    ordered, dead = np.sort(t), np.sort(t[e])
    at_risk = len(t) - np.searchsorted(ordered, times, side="left")
    at_risk -= np.searchsorted(dead, times, side="right") - np.searchsorted(dead, times, side="left")
    return _curve(times, lost, at_risk, float(t.max()), 0.95)


def _curve(times: np.ndarray, events: np.ndarray, at_risk: np.ndarray, last: float, level: float) -> KaplanMeier:
    survival = np.cumprod(1 - events / at_risk)
    left = at_risk - events
    greenwood = np.cumsum(np.divide(events, at_risk * left, out=np.full(len(times), np.nan), where=left > 0))
    with np.errstate(divide="ignore", invalid="ignore"):  # log 0 where the curve has come to 0: NaN
        reach = norm.ppf((1 + level) / 2) * np.sqrt(greenwood) / np.log(survival)
    low, high = survival ** np.exp(-reach), survival ** np.exp(reach)
    return KaplanMeier(times, survival, survival * np.sqrt(greenwood), low, high, at_risk, events, last)
