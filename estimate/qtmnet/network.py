r"""QTMnet: perfusion from a scan's own curves, without an arterial input. For contrast and for labelled water.

    encoder     each voxel alone: curve -> features
    context     all voxels of the scan, pooled by attention: the arterial input, never seen but common to all
    branch      a 3-D U-Net over the features: the neighbourhood
    decoder     features, modulated by the context (FiLM, Perez et al. 2018), with the branch -> parameters

After Qi et al.'s QTM networks a U-Net maps 4-D concentration to perfusion maps; the context in the place of an input
function is ours. Each layer treats voxels alike and normalises over channels only, so results depend neither on
tiling nor on padding.
"""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Bool, Float

from estimate.networks.convolution import Convolution
from estimate.qtmnet.tracers import TRACERS, Tracer

LEVELS = 3
"""Scales of the U-Net: 1, 2 and 4 voxels."""


@dataclass(frozen=True)
class Architecture:
    """Widths. encoder, blocks : channels and residual blocks before and after the first context.
    heads, context : of the attention, and channels of what it gives.      decoder : channels.
    branch : channels of the U-Net at its `LEVELS`; empty without it.      rounds : contexts, one after the other.
    aif_given : whether it is given the AIF, which QTMnet is not: for comparison (`aif_channels`).
    tracer : what it looks at, a name of `TRACERS`."""

    encoder: int = 96
    blocks: int = 2
    heads: int = 4
    context: int = 128
    decoder: int = 128
    branch: tuple[int, ...] = (24, 48, 64)
    rounds: int = 2
    aif_given: bool = False
    tracer: str = "contrast"

    @property
    def sees(self) -> Tracer:
        return TRACERS[self.tracer]

    @property
    def scan_channels(self) -> int:
        """What is said of the scan as a whole."""
        return self.sees.scan_channels + (self.sees.nodes if self.aif_given else 0)


class Dense(nnx.Linear):
    """A linear layer of the last axis. The others are one to the matrix product: XLA on a CPU takes three times as long
    over the gradient of the weights if it has to sum over two axes."""

    def __call__(self, inputs: Array) -> Array:
        return super().__call__(inputs.reshape(-1, inputs.shape[-1])).reshape(*inputs.shape[:-1], -1)


class Residual(nnx.Module):
    """x + W2 gelu(W1 norm(x)), with the context's shift and scale after the norm."""

    def __init__(self, channels: int, context: int, *, rngs: nnx.Rngs):
        self.norm = nnx.RMSNorm(channels, rngs=rngs)
        self.up = Dense(channels, 2 * channels, rngs=rngs)
        self.down = Dense(2 * channels, channels, kernel_init=nnx.initializers.zeros, rngs=rngs)
        self.film = Dense(context, 2 * channels, kernel_init=nnx.initializers.zeros, rngs=rngs) if context else None

    def __call__(self, x: Array, context: Array | None) -> Array:
        h = self.norm(x)
        if self.film is not None:
            assert context is not None
            gain, shift = jnp.split(self.film(context), 2, axis=-1)
            h = h * (1 + gain) + shift
        return x + self.down(nnx.gelu(self.up(h)))


class Context(nnx.Module):
    """Pool the voxels of a scan: `heads` attention-weighted means and the plain one -> context.

    The sums over voxels are linear, so a scan may be pooled tile by tile: `sums`, added up, then `__call__`.
    """

    def __init__(self, channels: int, previous: int, shape: Architecture, *, rngs: nnx.Rngs):
        self.heads = shape.heads
        self.norm = nnx.RMSNorm(channels, rngs=rngs)
        self.score = Dense(channels, shape.heads, rngs=rngs)
        pooled = (shape.heads + 1) * channels + shape.scan_channels + previous
        self.hidden = Dense(pooled, shape.context, rngs=rngs)
        self.out = Dense(shape.context, shape.context, rngs=rngs)

    def sums(self, x: Float[Array, "*b v c"], inside: Bool[Array, "*b v"]) -> Float[Array, "*b h c1"]:
        """Weighted sums over voxels, and the weights' own in the last channel."""
        h = self.norm(x)
        score = jnp.clip(self.score(h), -20, 20)  # bounded, so that exp needs no maximum over the whole scan
        weight = jnp.exp(score) * inside[..., None]
        weight = jnp.concatenate([weight, inside[..., None].astype(h.dtype)], axis=-1)
        one = jnp.concatenate([h, jnp.ones_like(h[..., :1])], axis=-1)
        return jnp.einsum("...vh,...vc->...hc", weight, one)

    def __call__(self, sums: Float[Array, "*b h c1"], scan: Float[Array, "*b g"], previous: Array | None) -> Array:
        means = sums[..., :-1] / jnp.maximum(sums[..., -1:], 1e-12)
        parts = [means.reshape(*means.shape[:-2], -1), scan] + ([] if previous is None else [previous])
        return self.out(nnx.gelu(self.hidden(jnp.concatenate(parts, axis=-1))))


class Stage(nnx.Module):
    """Two convolutions at one scale, the second residual."""

    def __init__(self, channels: int, out: int, *, rngs: nnx.Rngs):
        self.first = Convolution(channels, out, rngs=rngs)
        self.norm = nnx.RMSNorm(out, rngs=rngs)
        self.second = Convolution(out, out, rngs=rngs)

    def __call__(self, x: Array, inside: Array) -> Array:
        """Every value outside the scan is zero, as beyond the ends of an array: both are the same to a convolution."""
        x = nnx.gelu(self.first(x)) * inside
        return (x + nnx.gelu(self.second(self.norm(x)))) * inside


