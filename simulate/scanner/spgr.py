"""The spoiled gradient echo both ways, by the equation of `spgr_signal`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import ArrayLike, Float, Real

from simulate.base.errors import InputError
from simulate.base.runtime import is_traced
from simulate.base.types import DCEProtocol

_NEWTON_STEPS = 30  # quadratic once near; a double root at the signal's maximum still gains one bit a step


@jax.jit
def spgr_signal(
    concentration: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#s"],
    s0: Real[ArrayLike, "*#s"] = 1.0,
    b1: Real[ArrayLike, "*#s"] = 1.0,
    r2star: Real[ArrayLike, ""] = 0.0,
    r20star: Real[ArrayLike, "*#s"] = 0.0,
) -> Float[Array, "*s t"]:
    """Spoiled-gradient-echo signal of a concentration.

    Fast water exchange is assumed: one R1 per voxel, linear in the voxel's mean concentration C::

        S = S0 sin α (1 - E1)/(1 - E1 cos α) e^{-TE R2*},   E1 = e^{-TR R1},
        R1 = 1/T10 + r1 C,   R2* = R20* + r2* C

    Parameters
    ----------
    concentration : (..., t) array [mmol/L]
        C.
    protocol : DCEProtocol
        TR, TE, flip angle and relaxivity r1.
    t10 : float or (...) array [s]
        T1 before contrast.
    s0 : float or (...) array
        Equilibrium signal, in the unit of the result.
    b1 : float or (...) array
        True over nominal flip angle.
    r2star : float [1/(s mmol/L)]
        The agent's transverse relaxivity r2*.
    r20star : float or (...) array [1/s]
        R2* before contrast.

    Returns
    -------
    (..., t) array
        Signal, in the unit of s0.
    """
    concentration = jnp.asarray(concentration)
    r1 = 1 / _per_voxel(t10) + protocol.relaxivity * concentration
    decay = jnp.exp(-protocol.echo_time * (_per_voxel(r20star) + r2star * concentration))
    angle = _angle(protocol, b1)
    return _per_voxel(s0) * jnp.sin(angle) * spgr_saturation(r1, protocol.repetition_time, angle) * decay


def spgr_saturation(
    r1: Float[ArrayLike, "..."], repetition_time: Real[ArrayLike, ""], angle: Float[ArrayLike, "..."]
) -> Array:
    """Steady state left by the pulses, (1 - E1)/(1 - E1 cos α), of R1 [1/s], TR [s] and α [rad].

    Written with 1 - E1 and 1 - cos α = 2 sin² α/2, so that float32 keeps its digits at TR R1 << 1.
    """
    recovered = -jnp.expm1(-jnp.asarray(repetition_time) * r1)
    return recovered / (2 * jnp.sin(angle / 2) ** 2 + jnp.cos(angle) * recovered)


def spgr_concentration(
    signal: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#s"],
    s0: Real[ArrayLike, "*#s"],
    b1: Real[ArrayLike, "*#s"] = 1.0,
    r2star: Real[ArrayLike, ""] = 0.0,
    r20star: Real[ArrayLike, "*#s"] = 0.0,
) -> Float[Array, "*s t"]:
    """Concentration that makes a signal; the inverse of `spgr_signal`.

    With r2* > 0 the signal rises to a maximum and falls again; of the two concentrations the smaller is returned.
    r2* = 0 has a closed form; otherwise Newton's method climbs to the smaller root.

    Parameters
    ----------
    signal : (..., t) array
        In the unit of s0.
    protocol : DCEProtocol
        TR, TE, flip angle and relaxivity r1.
    t10 : float or (...) array [s]
        T1 before contrast.
    s0 : float or (...) array
        Equilibrium signal.
    b1 : float or (...) array
        True over nominal flip angle.
    r2star : float [1/(s mmol/L)]
        The agent's transverse relaxivity r2*.
    r20star : float or (...) array [1/s]
        R2* before contrast.

    Returns
    -------
    (..., t) array [mmol/L]
        NaN where no concentration could have made the signal: zero or less, at or above its limit. Noise around a zero
        concentration gives small negative values.
    """
    known_zero = isinstance(r2star, float | int) and r2star == 0
    return _inverted(signal, protocol, t10, s0, b1, None if known_zero else r2star, r20star)


@jax.jit
def _inverted(signal: Any, protocol: DCEProtocol, t10: Any, s0: Any, b1: Any, r2star: Any, r20star: Any) -> Array:
    """r2star : None where it is known to be 0 before anything is traced."""
    angle = _angle(protocol, b1)
    undecayed = jnp.exp(protocol.echo_time * _per_voxel(r20star))
    level = jnp.asarray(signal) * undecayed / (_per_voxel(s0) * jnp.sin(angle))
    r10 = 1 / _per_voxel(t10)
    possible = (level > 0) & (level < 1)  # comparisons with NaN are False
    level = jnp.where(possible, level, 0.5)
    closed = (_unsaturated_r1(level, protocol.repetition_time, angle) - r10) / protocol.relaxivity
    if r2star is None:
        return jnp.where(possible, closed, jnp.nan)
    root, found = _newton(closed, (level, r10, protocol, angle, r2star))
    return jnp.where(possible & found, root, jnp.nan)


def baseline_signal(
    signal: Float[ArrayLike, "*s t"], protocol: DCEProtocol, baseline: Real[Array, " t"] | None = None
) -> Float[Array, "*s"] | Float[np.ndarray, "*s"]:
    """Mean over the frames before contrast, as the protocol has them; over the first one where it does not know.

    baseline : (t,) 1 in these frames and 0 after, for a number that is drawn at random and no part of the protocol.
    By NumPy where nothing is traced.
    """
    xp: Any = jnp if is_traced((signal, baseline)) else np
    curves: Any = xp.asarray(signal)
    if baseline is None:
        return xp.asarray(xp.mean(curves[..., : max(protocol.baseline, 1)], axis=-1))
    return xp.asarray(curves @ baseline / xp.maximum(xp.sum(baseline), 1))


def baseline_scale(
    signal: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#s"],
    b1: Real[ArrayLike, "*#s"] = 1.0,
    baseline: Real[Array, " t"] | None = None,
) -> Float[Array, "*s"]:
    """S0 e^{-TE R20*} from the mean of the frames before contrast (`baseline_signal`): R20* need not be known."""
    if baseline is None:
        check_known_baseline(protocol)
    before = jnp.asarray(baseline_signal(signal, protocol, baseline))
    unit = spgr_signal(jnp.zeros_like(before)[..., None], protocol, t10=t10, b1=b1)
    return before / unit[..., 0]


def check_known_baseline(protocol: DCEProtocol) -> None:
    """Refuse a protocol whose number of frames before contrast is not known."""
    if protocol.baseline < 1:
        problem = "the number of frames before contrast is not known"
        raise InputError("BaselineVolumes", "", problem, "give it, or let estimate.detect_baseline find it")


def _per_voxel(value: ArrayLike) -> Array:
    """A (*space) map set against (*space, t); a scalar stays one."""
    value = jnp.asarray(value)
    return value[..., None] if value.ndim else value


def _angle(protocol: DCEProtocol, b1: ArrayLike) -> Array:
    """True flip angle [rad]."""
    return jnp.deg2rad(protocol.flip_angle * _per_voxel(b1))


def _unsaturated_r1(level: Array, repetition_time: ArrayLike, angle: Array) -> Array:
    """R1 [1/s] at which `spgr_saturation` is `level`, in (0, 1)."""
    recovered = 2 * level * jnp.sin(angle / 2) ** 2 / (1 - level * jnp.cos(angle))
    return -jnp.log1p(-recovered) / repetition_time


def _newton(start: Array, given: tuple) -> tuple[Array, Array]:
    """Smaller root of g(C) = ln saturation(C) - TE r2* C - ln level, and whether there is one.

    g is concave, so its tangent lies above it: from anywhere left of the root the steps rise to the root
    without passing it, and from right of it the first step lands on the left. The start is the root for
    r2* = 0. Where g has no root the steps run over its maximum, where the slope is no longer positive.
    """
    frozen = lax.stop_gradient(given)
    root = lax.fori_loop(0, _NEWTON_STEPS, lambda _, c: _newton_step(c, frozen), lax.stop_gradient(start))
    mismatch = _mismatch(root, *frozen)
    found = jnp.abs(mismatch) < 1e3 * jnp.finfo(mismatch.dtype).eps
    # One more step, differentiated, is the implicit function theorem: the loop itself needs no derivative.
    return _newton_step(root, given), found


def _newton_step(c: Array, given: tuple) -> Array:
    _, r10, protocol, *_ = given
    value, slope = jax.jvp(lambda c: _mismatch(c, *given), (c,), (jnp.ones_like(c),))
    climbing = slope > 0
    lowest = -r10 / protocol.relaxivity  # R1 = 0: no signal at all
    new = jnp.maximum(c - value / jnp.where(climbing, slope, 1.0), (c + lowest) / 2)
    return jnp.where(climbing, new, c)


def _mismatch(c: Array, level: Array, r10: Array, protocol: DCEProtocol, angle: Array, r2star: ArrayLike) -> Array:
    """Logarithm of the signal at `c` over the measured one."""
    saturation = spgr_saturation(r10 + protocol.relaxivity * c, protocol.repetition_time, angle)
    return jnp.log(saturation) - protocol.echo_time * r2star * c - jnp.log(level)
