r"""T1 from variable flip angles.

It rests on the spoiled gradient echo of `simulate.scanner.spgr`. Voxels are leading axes; nothing depends on
which voxels share a call, so a scan of any size is streamed in blocks.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import ArrayLike, Float, Real
from scipy.special import chdtri

from simulate.base.errors import InputError
from simulate.base.status import Status, at_bound
from simulate.scanner.spgr import spgr_saturation

T1_BOUNDS = (0.05, 10.0)
"""T1 [s] between blood full of contrast and more than twice that of pure water in the body (chosen)."""

_STEPS = 40
_CONVERGED = 1e-3  # last step in ln T1, i.e. relative


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class VFAResult:
    """What variable flip angles say of every voxel.

    Attributes
    ----------
    t1 : (...) array [s]
        NaN without estimate.
    s0 : (...) array
        Signal at full recovery and 90°; NaN without estimate.
    status : (...) int array
        Bits of `Status`.
    stderr : (...) array [s]
        Standard error of T1 for images with noise of standard deviation 1; times that of the images.
    residual : (...) array
        Root mean square of what the fit left, per degree of freedom (n - 2): one voxel's own, rough idea of the noise;
        NaN for two angles, which leave nothing. `estimate.signal.vfa.vfa_noise` pools all voxels.
    """

    t1: Any
    s0: Any
    status: Any
    stderr: Any
    residual: Any


def vfa_t1(
    signal: Float[ArrayLike, "*s n"],
    flip_angles: Any,
    repetition_time: float,
    *,
    b1: Real[ArrayLike, "*#s"] = 1.0,
    method: Literal["nonlinear", "linear"] = "nonlinear",
) -> VFAResult:
    """T1 and S0 from spoiled gradient echoes at several flip angles.

    "linear" (Gupta, JMR 1977 25:231; DESPOT1) regresses S/sin α on S/tan α, whose slope is E1; noise biases
    it. "nonlinear" minimises the squared difference from the signal equation itself: S0 is eliminated in
    closed form, ln T1 is found by Levenberg-Marquardt from the linear start, never uphill. T1 is kept within
    `T1_BOUNDS` and the status says where it ended on them. Differentiable in signal and b1.

    Parameters
    ----------
    signal : (..., n) array
        An image for each angle.
    flip_angles : (n,) array [degrees]
        At least two.
    repetition_time : float [s]
        TR.
    b1 : float or (...) array
        True over nominal flip angle.
    method : str
        "nonlinear" or "linear".

    Returns
    -------
    VFAResult
        T1, S0, their status and error.

    Raises
    ------
    InputError
        Where angles and volumes do not match in number, or for a TR that is not in seconds.
    """
    angles = jnp.asarray(np.atleast_1d(flip_angles), jnp.result_type(float))
    signal = jnp.asarray(signal)
    if angles.size != signal.shape[-1] or angles.size < 2:
        cure = "give one flip angle for each volume, and at least two"
        problem = f"{angles.size} flip angles for {signal.shape[-1]} volumes"
        raise InputError("variable flip angles", "FlipAngle", problem, cure)
    if not 0 < repetition_time < 1:
        cure = "give the time between excitations in seconds"
        raise InputError("variable flip angles", "RepetitionTime", f"{repetition_time:g} s", cure)
    return _vfa(signal, angles, jnp.asarray(repetition_time), jnp.asarray(b1), method)


@partial(jax.jit, static_argnames="method")
def _vfa(signal: Array, flip_angles: Array, tr: Array, b1: Array, method: str) -> VFAResult:
    b1 = b1[..., None] if b1.ndim else b1
    finite = jnp.all(jnp.isfinite(signal), axis=-1) & jnp.isfinite(b1 * jnp.ones(1))[..., 0]
    positive = jnp.all(signal > 0, axis=-1) & (b1 * jnp.ones(1) > 0)[..., 0]
    sound = finite & positive
    signal = jnp.where(sound[..., None], signal, 1.0)  # keeps the arithmetic, and its gradient, finite
    angle = jnp.deg2rad(flip_angles * jnp.where(b1 > 0, b1, 1.0))
    t1, s0 = _linear(signal, angle, tr)
    converged = jnp.ones_like(sound)
    if method == "nonlinear":
        t1, s0, converged = _nonlinear(signal, angle, tr, t1)
    low, high = T1_BOUNDS
    pinned = (t1 <= low * (1 + 1e-6)) | (t1 >= high * (1 - 1e-6))
    status = (
        jnp.where(finite, 0, int(Status.NOT_FINITE))
        | jnp.where(finite & ~positive, int(Status.NO_SIGNAL), 0)
        | jnp.where(sound & pinned, at_bound("T10"), 0)
        | jnp.where(sound & ~converged, int(Status.NOT_CONVERGED), 0)
    )
    left, sure = _how_sure(jnp.log(t1), signal, angle, tr)
    sure, left = (jnp.where(sound & ~pinned, each, jnp.nan) for each in (t1 * sure, left))
    return VFAResult(jnp.where(sound, t1, jnp.nan), jnp.where(sound, s0, jnp.nan), status, sure, left)


def _how_sure(log_t1: Array, signal: Array, angle: Array, tr: Array) -> tuple[Array, Array]:
    """Residual per degree of freedom, and standard error of ln T1 for noise of 1, S0 following T1."""
    largest = jnp.max(jnp.abs(signal), axis=-1)
    residual, slope = _residual_and_slope(log_t1, signal, angle, tr)
    freedom = signal.shape[-1] - 2
    left = largest * jnp.sqrt(jnp.sum(residual**2, axis=-1) / freedom) if freedom else jnp.full_like(log_t1, jnp.nan)
    return left, 1 / (largest * jnp.sqrt(jnp.maximum(jnp.sum(slope**2, axis=-1), jnp.finfo(slope.dtype).tiny)))


def vfa_noise(residual: Float[np.ndarray, "..."], angles: int) -> float:
    """Noise of the images from the residuals of many voxels (`VFAResult`): NaN where there are but two angles.

    Their median, so that voxels which do not obey the signal equation do not count, against that of a chi with n - 2
    degrees of freedom.
    """
    left = residual[np.isfinite(residual)]
    if angles < 3 or not left.size:
        return float("nan")
    return float(np.median(left) / np.sqrt(chdtri(angles - 2, 0.5) / (angles - 2)))


def _linear(signal: Array, angle: Array, tr: Array) -> tuple[Array, Array]:
    """Least squares of S/sin α against S/tan α.

    Subtracting the abscissa turns the ordinate into S tan(α/2) and the slope into E1 - 1: the same line,
    without the cancellation of 1 - E1.
    """
    x, y = signal / jnp.tan(angle), signal * jnp.tan(angle / 2)
    mean_x, mean_y = jnp.mean(x, axis=-1), jnp.mean(y, axis=-1)
    x = x - mean_x[..., None]
    recovered = -jnp.sum(x * y, axis=-1) / jnp.maximum(jnp.sum(x * x, axis=-1), jnp.finfo(x.dtype).tiny)
    low, high = T1_BOUNDS
    recovered = jnp.clip(recovered, -jnp.expm1(-tr / high), -jnp.expm1(-tr / low))
    return -tr / jnp.log1p(-recovered), mean_y / recovered + mean_x


def _nonlinear(signal: Array, angle: Array, tr: Array, start: Array) -> tuple[Array, Array, Array]:
    """Minimum over ln T1 of the squared residual left by the best S0."""
    bounds = jnp.log(jnp.asarray(T1_BOUNDS, signal.dtype))
    frozen = lax.stop_gradient((signal, angle))

    def advance(_, state):
        log_t1, cost, damping = state
        trial = jnp.clip(log_t1 + _gauss_newton(log_t1, *frozen, tr) / (1 + damping), *bounds)
        trial_cost = _cost(trial, *frozen, tr)
        better = trial_cost < cost
        damping = jnp.where(better, damping / 10, jnp.maximum(damping, 0.1) * 10)
        return jnp.where(better, trial, log_t1), jnp.where(better, trial_cost, cost), damping

    first = jnp.clip(lax.stop_gradient(jnp.log(start)), *(bounds + jnp.array([1.0, -1.0])))
    state = (first, _cost(first, *frozen, tr), jnp.zeros_like(first))
    log_t1, *_ = lax.fori_loop(0, _STEPS, advance, state)
    # One Newton step on the true cost, differentiated, is the implicit function theorem at the minimum.
    slope, curvature = _slope_and_curvature(log_t1, signal, angle, tr)
    step = -slope / jnp.where(curvature > 0, curvature, 1.0)
    inside = (log_t1 > bounds[0]) & (log_t1 < bounds[1])
    converged = ~inside | ((curvature > 0) & (jnp.abs(step) < _CONVERGED))
    log_t1 = jnp.clip(log_t1 + jnp.where(inside & converged, step, 0.0), *bounds)
    return jnp.exp(log_t1), _best_scale(log_t1, signal, angle, tr)[0], converged


def _shape(log_t1: Array, angle: Array, tr: Array) -> Array:
    return jnp.sin(angle) * spgr_saturation(jnp.exp(-log_t1)[..., None], tr, angle)


def _best_scale(log_t1: Array, signal: Array, angle: Array, tr: Array) -> tuple[Array, Array]:
    """S0 of least squares for a given T1, and the relative residual it leaves."""
    shape = _shape(log_t1, angle, tr)
    scale = jnp.sum(shape * signal, axis=-1) / jnp.sum(shape * shape, axis=-1)
    residual = (signal - scale[..., None] * shape) / jnp.max(jnp.abs(signal), axis=-1, keepdims=True)
    return scale, residual


def _cost(log_t1: Array, signal: Array, angle: Array, tr: Array) -> Array:
    return jnp.sum(_best_scale(log_t1, signal, angle, tr)[1] ** 2, axis=-1)


def _gauss_newton(log_t1: Array, signal: Array, angle: Array, tr: Array) -> Array:
    """Step in ln T1 from the residual's exact derivative, S0 following its optimum (variable projection)."""
    residual, slope = _residual_and_slope(log_t1, signal, angle, tr)
    square = jnp.sum(slope * slope, axis=-1)
    return -jnp.sum(slope * residual, axis=-1) / jnp.maximum(square, jnp.finfo(square.dtype).tiny)


def _residual_and_slope(log_t1: Array, signal: Array, angle: Array, tr: Array) -> tuple[Array, Array]:
    return jax.jvp(lambda x: _best_scale(x, signal, angle, tr)[1], (log_t1,), (jnp.ones_like(log_t1),))


def _slope_and_curvature(log_t1: Array, *given: Array) -> tuple[Array, Array]:
    one = (jnp.ones_like(log_t1),)

    def slope(x):
        return jax.jvp(lambda x: _cost(x, *given), (x,), one)[1]

    return jax.jvp(slope, (log_t1,), one)
