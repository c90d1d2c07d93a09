r"""Random arterial inputs: what may flow into a tissue block, wide on purpose.

Three families, each with its own first pass, recirculation and washout, stretched in time (injection rate, cardiac
output) and with another ratio of tail to first pass:

    parker    Gaussian passes and an exponential behind a sigmoid (Parker 2006)
    georgiou  exponentials times a train of gamma densities (Georgiou 2019)
    gamma     gamma-variate first pass, a wider second one, and biexponential washout

A draw mixes them, passes a stirred volume (heart, lungs, vein), and is scaled to an area over the first
`AREA_WINDOW` seconds. The ranges are chosen. Like a population's curve, a draw is the plasma concentration
[mmol/L] at the times that it is asked for; these begin at its onset, with equal steps.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key

from simulate.inputs.population import gamma_variate_aif, georgiou_shape, parker_shape, weinmann_aif
from simulate.inputs.transit import disperse

AREA_WINDOW = 90.0
"""Seconds after arrival over which the area of an input, and that of a tissue curve, are taken as their scale."""

POPULATION_AREA = 211.2
"""Area [mmol/L s] of Parker's plasma curve (haematocrit 0.42) over its first `AREA_WINDOW`."""

AMPLITUDE = (0.5, 1.5)
"""Range of the area over the population's (uniform)."""


class InletRange(NamedTuple):
    """Ranges of a draw; log-uniform for factors, uniform for the rest.

    stretch : of the first pass in time.      tail : factor on the ratio of washout to first pass.
    dispersion : time constant of the stirred volume [s].      washout : factor on the rates of the washout.
    amplitude : area over `POPULATION_AREA`.
    """

    stretch: tuple[float, float] = (0.5, 2.5)
    tail: tuple[float, float] = (0.3, 6.0)
    dispersion: tuple[float, float] = (0.0, 4.0)
    washout: tuple[float, float] = (0.6, 1.6)
    amplitude: tuple[float, float] = AMPLITUDE


ANY_INLET = InletRange()


@partial(jax.jit, static_argnames="ranges")
def draw_inlet(key: Key[Array, ""], times: Float[Array, " k"], ranges: InletRange = ANY_INLET) -> Float[Array, " k"]:
    """One random input at `times` [s]."""
    keys = jax.random.split(key, 10)

    def log_uniform(k: Array, low: float, high: float) -> Array:
        return jnp.exp(jax.random.uniform(k, minval=jnp.log(low), maxval=jnp.log(high)))

    stretch = log_uniform(keys[0], *ranges.stretch)
    tail = log_uniform(keys[1], *ranges.tail)
    washout = log_uniform(keys[2], *ranges.washout)
    curves = jnp.stack(
        [
            parker_shape(times, stretch=stretch, tail=tail, washout=washout),
            georgiou_shape(times, stretch=stretch, tail=tail, washout=washout),
            _gamma_shape(keys[3], times, stretch, tail, washout),
        ]
    )
    curves = curves / window_area(curves, times)[:, None]
    share = jax.random.dirichlet(keys[4], jnp.full(3, 0.3))
    curve = disperse(
        share @ curves, times, time_constant=jax.random.uniform(keys[5], (), times.dtype, *ranges.dispersion)
    )
    area = POPULATION_AREA * jax.random.uniform(keys[6], (), times.dtype, *ranges.amplitude)
    return curve * area / window_area(curve, times)


@partial(jax.jit, static_argnames="amplitude")
def unseen_inlet(
    key: Key[Array, ""], times: Float[Array, " k"], amplitude: tuple[float, float] = AMPLITUDE
) -> Float[Array, " k"]:
    """An input of a family that `draw_inlet` does not know: Weinmann's washout behind an infusion of 15 to 60 s.

    For tests of what an estimator makes of an injection that it was not trained for.
    """
    long, scale = jax.random.split(key)
    duration = jax.random.uniform(long, (), times.dtype, 15.0, 60.0)
    step = times[1] - times[0]
    washout = weinmann_aif(times)
    infused = (jnp.cumsum(washout) - washout / 2) * step
    before = jnp.interp(times - duration, times, infused, left=0.0)
    curve = (infused - before) / duration
    area = POPULATION_AREA * jax.random.uniform(scale, (), times.dtype, *amplitude)
    return curve * area / window_area(curve, times)


def window_area(curve: Float[Array, "*s k"], times: Float[Array, " k"], *, arrival: float = 0.0) -> Float[Array, "*s"]:
    """Area [mmol/L s] over `AREA_WINDOW`, which begins `arrival` [s] after the first of the times.

    It is the sum of the samples: they are read as the weights of splines (`simulate.banks.contrast.inlet_curve`).
    """
    since = times - times[0] - arrival
    inside = ((since >= 0) & (since < AREA_WINDOW)).astype(curve.dtype)
    return (times[1] - times[0]) * jnp.sum(curve * inside, axis=-1)


def _gamma_shape(key: Array, times: Array, stretch: Array, tail: Array, washout: Array) -> Array:
    """Gamma-variate first pass, its recirculation, and washout that builds up with the first pass."""
    a, b, c, d, e = jax.random.uniform(key, (5,))
    peak_time = stretch * (5 + 4 * a)
    alpha = 1.5 + 4 * b
    first = gamma_variate_aif(times, peak=1.0, time_to_peak=peak_time, alpha=alpha, haematocrit=0.0)
    later = times - stretch * (8 + 8 * c)
    second = gamma_variate_aif(later, peak=0.1 + 0.25 * d, time_to_peak=1.8 * peak_time, alpha=alpha, haematocrit=0.0)
    slow = 0.6 * jnp.exp(-washout * times / 100) + 0.4 * jnp.exp(-washout * times / 1000)
    rise = -jnp.expm1(-((times / (2 * peak_time)) ** 2))
    return first + second + tail * (0.15 + 0.15 * e) * rise * slow
