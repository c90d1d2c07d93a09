r"""Cox regression: the maximum of the partial likelihood by Newton, on the host and in float64.

At each event i the subjects in view have the shares P_ij = W_ij e^{\eta_j} / \sum_k W_ik e^{\eta_k}, where W is 1 for
those in view and, with Efron's ties, less for those who have the event at the same time. With \mu_i = \sum_j P_ij x_j

    score = \sum_i (x_i - \mu_i),      information I = \sum_i \sum_j P_ij (x_j - \mu_i)(x_j - \mu_i)^T .

Firth's penalty log L + 1/2 log det I keeps coefficients finite where features separate events from the rest (Biometrika
1993 80:27; Cox: Heinze & Schemper, Biometrics 2001 57:114); its score adds 1/2 tr(I^{-1} dI/db).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from classify.survival.cox_features import checked_features, refuse_dependence, refuse_separation
from classify.survival.cox_likelihood import Ties, check_ties, risk_weights
from classify.survival.inputs import with_events
from simulate.base.errors import InputError

_ITERATIONS = 100


@dataclass(frozen=True)
class CoxFit:
    """A fitted proportional-hazards model.

    Attributes
    ----------
    names : tuple of str
        Of the features.
    coefficients : (p,) array [per unit of the feature]
        Logarithms of hazard ratios.
    errors : (p,) array [per unit of the feature]
        Standard errors, from the information.
    log_likelihood : float
        Partial, at the maximum, without Firth's penalty.
    log_likelihood_at_zero : float
        Partial, of coefficients 0.
    centre : (p,) array
        Means of the features, at which the baseline stands.
    times : (k,) array
        Of the events.
    baseline : (k,) array
        Cumulative hazard just after each, for features at the centre.
    last : float
        Longest time in view.
    """

    names: tuple[str, ...]
    coefficients: Float[np.ndarray, " p"]
    errors: Float[np.ndarray, " p"]
    log_likelihood: float
    log_likelihood_at_zero: float
    centre: Float[np.ndarray, " p"]
    times: Float[np.ndarray, " k"]
    baseline: Float[np.ndarray, " k"]
    last: float

    def log_hazard(self, features: Any) -> Float[np.ndarray, " n"]:
        """Risk of subjects, relative to one at the centre.

        Parameters
        ----------
        features : (n, p) array
            By `names`.

        Returns
        -------
        (n,) array
            Higher means an earlier event.

        Raises
        ------
        InputError
            Another number of features.
        """
        x = np.asarray(features, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.names):
            raise InputError(
                "CoxFit",
                "features",
                f"have the shape {x.shape}",
                f"give (n, {len(self.names)}): {', '.join(self.names)}",
            )
        return (x - self.centre) @ self.coefficients

    def survival(self, features: Any, times: Any) -> Float[np.ndarray, "n m"]:
        """Predicted chance to be without an event, by Breslow's cumulative hazard.

        Parameters
        ----------
        features : (n, p) array
            By `names`.
        times : (m,) array
            Within the follow-up that was learned from.

        Returns
        -------
        (n, m) array [fraction]
            Just after each time.

        Raises
        ------
        InputError
            Times beyond the follow-up, where nothing was learned; another number of features.
        """
        asked = np.asarray(times, float)
        if asked.size and asked.max() > self.last:
            raise InputError(
                "CoxFit.survival", "times", f"reach {asked.max():g}, the follow-up {self.last:g}",
                f"ask for times up to {self.last:g}",
            )  # fmt: skip
        steps = np.concatenate([[0.0], self.baseline])[np.searchsorted(self.times, asked, side="right")]
        return np.exp(-np.exp(self.log_hazard(features))[:, None] * steps)


def fit_cox(
    features: Any,
    time: Any,
    event: Any,
    *,
    names: Sequence[str] | None = None,
    ties: Ties = "efron",
    firth: bool = False,
) -> CoxFit:
    """Fit a proportional-hazards model.

    Source: Cox, J R Stat Soc B 1972 34:187; ties: Efron, JASA 1977 72:557; Breslow, Biometrics 1974 30:89; penalty:
    Heinze & Schemper, Biometrics 2001 57:114. Memory: subjects squared.

    Parameters
    ----------
    features : (n, p) array
        One column per feature.
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    names : sequence of str, optional
        Of the features, by which errors speak.
    ties : {"efron", "breslow"}
        How events at equal times are counted.
    firth : bool
        Penalise, so that coefficients are finite under separation and less biased with few events.

    Returns
    -------
    CoxFit
        Coefficients and baseline.

    Raises
    ------
    InputError
        Features that separate events from all others in view (named; Firth is the cure), that are constant or a
        combination of others, not finite or more than subjects; no event, a negative time, an event other than 0 and 1.
    """
    where = "fit_cox"
    check_ties(where, ties)
    t, e = with_events(where, time, event)
    x, called = checked_features(where, features, names, len(t))
    refuse_dependence(where, x[t >= t[e].min()], called)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - centre) / spread
    if not firth:
        refuse_separation(where, z, t, e, called)
    at = _Events(z, t, e, ties)
    b = _maximum(at, firth)
    found = at.moments(b)
    errors = np.sqrt(np.diag(np.linalg.inv(found.information)))
    times, baseline = _breslow_hazard(z @ b, t, e)
    return CoxFit(
        called, b / spread, errors / spread, found.value, at.moments(np.zeros_like(b)).value, centre, times, baseline,
        float(t.max()),
    )  # fmt: skip


class _Moments(NamedTuple):
    """value : log L.      shares (d, n), mean (d, p) : P and mu.      score (p,), information (p, p)."""

    value: float
    shares: np.ndarray
    mean: np.ndarray
    score: np.ndarray
    information: np.ndarray


class _Events:
    """The events, and by how much each subject is in view at each: W (d, n)."""

    def __init__(self, z: np.ndarray, time: np.ndarray, event: np.ndarray, ties: Ties):
        self.z, self.dying = z, np.flatnonzero(event)
        self.weight = risk_weights(np, time, event, ties)[event]

    def moments(self, b: np.ndarray) -> _Moments:
        eta = self.z @ b
        total = np.asarray(logsumexp(eta, b=self.weight, axis=1))
        shares = self.weight * np.exp(np.where(self.weight > 0, eta - total[:, None], 0))
        mean = shares @ self.z
        information = self.z.T @ (shares.sum(axis=0)[:, None] * self.z) - mean.T @ mean
        score = (self.z[self.dying] - mean).sum(axis=0)
        return _Moments(float((eta[self.dying] - total).sum()), shares, mean, score, information)

    def penalty_score(self, now: _Moments) -> np.ndarray:
        """1/2 tr(I^-1 dI/db), dI/db being the third central moment under the shares."""
        inverse = np.linalg.inv(now.information)
        spread = self.z @ inverse
        own = (spread * self.z).sum(axis=1)
        middle = ((now.mean @ inverse) * now.mean).sum(axis=1)
        distance = now.shares * (own - 2 * now.mean @ spread.T + middle[:, None])
        return 0.5 * (distance.sum(axis=0) @ self.z - distance.sum(axis=1) @ now.mean)


def _maximum(at: _Events, firth: bool) -> np.ndarray:
    """Newton's steps, halved until the (penalised) likelihood no longer falls."""

    def height(now: _Moments) -> float:
        return now.value + (0.5 * np.linalg.slogdet(now.information)[1] if firth else 0.0)

    b = np.zeros(at.z.shape[1])
    now = at.moments(b)
    for _ in range(_ITERATIONS):
        score = now.score + (at.penalty_score(now) if firth else 0.0)
        step = np.linalg.solve(now.information, score)
        then = at.moments(b + step)
        while height(then) < height(now) - 1e-10 * abs(height(now)) and np.abs(step).max() > 1e-12:
            step /= 2
            then = at.moments(b + step)
        b, now = b + step, then
        if np.abs(step).max() < 1e-9:
            return b
    raise InputError(
        "fit_cox",
        "",
        f"no maximum within {_ITERATIONS} steps",
        "look for features that are nearly equal, or take fewer",
    )


def _breslow_hazard(eta: np.ndarray, time: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    times, count = np.unique(time[event], return_counts=True)
    in_view = ((time >= times[:, None]) * np.exp(eta)).sum(axis=1)
    return times, np.cumsum(count / in_view)
