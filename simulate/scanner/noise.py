r"""Noise of magnitude images: how much, by the signal before contrast, and how it is distributed.

    |S + n_1 + i n_2|,     n_1, n_2 Gaussian with standard deviation \sigma = mean signal before contrast / SNR:

Rice's distribution, whose mean at high ratios is S + \sigma^2/(2 S) (Gudbjartsson & Patz, MRM 1995 34:910).
"""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float, Key, Real

from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Series
from simulate.scanner.spgr import baseline_signal

Noise = Callable[[Key[Array, ""], Float[ArrayLike, "*s"], Real[ArrayLike, ""]], Float[Array, "*s"]]
"""(key, signal, sigma) -> noisy signal."""


def rician(key: Key[Array, ""], signal: Float[ArrayLike, "*s"], sigma: Real[ArrayLike, ""]) -> Float[Array, "*s"]:
    """Magnitude of a signal with Gaussian noise in each complex channel.

    Parameters
    ----------
    key : jax.random key
        Of the noise.
    signal : (...) array
        Noise-free.
    sigma : float
        Standard deviation in each channel, in the unit of the signal.

    Returns
    -------
    (...) array
        Noisy magnitude.
    """
    signal = jnp.asarray(signal)
    noise = sigma * jax.random.normal(key, (2, *signal.shape), signal.dtype)
    return jnp.hypot(signal + noise[0], noise[1])


def gaussian(key: Key[Array, ""], signal: Float[ArrayLike, "*s"], sigma: Real[ArrayLike, ""]) -> Float[Array, "*s"]:
    """Noise of the channel that holds the signal alone, of which the networks that ship were trained.

    Half the random numbers of a magnitude, and without its bias, which at a ratio of 12 is 0.04 sigma.
    """
    signal = jnp.asarray(signal)
    return signal + sigma * jax.random.normal(key, signal.shape, signal.dtype)


def with_noise(
    key: Key[Array, ""],
    signal: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    snr: Real[ArrayLike, ""],
    noise: Noise = rician,
    baseline: Real[Array, " t"] | None = None,
) -> Float[Array, "*s t"]:
    """A measured signal (*s, t): one noise level for the scan, SNR = mean baseline signal / σ of one complex channel.

    The mean is over the voxels that have signal; voxels of air get the noise alone.
    noise : `rician` or `gaussian`.      baseline : frames before contrast, see `baseline_signal`.
    """
    before = baseline_signal(signal, protocol, baseline)
    inside = before > 0
    mean = jnp.sum(jnp.where(inside, before, 0.0)) / jnp.maximum(jnp.sum(inside), 1)
    return noise(key, signal, mean / snr)


def add_noise(key: Key[Array, ""], series: Series, *, snr: Real[ArrayLike, ""]) -> Series:
    """A series with Rician noise of one level, by the protocol's frames before contrast.

    Parameters
    ----------
    key : jax.random key
        Of the noise.
    series : Series
        Of signals.
    snr : float
        Mean signal before contrast, over the voxels that have any, over the standard deviation of one complex channel;
        inf for no noise.

    Returns
    -------
    Series
        The noisy magnitudes.

    Raises
    ------
    InputError
        Unless the series holds signal.
    """
    if series.quantity != "signal":
        raise InputError("add_noise", "series", f"holds {series.quantity}, not signal", "apply spgr_signal first")
    return replace(series, data=with_noise(key, series.data, series.protocol, snr=snr))
