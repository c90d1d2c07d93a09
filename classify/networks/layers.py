"""Layers of volumes (b, d, h, w, c) beside the convolution: normalisation, pooling, dropout."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float, Key

from simulate.base.errors import InputError

Volume = Float[Array, "b d h w c"]
Other = Float[Array, "b e f g o"]
"""A volume of another size."""

EPSILON = 1e-5
"""Added to variances (Wu and He 2018)."""


class GroupNorm(nnx.Module):
    """Each example's groups of channels to mean 0 and variance 1, then scale and shift by channel (Wu and He 2018).

    Unlike batch normalisation it treats examples alone, and so does the same in training and use, at any batch size.
    """

    def __init__(self, channels: int, groups: int):
        if channels % groups:
            raise InputError("groups", str(groups), f"does not divide {channels} channels", "give a divisor")
        self.groups = groups
        self.scale, self.bias = nnx.Param(jnp.ones(channels)), nnx.Param(jnp.zeros(channels))

    def __call__(self, x: Volume) -> Volume:
        mean = self._over_groups(jnp.mean(x, (1, 2, 3)))
        centred = x - mean[:, None, None, None]
        variance = self._over_groups(jnp.mean(centred**2, (1, 2, 3)))
        gain = jax.lax.rsqrt(variance + EPSILON) * self.scale[...]
        return centred * gain[:, None, None, None] + self.bias[...]

    def _over_groups(self, of_channels: Float[Array, "b c"]) -> Float[Array, "b c"]:
        """Means over each group, at each of its channels."""
        grouped = of_channels.reshape(len(of_channels), self.groups, -1)
        return jnp.broadcast_to(grouped.mean(-1, keepdims=True), grouped.shape).reshape(of_channels.shape)


def max_pool(x: Volume) -> Other:
    """Largest of 3^3 neighbours at every second voxel. One axis after the other: XLA's own derivative of a window's
    maximum is slow on a CPU."""
    for axis in (1, 2, 3):
        padded = jnp.pad(x, [(int(i == axis),) * 2 for i in range(5)], constant_values=-jnp.inf)
        last = 2 * ((x.shape[axis] - 1) // 2)
        taps = [jax.lax.slice_in_dim(padded, k, k + last + 1, stride=2, axis=axis) for k in range(3)]
        x = jnp.maximum(jnp.maximum(*taps[:2]), taps[2])
    return x


def global_mean(x: Volume) -> Float[Array, "b c"]:
    return jnp.mean(x, (1, 2, 3))


def dropout(x: Array, rate: float, key: Key[Array, ""] | None) -> Array:
    """Each example's channels left out whole, or kept and divided by the share that stays (Tompson et al. 2015).

    Of (b, c) numbers that is dropout of numbers. Without a key, or at a rate of 0, nothing is left out.
    """
    if key is None or rate == 0:
        return x
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    return jnp.where(jax.random.bernoulli(key, 1 - rate, shape), x / (1 - rate), 0)
