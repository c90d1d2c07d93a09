"""What vessels do to a curve on its way: plasma of blood, delay, dispersion."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float, Real

from simulate.kinetics.convolution import exponential_convolution, interpolate


def blood_to_plasma(curve: Float[ArrayLike, "..."], haematocrit: Real[ArrayLike, ""]) -> Array:
    """Plasma concentration of a tracer that stays out of red cells: cp = cb / (1 - haematocrit).

    Parameters
    ----------
    curve : (...) array [mmol/L]
        Concentration in whole blood.
    haematocrit : float [fraction]
        Of that blood.

    Returns
    -------
    (...) array [mmol/L]
        Concentration in plasma.
    """
    return jnp.asarray(curve) / (1 - haematocrit)


def plasma_to_blood(curve: Float[ArrayLike, "..."], haematocrit: Real[ArrayLike, ""]) -> Array:
    """Concentration in whole blood of a tracer that stays out of red cells: cb = (1 - haematocrit) cp.

    Parameters
    ----------
    curve : (...) array [mmol/L]
        Concentration in plasma.
    haematocrit : float [fraction]
        Of the blood.

    Returns
    -------
    (...) array [mmol/L]
        Concentration in whole blood.
    """
    return jnp.asarray(curve) * (1 - haematocrit)


def disperse(
    aif: Float[ArrayLike, " t"],
    times: Float[ArrayLike, " t"],
    *,
    time_constant: Real[ArrayLike, "*s"],
) -> Float[Array, "*s t"]:
    """The input after a well-stirred volume of mean transit time T: (1/T) e^{-t/T} convolved with ca(t).

    Exact at `times` for ca linear between them and zero before the first.

    Parameters
    ----------
    aif : (t,) array [mmol/L]
        The input ca.
    times : (t,) array [s]
        Its knots.
    time_constant : float or (...) array [s]
        T; 0 changes nothing.

    Returns
    -------
    (..., t) array [mmol/L]
        The dispersed input at `times`.
    """
    aif, times, constant = jnp.asarray(aif), jnp.asarray(times), jnp.asarray(time_constant)
    stirred = constant > 0
    rate = 1 / jnp.where(stirred, constant, 1.0)
    dispersed = rate[..., None] * exponential_convolution(aif, times, rate)
    return jnp.where(stirred[..., None], dispersed, aif)


def delayed(
    aif: Float[ArrayLike, " t"], times: Float[ArrayLike, " t"], delay: Real[ArrayLike, "*s"]
) -> Float[Array, "*s t"]:
    """The input later: ca(t - delay), exact for ca linear between `times`, zero before and constant after them.

    Parameters
    ----------
    aif : (t,) array [mmol/L]
        The input ca.
    times : (t,) array [s]
        Its knots.
    delay : float or (...) array [s]
        How much later.

    Returns
    -------
    (..., t) array [mmol/L]
        The delayed input at `times`.
    """
    aif, times = jnp.asarray(aif), jnp.asarray(times)
    return interpolate(aif, times, times - jnp.asarray(delay)[..., None])
