"""What needs no model: peak enhancement, time to peak, and the area of the first minute."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Real

from simulate.base.runtime import is_traced

IAUC_DURATION = 60.0
"""Length of the initial area [s] (Evelhoch, JMRI 1999 10:254)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SemiQuantitative:
    """What needs no model.

    Attributes
    ----------
    peak : (...) array [mmol/L]
        Highest concentration.
    TTP : (...) array [s]
        Time to peak after arrival.
    IAUC60 : (...) array [mmol s/L]
        Area of the first minute after arrival.
    """

    peak: Any
    TTP: Any
    IAUC60: Any


def semiquantitative(
    concentration: Float[ArrayLike, "*s t"],
    times: Float[ArrayLike, " t"],
    *,
    arrival: Real[ArrayLike, "*#s"],
) -> SemiQuantitative:
    """Peak, time to peak and initial area of concentration curves after contrast arrives.

    The area is that of the piecewise-linear curve over exactly `IAUC_DURATION`, interpolated at both ends
    (Evelhoch, JMRI 1999 10:254).

    Parameters
    ----------
    concentration : (..., t) array [mmol/L]
        A voxel with a NaN in any frame has no values.
    times : (t,) array [s]
        Of the frames.
    arrival : float or (...) array [s]
        From which to count; for a known baseline it is `times[protocol.baseline - 1]`, the last frame without contrast.

    Returns
    -------
    SemiQuantitative
        The area is NaN where the series ends earlier.
    """
    xp: Any = jnp if is_traced((concentration, times, arrival)) else np  # by NumPy nothing is compiled
    clock = xp.asarray(times, float)  # in all digits where NumPy has them
    begin = xp.asarray(arrival, clock.dtype)
    sound = xp.all(xp.isfinite(xp.asarray(concentration)), axis=-1)
    curves = xp.where(sound[..., None], xp.asarray(concentration), 0)
    after = xp.where(clock >= begin[..., None], curves, -xp.inf)
    peak, delay = xp.max(after, axis=-1), (clock[xp.argmax(after, axis=-1)] - begin).astype(curves.dtype)
    area = _area(xp, curves, clock, begin, begin + IAUC_DURATION).astype(curves.dtype)
    covered = (begin >= clock[0]) & (begin + IAUC_DURATION <= clock[-1])
    some = sound & (begin <= clock[-1])
    return SemiQuantitative(
        xp.where(some, peak, xp.nan), xp.where(some, delay, xp.nan), xp.where(sound & covered, area, xp.nan)
    )


def _area(xp: Any, curves: Any, times: Any, start: Any, end: Any) -> Any:
    """Integral of piecewise-linear curves (*s, t) from `start` to `end` (*s), interval by interval."""
    low = xp.clip(start[..., None], times[:-1], times[1:])
    high = xp.clip(end[..., None], times[:-1], times[1:])
    left, right = curves[..., :-1], curves[..., 1:]
    middle = ((low + high) / 2 - times[:-1]) / (times[1:] - times[:-1])
    return xp.sum((high - low) * (left + (right - left) * middle), axis=-1)
