r"""From the measured frames of voxels to perfusion parameters in one differentiable step, and its derivatives.

    frames S (v, t) -> concentration C = g(S/S_0; T_10) -> the bounded least-squares fit -> parameters

Nothing is found in the images here: baseline, T10 and arterial input are given, so the whole is a pure function of
arrays under jit, grad and jvp, with derivatives in frames, T10 and input. Voxels are independent, and the derivatives
of one voxel's parameters by its own frames make a block Jacobian (p, v, t):

    d\theta/dS_t = a_t d\theta/dC_t + [t <= n]/n \sum_s b_s d\theta/dC_s,     a = dC_t/dS_t,  b = dC_t/dS_0,

with d\theta/dC by the implicit function theorem (`estimate.kinetics.derivative`) and S_0 the mean of the n frames
before contrast.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Bool, Float, Int, Real

from estimate.kinetics.bounds import resolve_bounds
from estimate.kinetics.curves import checked
from estimate.kinetics.derivative import pulled_to_input
from estimate.kinetics.fit import fit_kinetics
from estimate.kinetics.jacobian import JACOBIAN_SIZES, curve_jacobian
from estimate.kinetics.model import FitModel
from estimate.signal.concentration import block_concentration
from estimate.signal.errors import signal_errors
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import DCEProtocol
from simulate.kinetics.compartments import COMPARTMENT_MODELS


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FrameFit:
    """Parameters of v voxels by name, in internal units (1/s, fractions), Ktrans among them.

    Attributes
    ----------
    values : dict of str to (v,) array
        Differentiable.
    stderr : dict of str to (v,) array
        Standard errors, constants to differentiation.
    status : (v,) int array
        Bits of `simulate.base.status.Status`, those of the conversion to concentration and of the fit.
    at_bound : dict of str to (v,) bool array
        Whether a parameter ended on its bound, where it has no derivative.
    """

    values: dict[str, Float[Any, " v"]]
    stderr: dict[str, Float[Any, " v"]]
    status: Int[Any, " v"]
    at_bound: dict[str, Bool[Any, " v"]]


class FrameJacobian(NamedTuple):
    """Derivatives of each voxel's parameters by what was measured of it.

    Attributes
    ----------
    frames : dict of str to (v, t) array
        By its own frames [internal unit per unit of signal].
    t10 : dict of str to (v,) array
        By its T1 before contrast [internal unit per s].
    """

    frames: dict[str, Any]
    t10: dict[str, Any]


def fit_frames(
    frames: Real[ArrayLike, "v t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#v"],
    aif: Float[ArrayLike, " k"],
    aif_times: Float[ArrayLike, " k"] | None = None,
    model: str = "2cxm",
    b1: Real[ArrayLike, "*#v"] = 1.0,
    r2star: float = 0.0,
    bounds: dict[str, tuple[float, float]] | None = None,
    fit_delay: bool = False,
    arterial_volume: bool = False,
    start: dict[str, ArrayLike] | None = None,
) -> FrameFit:
    """Fit a kinetic model to measured frames.

    Parameters
    ----------
    frames : (v, t) array
        Signal of a spoiled gradient echo [arbitrary units].
    protocol : DCEProtocol
        With the number of frames before contrast.
    t10 : number or (v,) array [s]
        T1 before contrast.
    aif : (k,) array [mmol/L]
        Arterial input in plasma.
    aif_times : (k,) array [s], optional
        Times of its samples; the centres of the frames by default.
    model : str
        A compartmental model: 2cxm, 2cum, etm, tofts, patlak.
    b1 : number or (v,) array
        Ratio of the true flip angle to the nominal one.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity.
    bounds : dict, optional
        Over those of `estimate.kinetics.bounds.BOUNDS`, in internal units.
    fit_delay : bool
        Also fit the delay from input to tissue.
    arterial_volume : bool
        Also fit the arterial plasma volume va (2cxm, 2cum, tofts).
    start : dict of (v,) array, optional
        Parameters to begin with, whose minimum is followed (`fit_kinetics`).

    Returns
    -------
    FrameFit
        NaN where its status says that there is no estimate.

    Raises
    ------
    InputError
        For another model, a protocol without its baseline, arrays that do not match.
    """
    _check_model(model)
    concentration, before = block_concentration(frames, protocol, t10=t10, b1=b1, r2star=r2star)
    fit = fit_kinetics(
        concentration, protocol.frame_centres, aif, aif_times=aif_times, frame_duration=protocol.frame_duration,
        errors=signal_errors(frames, protocol, t10=t10, b1=b1, r2star=r2star), model=model, bounds=bounds,
        fit_delay=fit_delay, arterial_volume=arterial_volume, start=start,
    )  # fmt: skip
    # a frame without concentration is why the curve is not finite: say the cause
    status = jnp.where((before & int(NO_ESTIMATE)) != 0, before, before | fit.status)
    names = FitModel(model, arterial_volume, fit_delay).parameters
    values = {name: getattr(fit.tissue, name) for name in names} | {"Ktrans": fit.Ktrans}
    bound = {name: (status & int(Status[f"{name.upper()}_AT_BOUND"])) != 0 for name in names}
    return FrameFit(values, {name: fit.stderr[name] for name in values}, status, bound)


def frames_jacobian(
    frames: Real[ArrayLike, "v t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#v"],
    aif: Float[ArrayLike, " k"],
    aif_times: Float[ArrayLike, " k"] | None = None,
    model: str = "2cxm",
    b1: Real[ArrayLike, "*#v"] = 1.0,
    r2star: float = 0.0,
    bounds: dict[str, tuple[float, float]] | None = None,
    fit_delay: bool = False,
    arterial_volume: bool = False,
    start: dict[str, ArrayLike] | None = None,
    progress: Progress = silent,
) -> tuple[FrameFit, FrameJacobian]:
    """The fit of `fit_frames` and its derivatives by frames and T10, `BLOCK` voxels at a time.

    Derivatives are 0 where there is no estimate and along active bounds.

    Parameters
    ----------
    frames : (v, t) array
        Signal of a spoiled gradient echo [arbitrary units].
    protocol : DCEProtocol
        With the number of frames before contrast.
    t10 : number or (v,) array [s]
        T1 before contrast.
    aif : (k,) array [mmol/L]
        Arterial input in plasma.
    aif_times : (k,) array [s], optional
        Times of its samples; the centres of the frames by default.
    model : str
        A compartmental model.
    b1 : number or (v,) array
        Ratio of the true flip angle to the nominal one.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity.
    bounds : dict, optional
        As of `fit_frames`.
    fit_delay : bool
        Likewise.
    arterial_volume : bool
        Likewise.
    start : dict of (v,) array, optional
        Likewise.
    progress : callable
        Called after every block with what is done, how many voxels, and of how many.

    Returns
    -------
    FrameFit
        As NumPy arrays.
    FrameJacobian
        Likewise.
    """
    signal = np.asarray(frames)
    t10, b1 = (np.broadcast_to(np.asarray(each), signal.shape[:1]) for each in (t10, b1))
    fit = fit_frames(
        signal, protocol, t10=t10, aif=aif, aif_times=aif_times, model=model, b1=b1, r2star=r2star, bounds=bounds,
        fit_delay=fit_delay, arterial_volume=arterial_volume, start=start,
    )  # fmt: skip
    fit_model = FitModel(model, arterial_volume, fit_delay)
    _, given = checked(signal, protocol.frame_centres, aif, aif_times, protocol.frame_duration)
    jacobian = curve_jacobian(fit_model, given, resolve_bounds(bounds))
    values = np.stack([np.asarray(fit.values[name]) for name in fit_model.parameters])
    parts = []
    for first in range(0, max(len(signal), 1), JACOBIAN_SIZES[-1]):
        rows = slice(first, first + JACOBIAN_SIZES[-1])
        parts.append(
            _by_frames(signal[rows], protocol, t10[rows], b1[rows], r2star, fit_model, values[:, rows], jacobian)
        )
        progress("derivatives of the fit", min(first + JACOBIAN_SIZES[-1], len(signal)), len(signal))
    return jax.tree.map(np.asarray, fit), jax.tree.map(lambda *each: np.concatenate(each), *parts)


def input_sensitivity(
    cotangent: dict[str, np.ndarray],
    fit: FrameFit,
    frames: Real[ArrayLike, "v t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#v"],
    aif: Float[ArrayLike, " k"],
    aif_times: Float[ArrayLike, " k"],
    model: str = "2cxm",
    fit_delay: bool = False,
) -> np.ndarray:
    """How a number moves with the samples of the arterial input, by the implicit function theorem.

    Parameters
    ----------
    cotangent : dict of str to (v,) array
        Derivative of the number by each parameter of each voxel, 0 where a voxel does not count.
    fit : FrameFit
        What `fit_frames` made of the same.
    frames, protocol, t10, aif, aif_times, model, fit_delay
        As of `fit_frames`.

    Returns
    -------
    (k,) array [1/(mmol/L)]
        Summed over all voxels.
    """
    fit_model = FitModel(model, fit_delay=fit_delay)
    concentration, _ = block_concentration(frames, protocol, t10=t10)
    curves, given = checked(concentration, protocol.frame_centres, aif, aif_times, protocol.frame_duration)
    values = jnp.stack([jnp.asarray(fit.values[name]) for name in fit_model.parameters])
    by_value = {**dict.fromkeys(fit_model.parameters, np.zeros(values.shape[1])), **cotangent}
    pulled = jnp.asarray(np.stack([by_value[name] for name in fit_model.parameters]), values.dtype)
    if "Ktrans" in cotangent:
        slope = jax.grad(lambda x: jnp.sum(_transfer_constant(fit_model, x)))(jnp.nan_to_num(values, nan=1.0))
        pulled = pulled + slope * jnp.asarray(cotangent["Ktrans"])
    limits = tuple(resolve_bounds(None).items())
    return np.asarray(pulled_to_input(fit_model, limits, jnp.asarray(curves), given, values, pulled))


def _by_frames(
    signal: np.ndarray, protocol: DCEProtocol, t10: np.ndarray, b1: np.ndarray, r2star: float, model: FitModel,
    values: np.ndarray, jacobian: Any,
) -> FrameJacobian:  # fmt: skip
    """Of some voxels, whose fitted values are (p, v)."""
    concentration, _ = block_concentration(signal, protocol, t10=t10, b1=b1, r2star=r2star)
    by = signal_errors(signal, protocol, t10=t10, t10_stderr=1.0, b1=b1, r2star=r2star)
    found = jacobian(np.asarray(concentration), values)  # (v, p, t)
    by_curve = {name: found[:, k] for k, name in enumerate(model.parameters)}
    sound = np.isfinite(values).all(axis=0)
    by_value = jax.grad(lambda x: jnp.sum(_transfer_constant(model, x)))(jnp.where(sound, values, 1.0))
    by_curve["Ktrans"] = np.einsum("pv,vpt->vt", by_value, found)
    before = (np.arange(signal.shape[1]) < protocol.baseline) / protocol.baseline
    noise, baseline, of_t10 = (np.where(np.isfinite(each), each, 0.0) for each in (by.noise, by.baseline, by.t10))
    by_frames = {n: J * noise + np.sum(J * baseline, axis=1)[:, None] * before for n, J in by_curve.items()}
    return FrameJacobian(by_frames, {n: np.sum(J * of_t10, axis=1) for n, J in by_curve.items()})


def _transfer_constant(model: FitModel, values: Array) -> Array:
    return model.transfer_constant(dict(zip(model.parameters, values, strict=True)))


def _check_model(model: str) -> None:
    if model not in COMPARTMENT_MODELS:
        raise InputError("model", "", f"is {model!r}", f"choose one of {', '.join(COMPARTMENT_MODELS)}")
