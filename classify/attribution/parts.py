"""Parts of an input: what is told of them by arrays over its leading axes, and the input with some of them replaced."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PyTree

from simulate.base.errors import InputError


def spread(name: str, part: PyTree[ArrayLike], x: PyTree[jax.Array], x_name: str = "x") -> PyTree[jax.Array]:
    """Like x, each leaf with the part's shape and axes of length 1 behind it, so that it broadcasts.

    part : a number, an array over the leading axes of every leaf of x (voxels, whatever the channels), or a tree of
    such in the structure of x.
    """
    one = len(jax.tree.leaves(part)) == 1
    parts = part
    if jax.tree.structure(part) != jax.tree.structure(x):
        if not one:
            raise InputError(
                name, "", f"has not the structure of {x_name}", "give one for each of its leaves, or one for all"
            )
        parts = jax.tree.map(lambda leaf: jax.tree.leaves(part)[0], x)
    return jax.tree.map(lambda p, leaf: _behind(name, jnp.asarray(p), leaf, x_name), parts, x)


def _behind(name: str, part: jax.Array, leaf: jax.Array, x_name: str) -> jax.Array:
    if part.shape != leaf.shape[: part.ndim]:
        problem = f"has shape {part.shape}, and {x_name} has {leaf.shape}"
        raise InputError(name, "", problem, f"give it on the grid of {x_name}: over its leading axes")
    return part.reshape(part.shape + (1,) * (leaf.ndim - part.ndim))


def mixed(keep: PyTree[jax.Array], x: PyTree[jax.Array], other: PyTree[jax.Array]) -> PyTree[jax.Array]:
    """x where keep is true, the other elsewhere."""
    return jax.tree.map(jnp.where, keep, x, other)


def as_vector(tree: PyTree[ArrayLike]) -> tuple[np.ndarray, Callable[[np.ndarray], Any]]:
    """All elements (n,), and the way back from other numbers of theirs to the tree's structure and shapes."""
    leaves, structure = jax.tree.flatten(tree)
    leaves = [np.asarray(leaf) for leaf in leaves]
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]

    def back(vector: np.ndarray) -> Any:
        parts = np.split(vector, ends)
        return structure.unflatten([p.reshape(leaf.shape) for p, leaf in zip(parts, leaves, strict=True)])

    return np.concatenate([leaf.ravel() for leaf in leaves]), back
