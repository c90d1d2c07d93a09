"""A convolution of volumes as a layer."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from estimate.networks.conv3d import conv3d


class Convolution(nnx.Module):
    """A kernel of taps^3, and a bias if wanted; weights start after He et al. (2015)."""

    def __init__(
        self, channels: int, out: int, *, rngs: nnx.Rngs,
        taps: int = 3, strides: int = 1, padding: str | Sequence[tuple[int, int]] = "SAME", bias: bool = True,
    ):  # fmt: skip
        scale = nnx.initializers.variance_scaling(2.0, "fan_in", "truncated_normal")
        self.kernel = nnx.Param(scale(rngs.params(), (taps, taps, taps, channels, out)))
        self.bias = nnx.Param(jnp.zeros(out)) if bias else None
        self.strides, self.padding = strides, padding

    def __call__(self, x: Float[Array, "b d h w c"]) -> Float[Array, "b e f g o"]:
        y = conv3d(x, self.kernel[...], strides=self.strides, padding=self.padding)
        return y if self.bias is None else y + self.bias[...]
