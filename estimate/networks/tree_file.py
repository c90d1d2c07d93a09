"""Arrays of any PyTree in one safetensors file: numbers and text only, nothing that could be executed."""

import json
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath, write_atomically


def save_tree(path: AnyPath, tree: Any, facts: dict[str, Any]) -> None:
    """Write the arrays of a PyTree under their paths in it, `facts` (as JSON) in the header; whole or not at all."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    # safetensors stores the buffer as it lies in memory: make it contiguous
    arrays = {jax.tree_util.keystr(where): np.asarray(leaf, order="C") for where, leaf in leaves}
    write_atomically(path, save(arrays, metadata={"facts": json.dumps(facts)}))


def read_facts(path: AnyPath) -> dict[str, Any]:
    """What `save_tree` was told beside the arrays."""
    return _read(path, lambda file: json.loads((file.metadata() or {})["facts"]))


def load_tree(path: AnyPath, like: Any) -> Any:
    """Read the arrays into a PyTree of the same structure and shapes as `like`.

    Raises InputError where the file is damaged or belongs to another structure.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)

    def take(file: Any) -> list[Any]:
        return [file.get_tensor(jax.tree_util.keystr(where)) for where, _ in leaves]

    found = _read(path, take)
    for (where, leaf), array in zip(leaves, found, strict=True):
        if array.shape != np.shape(leaf):
            raise InputError(
                path, jax.tree_util.keystr(where), f"has the shape {array.shape}, not {np.shape(leaf)}",
                "it belongs to another network; give the right one",
            )  # fmt: skip
    return jax.tree.unflatten(structure, found)


def _read(path: AnyPath, use: Any) -> Any:
    try:
        with safe_open(path, framework="numpy") as file:
            return use(file)
    except FileNotFoundError as error:
        raise InputError(path, "", "no such file", "check the path") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise InputError(
            path, "", f"cannot be read as weights of this network ({error})", "give another file"
        ) from error
