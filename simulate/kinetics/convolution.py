r"""Convolution of a piecewise-linear curve with a decaying exponential, exactly: samples and frame averages.

    E(t; k) = \int_{t_0}^{t} e^{-k (t - s)} c(s) ds

With c linear between its samples, one step of length h changes E and adds to its integral (x = k h)

    E_{i+1}  = e^{-x} E_i + h [c_i (\phi_1 - \phi_2) + c_{i+1} \phi_2],
    \int E   = h \phi_1 E_i + h^2 [c_i (\phi_2 - \phi_3) + c_{i+1} \phi_3],
    \phi_0 = e^{-x},   \phi_{n+1}(x) = (1/n! - \phi_n(x)) / x,

so the only error is that of rounding: any time grid, any first time, any window, any rate from 0 (the
running integral) to infinity. Near x = 0 the functions are summed as their Taylor series, which keeps all
derivatives right at k = 0 as well, and no term is the difference of two larger ones.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float, Real

from simulate.kinetics.windows import add_exactly, next_knot, running_sums, split_windows, sum_of_whole, take_at

_PHI3_SERIES = tuple((-1) ** n / math.factorial(n + 3) for n in range(18))
_TERMS = {"float32": 9, "float64": 18}  # 1/12! < 3e-9 and 1/21! < 2e-20: exact to rounding for |x| < 1


def phi_functions(x: Array) -> tuple[Array, Array, Array]:
    """The exponential-integrator functions phi1 = (1-e^-x)/x, phi2 = (1-phi1)/x, phi3 = (1/2-phi2)/x at x >= 0."""
    small = jnp.abs(x) < 1
    near = jnp.where(small, x, 0.0)  # each branch only ever sees arguments it is accurate for,
    far = jnp.where(small, 1.0, x)  # so that neither poisons the other's gradient
    coefficients = _PHI3_SERIES[: _TERMS[x.dtype.name]]
    series = jnp.full_like(near, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        series = series * near + jnp.full_like(near, coefficient)  # in float64, 1/6 is not what float32 has
    phi2_near = 0.5 - near * series
    phi1_far = -jnp.expm1(-far) / far
    phi2_far = (1 - phi1_far) / far
    phi1 = jnp.where(small, 1 - near * phi2_near, phi1_far)
    phi2 = jnp.where(small, phi2_near, phi2_far)
    return phi1, phi2, jnp.where(small, series, (0.5 - phi2_far) / far)


def exponential_convolution(
    curve: Float[Array, " k"],
    knots: Float[Array, " k"],
    rate: Float[Array, "*s"],
    times: Float[Array, "*#s t"] | None = None,
    *,
    duration: Real[ArrayLike, "*#t"] = 0.0,
) -> Float[Array, "*s t"]:
    """Convolve a piecewise-linear curve with exp(-rate t).

    Parameters
    ----------
    curve : (k,) array
        Values at the knots; zero before the first knot, constant after the last.
    knots : (k,) array [s]
        Strictly increasing times.
    rate : (...) array [1/s]
        Non-negative; 0 gives the running integral, infinity gives 0.
    times : (..., t) array [s]
        Where to evaluate; the knots themselves by default. May differ per rate (a delay d is `times = t - d`), and the
        result is differentiable in it.
    duration : float or (t,) array [s]
        Length of the windows centred at `times` over which the mean is taken; 0 samples.

    Returns
    -------
    (..., t) array [unit of curve x s]
        The convolution.
    """
    return _convolved(curve, knots, rate, times, None if is_zero(duration) else duration)


@jax.jit
def _convolved(curve: Array, knots: Array, rate: Array, times: Array | None, duration: Any) -> Array:
    """One program rather than one for every operation. duration : None samples."""
    step = next_knot(knots) - knots
    sampled = duration is None
    if times is None and sampled:
        return _at_knots(curve, step, rate)[0]
    windows = split_windows(knots, knots if times is None else times, 0.0 if duration is None else duration)
    at_knots, integrals = _at_knots(curve, step, rate)
    slope = _slopes(curve, step)

    def advance(value, level, length, index):
        """Value of E and its integral after `length`, from this value and the curve's level there."""
        x = jnp.where(length > 0, rate[..., None] * length, 0.0)  # an infinite rate has no memory, not NaN
        phi1, phi2, phi3 = phi_functions(x)
        reached = level + slope[index] * length
        later = jnp.exp(-x) * value + length * (level * (phi1 - phi2) + reached * phi2)
        return later, length * (phi1 * value + length * (level * (phi2 - phi3) + reached * phi3))

    start, _ = advance(take_at(at_knots, windows.first), curve[windows.first], windows.since, windows.first)
    if sampled:
        return jnp.where(windows.begun, start, 0.0)
    level = curve[windows.first] + slope[windows.first] * windows.since
    _, head = advance(start, level, windows.head, windows.first)
    _, tail = advance(take_at(at_knots, windows.last), curve[windows.last], windows.tail, windows.last)
    whole = sum_of_whole(running_sums(integrals), windows)
    return _mean(start, head + whole + tail, windows)


