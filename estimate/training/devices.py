"""Work spread over the devices that there are: batches are split along their first axis, everything else is copied."""

from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def _mesh() -> Mesh:
    return Mesh(np.asarray(jax.devices()), ("batch",))


def split(batch: Array) -> Array:
    """Tell the compiler to lay this array's first axis over all devices, where they divide it; so goes what follows."""
    count = jax.device_count()
    if count == 1 or batch.shape[0] % count:
        return batch
    return jax.lax.with_sharding_constraint(batch, NamedSharding(_mesh(), PartitionSpec("batch")))


def copy(tree: Any) -> Any:
    """Arrays on every device."""
    if jax.device_count() == 1:
        return jax.tree.map(jax.numpy.asarray, tree)
    return jax.device_put(tree, NamedSharding(_mesh(), PartitionSpec()))
