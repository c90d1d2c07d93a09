"""Which model, voxel by voxel."""

from typing import Any

import jax
import jax.numpy as jnp


def select(fits: list) -> Any:
    """Voxel by voxel the fit with the smallest AICc."""
    criteria = jnp.stack([jnp.where(jnp.isnan(fit.aicc), jnp.inf, fit.aicc) for fit in fits])
    best = jnp.argmin(criteria, axis=0)

    def choose(*arrays: Any) -> Any:
        return jnp.take_along_axis(jnp.stack(arrays), best[None], axis=0)[0]

    return jax.tree.map(choose, *fits)
