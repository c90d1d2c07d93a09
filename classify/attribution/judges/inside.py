"""The elements of attributions that a judge looks at."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PyTree

from classify.attribution.function import like, reals
from classify.attribution.parts import as_vector, spread
from simulate.base.errors import InputError

FEWEST = 2
"""Elements: one alone has no rank."""


def elements(inside: ArrayLike | None, **trees: PyTree[ArrayLike]) -> list[np.ndarray]:
    """Values (n,) of each tree, all of one structure and shapes, at the elements inside, in float64.

    inside : over the leading axes; None: all elements.
    """
    (name, first), *others = trees.items()
    first = reals(name, first)
    found = [first, *(like(other, tree, first, name) for other, tree in others)]
    chosen = as_vector(_chosen(inside, first, name))[0]
    if chosen.sum() < FEWEST:
        raise InputError("inside", "", f"holds {int(chosen.sum())} elements", "give a mask of 2 voxels at the least")
    return [as_vector(tree)[0].astype(float)[chosen] for tree in found]


def _chosen(inside: ArrayLike | None, tree: PyTree[jax.Array], name: str) -> PyTree[jax.Array]:
    if inside is None:
        return jax.tree.map(lambda leaf: jnp.ones(leaf.shape, bool), tree)
    flags = spread("inside", jnp.asarray(inside, bool), tree, name)
    return jax.tree.map(lambda flag, leaf: jnp.broadcast_to(flag, leaf.shape), flags, tree)
