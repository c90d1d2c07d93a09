"""Gaussian negative log-likelihood of values and their uncertainty at once."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from estimate.qtmnet.learning.tasks import REST, TASKS
from estimate.qtmnet.tracers import TRACERS


def negative_log_likelihood(
    tracer: str, outputs: Float[Array, "*b v o"], target: Float[Array, "*b v q"], weight: Float[Array, "*b v q"]
) -> tuple[Array, dict[str, Array]]:
    r"""Mean of (x - t)^2/(2 \sigma^2) + ln \sigma, and the mean absolute error of every quantity."""
    sees, task = TRACERS[tracer], TASKS[tracer]
    found = sees.predicted(outputs)
    error = found.value - target
    each = 0.5 * (error / found.spread) ** 2 + jnp.log(found.spread)
    importance = jnp.asarray([task.importance.get(name, REST) for name in sees.scored])
    total = jnp.sum(weight * importance)
    absolute = jnp.sum(jnp.abs(error) * weight, axis=tuple(range(error.ndim - 1)))
    counted = jnp.maximum(jnp.sum(weight, axis=tuple(range(error.ndim - 1))), 1.0)
    errors: dict[str, Array] = dict(zip(sees.scored, absolute / counted, strict=True))
    return jnp.sum(each * weight * importance) / jnp.maximum(total, 1.0), errors
