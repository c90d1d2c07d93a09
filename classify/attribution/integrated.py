r"""Integrated gradients, with as many nodes as their completeness needs.

    a_i = (x_i - b_i) \int_0^1 df/dx_i (b + s (x - b)) ds,     \sum_i a_i = f(x) - f(b)

by a Gauss-Legendre rule. Where f is smooth along the path a few nodes are exact; where it has kinks, as networks of
rectifiers have, the error falls with their number, and more are taken until the parts add up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, PyTree

from classify.attribution.completeness import completeness_gap
from classify.attribution.function import Function, admitted, check_gradient, compiled, difference, like
from classify.attribution.path import gauss_legendre
from simulate.base.progress import Progress, silent

NODES = (16, 32, 64, 128, 256, 512)
"""Taken one after the other until the gap is small enough. Fewer to begin with could agree by accident."""


class IntegratedGradients(NamedTuple):
    """Parts of the difference between a logit at x and at the baseline, and by how much they miss it.

    Attributes
    ----------
    attribution : pytree of arrays like x [logit]
        Of sum delta, but for the gap.
    delta : float [logit]
        f(x) - f(baseline).
    gap : float
        As `completeness_gap`.
    nodes : int
        Gradients that were needed.
    """

    attribution: PyTree[jax.Array]
    delta: float
    gap: float
    nodes: int


def integrated_gradients(
    f: Function,
    x: PyTree[ArrayLike],
    baseline: PyTree[ArrayLike],
    *,
    tolerance: float = 0.01,
    nodes: Sequence[int] = NODES,
    progress: Progress = silent,
) -> IntegratedGradients:
    """Integrate gradients from a baseline to x: complete, and the same for functions that are the same.

    Memory does not grow with the nodes. Sundararajan et al., ICML 2017.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX (a probability saturates, and its gradients vanish); a `jax.tree_util.Partial` is
        compiled once for all calls.
    x : pytree of arrays
        What is explained.
    baseline : pytree of arrays like x
        What it is compared with, such as a mean image: the answer depends on it.
    tolerance : float
        Gap at which no more nodes are taken.
    nodes : sequence of int
        Numbers of nodes to try.
    progress : callable
        Told of every node.

    Returns
    -------
    IntegratedGradients
        The last one that was tried; its gap says whether the tolerance was reached.

    Raises
    ------
    InputError
        Where f gives no number, the baseline has another shape than x, or any of them or of the gradients is not
        finite.
    """
    x = admitted(f, x)
    baseline = like("baseline", baseline, x)
    program, delta = compiled(_one_node, f), difference(f, x, baseline)
    for count in nodes:
        parts = jax.tree.map(jnp.zeros_like, x)
        for k, (place, weight) in enumerate(zip(*gauss_legendre(count), strict=True)):
            progress("nodes of the path", k, count)
            parts = program(x, baseline, parts, place, weight)
        check_gradient(parts)
        found = IntegratedGradients(parts, delta, completeness_gap(parts, delta), count)
        if found.gap <= tolerance:
            break
    return found


def _one_node(
    f: Function,
    x: PyTree[jax.Array],
    baseline: PyTree[jax.Array],
    parts: PyTree[jax.Array],
    place: ArrayLike,
    weight: ArrayLike,
) -> PyTree[jax.Array]:
    """The parts with what one node adds to them."""
    way = jax.tree.map(jnp.subtract, x, baseline)
    gradient = jax.grad(f)(jax.tree.map(lambda b, d: (b + place * d).astype(d.dtype), baseline, way))
    return jax.tree.map(lambda p, g, d: p + (weight * g * d).astype(p.dtype), parts, gradient, way)
