"""How often, of two subjects, the one at higher predicted risk has the event first."""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from classify.survival.horizon import censoring_until, event_weights
from classify.survival.inputs import of_subjects, with_events
from classify.survival.kaplan_meier import KaplanMeier
from simulate.base.errors import InputError

TiedTimes = Literal["event first", "left out"]
"""Of an event and a censoring at the same time: the event counts as the earlier, or the pair does not count."""


class Concordance(NamedTuple):
    """Share of comparable pairs in the order predicted.

    Attributes
    ----------
    c : float [fraction]
        1/2 without any knowledge, 1 at best; below 1/2 the order is the wrong way round.
    pairs : float
        Number of comparable pairs, each by its weight.
    tied : float [fraction]
        Share of them whose predicted risks are equal: each counts one half.
    """

    c: float
    pairs: float
    tied: float


def harrell_c(risk: Any, time: Any, event: Any, *, tied_times: TiedTimes) -> Concordance:
    """Harrell's C: of pairs whose shorter time ended with an event.

    Source: Harrell et al., JAMA 1982 247:2543. It rises with censoring; `uno_c` does not. Two events at the same time
    are not comparable. lifelines takes an event and a censoring at the same time as comparable ("event first").

    Parameters
    ----------
    risk : (n,) array
        Higher means an earlier event: fixed, not chosen from the data. Equal risks count one half.
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    tied_times : {"event first", "left out"}
        What an event and a censoring at the same time are.

    Returns
    -------
    Concordance
        Share, with the number of pairs.

    Raises
    ------
    InputError
        No event, no comparable pair, an unknown tie rule, a risk that is not finite.
    """
    if tied_times not in get_args(TiedTimes):
        raise InputError(
            "harrell_c", "tied_times", f"is {tied_times!r}", f"give one of {', '.join(get_args(TiedTimes))}"
        )
    t, e = with_events("harrell_c", time, event)
    r = of_subjects("harrell_c", "risk", risk, len(t))
    return _concordance("harrell_c", r, t, e, e.astype(float), tied_times)


def uno_c(risk: Any, time: Any, event: Any, *, tau: float, censoring: KaplanMeier | None = None) -> Concordance:
    """Uno's C up to tau: pairs are weighted by 1/G(t-)^2 of the earlier one, so that censoring does not matter.

    Source: Uno et al., Stat Med 2011 30:1105. Pairs count whose shorter time ended with an event before tau; an event
    and a censoring at the same time are left out.

    Parameters
    ----------
    risk : (n,) array
        Higher means an earlier event.
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    tau : float
        Up to which events count, within the follow-up: beyond it weights have no bound.
    censoring : KaplanMeier, optional
        Of being censored, from `censoring_curve` of other subjects; by default of these.

    Returns
    -------
    Concordance
        Share, with the sum of the weights.

    Raises
    ------
    InputError
        tau at which nobody is in view any longer, no event before it, a risk that is not finite.
    """
    t, e = with_events("uno_c", time, event)
    r = of_subjects("uno_c", "risk", risk, len(t))
    curve = censoring_until("uno_c", t, e, tau, censoring)
    weight = event_weights(curve, t, e & (t < tau)) ** 2
    return _concordance("uno_c", r, t, e, weight, "left out")


def _concordance(
    where: str, risk: np.ndarray, time: np.ndarray, event: np.ndarray, weight: np.ndarray, tied_times: TiedTimes
) -> Concordance:
    """Pair by pair of the earlier: exact, in numbers that do not overflow."""
    right = equal = pairs = 0.0
    for i in np.flatnonzero(weight):
        later = time > time[i]
        if tied_times == "event first":
            later |= (time == time[i]) & ~event
        right += weight[i] * np.count_nonzero(risk[later] < risk[i])
        equal += weight[i] * np.count_nonzero(risk[later] == risk[i])
        pairs += weight[i] * np.count_nonzero(later)
    if pairs == 0:
        raise InputError(where, "time", "leaves no comparable pair", "give subjects that outlive an event")
    return Concordance(float((right + equal / 2) / pairs), float(pairs), float(equal / pairs))
