r"""What noise of a signal, and errors of T10, do to concentrations, to first order.

    c_t = g(S_t/S_0; T_10),     S_0 = mean of the n frames before contrast:
    \delta c_t = a_t \delta S_t + b_t \delta S_0 + q_t,     q_t = dc_t/dT_10 \delta T_10.

S_0 comes from few frames, and its error is common to the whole curve: with five of them at SNR 50 it is as large as
the noise of a single frame, and what a fit makes of it outweighs all else. T10 acts alike. Here are the three
derivatives, by differentiation of the conversion itself; `estimate.least_squares.standard_errors` takes them to the
parameters.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float, Real

from estimate.signal.concentration import block_concentration
from simulate.base.types import DCEProtocol
from simulate.scanner.spgr import baseline_scale, baseline_signal, check_known_baseline, spgr_concentration


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SignalErrors:
    """Sensitivities of concentrations (*s, t) to what they were made of.

    noise : dc_t/dS_t [mmol/L per unit of signal].      baseline : dc_t/dS_0, likewise.
    t10 : change of c_t [mmol/L] by one standard error of T10; zero where T10 is taken as known.
    frames : number of frames whose mean is S_0.
    """

    noise: Any
    baseline: Any
    t10: Any
    frames: int = field(metadata={"static": True})


@partial(jax.jit, static_argnames="r2star")
def signal_errors(
    signal: Float[ArrayLike, "*s t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#s"],
    t10_stderr: Real[ArrayLike, "*#s"] = 0.0,
    b1: Real[ArrayLike, "*#s"] = 1.0,
    r2star: float = 0.0,
) -> SignalErrors:
    """Of the concentrations that `concentration_from_signal` makes of a spoiled gradient echo.

    t10, t10_stderr : T1 before contrast and its standard error [s]; 0 leaves it out.      b1 : relative flip angle.
    r2star : transverse relaxivity [1/(s mmol/L)].      Zero where there is no concentration.

    Raises InputError where the number of frames before contrast is not known.
    """
    check_known_baseline(protocol)
    signal, t10, b1 = (jnp.asarray(each, float) for each in (signal, t10, b1))

    one_frame = replace(protocol, baseline=1)  # the mean that is handed in

    def with_scale(signal: Array, before: Array) -> Array:
        known = jnp.isfinite(t10) & (t10 > 0) & (b1 > 0)
        t1 = jnp.where(known, t10, 1.0)
        s0 = baseline_scale(before[..., None], one_frame, t10=t1, b1=b1)
        return spgr_concentration(signal, protocol, t10=t1, s0=s0, b1=b1, r2star=r2star)

    before = baseline_signal(signal, protocol)
    before = jnp.where(before > 0, before, 1.0)
    still = (jnp.zeros_like(signal), jnp.zeros_like(before))
    noise = jax.jvp(with_scale, (signal, before), (jnp.ones_like(signal), still[1]))[1]
    baseline = jax.jvp(with_scale, (signal, before), (still[0], jnp.ones_like(before)))[1]
    at = jnp.broadcast_to(t10, before.shape)
    step = jnp.broadcast_to(jnp.asarray(t10_stderr, float), before.shape)

    def with_t10(t: Array) -> Array:
        return block_concentration(signal, protocol, t10=t, b1=b1, r2star=r2star)[0]

    by_t10 = jax.jvp(with_t10, (at,), (step,))[1]

    def known(sensitivity: Array) -> Array:
        return jnp.where(jnp.isfinite(sensitivity), sensitivity, 0.0)

    return SignalErrors(known(noise), known(baseline), known(by_t10), protocol.baseline)
