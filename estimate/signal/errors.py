r"""What noise of a signal, and errors of T10, do to concentrations, to first order.

    c_t = g(S_t/S_0; T_10),     S_0 = mean of the n frames before contrast:
    \delta c_t = a_t \delta S_t + b_t \delta S_0 + q_t,     q_t = dc_t/dT_10 \delta T_10.

S_0 comes from few frames, and its error is common to the whole curve: with five of them at SNR 50 it is as large as
the noise of a single frame, and what a fit makes of it outweighs all else. T10 acts alike. Here are the three
derivatives, by differentiation of the conversion itself; `estimate.least_squares.standard_errors` takes them to the
parameters.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Real

from estimate.signal.batches import in_slabs
from estimate.signal.concentration import flattened, look_at, scan_of
from simulate.base.runtime import is_traced
from simulate.base.types import DCEProtocol
from simulate.scanner.spgr import baseline_scale, check_known_baseline, spgr_concentration


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SignalErrors:
    """Sensitivities of concentrations c_t to what they were made of.

    Attributes
    ----------
    noise : (..., t) array [mmol/L per unit of signal]
        dc_t/dS_t.
    baseline : (..., t) array [mmol/L per unit of signal]
        dc_t/dS_0.
    t10 : (..., t) array [mmol/L]
        Change of c_t by one standard error of T10; zero where T10 is taken as known.
    frames : int
        Number of frames whose mean is S_0.
    """

    noise: Any
    baseline: Any
    t10: Any
    frames: int = field(metadata={"static": True})


def signal_errors(
    signal: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#s"],
    t10_stderr: Real[ArrayLike, "*#s"] = 0.0,
    b1: Real[ArrayLike, "*#s"] = 1.0,
    r2star: float = 0.0,
) -> SignalErrors:
    """Sensitivities of the concentrations that `concentration_from_signal` makes of a spoiled gradient echo.

    The equations are those of `estimate.signal.errors`.

    Parameters
    ----------
    signal : (..., t) array
        Of the spoiled gradient echo.
    protocol : DCEProtocol
        Its frames before contrast known.
    t10 : float or (...) array [s]
        T1 before contrast.
    t10_stderr : float or (...) array [s]
        Its standard error; 0 leaves it out.
    b1 : float or (...) array
        True over nominal flip angle.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity of the agent.

    Returns
    -------
    SignalErrors
        Zero where there is no concentration.

    Raises
    ------
    InputError
        Where the number of frames before contrast is not known.
    """
    check_known_baseline(protocol)
    known, scan = look_at(signal, protocol, t10, b1), scan_of(protocol)
    if is_traced((signal, t10, t10_stderr, b1, protocol)):
        found = _sensitivities(jnp.asarray(signal), *known.voxels, jnp.asarray(t10_stderr), scan=scan, r2star=r2star)
    else:
        flat, *numbers = flattened(signal, *known.voxels, t10_stderr)
        each = in_slabs(lambda *slab: _sensitivities(*slab, scan=scan, r2star=r2star), flat, *numbers)
        found = tuple(jax.device_put(a.reshape(np.shape(signal))) for a in each)
    return SignalErrors(*found, frames=protocol.baseline)


@partial(jax.jit, static_argnames="r2star")
def _sensitivities(
    signal: Array, before: Array, t10: Array, b1: Array, sound: Array, step: Array, *, scan: DCEProtocol, r2star: float
) -> tuple[Array, Array, Array]:
    """Derivatives (*s, t) of the concentration by its own signal and by S_0, and its change by `step` of T10."""
    signal = jnp.where(sound[..., None], signal, 1.0)
    before, t10 = jnp.where(sound, before, 1.0), jnp.broadcast_to(t10, before.shape)

    def concentration(signal: Array, before: Array, t10: Array) -> Array:
        s0 = baseline_scale(before[..., None], scan, t10=t10, b1=b1)
        return spgr_concentration(signal, scan, t10=t10, s0=s0, b1=b1, r2star=r2star)

    at = (signal, before, t10)
    still = jax.tree.map(jnp.zeros_like, at)
    along = (
        (jnp.ones_like(signal), *still[1:]),
        (still[0], jnp.ones_like(before), still[2]),
        (*still[:2], jnp.broadcast_to(step, t10.shape).astype(t10.dtype)),
    )
    found = (jax.jvp(concentration, at, each)[1] for each in along)
    noise, baseline, by_t10 = (jnp.where(sound[..., None] & jnp.isfinite(each), each, 0.0) for each in found)
    return noise, baseline, by_t10
