"""What vessels do to a curve on its way: plasma of blood, delay, dispersion."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float, Real

from simulate.kinetics.convolution import exponential_convolution, interpolate


def blood_to_plasma(curve: Float[ArrayLike, "..."], haematocrit: Real[ArrayLike, ""]) -> Array:
    """Plasma concentration of a tracer that stays out of red cells: cp = cb / (1 - haematocrit)."""
    return jnp.asarray(curve) / (1 - haematocrit)


def plasma_to_blood(curve: Float[ArrayLike, "..."], haematocrit: Real[ArrayLike, ""]) -> Array:
    """Concentration in whole blood of a tracer that stays out of red cells: cb = (1 - haematocrit) cp."""
    return jnp.asarray(curve) * (1 - haematocrit)


def disperse(
    aif: Float[ArrayLike, " t"],
    times: Float[ArrayLike, " t"],
    *,
    time_constant: Real[ArrayLike, "*s"],
) -> Float[Array, "*s t"]:
    r"""The input after a well-stirred volume of mean transit time T = `time_constant` [s]; 0 changes nothing.

    (1/T) e^{-t/T} * ca(t), exact at `times` for ca linear between them and zero before the first.
    """
    aif, times, constant = jnp.asarray(aif), jnp.asarray(times), jnp.asarray(time_constant)
    stirred = constant > 0
    rate = 1 / jnp.where(stirred, constant, 1.0)
    dispersed = rate[..., None] * exponential_convolution(aif, times, rate)
    return jnp.where(stirred[..., None], dispersed, aif)


def delayed(
    aif: Float[ArrayLike, " t"], times: Float[ArrayLike, " t"], delay: Real[ArrayLike, "*s"]
) -> Float[Array, "*s t"]:
    """ca(t - delay), exact for ca linear between `times` [s], zero before and constant after them."""
    aif, times = jnp.asarray(aif), jnp.asarray(times)
    return interpolate(aif, times, times - jnp.asarray(delay)[..., None])
