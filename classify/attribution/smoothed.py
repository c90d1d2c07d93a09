"""Gradients averaged over noise, which flattens what a network's kinks make of a single one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, PyTree

from classify.attribution.function import Function, admitted, check_gradient, compiled
from classify.attribution.parts import spread
from classify.attribution.sampling import at_least_two, moments


class SmoothGrad(NamedTuple):
    """Moments of the gradient under noise on x.

    Attributes
    ----------
    mean : pytree of arrays like x
        SmoothGrad.
    squared : pytree of arrays like x
        Mean square, SmoothGrad-Squared (Hooker et al., NeurIPS 2019).
    variance : pytree of arrays like x
        VarGrad (Adebayo et al., ICLR workshop 2018), with n - 1.
    stderr : pytree of arrays like x
        Of the mean.
    """

    mean: PyTree[jax.Array]
    squared: PyTree[jax.Array]
    variance: PyTree[jax.Array]
    stderr: PyTree[jax.Array]


def smooth_grad(
    f: Function, x: PyTree[ArrayLike], *, key: jax.Array, sigma: PyTree[ArrayLike], n: int = 50
) -> SmoothGrad:
    """Average the gradient over x + noise.

    Memory does not grow with n. Smilkov et al., 2017 (arXiv 1706.03825).

    Parameters
    ----------
    f : callable
        Of x to a real number, by JAX.
    x : pytree of arrays
        Where.
    key : JAX key
        Of the noise.
    sigma : number, or pytree of numbers or arrays like x [unit of x]
        Standard deviation of the noise; the paper takes 10 to 20 % of the range of x.
    n : int
        Samples, 2 at the least.

    Returns
    -------
    SmoothGrad
        All forms, of the same samples.

    Raises
    ------
    InputError
        As `saliency`; where sigma fits no leaf of x, or n is below 2.
    """
    x = admitted(f, x)
    at_least_two("n", n)
    spreads = spread("sigma", sigma, x)
    program, zero = compiled(_one_sample, f), jax.tree.map(jnp.zeros_like, x)
    mean, squares = zero, zero
    for k in range(n):
        mean, squares = program(x, spreads, mean, squares, key, k)
    check_gradient(mean)
    variance = jax.tree.map(lambda s: s / (n - 1), squares)
    return SmoothGrad(
        mean,
        jax.tree.map(lambda m, s: m**2 + s / n, mean, squares),
        variance,
        jax.tree.map(lambda v: jnp.sqrt(v / n), variance),
    )


def _one_sample(
    f: Function,
    x: PyTree[jax.Array],
    spreads: PyTree[jax.Array],
    mean: PyTree[jax.Array],
    squares: PyTree[jax.Array],
    key: jax.Array,
    k: ArrayLike,
) -> tuple[PyTree[jax.Array], PyTree[jax.Array]]:
    leaves, structure = jax.tree.flatten(x)
    keys = structure.unflatten(list(jax.random.split(jax.random.fold_in(key, k), len(leaves))))
    noisy = jax.tree.map(lambda a, s, own: a + s * jax.random.normal(own, a.shape, a.dtype), x, spreads, keys)
    return moments(mean, squares, jax.grad(f)(noisy), k)
