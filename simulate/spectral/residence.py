r"""How long plasma stays in a vessel, as a transfer function h(s) of its residence times.

Large vessels keep their parabolic profile: h(t) = \tau^2/(2 t^3) from \tau/2 on, with transform 2 E_3(s\tau/2).
Where molecules cross the radius a in a time a^2/D far below the transit time \tau, the profile is flat and what
is left is dispersion (Taylor, Proc R Soc A 219:186, 1953; Aris, 235:67, 1956):

    h(s) = exp[ (1 - sqrt(1 + 4 d s \tau))/(2 d) ],   d = D (1 + Pe^2/48)/(u L),  Pe = u a/D.

In between, a share w = m/(1+m), m = (a^2/D)/\tau, of the plasma is parabolic (chosen; both ends are exact and the
mean stays \tau). One kernel serves a whole vessel from branching to branching: blood mixes at a bifurcation.

Beside h, what the vessel holds: \phi = (1-h)/(s\tau) is its mean concentration over that of its inflow.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Complex, Inexact

from simulate.base.constants import PLASMA_DIFFUSIVITY

_NEAR = 3.0
"""|z| up to which E_3 is summed as a series; beyond, its continued fraction converges fast."""

_DEPTHS = {True: (28, 60), False: (18, 20)}
"""Terms of the series and of the fraction in double and in single precision: errors of 1e-13 and 1e-6."""


def plug(s: Complex[ArrayLike, "*#b"], transit: Inexact[ArrayLike, "*#b"]) -> tuple[Array, Array]:
    """(h, phi) of plug flow: a delay."""
    x = jnp.asarray(s) * transit
    return jnp.exp(-x), mean_of_decay(x)


def parabolic(s: Complex[ArrayLike, "*#b"], transit: Inexact[ArrayLike, "*#b"]) -> tuple[Array, Array]:
    """(h, phi) of a parabolic profile without radial mixing: 2 E_3(s tau/2)."""
    return _parabolic(jnp.asarray(s) * transit / 2)


@jax.custom_jvp
def _parabolic(z: Array) -> tuple[Array, Array]:
    """(h, phi) = (2 E_3(z), (1 - h)/(2 z))."""
    terms, depth = _DEPTHS[z.dtype == jnp.complex128]
    near = jnp.abs(z) < _NEAR
    phi = jnp.where(near, _parabolic_series(jnp.where(near, z, 1.0), terms), 0.0)
    far = jnp.where(near, 2 * _NEAR, z)
    h_far = 2 * jnp.exp(-far) * _e3_fraction(far, depth)
    phi = jnp.where(near, phi, (1 - h_far) / (2 * far))
    return jnp.where(near, 1 - 2 * z * phi, h_far), phi


@_parabolic.defjvp
def _parabolic_slope(primals: tuple[Array], tangents: tuple[Array]) -> tuple[tuple, tuple]:
    """E_3' = -E_2 and 2 E_3 = e^-z - z E_2 give h' = -2 (2 phi - m) and phi' = (phi - m)/z, m = (1 - e^-z)/z."""
    (z,), (dz,) = primals, tangents
    h, phi = _parabolic(z)
    m = mean_of_decay(z)
    tiny = jnp.abs(z) < 1e-30
    slope = jnp.where(tiny, 0.0, (phi - m) / jnp.where(tiny, 1.0, z))
    return (h, phi), (-2 * (2 * phi - m) * dz, slope * dz)


def dispersed(
    s: Complex[ArrayLike, "*#b"], transit: Inexact[ArrayLike, "*#b"], dispersion: Inexact[ArrayLike, "*#b"]
) -> tuple[Array, Array]:
    """(h, phi) of Taylor-Aris flow; `dispersion` is d = D_eff/(u L)."""
    x = jnp.asarray(s) * transit
    # (1 - sqrt(1+4dx))/(2d) without cancellation
    exponent = 2 * x / (1 + jnp.sqrt(1 + 4 * dispersion * x))
    small = jnp.abs(x) < 1e-30
    return jnp.exp(-exponent), jnp.where(small, 1.0, mean_of_decay(exponent) * exponent / jnp.where(small, 1.0, x))


def vessel(
    s: Complex[ArrayLike, "*#b"],
    transit: Inexact[ArrayLike, "*#b"],
    radius: Inexact[ArrayLike, "*#b"],
    length: Inexact[ArrayLike, "*#b"],
    *,
    diffusivity: float = PLASMA_DIFFUSIVITY,
) -> tuple[Array, Array]:
    """(h, phi) of a vessel.

    s : [1/s].      transit : mean time of plasma in it [s].      radius, length : [mm].
    """
    transit = jnp.asarray(transit)
    lasting = jnp.maximum(transit, 1e-9)
    mixing = jnp.asarray(radius) ** 2 / diffusivity / lasting
    dispersion = diffusivity * lasting / jnp.maximum(jnp.asarray(length), 1e-9) ** 2 + mixing / 48
    share = mixing / (1 + mixing)
    h_flat, phi_flat = dispersed(s, transit, dispersion)
    h_round, phi_round = parabolic(s, transit)
    return share * h_round + (1 - share) * h_flat, share * phi_round + (1 - share) * phi_flat


def mean_of_decay(x: Array) -> Array:
    """(1 - e^-x)/x, right at x = 0."""
    small = jnp.abs(x) < 1e-2
    safe = jnp.where(small, 1.0, x)
    near = jnp.where(small, x, 0.0)
    return jnp.where(small, 1 - near / 2 * (1 - near / 3 * (1 - near / 4)), -jnp.expm1(-safe) / safe)


def _parabolic_series(z: Array, terms: int) -> Array:
    """(1 - 2 E_3(z))/(2 z) by the series of E_3 around 0 (Abramowitz & Stegun 5.1.12)."""
    tiny = jnp.abs(z) < 1e-30
    logarithm = jnp.log(jnp.where(tiny, 1.0, z))
    psi = 1.5 - float(np.euler_gamma)
    power = z
    total = 1 - z / 2 * (psi - logarithm)
    for m in range(3, terms):
        power = power * z
        total = total + (-1) ** m / ((m - 2) * math.factorial(m)) * power
    return jnp.where(tiny, 1.0, total)


def _e3_fraction(z: Array, depth: int) -> Array:
    """e^z E_3(z) by its continued fraction (Abramowitz & Stegun 5.1.22), from the far end.

    v_k = z + (2+k) / (1 + k/v_{k+1}), as numerator and denominator over z: two complex divisions in all, since
    those are what takes the time, to run and to compile.
    """
    w = 1 / z
    over, under = jnp.ones_like(z), w  # v = over/under = z
    for k in range(depth, 0, -1):
        both = over + k * under
        over, under = both + (2 + k) * w * over, w * both
    return under / over
