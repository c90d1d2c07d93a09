r"""Does a curve look like those of the training? A network answers anything; this says when not to believe it.

Shapes of training curves are a cloud with mean m and covariance V diag(l) V^T. A new shape x, with noise of its own,
lies at the squared distance

    d^2 = \sum_k (v_k.(x - m))^2 / (l_k + (\sigma/b)^2 v_k.P^T P v_k)

from it (Mahalanobis), P the projection of the scan's frames on the nodes. Beyond the `limit` that a share of
`ODD` of the training's own curves pass, a voxel is unfamiliar.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

ODD = 0.005

ODD_SHARE = 0.05
"""Share of a scan's voxels from which on the reader is warned of unfamiliar ones."""


class Familiarity(NamedTuple):
    """mean (n,), directions (n, n) as columns, variance (n,) along them, and the limit () of d^2."""

    mean: Array | np.ndarray
    directions: Array | np.ndarray
    variance: Array | np.ndarray
    limit: Array | np.ndarray

    @staticmethod
    def empty(n: int) -> "Familiarity":
        return Familiarity(
            np.zeros(n, np.float32), np.eye(n, dtype=np.float32), np.ones(n, np.float32), np.ones((), np.float32)
        )


def learn(shapes: Float[np.ndarray, "v n"]) -> Familiarity:
    """The cloud of clear curves (little noise), without a limit."""
    mean = np.median(shapes, axis=0)
    spread = np.clip(shapes - mean, -10, 10)
    variance, directions = np.linalg.eigh(spread.T @ spread / len(shapes))
    variance = np.maximum(variance, 1e-4)
    return Familiarity(*(np.asarray(a, np.float32) for a in (mean, directions, variance, np.inf)))


def distance(
    known: Familiarity, shapes: Float[Array, "v n"], noise_share: Float[Array, " v"], gram: Float[Array, "n n"]
) -> Float[Array, " v"]:
    """d^2 per direction (its mean is 1 for a familiar curve). noise_share : sigma/b.      gram : P^T P."""
    directions = jnp.asarray(known.directions)
    along = (shapes - known.mean) @ directions
    extra = jnp.einsum("nk,nm,mk->k", directions, gram, directions)
    return jnp.mean(along**2 / (known.variance + noise_share[:, None] ** 2 * extra), axis=-1)


def unfamiliar(known: Familiarity, seen: Any, gram: Float[Array, "n n"]) -> Bool[Array, " v"]:
    """Which voxels lie outside. seen : their features, the curves' shapes first."""
    shapes = seen.voxel[:, : known.mean.shape[0]]
    return distance(known, shapes, seen.noise / seen.level, gram) > known.limit
