"""What is handed to a kinetic fit, verified: one time per frame, an input with its own times, frames that fit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from estimate.kinetics.measurement import FitInput
from estimate.signal.errors import SignalErrors
from simulate.base.errors import InputError
from simulate.base.runtime import is_traced

_ROUNDING = 1e-3
"""Share of the spacing by which frames may overlap: times are written with few digits."""


def checked(concentration: Any, times: Any, aif: Any, aif_times: Any, frame_duration: Any) -> tuple[Any, FitInput]:
    """Arrays in the working precision, their shapes verified. NumPy stays NumPy: no copy of a large image.

    Raises InputError for shapes that do not match, an input that is not finite, frames that overlap.
    """
    dtype = jnp.zeros(0).dtype
    as_is = isinstance(concentration, np.ndarray)
    concentration = concentration if as_is else _array(concentration, dtype)
    duration = frame_durations(times, frame_duration)
    if not is_traced(aif) and not np.isfinite(np.asarray(aif)).all():
        raise InputError("aif", "", "holds a number that is not finite", "give a finite curve")
    aif, times = _array(aif, dtype), _array(times, dtype)
    aif_times = times if aif_times is None else _array(aif_times, dtype)
    if concentration.shape[-1:] != times.shape:
        raise InputError(
            "concentration", "last axis", f"{concentration.shape[-1:]} frames but {times.shape} times",
            "give one time per frame, time last",
        )  # fmt: skip
    if aif.shape != aif_times.shape:
        raise InputError(
            "aif", "", f"{aif.shape} samples but {aif_times.shape} times", "give aif_times, the times of its samples"
        )
    return concentration, FitInput(times, aif, aif_times, duration)


def _array(value: Any, dtype: DTypeLike) -> Array:
    """In this precision. What is not JAX's yet is converted by NumPy: JAX would compile that for every shape."""
    return jnp.asarray(value, dtype) if isinstance(value, Array) else jax.device_put(np.asarray(value, dtype))


def check_errors(errors: SignalErrors | None, shape: tuple[int, ...]) -> None:
    """Raises InputError where errors are not those of concentrations of this shape (*s, t)."""
    for name in ("noise", "baseline", "t10") if errors is not None else ():
        found = jnp.shape(getattr(errors, name))
        if found != shape:
            problem = f"{name} of shape {found} for concentrations of {shape}"
            raise InputError("errors", "", problem, "give those of the same voxels and frames (signal_errors)")


def frame_durations(times: Any, given: Any) -> Array | None:
    """(t,) how long every frame lasts [s], from one number or one per frame; None where nothing is averaged.

    times : (t,) centres, or starts [s].      Raises InputError for frames that overlap, or no durations at all.
    """
    if is_traced((given, times)):
        return jnp.broadcast_to(jnp.asarray(given, float), jnp.shape(times))
    duration, centres = np.asarray(given, float), np.asarray(times, float)
    if duration.shape not in ((), centres.shape):
        cure = "give one number, or one per frame"
        raise InputError("frame_duration", "", f"{duration.shape} durations, {centres.shape} frames", cure)
    if not np.all(np.isfinite(duration) & (duration >= 0)):
        raise InputError("frame_duration", "", "is not a number of seconds", "give 0 or more")
    if not duration.any():
        return None
    duration = np.broadcast_to(duration, centres.shape)
    room = np.diff(centres)
    over = (duration[1:] + duration[:-1]) / 2 > room * (1 + _ROUNDING)
    if over.any():
        i = int(np.argmax(over))
        problem = f"frames of {duration[i]:g} s start {room[i]:g} s apart"
        raise InputError("frame_duration", "FrameDuration", problem, "give the time that one frame takes, in s")
    return _array(duration, jnp.zeros(0).dtype)
