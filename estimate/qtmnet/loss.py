"""Gaussian negative log-likelihood of logarithms: values and their uncertainty at once."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from estimate.qtmnet.targets import SCORED, predicted

IMPORTANCE = {"Fp": 1.0, "PS": 1.0, "vp": 1.0, "ve": 1.0}
"""Weight of each quantity; the others have 0.25."""


def negative_log_likelihood(
    outputs: Float[Array, "*b v o"], target: Float[Array, "*b v q"], weight: Float[Array, "*b v q"]
) -> tuple[Array, dict[str, Array]]:
    r"""Mean of (x - t)^2/(2 \sigma^2) + ln \sigma, and the mean absolute error of every quantity."""
    found = predicted(outputs)
    error = found.value - target
    each = 0.5 * (error / found.spread) ** 2 + jnp.log(found.spread)
    importance = jnp.asarray([IMPORTANCE.get(name, 0.25) for name in SCORED])
    total = jnp.sum(weight * importance)
    absolute = jnp.sum(jnp.abs(error) * weight, axis=tuple(range(error.ndim - 1)))
    counted = jnp.maximum(jnp.sum(weight, axis=tuple(range(error.ndim - 1))), 1.0)
    errors: dict[str, Array] = dict(zip(SCORED, absolute / counted, strict=True))
    return jnp.sum(each * weight * importance) / jnp.maximum(total, 1.0), errors


assert np.isclose(sum(IMPORTANCE.values()), 4.0)
