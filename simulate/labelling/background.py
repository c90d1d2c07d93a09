r"""Background suppression: what saturation and inversion pulses leave of static tissue, and what they cost the label.

From a saturation at t = 0 the longitudinal magnetisation recovers, and an inversion with efficiency \epsilon turns it:

    M(t) = M_0 - (M_0 - M(t_i)) e^{-(t - t_i)/T_1},     M(t_i^+) = -(2\epsilon - 1) M(t_i^-)

Label is turned as well, so each pulse leaves \epsilon of the difference (Alsop et al., MRM 2015: 0.95).
"""

from collections.abc import Sequence
from itertools import pairwise

import jax.numpy as jnp
from jax import Array
from jaxtyping import ArrayLike, Float

from simulate.base.constants import SUPPRESSION_EFFICIENCY
from simulate.base.errors import InputError


def static_residual(
    t1: Float[ArrayLike, "*s"], pulse_times: Sequence[float], readout: float, *,
    efficiency: float = SUPPRESSION_EFFICIENCY,
) -> Float[Array, "*s"]:  # fmt: skip
    """Share of M0 (*s) that static tissue of T1 [s] shows at the readout.

    pulse_times : of the inversions, and readout, after the saturation [s].

    Raises InputError where pulses do not come in order before the readout.
    """
    times = [0.0, *pulse_times, readout]
    if any(b <= a for a, b in pairwise(times)):
        raise InputError(
            "static_residual", "pulse_times", f"are {list(pulse_times)}", "give them in order, all before the readout"
        )
    t1 = jnp.asarray(t1, float)
    left = jnp.zeros_like(t1)
    for number, (before, now) in enumerate(pairwise(times)):
        if number:
            left = -(2 * efficiency - 1) * left
        left = 1 - (1 - left) * jnp.exp(-(now - before) / t1)
    return left


def label_left(pulses: int, *, efficiency: float = SUPPRESSION_EFFICIENCY) -> float:
    """Share of the difference that so many inversions leave."""
    return efficiency**pulses
