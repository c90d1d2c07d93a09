r"""Curves in physical time: whatever the frames are, a curve becomes its values at the same nodes.

    y_j = \sum_n c_n (mean of hat_n over frame j) + noise,
    c = argmin |W (y - H c)|^2 + a |D_1 c|^2 + b |D_2 c|^2

with hat functions on nodes in seconds after the contrast's arrival, dense while the bolus passes. The penalties on
first and second differences fill in what the frames do not resolve; they are small beside any real data.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from estimate.qtmnet.hats import penalty

NODES = np.array([-8, -4, -2, *range(0, 41, 2), 46, 54, 64, 76, 90, 110, 135, 165, 200, 250, 300], dtype=np.float64)
"""Seconds after arrival."""


_SHORTEST = 0.1
"""[s] over which a sample is averaged: over a millisecond, differences of integrals in float32 are off by a percent."""


@jax.jit
def hat_means(start: Float[Array, " t"], duration: Float[Array, ""]) -> Float[Array, "t n"]:
    """H: mean of every hat function over frames from `start` [s after arrival]; the ends stay constant."""
    nodes = jnp.asarray(NODES, start.dtype)
    # the integral of a hat function is piecewise quadratic; over a frame it is a difference of its values
    width = jnp.maximum(duration, _SHORTEST)
    begin = start + (duration - width) / 2
    integral = _hat_integrals(jnp.stack([begin, begin + width]), nodes)
    return (integral[1] - integral[0]) / width


def _hat_integrals(t: Array, nodes: Array) -> Array:
    """(*t, n) integral of every hat function from the first node to t."""
    step = jnp.diff(nodes)
    x = jnp.clip((t[..., None] - nodes[:-1]) / step, 0.0, 1.0)  # share of every interval passed
    falling, rising = step * (x - x**2 / 2), step * x**2 / 2
    zero = jnp.zeros_like(falling[..., :1])
    inner = jnp.concatenate([falling, zero], -1) + jnp.concatenate([zero, rising], -1)
    first = jnp.minimum(t - nodes[0], 0.0)
    last = jnp.maximum(t - nodes[-1], 0.0)
    return inner.at[..., 0].add(first).at[..., -1].add(last)


@jax.jit
def projection(
    start: Float[Array, " t"], duration: Float[Array, ""], weight: Float[Array, " t"]
) -> Float[Array, "t n"]:
    """P with c = y P, of the frames whose `weight` is 1; those of weight 0 are not looked at."""
    means = hat_means(start, duration) * weight[:, None]
    gram = means.T @ means + jnp.asarray(penalty(NODES), means.dtype)
    return weight[:, None] * jnp.linalg.solve(gram, means.T).T
