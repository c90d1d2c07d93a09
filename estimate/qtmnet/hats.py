"""Hat functions on nodes in time, and the penalties with which a curve on them is found from few or many samples."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

_FLAT, _SMOOTH = 1e-3, 2e-2


def hat_values(t: Float[Array, " t"], nodes: np.ndarray) -> Float[Array, "t n"]:
    """Every hat function at times t; the ends stay constant."""
    at = jnp.clip(t, nodes[0], nodes[-1])[:, None]
    step = jnp.asarray(np.diff(nodes), at.dtype)
    rising = jnp.clip((at - jnp.asarray(nodes[:-1], at.dtype)) / step, 0.0, 1.0)  # share of every interval passed
    one = jnp.ones_like(rising[:, :1])
    return jnp.concatenate([one, rising], axis=1) - jnp.concatenate([rising, 0 * one], axis=1)


def penalty(nodes: np.ndarray) -> np.ndarray:
    """(n, n) matrix of small penalties on first and second differences, in units of samples of weight 1."""
    first = np.diff(np.eye(nodes.size), axis=0)
    gap = np.diff(nodes)
    second = np.diff(first / gap[:, None], axis=0) * (gap[:-1] + gap[1:])[:, None] / 2
    return _FLAT * first.T @ first + _SMOOTH * second.T @ second
