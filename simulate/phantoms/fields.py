"""Smooth random fields: the texture of tissue and the shape of what grows in it."""

import numpy as np
from jaxtyping import Float
from scipy import fft


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, ...], cell: tuple[float, ...], correlation: float
) -> Float[np.ndarray, "*space"]:
    """Gaussian random field of mean 0 and variance 1 with Gaussian covariance of this length [mm].

    White noise, filtered by exp(-(k correlation)^2/4) in a box with room around it, so that ends do not meet.
    """
    margin = [int(np.ceil(2 * correlation / edge)) for edge in cell]
    padded = [int(fft.next_fast_len(n + m, real=True) or 0) for n, m in zip(shape, margin, strict=True)]
    noise = fft.rfftn(rng.standard_normal(padded))
    k2 = np.zeros([1] * len(shape))
    for axis, (n, edge) in enumerate(zip(padded, cell, strict=True)):
        frequency = fft.rfftfreq(n, edge) if axis == len(shape) - 1 else fft.fftfreq(n, edge)
        along = [1] * len(shape)
        along[axis] = -1
        k2 = k2 + (2 * np.pi * frequency.reshape(along)) ** 2
    response = np.exp(-k2 * correlation**2 / 4)
    field = np.asarray(fft.irfftn(noise * response, padded))
    # variance of the filtered noise: mean of |response|^2 over the full spectrum, not over this sample
    variance = np.asarray(fft.irfftn(response**2, padded)).ravel()[0]
    return field[tuple(slice(0, n) for n in shape)] / np.sqrt(variance)
