"""What needs no model: peak enhancement, time to peak, and the area of the first minute."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import ArrayLike, Float, Real

from simulate.kinetics.convolution import interpolate

IAUC_DURATION = 60.0
"""Length of the initial area [s] (Evelhoch, JMRI 1999 10:254)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SemiQuantitative:
    """peak [mmol/L], TTP [s after arrival] and IAUC60 [mmol s/L], each (*space)."""

    peak: Any
    TTP: Any
    IAUC60: Any


def semiquantitative(
    concentration: Float[ArrayLike, "*s t"],
    times: Float[ArrayLike, " t"],
    *,
    arrival: Real[ArrayLike, "*#s"],
) -> SemiQuantitative:
    """Peak, time to peak and initial area of concentration curves [mmol/L] after contrast arrives.

    arrival : time [s] from which to count; for a known baseline it is `times[protocol.baseline - 1]`, the
        last frame without contrast.

    The area is that of the piecewise-linear curve over exactly `IAUC_DURATION`, interpolated at both ends;
    NaN where the series ends earlier. A voxel with a NaN in any frame has no values.
    """
    concentration, times = jnp.asarray(concentration), jnp.asarray(times)
    arrival = jnp.broadcast_to(jnp.asarray(arrival, times.dtype), concentration.shape[:-1])
    sound = jnp.all(jnp.isfinite(concentration), axis=-1)
    curves = jnp.where(sound[..., None], concentration, 0.0)
    after = jnp.where(times >= arrival[..., None], curves, -jnp.inf)
    peak, delay = jnp.max(after, axis=-1), times[jnp.argmax(after, axis=-1)] - arrival
    mean = jnp.vectorize(lambda curve, middle: interpolate(curve, times, middle, IAUC_DURATION), signature="(t),()->()")
    area = IAUC_DURATION * mean(curves, arrival + IAUC_DURATION / 2)
    covered = (arrival >= times[0]) & (arrival + IAUC_DURATION <= times[-1])
    some = sound & (arrival <= times[-1])
    return SemiQuantitative(
        jnp.where(some, peak, jnp.nan),
        jnp.where(some, delay, jnp.nan),
        jnp.where(sound & covered, area, jnp.nan),
    )
