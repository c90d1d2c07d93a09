"""What a frame records of a curve that changes while it lasts."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float

from simulate.base.types import DCEProtocol
from simulate.kinetics.convolution import interpolate
from simulate.kinetics.windows import from_first_knot


def frame_average(
    curve: Float[ArrayLike, "*s k"], knots: Float[ArrayLike, " k"], protocol: DCEProtocol
) -> Float[Array, "*s t"]:
    """Mean of a piecewise-linear curve over each frame [times, times + frame_duration], exactly.

    Parameters
    ----------
    curve : (..., k) array
        Zero before the first knot, constant after the last.
    knots : (k,) array [s]
        Strictly increasing times.
    protocol : DCEProtocol
        Its frames; a duration of 0 samples the curve at `times`.

    Returns
    -------
    (..., t) array
        In the unit of the curve.
    """
    knots, centres = from_first_knot(knots, protocol.frame_centres)
    mean = jnp.vectorize(lambda c: interpolate(c, knots, centres, protocol.frame_duration), signature="(k)->(t)")
    return mean(jnp.asarray(curve))
