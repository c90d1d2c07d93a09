r"""Expected gradients: integrated gradients averaged over many baselines, by sampling.

    a_i = E_{b, s} (x_i - b_i) df/dx_i (b + s (x - b)),     \sum_i a_i = f(x) - E_b f(b)

with b drawn from the baselines and s uniform on [0, 1]. No single baseline has to be chosen, and what is paid for that
is a Monte Carlo error, which is stated.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PyTree

from classify.attribution.completeness import completeness_gap, size
from classify.attribution.function import (
    Function,
    admitted,
    check_gradient,
    check_values,
    compiled,
    reals,
    value_of,
)
from classify.attribution.sampling import at_least_two, moments
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent


class ExpectedGradients(NamedTuple):
    """Parts of the difference between a logit at x and its mean over baselines, with their sampling error.

    Attributes
    ----------
    attribution : pytree of arrays like x [logit]
        Of sum delta, but for the gap.
    stderr : pytree of arrays like x [logit]
        Monte Carlo standard error of each part.
    delta : float [logit]
        f(x) less the mean of f over all baselines.
    gap : float
        As `completeness_gap`.
    gap_stderr : float
        Monte Carlo standard error of the sum of the parts, in units of the gap: a gap of a few of it is chance.
    samples : int
        Gradients taken.
    """

    attribution: PyTree[jax.Array]
    stderr: PyTree[jax.Array]
    delta: float
    gap: float
    gap_stderr: float
    samples: int


def expected_gradients(
    f: Function,
    x: PyTree[ArrayLike],
    baselines: PyTree[ArrayLike],
    *,
    key: jax.Array,
    samples: int = 200,
    progress: Progress = silent,
) -> ExpectedGradients:
    """Average integrated gradients over baselines, such as the healthy of a cohort.

    Memory does not grow with the samples. Erion et al., Nature Machine Intelligence 3:620, 2021.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX.
    x : pytree of arrays
        What is explained.
    baselines : pytree of (m, ...) arrays
        As x with an axis of m baselines before its own.
    key : JAX key
        Of baselines and places on the path.
    samples : int
        Gradients to take, 2 at the least.
    progress : callable
        Told of every sample.

    Returns
    -------
    ExpectedGradients
        With its gap and the errors of sampling.

    Raises
    ------
    InputError
        Where f gives no number, the baselines have other shapes than x, samples is below 2, or anything is not finite.
    """
    x = admitted(f, x)
    at_least_two("samples", samples)
    baselines = _stacked(baselines, x)
    program, zero = compiled(_one_sample, f), jax.tree.map(jnp.zeros_like, x)
    mean, squares, sums = zero, zero, np.zeros(samples)
    for k in range(samples):
        progress("samples of baselines", k, samples)
        mean, squares, sums[k] = program(x, baselines, mean, squares, key, k)
    check_gradient(mean)
    delta = _difference_of_means(f, x, baselines)
    errors = jax.tree.map(lambda s: jnp.sqrt(s / (samples - 1) / samples), squares)
    gap_error = float(np.std(sums, ddof=1)) / np.sqrt(samples) / size(mean, delta)
    return ExpectedGradients(mean, errors, delta, completeness_gap(mean, delta), float(gap_error), samples)


def _stacked(baselines: PyTree[ArrayLike], x: PyTree[jax.Array]) -> PyTree[jax.Array]:
    baselines = reals("baselines", baselines)
    counts = {leaf.shape[:1] for leaf in jax.tree.leaves(baselines)}
    shapes, expected = jax.tree.map(lambda leaf: leaf.shape[1:], baselines), jax.tree.map(jnp.shape, x)
    if shapes != expected or len(counts) != 1 or counts & {(), (0,)}:
        given = jax.tree.map(jnp.shape, baselines)
        cure = "stack the baselines along a first axis, each in the shape of x"
        raise InputError("baselines", "", f"have shape {given}, and x has {expected}", cure)
    return baselines


def _difference_of_means(f: Function, x: PyTree[jax.Array], baselines: PyTree[jax.Array]) -> float:
    program, count = compiled(value_of, f), jax.tree.leaves(baselines)[0].shape[0]
    values = np.array([program(jax.tree.map(lambda b, k=k: b[k], baselines)) for k in range(count)], float)
    at_x = float(program(x))
    check_values(np.append(values, at_x), "at x and the baselines")
    return at_x - float(values.mean())


def _one_sample(
    f: Function,
    x: PyTree[jax.Array],
    baselines: PyTree[jax.Array],
    mean: PyTree[jax.Array],
    squares: PyTree[jax.Array],
    key: jax.Array,
    k: ArrayLike,
) -> tuple[PyTree[jax.Array], PyTree[jax.Array], jax.Array]:
    """The moments with one sample more, and the sum of its parts."""
    which, where = jax.random.split(jax.random.fold_in(key, k))
    chosen = jax.random.randint(which, (), 0, jax.tree.leaves(baselines)[0].shape[0])
    place = jax.random.uniform(where)
    start = jax.tree.map(lambda b: b[chosen], baselines)
    way = jax.tree.map(jnp.subtract, x, start)
    gradient = jax.grad(f)(jax.tree.map(lambda b, d: (b + place * d).astype(d.dtype), start, way))
    parts = jax.tree.map(jnp.multiply, gradient, way)
    summed = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(parts))
    return *moments(mean, squares, parts, k), jnp.asarray(summed)
