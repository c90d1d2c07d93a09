r"""Back from the s-domain: filter a piecewise-linear curve by a transfer function, on a Bromwich line.

    y(t) = e^{\sigma t}/P Re[ Y(\sigma) + 2 \sum_{n>=1} Y(\sigma + i 2\pi n/P) e^{i 2\pi n t/P} ],
    Y(s) = H(s) c(s)

with the exact transform c(s) of the piecewise-linear curve, so nothing is sampled but s. The window P
is twice the time range and sigma makes what wraps around smaller than `wrap`. The sum over n is
cut off after `frequencies` terms: hand in transfer functions that fall off quickly (take fronts and
jumps out first) or the input's own integral.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Complex, Float, Real


def bromwich_line(first: Array, last: Array, frequencies: int, wrap: float) -> Complex[Array, " n"]:
    """The points sigma + i omega_n [1/s] for curves that live on [first, last]."""
    window = 2 * (last - first)
    sigma = -np.log(wrap) / window
    return sigma + 2j * jnp.pi * jnp.arange(frequencies) / window


def integral_transform(
    curve: Float[Array, " k"], knots: Float[Array, " k"], s: Complex[Array, " n"]
) -> Complex[Array, " n"]:
    """Laplace transform, from knots[0] on, of the running integral of the piecewise-linear curve.

    The curve is constant after its last knot: its slope changes at every knot, its value jumps at the first.
    """
    slope = jnp.concatenate([jnp.zeros(1, curve.dtype), jnp.diff(curve) / jnp.diff(knots), jnp.zeros(1)])
    kinks = jnp.exp(-s[:, None] * (knots - knots[0])) @ jnp.diff(slope).astype(s.dtype)
    return (kinks / s + curve[0]) / s**2


def filter_integral(
    transfer: Callable[[Array], Array],
    curve: Float[Array, " k"],
    knots: Float[Array, " k"],
    times: Float[Array, " t"],
    *,
    duration: Real[ArrayLike, "*#t"] = 0.0,
    frequencies: int,
) -> Float[Array, "*s t"]:
    """Filter the running integral of a piecewise-linear curve by the transfer function H(s).

    Parameters
    ----------
    transfer : H(s) for s of shape (n,), returning (*s, n).
    curve, knots : the curve and its sample times [s].
    times : where to evaluate [s]; 0 is returned before the first knot.
    duration : length of the windows centred at `times` over which the mean is taken [s]; 0 samples.
    frequencies : number of terms; the error falls as frequencies^-(2+d) where H falls off as s^-d.
    """
    wrap = 1e-9 if curve.dtype == jnp.float64 else 1e-4  # float32 cannot afford a larger e^{sigma t}
    first = knots[0]
    half = jnp.asarray(duration, times.dtype) / 2
    last = jnp.maximum(knots[-1], jnp.max(times + half))
    s = bromwich_line(first, last, frequencies, wrap)
    spectrum = transfer(s) * integral_transform(curve, knots, s)
    weight = jnp.ones(frequencies).at[1:].set(2.0) / (2 * (last - first))
    turned = s[:, None] * jnp.where(half > 0, half, 1.0)
    average = jnp.where(half > 0, jnp.sinh(turned) / turned, 1.0)
    back = weight[:, None] * jnp.exp(s[:, None] * (times - first)) * average
    filtered = jnp.real(spectrum) @ jnp.real(back) - jnp.imag(spectrum) @ jnp.imag(back)
    return jnp.where(times + half >= first, filtered, 0.0)
