r"""Whether the parts of a difference add up to it.

    gap = |\sum a - \Delta| / max(|\Delta|, .1 \sum |a|),     \Delta = f(x) - f(baseline)

A plain ratio to \Delta explodes where parts of both signs cancel.
"""

import jax
import numpy as np
from jaxtyping import ArrayLike, PyTree

CANCELLING = 0.1
"""Share of sum |a| that stands for the difference where the parts cancel (chosen)."""


def completeness_gap(attribution: PyTree[ArrayLike], delta: float) -> float:
    """Share by which an attribution misses the difference that it explains.

    Completeness: Sundararajan et al., ICML 2017. There is no chance level: 0 is complete.

    Parameters
    ----------
    attribution : pytree of arrays [logit]
        The parts.
    delta : float [logit]
        f(x) - f(baseline), which they are to add up to.

    Returns
    -------
    float
        abs(sum of parts - delta) over max(abs(delta), 0.1 sum of abs(parts)).
    """
    return abs(total(attribution) - delta) / size(attribution, delta)


def total(tree: PyTree[ArrayLike]) -> float:
    """Sum of all elements, in float64."""
    return float(sum(np.asarray(leaf, float).sum() for leaf in jax.tree.leaves(tree)))


def size(attribution: PyTree[ArrayLike], delta: float) -> float:
    """What a gap is relative to."""
    parts = total(jax.tree.map(np.abs, attribution))
    return max(abs(delta), CANCELLING * parts, float(np.finfo(float).tiny))
