r"""Hazards of intervals of time as the logits of a network: survival without proportional hazards.

With h_k = sigmoid(z_k) the chance of an event in interval k for those who come to it,

    log L = \sum_k [ s_k log(1 - h_k) + d_k log h_k ],      S(end of k) = \prod_{j <= k} (1 - h_j),

s_k = 1 where a subject was seen to pass the interval, d_k = 1 where the event was in it, both 0 where nothing is known
(Gensheimer & Narasimhan, PeerJ 2019 7:e6257).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Real

from classify.survival.inputs import followed
from simulate.base.errors import InputError


class IntervalTable(NamedTuple):
    """What was seen of each subject in each interval.

    Attributes
    ----------
    passed : (n, k) array
        1 where the subject was seen to pass the interval without an event.
    died : (n, k) array
        1 where the event was in the interval.
    """

    passed: Float[np.ndarray, "n k"]
    died: Float[np.ndarray, "n k"]


def interval_table(time: Any, event: Any, edges: Any) -> IntervalTable:
    """What subjects were seen to do in intervals [edge, next edge).

    A subject censored within an interval counts as having passed it if it was in view for half of it (Gensheimer &
    Narasimhan 2019); an event at or beyond the last edge as all intervals passed.

    Parameters
    ----------
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    edges : (k + 1,) array
        In order, the first 0.

    Returns
    -------
    IntervalTable
        For `discrete_log_likelihood`.

    Raises
    ------
    InputError
        Edges out of order or not from 0, a negative time, an event other than 0 and 1.
    """
    t, e = followed("interval_table", time, event)
    cuts = np.asarray(edges, float)
    if cuts.ndim != 1 or len(cuts) < 2 or cuts[0] != 0 or not (np.diff(cuts) > 0).all():
        raise InputError("interval_table", "edges", f"are {cuts}", "give two and more in order, the first 0")
    begin, end = cuts[:-1], cuts[1:]
    died = e[:, None] & (t[:, None] >= begin) & (t[:, None] < end)
    passed = np.where(e[:, None], t[:, None] >= end, t[:, None] >= (begin + end) / 2)
    return IntervalTable(passed.astype(float), died.astype(float))


def discrete_log_likelihood(
    logits: Float[ArrayLike, "n k"], passed: Real[ArrayLike, "n k"], died: Real[ArrayLike, "n k"]
) -> Float[Array, ""]:
    """Log-likelihood of the logits of hazards, summed over subjects.

    Source: Gensheimer & Narasimhan, PeerJ 2019 7:e6257. It can be compiled and differentiated in the logits.

    Parameters
    ----------
    logits : (n, k) array
        Of the hazard in each interval.
    passed : (n, k) array
        From `interval_table`.
    died : (n, k) array
        From `interval_table`.

    Returns
    -------
    number
        log L.
    """
    z = jnp.asarray(logits)
    return jnp.sum(passed * jax.nn.log_sigmoid(-z) + died * jax.nn.log_sigmoid(z))


def discrete_survival(logits: Float[ArrayLike, "*s k"]) -> Float[Array, "*s k"]:
    """Chance to be without an event at the end of each interval.

    Parameters
    ----------
    logits : (..., k) array
        Of the hazard in each interval.

    Returns
    -------
    (..., k) array [fraction]
        S at the edges but the first, where it is 1.
    """
    return jnp.exp(jnp.cumsum(jax.nn.log_sigmoid(-jnp.asarray(logits)), axis=-1))
