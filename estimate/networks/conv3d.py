r"""Three-dimensional convolution that is fast on a CPU as well.

XLA's own 3-D convolution on a CPU is several times slower than it need be, and the gradient of a strided one tens of
times. So there a convolution is written as 2-D ones over batch and depth,

    y[d] = \sum_k  w[k] *_{2D} x[s d + k],

and an in-plane stride as a stride of 1 on the s x s phases of the image, side by side as channels (space to depth),
whose gradient needs no dilated input. Deep in a network, where few voxels have many channels, a product of matrices is
faster still: each voxel's neighbours in a row, times the kernel. Every other device gets XLA's 3-D convolution.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

_FEW_CHANNELS = 128
"""Up to this many (taps x channels), one 2-D convolution over all depth taps side by side is as fast as a sum or up to
four times as fast (tried on a Zen 4 core)."""

_FEW_NEIGHBOURS = 2**21
"""Up to this many numbers (8 MB: what a core's cache holds), the product of matrices is faster, up to twenty times for
2^3 voxels (tried there too)."""


def conv3d(
    x: Float[Array, "b d h w c"],
    kernel: Float[Array, "i j k c o"],
    *,
    strides: int | Sequence[int] = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
) -> Float[Array, "b e f g o"]:
    """Cross-correlate a batch of volumes with a kernel, as networks do.

    Parameters
    ----------
    x : batch, depth, height, width, channels.      kernel : taps along the three axes, channels in and out.
    strides : one, or one per axis.
    padding : "SAME" (output of ceil(n/stride)), "VALID", or (before, after) per axis; with zeros.
    """
    steps = (strides,) * 3 if isinstance(strides, int) else tuple(strides)
    pads = (
        jax.lax.padtype_to_pads(x.shape[1:4], kernel.shape[:3], steps, padding) if isinstance(padding, str) else padding
    )
    pads = tuple((int(a), int(b)) for a, b in pads)
    return jax.lax.platform_dependent(
        x, kernel,
        cpu=lambda x, kernel: _on_cpu(x, kernel, steps, pads),
        default=lambda x, kernel: _native(x, kernel, steps, pads),
    )  # fmt: skip


def _native(x: Array, kernel: Array, strides: Sequence[int], pads: Sequence[tuple[int, int]]) -> Array:
    return jax.lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=("NDHWC", "DHWIO", "NDHWC"))


def _on_cpu(x: Array, kernel: Array, strides: Sequence[int], pads: Sequence[tuple[int, int]]) -> Array:
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    size = tuple((n - k) // s + 1 for n, k, s in zip(x.shape[1:4], kernel.shape[:3], strides, strict=True))
    neighbours = x.shape[0] * math.prod(size) * math.prod(kernel.shape[:4])
    few = math.prod(kernel.shape[:3]) == 1 or neighbours <= _FEW_NEIGHBOURS
    return (_by_neighbours if few else _by_planes)(x, kernel, strides, size)


def _by_neighbours(x: Array, kernel: Array, strides: Sequence[int], size: Sequence[int]) -> Array:
    """Of a padded image, to this output size: all neighbours of a voxel in a row, times the kernel.

    They are gathered along one axis after another: nine slices of an image rather than 27, and so is the way back.
    """
    for axis in (3, 2, 1):  # the last first, whose taps are the innermost of the kernel's
        step, length = strides[axis - 1], size[axis - 1]
        reach = step * (length - 1) + 1
        shifted = [jax.lax.slice_in_dim(x, k, k + reach, step, axis) for k in range(kernel.shape[axis - 1])]
        x = jnp.concatenate(shifted, axis=-1)
    columns = kernel.reshape(-1, kernel.shape[-1])
    return (x.reshape(-1, len(columns)) @ columns).reshape(x.shape[0], *size, kernel.shape[-1])


def _by_planes(x: Array, kernel: Array, strides: Sequence[int], size: Sequence[int]) -> Array:
    """The same by 2-D convolutions of stride 1."""
    deep, high, wide = size
    x, kernel = _phases(x, kernel, strides[1:], (high, wide))
    taps, *_, channels, out = kernel.shape
    step = strides[0]
    planes = [x[:, k : k + step * (deep - 1) + 1 : step] for k in range(taps)]
    if taps * channels <= _FEW_CHANNELS:
        planes = [jnp.concatenate(planes, axis=-1)]
        kernel = jnp.moveaxis(kernel, 0, 2).reshape(1, *kernel.shape[1:3], taps * channels, out)
    flat = (x.shape[0] * deep, *x.shape[2:4])
    y = sum(
        jax.lax.conv_general_dilated(
            plane.reshape(*flat, -1), tap, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        for plane, tap in zip(planes, kernel, strict=True)
    )
    return jnp.asarray(y).reshape(x.shape[0], deep, high, wide, out)


def _phases(x: Array, kernel: Array, strides: Sequence[int], size: tuple[int, int]) -> tuple[Array, Array]:
    """Image and kernel whose convolution of stride 1 is theirs of the given in-plane strides, to this output size."""
    if strides[0] == strides[1] == 1:
        return x, kernel
    for axis, (step, out) in enumerate(zip(strides, size, strict=True)):
        taps = -(-kernel.shape[1 + axis] // step)
        kernel = _to_length(kernel, 1 + axis, taps * step)
        x = _to_length(x, 2 + axis, (out + taps - 1) * step)
        x, kernel = _split(x, 2 + axis, step, channels=4), _split(kernel, 1 + axis, step, channels=3)
    return x, kernel


def _to_length(a: Array, axis: int, length: int) -> Array:
    """Cut or padded with zeros at the end of an axis."""
    a = jax.lax.slice_in_dim(a, 0, min(length, a.shape[axis]), axis=axis)
    return jnp.pad(a, [(0, length - a.shape[axis] if i == axis else 0) for i in range(a.ndim)])


def _split(a: Array, axis: int, step: int, *, channels: int) -> Array:
    """The `step` phases of an axis side by side along the axis of the channels."""
    phases = [jax.lax.slice_in_dim(a, k, a.shape[axis], stride=step, axis=axis) for k in range(step)]
    return jnp.concatenate(phases, axis=channels)
