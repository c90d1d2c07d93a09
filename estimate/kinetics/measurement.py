"""What every curve of a fit is measured with and driven by, and the few sizes that it is padded to."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from simulate.base.shapes import FRAMES

_KNOTS = (256, 2048)
"""Knots of an input are padded to the first of these that is enough, or to a multiple of the last."""


class FitInput(NamedTuple):
    """What every curve of a fit is measured with and driven by.

    times : (t,) samples, or centres of frames [s].      aif, aif_times : (k,) plasma [mmol/L] and its knots [s].
    duration : (t,) of the frames [s]; None samples.
    """

    times: Float[Array, " t"]
    aif: Float[Array, " k"]
    aif_times: Float[Array, " k"]
    duration: Float[Array, " t"] | None


class Sampling(NamedTuple):
    """A `FitInput` at a size that many share.

    given : of T >= t frames and K >= k knots; those added come after all others.      frames : t.
    shortest : smallest distance of two frames [s].      kappa : 1/duration of the scan and its input [1/s].
    """

    given: FitInput
    frames: int
    shortest: Array
    kappa: Array


def sampling(given: FitInput, *, padded: bool) -> Sampling:
    """padded : not where JAX traces: what is compiled as a whole has its own size anyway."""
    frames = given.times.size
    if not padded:
        start = jnp.minimum(given.times[0], given.aif_times[0])
        return Sampling(given, frames, jnp.min(jnp.diff(given.times)), 1 / (given.times[-1] - start))
    times, knots = np.asarray(given.times), np.asarray(given.aif_times)
    shortest, kappa = np.min(np.diff(times)), 1 / (times[-1] - min(times[0], knots[0]))
    return Sampling(_padded(given, times, knots, shortest), frames, jax.device_put(shortest), jax.device_put(kappa))


def _padded(given: FitInput, times: np.ndarray, knots: np.ndarray, spacing: Any) -> FitInput:
    more, beyond = -times.size % FRAMES, _knots_added(knots.size)
    later = times[-1] + spacing * np.arange(1, more + 1, dtype=times.dtype)
    after = knots[-1] + np.arange(1, beyond + 1, dtype=knots.dtype)
    return FitInput(
        times=jax.device_put(np.concatenate([times, later])),
        aif=jax.device_put(np.pad(given.aif, (0, beyond), mode="edge")),
        aif_times=jax.device_put(np.concatenate([knots, after])),
        duration=None if given.duration is None else jax.device_put(np.pad(given.duration, (0, more))),
    )


def _knots_added(knots: int) -> int:
    enough = next((size for size in _KNOTS if size >= knots), 0)
    return enough - knots if enough else -knots % _KNOTS[-1]
