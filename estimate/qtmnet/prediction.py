"""What a network says of every quantity, whichever tracer it was trained with: a value and how sure it is."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

COVERAGE = 0.9
"""Of the intervals that the calibration makes true."""

TO_ONE_SIGMA = 1.6449
"""Half an interval of that coverage of a normal distribution, in standard deviations."""

_SPREAD = (-4.0, 1.5)
"""Bounds of the logarithm of a standard deviation."""


class Prediction(NamedTuple):
    """By quantity: value (*v, q), a natural logarithm or seconds, and its standard deviation (*v, q)."""

    value: Array
    spread: Array


def standard_deviation(raw: Float[Array, "*v q"]) -> Float[Array, "*v q"]:
    """From a network's numbers, within bounds that it reaches smoothly."""
    low, high = _SPREAD
    return jnp.exp(low + (high - low) * jax.nn.sigmoid(raw - 1.0))
