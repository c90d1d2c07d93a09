r"""Convolution of a piecewise-linear curve with a decaying exponential, exactly.

    E(t; k) = \int_{t_0}^{t} e^{-k (t - s)} c(s) ds

With c linear between its samples, one step of length h adds (x = k h)

    E_{i+1} = e^{-x} E_i + h [c_i (\phi_1 - \phi_2)(x) + c_{i+1} \phi_2(x)],
    \phi_1(x) = (1 - e^{-x}) / x,   \phi_2(x) = (1 - \phi_1(x)) / x,

so the only error is that of rounding: any time grid, any first time, any rate from 0 (the running
integral) to infinity. Near x = 0 both functions are summed as their Taylor series, which keeps all
derivatives right at k = 0 as well.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

_TERMS = 18  # 1/20! < 5e-19: exact to rounding for |x| < 1 in float64
_PHI2_SERIES = tuple((-1) ** n / math.factorial(n + 2) for n in range(_TERMS))


def phi1_phi2(x: Array) -> tuple[Array, Array]:
    """The exponential-integrator functions (1-e^-x)/x and (1-phi1)/x, smooth through x = 0."""
    small = jnp.abs(x) < 1
    near = jnp.where(small, x, 0.0)  # each branch only ever sees arguments it is accurate for,
    far = jnp.where(small, 1.0, x)  # so that neither poisons the other's gradient
    series = jnp.full_like(near, _PHI2_SERIES[-1])
    for coefficient in reversed(_PHI2_SERIES[:-1]):
        series = series * near + coefficient
    phi1_far = -jnp.expm1(-far) / far
    phi2 = jnp.where(small, series, (1 - phi1_far) / far)
    phi1 = jnp.where(small, 1 - near * series, phi1_far)
    return phi1, phi2


def exponential_convolution(
    curve: Float[Array, " k"],
    knots: Float[Array, " k"],
    rate: Float[Array, "*s"],
    times: Float[Array, "*#s t"] | None = None,
) -> Float[Array, "*s t"]:
    """Convolve a piecewise-linear curve with exp(-rate t).

    Parameters
    ----------
    curve : values at the knots; zero before the first knot, constant after the last.
    knots : strictly increasing times [s].
    rate : non-negative rates [1/s]; 0 gives the running integral, infinity gives 0.
    times : where to evaluate [s]; the knots themselves by default. May differ per rate (a delay d is
        `times = t - d`), and the result is differentiable in it.

    Returns
    -------
    (*s, t) convolution, in units of curve x s.
    """
    step = jnp.diff(knots)
    at_knots = _at_knots(curve, step, rate)
    if times is None:
        return at_knots
    last = knots.size - 1
    index = jnp.clip(jnp.searchsorted(knots, times, side="right") - 1, 0, last)
    begun = times >= knots[0]
    elapsed = jnp.where(begun, times - knots[index], 0.0)
    slope = jnp.concatenate([jnp.diff(curve) / step, jnp.zeros(1, curve.dtype)])
    start = curve[index]
    end = start + slope[index] * elapsed
    x = jnp.where(elapsed > 0, rate[..., None] * elapsed, 0.0)  # an infinite rate has no memory, not NaN
    phi1, phi2 = phi1_phi2(x)
    index = jnp.broadcast_to(index, x.shape)
    carried = jnp.exp(-x) * jnp.take_along_axis(at_knots, index, axis=-1)
    return jnp.where(begun, carried + elapsed * (start * (phi1 - phi2) + end * phi2), 0.0)


def _at_knots(curve: Array, step: Array, rate: Array) -> Array:
    """The convolution at the knots, by the recursion above."""
    x = rate[..., None] * step
    phi1, phi2 = phi1_phi2(x)
    gain = jnp.moveaxis(step * (curve[:-1] * (phi1 - phi2) + curve[1:] * phi2), -1, 0)
    decay = jnp.moveaxis(jnp.exp(-x), -1, 0)

    def advance(value, one):
        value = one[0] * value + one[1]
        return value, value

    first = jnp.zeros_like(gain[0])
    _, rest = jax.lax.scan(advance, first, (decay, gain))
    return jnp.moveaxis(jnp.concatenate([first[None], rest]), 0, -1)


def interpolate(curve: Float[Array, " k"], knots: Float[Array, " k"], times: Float[Array, "..."]) -> Array:
    """The piecewise-linear curve itself: zero before its first knot, constant after its last."""
    return jnp.interp(times, knots, curve, left=0.0)
