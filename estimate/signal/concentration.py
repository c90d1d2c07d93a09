"""From signal to concentration, block by block, with what went wrong as a status."""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Int, Real

from estimate.signal.baseline import detect_baseline
from estimate.signal.batches import in_slabs
from simulate.base.errors import InputError
from simulate.base.runtime import is_traced
from simulate.base.status import Status
from simulate.base.types import DCEProtocol, Series
from simulate.scanner.spgr import baseline_scale, baseline_signal, check_known_baseline, spgr_concentration


def concentration_from_signal(
    series: Series,
    *,
    t10: Float[ArrayLike, "..."],
    s0: Float[ArrayLike, "..."] | None = None,
    b1: Float[ArrayLike, "..."] = 1.0,
    r2star: float = 0.0,
) -> tuple[Series, Int[Array, "..."]]:
    """Concentration of every frame, with a status per voxel.

    A frame whose signal no concentration could have made is NaN and marks its voxel SATURATED; see
    `estimate.signal.concentration.block_concentration`. When a scan is streamed, find its baseline once from the whole
    series first.

    Parameters
    ----------
    series : Series
        Of signals. The number of frames before contrast is `protocol.baseline`; where that is 0 it is found in the
        images (`detect_baseline`) and written into the returned protocol.
    t10 : float or (...) array [s]
        T1 before contrast.
    s0 : float or (...) array
        Equilibrium signal; from the frames before contrast unless it is given.
    b1 : float or (...) array
        True over nominal flip angle.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity of the agent; 0 leaves T2* out.

    Returns
    -------
    series : Series
        Of concentrations [mmol/L].
    status : (...) int array
        Bits of `Status`.

    Raises
    ------
    InputError
        Where the series does not hold signals, or nothing in the images jumps.
    """
    if series.quantity != "signal":
        problem = f"holds {series.quantity}, not signal"
        raise InputError("concentration_from_signal", "series", problem, "use it as it is")
    protocol = series.protocol
    if protocol.baseline == 0:
        protocol = replace(protocol, baseline=detect_baseline(np.asarray(series.data)))
    concentration, status = block_concentration(series.data, protocol, t10=t10, s0=s0, b1=b1, r2star=r2star)
    return replace(series, data=concentration, protocol=protocol, quantity="concentration"), status


def block_concentration(
    signal: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#s"],
    s0: Real[ArrayLike, "*#s"] | None = None,
    b1: Real[ArrayLike, "*#s"] = 1.0,
    r2star: float = 0.0,
    baseline: Real[Array, " t"] | None = None,
) -> tuple[Float[Array, "*s t"], Int[Array, "*s"]]:
    """Concentration of any set of voxels, and their `Status`. r2star : transverse relaxivity [1/(s mmol/L)].
    baseline : frames before contrast, see `baseline_signal`; the protocol's by default.

    A frame whose signal no concentration could have made is NaN and marks its voxel SATURATED. Zero, negative
    or constant voxels are NO_SIGNAL, as are those whose T10 or b1 is not a positive number; a NaN or infinity
    in the signal is NOT_FINITE: both are NaN in every frame.

    Raises InputError where neither `s0` nor the number of frames before contrast is known.
    """
    if s0 is None and baseline is None:
        check_known_baseline(protocol)
    known = look_at(signal, protocol, t10, b1, baseline)
    scan = scan_of(protocol)
    if is_traced((signal, t10, b1, s0, baseline, protocol)):
        concentration = _converted(jnp.asarray(signal), *known.voxels, s0, scan, r2star)
        shown = jnp
    else:
        flat, *numbers = flattened(signal, *known.voxels, *([] if s0 is None else [s0]))

        def convert(curves: Any, before: Any, t10: Any, b1: Any, sound: Any, *s0: Any) -> Array:
            return _converted(curves, before, t10, b1, sound, s0[0] if s0 else None, scan, r2star)

        concentration = in_slabs(convert, flat, *numbers).reshape(np.shape(signal))
        shown = np
    impossible = shown.any(shown.isnan(concentration), axis=-1)
    saturated = shown.where(known.sound & impossible, np.int32(Status.SATURATED), np.int32(0))
    return jax.device_put(concentration), jax.device_put(known.status | saturated)


class Known(NamedTuple):
    """What is known of voxels (*s) before their curves are converted.

    before : mean signal of the frames before contrast.      t10 [s], b1 : where they are no positive numbers, 1.
    sound : whether there is something to convert; `status` says why not.
    """

    before: Any
    t10: Any
    b1: Any
    sound: Any
    status: Any

    @property
    def voxels(self) -> tuple[Any, Any, Any, Any]:
        return self[:4]


def look_at(signal: Any, protocol: DCEProtocol, t10: Any, b1: Any, baseline: Any = None) -> Known:
    """By NumPy where nothing is traced: then nothing is compiled. baseline : see `baseline_signal`."""
    xp: Any = jnp if is_traced((signal, t10, b1, baseline)) else np
    signal, t10, b1 = (xp.asarray(each) for each in (signal, t10, b1))
    signal = signal if signal.dtype.kind == "f" else signal.astype(float)
    known = xp.isfinite(t10) & (t10 > 0) & xp.isfinite(b1) & (b1 > 0)
    finite = xp.all(xp.isfinite(signal), axis=-1)
    before = baseline_signal(xp.where(finite[..., None], signal, 1), protocol, baseline)
    varies = xp.where(finite, xp.max(signal, axis=-1) > xp.min(signal, axis=-1), True)
    present = (before > 0) & varies & known
    nothing, lacking = np.int32(Status.NOT_FINITE), np.int32(Status.NO_SIGNAL)
    status = xp.where(finite, xp.where(present, np.int32(0), lacking), nothing)
    one = signal.dtype.type(1)
    return Known(before, xp.where(known, t10, one), xp.where(known, b1, one), finite & present, status)


def scan_of(protocol: DCEProtocol) -> DCEProtocol:
    """The same for every series of a scanner: without times, and with the frames before contrast as one, their mean."""
    return replace(protocol, times=np.zeros(0), frame_duration=0.0, baseline=1)


def flattened(signal: Any, *of_voxels: Any) -> list[np.ndarray]:
    """Curves (v, t) of an image (*s, t), and numbers or maps as (v,), all in the precision of the curves."""
    curves = np.asarray(signal)
    dtype = jnp.result_type(curves.dtype, np.float32) if curves.dtype.kind == "f" else jnp.zeros(0).dtype
    shape = curves.shape[:-1]
    maps = [np.broadcast_to(np.asarray(each), shape).ravel() for each in of_voxels]
    return [
        curves.reshape(-1, curves.shape[-1]).astype(dtype, copy=False),
        *(each if each.dtype == bool else each.astype(dtype) for each in maps),
    ]


@partial(jax.jit, static_argnames="r2star")
def _converted(
    signal: Array, before: Array, t10: Array, b1: Array, sound: Array, s0: Array | None, scan: DCEProtocol,
    r2star: float,
) -> Array:  # fmt: skip
    """(*s, t) concentration; NaN where there is nothing to convert, or nothing could have made the signal."""
    signal = jnp.where(sound[..., None], signal, 1.0)
    scale = baseline_scale(jnp.where(sound, before, 1.0)[..., None], scan, t10=t10, b1=b1) if s0 is None else s0
    concentration = spgr_concentration(signal, scan, t10=t10, s0=scale, b1=b1, r2star=r2star)
    return jnp.where(sound[..., None], concentration, jnp.nan)