def _at_knots(curve: Array, step: Array, rate: Array) -> tuple[Array, Array]:
    """The convolution at the knots and its integral over the interval after each (*s, k), by the recursion above.

    Where e^{-x} is near 1 its rounding is the same in every step and adds up over thousands of them: there the
    change is added, and what the sum rounds away is kept.
    """
    x = rate[..., None] * step
    phi1, phi2, phi3 = phi_functions(x)
    after = next_knot(curve)
    gain = step * (curve * (phi1 - phi2) + after * phi2)
    short = x < 0.5
    lost = jnp.where(short, x, 0.0) * phi1  # 1 - e^{-x}

    def advance(total, one):
        decay, lost, gain, short = one
        high, low = total
        summed = add_exactly(total, gain - lost * (high + low))
        direct = (decay * (high + low) + gain, jnp.zeros_like(low))
        return tuple(jnp.where(short, a, b) for a, b in zip(summed, direct, strict=True)), high + low

    columns = (jnp.moveaxis(part, -1, 0) for part in (jnp.exp(-x), lost, gain, short))
    zero = jnp.zeros_like(gain[..., 0])
    _, values = jax.lax.scan(advance, (zero, zero), tuple(columns))
    values = jnp.moveaxis(values, 0, -1)
    return values, step * (phi1 * values + step * (curve * (phi2 - phi3) + after * phi3))


def interpolate(
    curve: Float[Array, " k"],
    knots: Float[Array, " k"],
    times: Float[Array, "*w"],
    duration: Real[ArrayLike, "*#w"] = 0.0,
) -> Float[Array, "*w"]:
    """The piecewise-linear curve itself: zero before its first knot, constant after its last.

    duration : length of the windows centred at `times` over which the mean is taken [s]; 0 samples.
    """
    if is_zero(duration):
        return jnp.interp(times, knots, curve, left=0.0)
    return _averaged(curve, knots, times, duration)


@jax.jit
def _averaged(curve: Array, knots: Array, times: Array, duration: Any) -> Array:
    windows = split_windows(knots, times, duration)
    step = next_knot(knots) - knots
    slope = _slopes(curve, step)
    start = curve[windows.first] + slope[windows.first] * windows.since
    head = windows.head * (start + slope[windows.first] * windows.head / 2)
    tail = windows.tail * (curve[windows.last] + slope[windows.last] * windows.tail / 2)
    sums = running_sums(step * (curve + next_knot(curve)) / 2)
    return _mean(start, head + sum_of_whole(sums, windows) + tail, windows)


def _slopes(curve: Array, step: Array) -> Array:
    """Slope of the curve after every knot; 0 after the last."""
    return (next_knot(curve) - curve) / jnp.where(step > 0, step, 1.0)


def _mean(sample: Array, integral: Array, windows: Any) -> Array:
    """The integral over the window's length, or the sample where the window has none."""
    wide = windows.length > 0
    mean = jnp.where(wide, integral / jnp.where(wide, windows.length, 1.0), sample)
    return jnp.where(windows.begun, mean, 0.0)


def is_zero(duration: Any) -> bool:
    """Whether no window is asked for: known before tracing, so that samples cost what they did."""
    return isinstance(duration, float | int) and duration == 0
