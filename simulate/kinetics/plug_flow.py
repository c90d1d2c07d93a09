r"""The distributed-parameter capillary behind its front, as a sum of exponentials with complex rates.

With b = PS/Fp, ke = PS/ve and u = t - Tc, the outflow's transfer function behind the front is e^{-b} e^{b/z},
z = 1 + s/ke (Sangren & Sheppard 1953). On a circle round s = -ke that leaves out the pole s = 0 of the input's
integral,

    R(u) = -1/(2 \pi i) \oint e^{ke u (z - 1)} w(z) dz,      w = e^{-b} (e^{b/z} - 1)/(z - 1),

which the trapezoid rule turns into a few decaying exponentials, the same for every u. Derivatives have the same
exponentials and other weights: in b that of w; in u, ke (z - 1) w; in ln ke, by parts, -d[(z - 1) w]/dz.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero

from simulate.kinetics.convolution import interpolate
from simulate.kinetics.double import DoubleComplex, exp, expm1, in_double
from simulate.kinetics.modes import convolve_modes

NODES = 26
MOST_LEAKY = 150.0
"""PS/Fp beyond which the exchange is taken as at this value: 1 - e^-150 of the tracer is extracted."""
_ALIASED = 20.0  # -ln r^circle: 2e-9
_NOTHING = 1e-7  # rate [1/s] that stands for none: slower ones cost float64 too many digits


def behind_front(leak: Array, back: Array, curve: Array, knots: Array, times: Array, duration: Array | None) -> Array:
    """R convolved with a piecewise-linear curve (*s, t), in float64; error < 1e-6 of its limit.

    leak = PS/Fp and back = PS/ve [1/s] : (*s).      curve, knots : (k,).      times : (*s, t) less delay and Tc.
    duration : of frames centred at `times` [s], or None to sample.
    """
    b = jnp.minimum(leak, MOST_LEAKY)
    slowed = jnp.maximum(back / jnp.maximum(leak / MOST_LEAKY, 1.0), _NOTHING)  # at the same mean time in the EES
    width = None if duration is None else jnp.asarray(duration, times.dtype)
    return _convolved(("",), b, slowed, curve, knots, times, width)[0]


def _by_quadrature(
    orders: tuple[str, ...], b: Array, ke: Array, curve: Array, knots: Array, times: Array, duration: Array | None
) -> list[Array]:
    """The curve convolved with R's derivative of each order: a string of b, k (in ln ke) and u, from left to right."""
    z, factor = _nodes(b)
    weights = tuple(_weight(order, b[..., None], z) * factor for order in orders)
    return convolve_modes(((1 - z) * ke[..., None], weights), curve, knots, times, duration)


def _nodes(b: Array) -> tuple[DoubleComplex, DoubleComplex]:
    """The upper half of the circle, z (*s, j), and -z dz/dtheta's share of each node.

    The number of stays has mean and variance b: b + 9 sqrt(b) + 8 nodes hold them all, and of these only the
    NODES next to s = 0 weigh anything where b is large. R does not depend on the circle, nor do derivatives.
    """
    b = jax.lax.stop_gradient(b)[..., None]
    circle = jnp.maximum(2.0 * NODES, b + 9 * jnp.sqrt(b) + 8)
    z = exp(DoubleComplex(-_ALIASED / circle, 2 * in_double(np.pi * (np.arange(NODES) + 0.5)) / circle))
    return z, z * (-2 / circle)


def _weight(order: str, b: Array, z: DoubleComplex) -> DoubleComplex:
    """w(z) of R or of its derivative."""
    if not order:
        return expm1(b / z) * jnp.exp(-b) / (z - 1)
    inner = partial(_weight, order[:-1])
    if order[-1] == "u":
        return (z - 1) * inner(b, z)
    if order[-1] == "b":
        return jax.jvp(lambda b: inner(b, z), (b,), (jnp.ones_like(b),))[1]
    ones = DoubleComplex(jnp.ones_like(z.re), jnp.zeros_like(z.im))
    return -jax.jvp(lambda z: (z - 1) * inner(b, z), (z,), (ones,))[1]


_convolved = jax.custom_jvp(_by_quadrature, nondiff_argnums=(0,))


def _rule(orders: tuple[str, ...], primals: tuple, tangents: tuple) -> tuple[list[Array], list[Array]]:
    """Derivatives without those of the exponentials: a Jacobian for little more than the curve itself."""
    b, ke, curve, knots, times, duration = primals
    d_b, d_ke, d_curve, d_knots, d_times, d_duration = tangents
    names = [name for name, d in zip("bku", (d_b, d_ke, d_times), strict=True) if not _none(d)]
    every = tuple(dict.fromkeys((*orders, *(_sorted(order + name) for name in names for order in orders))))
    found = dict(zip(every, _convolved(every, *primals), strict=True))
    out = [found[order] for order in orders]
    moved = [jnp.zeros_like(value) for value in out]

    def add(changes):
        moved[:] = [m + change for m, change in zip(moved, changes, strict=True)]

    if not _none(d_b):
        add(found[_sorted(order + "b")] * d_b[..., None] for order in orders)
    if not _none(d_ke):
        add(found[order + "k"] * (d_ke / ke)[..., None] for order in orders)
    if not _none(d_times):
        z, factor = _nodes(b)
        level = interpolate(curve, knots, times, 0.0 if duration is None else duration)
        start = [jnp.sum((_weight(order, b[..., None], z) * factor).re, axis=-1)[..., None] for order in orders]
        slopes = (found[order + "u"] * ke[..., None] + R * level for order, R in zip(orders, start, strict=True))
        add(slope * d_times for slope in slopes)
    if not _none(d_curve):
        add(_convolved(orders, b, ke, d_curve, knots, times, duration))
    rest = [(value, d) for value, d in ((knots, d_knots), (duration, d_duration)) if value is not None]
    if any(not _none(d) for _, d in rest):
        along = [jnp.zeros_like(value) if _none(d) else d for value, d in rest]

        def of_rest(knots, duration=None):
            return _by_quadrature(orders, b, ke, curve, knots, times, duration)

        add(jax.jvp(of_rest, tuple(value for value, _ in rest), tuple(along))[1])
    return out, moved


_convolved.defjvp(_rule, symbolic_zeros=True)


def _none(tangent: Any) -> bool:
    return tangent is None or isinstance(tangent, SymbolicZero)


def _sorted(order: str) -> str:
    """b first: it commutes with the others."""
    return "".join(sorted(order, key="b".__ne__))
