r"""Cox's partial log-likelihood as a differentiable function of the log-hazards, to train networks with.

For each event i, with R_i all subjects in view at its time and D_i the d_i events at that very time,

    log L = \sum_i [ \eta_i - log( \sum_{R_i} e^\eta - f_i \sum_{D_i} e^\eta ) ],

f = 0 with Breslow (Biometrics 1974 30:89), f = 0, 1/d, ..., (d-1)/d for the d events of one time with Efron (JASA 1977
72:557). Every event is set against every subject: n^2 numbers, which suits batches and cohorts of up to some thousands,
needs no sorting and cannot overflow.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Real

from classify.survival.inputs import followed
from simulate.base.errors import InputError
from simulate.base.runtime import is_traced

Ties = Literal["efron", "breslow"]
"""How events at equal times are counted."""


def cox_log_likelihood(
    log_hazard: Float[ArrayLike, " n"],
    time: Real[ArrayLike, " n"],
    event: Real[ArrayLike, " n"] | Bool[ArrayLike, " n"],
    *,
    ties: Ties = "efron",
) -> Float[Array, ""]:
    """Partial log-likelihood of log-hazards, the sum over all events.

    Source: Cox, J R Stat Soc B 1972 34:187; ties: Efron, JASA 1977 72:557; Breslow, Biometrics 1974 30:89. It can be
    compiled and differentiated in the log-hazards; a batch without events gives 0 and no gradient. Adding a number to
    all log-hazards changes nothing.

    Parameters
    ----------
    log_hazard : (n,) array
        Of each subject, as a network puts it out; higher means an earlier event.
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    ties : {"efron", "breslow"}
        How events at equal times are counted.

    Returns
    -------
    number
        log L; a loss is its negative over the number of events.

    Raises
    ------
    InputError
        A negative time, an event other than 0 and 1 (where these are not traced), an unknown way with ties.
    """
    check_ties("cox_log_likelihood", ties)
    if not is_traced((time, event)):
        followed("cox_log_likelihood", time, event)
    seen = jnp.asarray(event) > 0
    eta = jnp.asarray(log_hazard)
    weight = risk_weights(jnp, jnp.asarray(time), seen, ties)
    total = jax.nn.logsumexp(jnp.broadcast_to(eta, weight.shape), b=weight, axis=1)
    return jnp.sum(jnp.where(seen, eta - total, 0))


def risk_weights(xp: Any, time: Any, event: Any, ties: Ties) -> Any:
    """By how much subject j is in view at the time of i, (n, n): 1, less f where both have the event then, or 0."""
    in_view = 1.0 * (time >= time[:, None])
    if ties == "breslow":
        return in_view
    together = (time == time[:, None]) & event & event[:, None]
    share = xp.tril(together, -1).sum(axis=1) / xp.maximum(together.sum(axis=1), 1)
    return in_view - share[:, None] * together


def check_ties(where: str, ties: Any) -> None:
    """Refuse a way with ties that is not known."""
    if ties not in ("efron", "breslow"):
        raise InputError(where, "ties", f"is {ties!r}", "give efron or breslow")
