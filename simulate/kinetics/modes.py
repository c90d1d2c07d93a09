r"""Residues of capillaries as sums of decaying exponentials with complex rates.

    R(t) = Re \sum_j w_j e^{-k_j t}     for every t >= 0

A capillary is a chain: of N stirred tanks, or (DP, `plug_flow`) of stays in the EES whose number is Poisson
distributed. The chain's generating function in z is that of a single link, and the chain's own terms follow from it by
Cauchy's formula, with the trapezoid rule on a circle |z| = r < 1. There every Re k_j > 0, so that one sum
holds from t = 0 to any t. What the rule aliases are terms that lie `circle` further on, times r^circle.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from simulate.kinetics.convolution import interpolate
from simulate.kinetics.double import DoubleComplex, exp, in_double, sqrt
from simulate.kinetics.windows import next_knot, take_at

_ALIASED = 20.0  # -ln r^circle: 2e-9
_NOTHING = 1e-9  # volume fraction that stands for none
_SLOWEST = 1e-7  # rate [1/s] that stands for none: slower ones cost float64 too many digits
_SAMPLE = 1e-3  # s: a frame that stands for a sample, where frames have durations


def stirred_tanks_modes(Fp: Array, PS: Array, vp: Array, ve: Array, number: int) -> tuple[tuple, tuple]:
    """N stirred tanks, each a 2CXM of Fp, PS/N, vp/N, ve/N, as fast and slow modes, each (rates, weights).

    Tracer that leaves one tank enters the next: with z^m for the m-th tank, all of them together are one
    2CXM of flow f = N Fp (1 - z), and what the tanks hold are the first N coefficients in z.
    """
    circle = max(2 * number, number + 8) // 2 * 2
    z = np.exp((-_ALIASED + 2j * np.pi * (np.arange(circle // 2) + 0.5)) / circle)
    of_first = 2 / circle * z * (1 - z**-number) / (z - 1)
    leaving, of_first = (DoubleComplex(in_double(np.real(x)), in_double(np.imag(x))) for x in (1 - z, of_first))
    PS, vp, ve = PS[..., None], jnp.maximum(vp, _NOTHING)[..., None], jnp.maximum(ve, _NOTHING)[..., None]
    f = leaving * (number * Fp[..., None])
    both = f + PS * (1 + vp / ve)
    spread = sqrt(both * both - f * (4 * PS * vp / ve))  # of the two roots k = vp K, as in two_compartment_exchange
    fast = (both + spread) / 2
    slow = f * (PS * vp / ve) / fast
    quick, lasting = fast / vp, f * (PS / ve) / fast
    lasting = DoubleComplex(jnp.maximum(lasting.re, _SLOWEST), lasting.im)
    return (quick, (of_first * (f - slow) / spread,)), (lasting, (of_first * (fast - f) / spread,))


def convolve_modes(
    modes: tuple[DoubleComplex, tuple[DoubleComplex, ...]],
    curve: Float[Array, " k"],
    knots: Float[Array, " k"],
    times: Float[Array, "*s t"],
    duration: Array | None,
) -> list[Float[Array, "*s t"]]:
    r"""Convolve a piecewise-linear curve with sums of modes, all in float64.

    modes : rates (*s, j) [1/s] and one or more sets of weights (*s, j); each set gives one result.
    duration : of the windows centred at `times` over which the mean is taken [s], or None to sample.

    With G(t) = \int e^{-k (t-s)} dc(s), jump at the first knot included, a mode gives E = (c - G)/k, and over
    a window [a, b] of length d the mean [mean(c) - (E(b) - E(a))/d]/k. The digits that this loses where
    k T or k d are small, float64 can spare.
    """
    rate, weights = modes
    if duration is None:
        return _sums_of_modes(rate, weights, curve, knots, (times,))[0]
    width = jnp.maximum(jnp.asarray(duration, times.dtype), _SAMPLE)
    once = tuple(weight / rate for weight in weights)
    start, end = _sums_of_modes(rate, once, curve, knots, (times - width / 2, times + width / 2))
    mean = interpolate(curve, knots, times, width)
    steady = [jnp.sum(weight.re, axis=-1)[..., None] for weight in once]
    return [level * mean - (b - a) / width for level, a, b in zip(steady, start, end, strict=True)]


def _sums_of_modes(
    rate: DoubleComplex, weights: tuple[DoubleComplex, ...], curve: Array, knots: Array, edges: tuple[Array, ...]
) -> list[list[Array]]:
    """The convolutions at each set of times, mode after mode: the memory is that of one."""
    step = next_knot(knots) - knots
    slope = (next_knot(curve) - curve) / jnp.where(step > 0, step, 1.0)
    places = [_place(knots, curve, slope, times) for times in edges]

    @jax.checkpoint
    def add(totals, mode):
        rate, weights = mode
        level = slope * rate.inverse()  # what G tends to
        G = _at_knots(exp(-rate * step), level, curve[0])
        out = []
        for sums, (begun, index, since, value) in zip(totals, places, strict=True):
            before, target = (jax.tree.map(lambda x, index=index: take_at(x, index), x) for x in (G, level))
            now = (before - target) * exp(-rate * since) + target
            held = (value - now) / rate
            out.append([a + jnp.where(begun, _real(w, held), 0.0) for a, w in zip(sums, weights, strict=True)])
        return out, None

    columns = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0)[..., None], (rate, weights))
    zero = jnp.zeros(jnp.broadcast_shapes((*rate.re.shape[:-1], 1), edges[0].shape), curve.dtype)
    return jax.lax.scan(add, [[zero for _ in weights] for _ in edges], columns)[0]


def _real(a: DoubleComplex, b: DoubleComplex) -> Array:
    """The real part of the product."""
    return a.re * b.re - a.im * b.im


def _at_knots(decay: DoubleComplex, level: DoubleComplex, jump: Array) -> DoubleComplex:
    """G at every knot (*s, k), from the decay over the interval after it."""

    def advance(G, one):
        decay, level = one
        return (G - level) * decay + level, G

    columns = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), (decay, level))
    zero = jnp.zeros_like(decay.re[..., 0])
    _, G = jax.lax.scan(advance, DoubleComplex(zero + jump, zero), columns)
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), G)


def _place(knots: Array, curve: Array, slope: Array, times: Array) -> tuple[Array, Array, Array, Array]:
    """Of each time: whether the curve has begun, the knot before it, the time since that knot, the curve's value."""
    begun = times >= knots[0]
    index = jnp.clip(jnp.searchsorted(knots, times, side="right") - 1, 0, knots.size - 1)
    since = jnp.where(begun, times - knots[index], 0.0)
    return begun, index, since, curve[index] + slope[index] * since
