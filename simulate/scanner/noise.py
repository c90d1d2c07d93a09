"""Noise of magnitude images."""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float, Key, Real

from simulate.base.errors import InputError
from simulate.base.types import Series


def rician(key: Key[Array, ""], signal: Float[ArrayLike, "*s"], sigma: Real[ArrayLike, ""]) -> Float[Array, "*s"]:
    """Magnitude of a signal with Gaussian noise of standard deviation `sigma` in each complex channel."""
    signal = jnp.asarray(signal)
    noise = sigma * jax.random.normal(key, (2, *signal.shape), signal.dtype)
    return jnp.hypot(signal + noise[0], noise[1])


def add_noise(key: Key[Array, ""], series: Series, *, snr: Real[ArrayLike, ""]) -> Series:
    """A measured series: one noise level for the scan, SNR = mean baseline signal / σ of one complex channel.

    The mean is over the voxels that have signal; voxels of air get the noise alone.
    """
    if series.quantity != "signal":
        raise InputError("add_noise", "series", f"holds {series.quantity}, not signal", "apply spgr_signal first")
    before = jnp.mean(series.data[..., : max(series.protocol.baseline, 1)], axis=-1)
    inside = before > 0
    mean = jnp.sum(jnp.where(inside, before, 0.0)) / jnp.maximum(jnp.sum(inside), 1)
    return replace(series, data=rician(key, series.data, mean / snr))
