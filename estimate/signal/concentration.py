"""From signal to concentration, block by block, with what went wrong as a status."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Int, Real

from estimate.signal.baseline import detect_baseline
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import DCEProtocol, Series
from simulate.scanner.spgr import baseline_scale, baseline_signal, spgr_concentration


def concentration_from_signal(
    series: Series,
    *,
    t10: Float[ArrayLike, "..."],
    s0: Float[ArrayLike, "..."] | None = None,
    b1: Float[ArrayLike, "..."] = 1.0,
    r2star: float = 0.0,
) -> tuple[Series, Int[Array, "..."]]:
    """Concentration [mmol/L] of every frame, with `Status` bits per voxel.

    `s0` comes from the frames before contrast unless it is given. Their number is `protocol.baseline`; where
    that is 0 it is found in the images (`detect_baseline`) and written into the returned protocol. When a
    scan is streamed, find it once from the whole series first. See `block_concentration` for the voxels.
    """
    if series.quantity != "signal":
        problem = f"holds {series.quantity}, not signal"
        raise InputError("concentration_from_signal", "series", problem, "use it as it is")
    protocol = series.protocol
    if protocol.baseline == 0:
        protocol = replace(protocol, baseline=detect_baseline(np.asarray(series.data)))
    concentration, status = block_concentration(series.data, protocol, t10=t10, s0=s0, b1=b1, r2star=r2star)
    return replace(series, data=concentration, protocol=protocol, quantity="concentration"), status


@partial(jax.jit, static_argnames="r2star")
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
    """
    signal, t10, b1 = jnp.asarray(signal), jnp.asarray(t10), jnp.asarray(b1)
    known = jnp.isfinite(t10) & (t10 > 0) & jnp.isfinite(b1) & (b1 > 0)
    finite = jnp.all(jnp.isfinite(signal), axis=-1)
    before = baseline_signal(signal, protocol, baseline)
    varies = jnp.max(signal, axis=-1) > jnp.min(signal, axis=-1)
    present = (before > 0) & varies & known
    sound = finite & present
    signal = jnp.where(sound[..., None], signal, 1.0)
    t10, b1 = jnp.where(known, t10, 1.0), jnp.where(known, b1, 1.0)
    if s0 is None:
        s0 = baseline_scale(signal, protocol, t10=t10, b1=b1, baseline=baseline)
    concentration = spgr_concentration(signal, protocol, t10=t10, s0=s0, b1=b1, r2star=r2star)
    concentration = jnp.where(sound[..., None], concentration, jnp.nan)
    impossible = jnp.any(jnp.isnan(concentration), axis=-1)
    status = (
        jnp.where(finite, 0, int(Status.NOT_FINITE))
        | jnp.where(finite & ~present, int(Status.NO_SIGNAL), 0)
        | jnp.where(sound & impossible, int(Status.SATURATED), 0)
    )
    return concentration, status
