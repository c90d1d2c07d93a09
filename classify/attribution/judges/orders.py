"""Elements of an input in an order: put in, or left out, one after the other."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from classify.attribution.function import Function
from classify.attribution.parts import mixed


def with_first(
    f: Function,
    x: PyTree[jax.Array],
    other: PyTree[jax.Array],
    order: PyTree[jax.Array],
    counts: jax.Array,
) -> jax.Array:
    """A step: values of f (b,) where the first so many (b,) elements by their order, from 0, are those of x."""
    return jax.vmap(lambda n: f(mixed(jax.tree.map(lambda place: place < n, order), x, other)))(counts)


def places(order: np.ndarray) -> np.ndarray:
    """When each element's turn comes, from 0, of the elements in their order."""
    found = np.empty(len(order), int)
    found[order] = np.arange(len(order))
    return found


def numpy_generator(key: jax.Array) -> np.random.Generator:
    """For permutations of millions, which NumPy makes in place."""
    return np.random.default_rng(np.asarray(jax.random.bits(key, (4,), jnp.uint32)))
