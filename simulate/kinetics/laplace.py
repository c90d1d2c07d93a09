r"""Back from the s-domain: filter a piecewise-linear curve by a transfer function, on a Bromwich line.

    y(t) = e^{\sigma t}/P Re[ Y(\sigma) + 2 \sum_{n>=1} Y(\sigma + i 2\pi n/P) e^{i 2\pi n t/P} ],
    Y(s) = H(s) c(s)

with the exact transform c(s) of the piecewise-linear curve, so nothing is sampled but s. The window P
is twice the time range and sigma makes what wraps around smaller than `wrap`. The sum over n is
cut off: hand in transfer functions that fall off quickly (take fronts and jumps out first).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Real

from simulate.kinetics.double import DoubleComplex, exp, in_double
from simulate.kinetics.windows import next_knot


def bromwich_line(first: Array, last: Array, frequencies: int, wrap: float) -> jaxtyping.Complex[Array, " n"]:
    """The points sigma + i omega_n [1/s] for curves that live on [first, last]."""
    window = 2 * (last - first)
    sigma = -np.log(wrap) / window
    return sigma + 2j * jnp.pi / window * jnp.arange(frequencies)


def integral_transform(
    curve: Float[Array, " k"], knots: Float[Array, " k"], s: jaxtyping.Complex[Array, " n"]
) -> jaxtyping.Complex[Array, " n"]:
    """Laplace transform, from knots[0] on, of the running integral of the piecewise-linear curve.

    The curve is constant after its last knot: its slope changes at every knot, its value jumps at the first.
    """
    slope = jnp.concatenate([jnp.zeros(1, curve.dtype), jnp.diff(curve) / jnp.diff(knots), jnp.zeros(1)])
    kinks = jnp.exp(-s[:, None] * (knots - knots[0])) @ jnp.diff(slope).astype(s.dtype)
    return (kinks / s + curve[0]) / s**2


def filter_integral(
    transfer: Callable[[DoubleComplex], DoubleComplex],
    curve: Float[Array, " k"],
    knots: Float[Array, " k"],
    times: Float[Array, " t"],
    *,
    duration: Real[ArrayLike, "*#t"] = 0.0,
) -> Float[Array, "*s t"]:
    """Filter the running integral of a piecewise-linear curve by the transfer function H(s), all in float64.

    Parameters
    ----------
    transfer : H(s) for s of shape (n,), returning (*s, n).
    curve, knots : the curve and its sample times [s].
    times : where to evaluate [s]; 0 is returned before the first knot.
    duration : length of the windows centred at `times` over which the mean is taken [s]; 0 samples.
    """
    first = knots[0]
    half = jnp.asarray(duration, times.dtype) / 2
    last = jnp.maximum(knots[-1], jnp.max(times + half))
    window = 2 * (last - first)
    step = next_knot(knots) - knots
    slope = (next_knot(curve) - curve) / jnp.where(step > 0, step, 1.0)
    kinks = slope - jnp.where(np.arange(knots.size) > 0, slope[np.maximum(np.arange(knots.size) - 1, 0)], 0.0)

    @jax.checkpoint
    def add(total, turn):
        omega = turn / window
        s = DoubleComplex(jnp.full_like(omega, -np.log(_WRAP)) / window, omega)
        integral = (_matmul(exp(s[:, None] * (first - knots)), kinks) / s + curve[0]) / (s * s)
        spectrum = transfer(s) * integral
        turned = s[:, None] * jnp.where(half > 0, half, 1.0)
        average = (exp(turned) - exp(-turned)) / (turned * 2)
        back = exp(s[:, None] * (times - first)) * (jnp.where(turn > 0, 2.0, 1.0) / window)[:, None]
        smooth = back * average
        back = DoubleComplex(*(jnp.where(half > 0, a, b) for a, b in ((smooth.re, back.re), (smooth.im, back.im))))
        return total + spectrum.re @ back.re - spectrum.im @ back.im, None

    turns = in_double(2 * np.pi * np.arange(_FREQUENCIES).reshape(-1, _AT_ONCE))
    shape = jax.eval_shape(lambda n: transfer(DoubleComplex(n, n)).re, turns[0]).shape[:-1]
    filtered, _ = jax.lax.scan(add, jnp.zeros((*shape, times.size), times.dtype), turns)
    return jnp.where(times + half >= first, filtered, 0.0)


def _matmul(matrix: DoubleComplex, vector: Array) -> DoubleComplex:
    return DoubleComplex(matrix.re @ vector, matrix.im @ vector)


_FREQUENCIES = 8192  # the error falls as their number to the power -(2+d) where H falls off as s^-d
_AT_ONCE = 512
_WRAP = 1e-9
