r"""How sure CBF and ATT are, told from all arrival times, not from the curvature at the best.

In ATT the misfit has corners and several minima, and where noise is high its curvature at one of them says little.
With linear amplitudes c (CBF) and v (aBV) and noise \sigma the posterior of an ATT on the grid is Gaussian in the
amplitudes, which leaves in closed form (v without a bound, c >= 0 with a prior of width `LARGEST_CBF`)

    w(ATT)  \propto  p^{-1/2} exp(g^2/(2 p)) \Phi(g/\sqrt p),     g = fit/\sigma^2,   p = own/\sigma^2 + 1/width^2

with mean and variance of c at that ATT those of a normal cut off at 0. The standard error is the root mean square
distance of all of them from the fitted value (law of total variance about it): value +- 1.645 errors then covers 90 %
of the truths also where the posterior has several humps.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Curves(NamedTuple):
    """Weighted curves of unit amplitude: of tissue at every ATT of a grid (a, g); through arteries, of each voxel's
    arrival there (v, g), or None."""

    att: Array
    tissue: Array
    through: Array | None


def spread(
    weighted: Array, curves: Curves, noise: Array, found: tuple[Array, ...], width: float
) -> tuple[Array, tuple[Array, ...]]:
    """Root mean square distances from what was found.

    weighted : (v, g) curves.      noise : (v,) variance.      found : ATT, and the amplitudes c and (if arteries are
    fitted) v, (v,) each.      width : of c's prior.

    Returns those of ATT (v,), and of the amplitudes.
    """
    own, fit = jnp.sum(curves.tissue**2, axis=1)[None], weighted @ curves.tissue.T  # (1, a), (v, a)
    both = power = alone = jnp.zeros(())
    if curves.through is not None:  # v leaves first: what arteries explain is taken out
        power = jnp.maximum(jnp.sum(curves.through**2, axis=1), jnp.finfo(fit.dtype).tiny)[:, None]
        both = curves.through @ curves.tissue.T / power
        alone = jnp.sum(weighted * curves.through, axis=1)[:, None] / power
        own, fit = jnp.maximum(own - both**2 * power, 0.0), fit - both * alone * power
    variance = noise[:, None]
    precision = own / variance + 1 / width**2
    g = fit / variance
    scaled = jnp.maximum(g / jnp.sqrt(precision), -30.0)
    log = jax.scipy.stats.norm.logcdf(scaled)
    weight = jax.nn.softmax(0.5 * scaled**2 - 0.5 * jnp.log(precision) + log, axis=1)
    # mean and variance of c >= 0
    slope = jnp.exp(jax.scipy.stats.norm.logpdf(scaled) - log)
    mean = (scaled + slope) / jnp.sqrt(precision)
    within = jnp.maximum(1 - slope * (slope + scaled), 0.0) / precision
    att, c = found[0][:, None], found[1][:, None]

    def over_all(square: Array) -> Array:
        return jnp.sqrt(jnp.sum(weight * square, axis=1))

    amplitudes = [over_all(within + (mean - c) ** 2)]
    if curves.through is not None:
        v = alone - both * mean
        amplitudes.append(over_all(both**2 * within + variance / power + (v - found[2][:, None]) ** 2))
    return over_all((curves.att - att) ** 2), tuple(amplitudes)