class Branch(nnx.Module):
    """A U-Net over encoder features; places outside the scan are zero in, and stay out of every mean."""

    def __init__(self, channels: int, widths: tuple[int, ...], *, rngs: nnx.Rngs):
        self.enter = Dense(channels, widths[0], rngs=rngs)
        self.down = nnx.List([Stage(a + 1, b, rngs=rngs) for a, b in zip((widths[0], *widths), widths, strict=False)])
        wider = list(zip(widths[-2::-1], widths[:0:-1], strict=True))  # (fine, coarse) from the coarsest up
        self.up = nnx.List([Stage(fine + coarse, fine, rngs=rngs) for fine, coarse in wider])

    def __call__(self, x: Float[Array, "b d h w c"], inside: Float[Array, "b d h w"]) -> Float[Array, "b d h w o"]:
        return self.after_entry(self.enter(x), inside)

    def after_entry(self, x: Float[Array, "b d h w c"], inside: Float[Array, "b d h w"]) -> Array:
        """The same from the channels that `enter`, which sees single voxels, has made."""
        x = x * inside[..., None]
        skipped = []
        for level, stage in enumerate(self.down):
            x = stage(jnp.concatenate([x, inside[..., None]], axis=-1), inside[..., None])
            if level < len(self.down) - 1:
                skipped.append((x, inside))
                x, inside = _halve(x, inside)
        for stage in self.up:
            fine, inside = skipped.pop()
            x = stage(jnp.concatenate([fine, _double(x)], axis=-1), inside[..., None])
        return x


def _halve(x: Array, inside: Array) -> tuple[Array, Array]:
    """Mean over 2^3 voxels, of those inside; a coarse voxel is inside where any is."""
    b, d, h, w, c = x.shape
    total = x.reshape(b, d // 2, 2, h // 2, 2, w // 2, 2, c).sum((2, 4, 6))
    count = inside.reshape(b, d // 2, 2, h // 2, 2, w // 2, 2).sum((2, 4, 6))
    return total / jnp.maximum(count, 1.0)[..., None], (count > 0).astype(x.dtype)


def _double(x: Array) -> Array:
    for axis in (1, 2, 3):
        x = jnp.repeat(x, 2, axis=axis)
    return x


class QTMnet(nnx.Module):
    """The network; its steps are separate, so that a scan can be streamed: `encode`, pool, ..., `decode`."""

    def __init__(self, shape: Architecture = Architecture(), *, rngs: nnx.Rngs):
        self.shape = shape
        width = shape.encoder
        self.enter = Dense(shape.sees.voxel_channels + shape.scan_channels, width, rngs=rngs)
        self.encoder = nnx.List(
            [
                nnx.List([Residual(width, shape.context if r else 0, rngs=rngs) for _ in range(shape.blocks)])
                for r in range(max(shape.rounds, 1))
            ]
        )
        self.contexts = nnx.List(
            [Context(width, shape.context if r else 0, shape, rngs=rngs) for r in range(shape.rounds)]
        )
        self.branch = Branch(width, shape.branch, rngs=rngs) if shape.branch else None
        beside = shape.branch[0] if shape.branch else 0
        self.widen = Dense(width, shape.decoder, rngs=rngs)
        self.beside = (
            Dense(beside, shape.decoder, kernel_init=nnx.initializers.zeros, use_bias=False, rngs=rngs)
            if beside else None
        )  # fmt: skip
        context = shape.context if shape.rounds else 0
        self.decoder = nnx.List([Residual(shape.decoder, context, rngs=rngs) for _ in range(2)])
        self.norm = nnx.RMSNorm(shape.decoder, rngs=rngs)
        self.heads = Dense(shape.decoder, shape.sees.outputs, rngs=rngs)

    def start(self, voxel: Float[Array, "*b v f"], scan: Float[Array, "*b g"]) -> Float[Array, "*b v c"]:
        """First features of every voxel."""
        everywhere = jnp.broadcast_to(scan[..., None, :], (*voxel.shape[:-1], scan.shape[-1]))
        x = self.enter(jnp.concatenate([voxel, everywhere], axis=-1))
        return self.refine(x, 0, None)

    def refine(self, x: Array, number: int, context: Array | None) -> Array:
        """Features after stage `number` of the encoder, which is given the context of the one before."""
        for block in self.encoder[number]:
            x = block(x, context)
        return x

    def decode(self, x: Array, context: Array | None, neighbours: Array | None) -> Float[Array, "*b v o"]:
        """Outputs (see `targets`) of every voxel."""
        h = self.widen(x)
        if neighbours is not None:
            assert self.beside is not None
            h = h + self.beside(neighbours)
        for block in self.decoder:
            h = block(h, context)
        return self.heads(self.norm(h))

    def first_context(
        self, voxel: Float[Array, "b v f"], scan: Float[Array, "b g"], inside: Bool[Array, "b v"]
    ) -> Float[Array, "b c"]:
        """Of the scan as single voxels show it, before any is given that of the others."""
        pool = self.contexts[0]
        return pool(pool.sums(self.start(voxel, scan), inside), scan, None)

    def __call__(
        self, voxel: Float[Array, "b v f"], scan: Float[Array, "b g"], inside: Bool[Array, "b v"],
        *, neighbourhood: Any = None,
    ) -> Float[Array, "b v o"]:  # fmt: skip
        """All at once. neighbourhood : maps features (b, v, c) to those of the branch, or None without it."""
        x = self.start(voxel, scan)
        context = None
        for number, pool in enumerate(self.contexts):
            context = pool(pool.sums(x, inside), scan, context)[..., None, :]
            if number + 1 < len(self.encoder):
                x = self.refine(x, number + 1, context)
            context = context[..., 0, :] if number + 1 < len(self.contexts) else context
        beside = None if neighbourhood is None else neighbourhood(x)
        return self.decode(x, context, beside)
