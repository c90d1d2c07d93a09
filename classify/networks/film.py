r"""Numbers beside a volume scale and shift its features (FiLM, Perez et al. 2018), as in ASLNet for survival:

    y = (1 + \Delta\gamma) x + \Delta\beta,      \Delta = clip(gate, 0, 1/2) tanh(W relu(V t)),

with t the condition, made of the standardised numbers by two hidden layers. W starts at zero: a new network is the one
without the numbers.
"""

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import ArrayLike, Float

from classify.networks.staged import Frozen
from simulate.base.errors import InputError

WIDTH, OF_BLOCK = 128, 64
"""Channels of the condition, and of what each block makes of it."""

GATE, WIDEST = 0.1, 0.5
"""Where gates start, and the most that they let through."""


class Standardised(nnx.Module):
    """(x - mean) / deviation by given numbers, which training does not touch."""

    def __init__(self, count: int, mean: ArrayLike | None = None, deviation: ArrayLike | None = None):
        self.count = count
        self.mean = Frozen(_numbers("mean", count, mean, 0.0))
        self.deviation = Frozen(_numbers("deviation", count, deviation, 1.0))

    def __call__(self, x: Float[Array, "b t"]) -> Float[Array, "b t"]:
        return (x - self.mean[...]) / self.deviation[...]


def _numbers(name: str, count: int, given: ArrayLike | None, otherwise: float) -> Array:
    values = jnp.full(count, otherwise) if given is None else jnp.asarray(given, float)
    if values.shape != (count,):
        raise InputError(name, "", f"has the shape {values.shape}, not ({count},)", "give one number for every input")
    return values


class Condition(nnx.Module):
    """Standardised numbers -> `WIDTH` channels that every modulation is given."""

    def __init__(self, standardised: Standardised, *, rngs: nnx.Rngs):
        self.standardised, self.count = standardised, standardised.count
        self.first = nnx.Linear(self.count, WIDTH, rngs=rngs)
        self.second = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, tabular: Float[Array, "b t"]) -> Float[Array, "b f"]:
        return nnx.relu(self.second(nnx.relu(self.first(self.standardised(tabular)))))


class Modulation(nnx.Module):
    """Scale and shift of a block's channels by the condition."""

    def __init__(self, channels: int, *, rngs: nnx.Rngs):
        zeros = nnx.initializers.zeros
        self.enter = nnx.Linear(WIDTH, OF_BLOCK, rngs=rngs)
        self.scale = nnx.Linear(OF_BLOCK, channels, kernel_init=zeros, rngs=rngs)
        self.shift = nnx.Linear(OF_BLOCK, channels, kernel_init=zeros, rngs=rngs)
        self.scale_gate, self.shift_gate = nnx.Param(jnp.asarray(GATE)), nnx.Param(jnp.asarray(GATE))

    def __call__(self, x: Float[Array, "b d h w c"], condition: Float[Array, "b f"]) -> Float[Array, "b d h w c"]:
        t = nnx.relu(self.enter(condition))
        scale = jnp.clip(self.scale_gate[...], 0, WIDEST) * jnp.tanh(self.scale(t))
        shift = jnp.clip(self.shift_gate[...], 0, WIDEST) * jnp.tanh(self.shift(t))
        return (1 + scale[:, None, None, None]) * x + shift[:, None, None, None]
