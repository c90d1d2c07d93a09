"""A network's outputs for examples, a batch at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from classify.learning.examples import Batch, Examples
from classify.networks.staged import Staged, pure


def as_input(image: Array, mask: Array | None) -> Array:
    """Images with the mask, if there is one, as a further channel."""
    return image if mask is None else jnp.concatenate([image, mask[..., None].astype(image.dtype)], axis=-1)


def outputs_by(apply: Callable[..., Array]) -> Callable[[Any, Examples, int], np.ndarray]:
    """(weights, examples, batch size) -> (n, o) outputs of a pure network, compiled once for one size."""

    @jax.jit
    def of_batch(weights: Any, batch: Batch) -> Array:
        return apply(weights, as_input(batch.image, batch.mask), batch.tabular)

    def of_all(weights: Any, examples: Examples, size: int) -> np.ndarray:
        count, found = len(examples), []
        for first in range(0, count, size):
            numbers = np.minimum(np.arange(first, first + size), count - 1)  # the last one again, to fill the batch
            found.append(np.asarray(of_batch(weights, examples.batch(numbers.tolist()))))
        return np.concatenate(found)[:count]

    return of_all


def outputs_of(network: Staged, examples: Examples, *, batch: int = 4) -> np.ndarray:
    """A network's outputs for examples.

    Parameters
    ----------
    network : Staged
        Trained.
    examples : Examples
        As in training, without augmentation.
    batch : int
        How many at once.

    Returns
    -------
    (n, o) array
        Logits, in the order of the examples.
    """
    apply, weights = pure(network)
    return outputs_by(apply)(weights, examples, min(batch, len(examples)))
