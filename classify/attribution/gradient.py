"""What one gradient says: how a logit answers to a small change of its input."""

import jax
from jaxtyping import ArrayLike, PyTree

from classify.attribution.function import Function, admitted, check_gradient, compiled, gradient_of


def saliency(f: Function, x: PyTree[ArrayLike]) -> PyTree[jax.Array]:
    """Gradient of a logit: df/dx.

    Simonyan et al., ICLR workshop 2014 (who show its magnitude).

    Parameters
    ----------
    f : callable
        Of x to a real number, by JAX; a `jax.tree_util.Partial` is compiled once for all calls.
    x : pytree of arrays
        Where.

    Returns
    -------
    pytree of arrays like x [logit per unit of x]
        With its sign.

    Raises
    ------
    InputError
        Where f gives no number, or where x or the gradient is not finite, by name and count.
    """
    x = admitted(f, x)
    gradient = compiled(gradient_of, f)(x)
    check_gradient(gradient)
    return gradient


def input_x_gradient(f: Function, x: PyTree[ArrayLike]) -> PyTree[jax.Array]:
    """Gradient times input: x df/dx.

    It sums to f(x) - f(0) where f is linear, and for no other function in general. Shrikumar et al., ICML 2017.

    Parameters
    ----------
    f : callable
        Of x to a real number, by JAX.
    x : pytree of arrays
        Where.

    Returns
    -------
    pytree of arrays like x [logit]
        With its sign.

    Raises
    ------
    InputError
        As `saliency`.
    """
    x = admitted(f, x)
    return jax.tree.map(lambda slope, leaf: slope * leaf, saliency(f, x), x)
