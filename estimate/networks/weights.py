"""A network's variables in and out of a file, and their fingerprint."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.networks.tree_file import load_tree
from simulate.files.atomic import AnyPath

N = TypeVar("N", bound=nnx.Module)

WEIGHTS = "weights"
"""Under which name `estimate.networks.tree_file.save_tree` is given a network's variables."""


def as_tree(network: nnx.Module) -> dict[str, Any]:
    """All variables of a network, by name."""
    return {WEIGHTS: nnx.to_pure_dict(nnx.split(network)[1])}


def read_network(path: AnyPath, build: Callable[[], N]) -> N:
    """The network that `build` makes, with the variables of a file; its own are never computed.

    Raises InputError where the file holds those of another.
    """
    graph, variables = nnx.split(nnx.eval_shape(build))
    tree = load_tree(path, {WEIGHTS: nnx.to_pure_dict(variables)})
    nnx.replace_by_pure_dict(variables, jax.tree.map(jnp.asarray, tree[WEIGHTS]))
    return nnx.merge(graph, variables)


def weights_digest(network: nnx.Module) -> str:
    """SHA-256 of the weights alone, whatever else lies in their file."""
    total = hashlib.sha256()
    for where, leaf in jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(nnx.split(network)[1])):
        array = np.asarray(leaf, order="C")
        total.update(f"{jax.tree_util.keystr(where)} {array.dtype} {array.shape}\n".encode() + array.tobytes())
    return total.hexdigest()
