"""Residual blocks of volumes (He et al. 2016), normalised by groups."""

import jax
from flax import nnx
from jax import Array

from classify.networks.film import Modulation
from classify.networks.layers import GroupNorm, Other, Volume
from estimate.networks.convolution import Convolution


def same(taps: int) -> tuple[tuple[int, int], ...]:
    """As many zeros on either side as the kernel reaches, at every stride: where the voxels lie does not depend on the
    image's size, as it would with "SAME"."""
    return ((taps // 2, taps // 2),) * 3


class NormalisedConvolution(nnx.Module):
    """Convolution, then norm."""

    def __init__(
        self, channels: int, out: int, groups: int, *, rngs: nnx.Rngs, taps: int = 3, strides: int = 1,
        bias: bool = False,
    ):  # fmt: skip
        self.convolution = Convolution(
            channels, out, taps=taps, strides=strides, padding=same(taps), bias=bias, rngs=rngs
        )
        self.norm = GroupNorm(out, groups)

    def __call__(self, x: Volume) -> Other:
        return self.norm(self.convolution(x))


class Residual(nnx.Module):
    """relu(branch(x) + x), x itself through a normalised 1^3 convolution where the size or the channels change.

    branch : normalised convolutions with relu between them.      modulated : its end is scaled and shifted by the
    condition, before the sum.
    """

    def __init__(
        self, branch: list[NormalisedConvolution], shortcut: NormalisedConvolution | None, *,
        modulation: Modulation | None = None,
    ):  # fmt: skip
        self.branch = nnx.List(branch)
        self.shortcut, self.modulation = shortcut, modulation

    def __call__(self, x: Volume, condition: Array | None = None, key: Array | None = None) -> Other:
        h = x
        for number, layer in enumerate(self.branch):
            h = layer(jax.nn.relu(h) if number else h)
        if self.modulation is not None and condition is not None:
            h = self.modulation(h, condition)
        return jax.nn.relu(h + (x if self.shortcut is None else self.shortcut(x)))


def basic(
    channels: int, width: int, groups: int, strides: int, *, rngs: nnx.Rngs, shortcut_bias: bool = False,
    modulated: bool = False,
) -> Residual:  # fmt: skip
    """Two 3^3 convolutions."""
    branch = [
        NormalisedConvolution(channels, width, groups, strides=strides, rngs=rngs),
        NormalisedConvolution(width, width, groups, rngs=rngs),
    ]
    shortcut = _shortcut(channels, width, groups, strides, shortcut_bias, rngs)
    return Residual(branch, shortcut, modulation=Modulation(width, rngs=rngs) if modulated else None)


def bottleneck(
    channels: int, width: int, groups: int, strides: int, *, rngs: nnx.Rngs, shortcut_bias: bool = False
) -> Residual:
    """1^3 to fewer channels, 3^3, 1^3 to four times as many."""
    out = EXPANSION * width
    branch = [
        NormalisedConvolution(channels, width, groups, taps=1, rngs=rngs),
        NormalisedConvolution(width, width, groups, strides=strides, rngs=rngs),
        NormalisedConvolution(width, out, groups, taps=1, rngs=rngs),
    ]
    return Residual(branch, _shortcut(channels, out, groups, strides, shortcut_bias, rngs))


EXPANSION = 4
"""Channels that leave a bottleneck, for each inside it."""


def _shortcut(
    channels: int, out: int, groups: int, strides: int, bias: bool, rngs: nnx.Rngs
) -> NormalisedConvolution | None:
    if strides == 1 and channels == out:
        return None
    return NormalisedConvolution(channels, out, groups, taps=1, strides=strides, bias=bias, rngs=rngs)
