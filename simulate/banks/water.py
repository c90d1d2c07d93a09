r"""Every cell's response to label that is switched on and stays on, from which ANY pcasl series is a matrix product.

With S(t) the label in a cell (per volume, its vessels included) t after label first entered the block, one label of
duration \tau that entered \delta_0 after it was made leaves

    \Delta M(t) = 2 \alpha M_0/(\lambda\rho) e^{-\delta_0/T_{1b}} [S(t - \delta_0) - S(t - \delta_0 - \tau)]

S is kept at `KNOTS` and read linearly between them.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float

from simulate.banks.contrast import Responses, packed
from simulate.examinations.asl import true_asl_values
from simulate.examinations.perfused import PerfusedPhantom
from simulate.water.transport import FREQUENCIES, WATER, label_curves, label_readout

STEP = 0.1
KNOTS = STEP * np.arange(86)
"""Times [s] at which a response is kept."""

TRUTHS = ("CBF", "ATT", "aBV")
"""Truth kept with the responses, in internal units; ATT from the block's inlet, 0 where nothing flows."""

_ALWAYS = 100.0


def label_responses(
    perfused: PerfusedPhantom, *, exchange: Any = WATER.exchange, frequencies: int = FREQUENCIES
) -> Responses:
    """Responses and truth (`TRUTHS`) of every cell of a phantom; exchange : PSw [1/s]."""
    t1 = jnp.asarray(np.maximum(np.asarray(perfused.phantom.t10, float), 0.1).ravel())
    water = WATER._replace(t1_tissue=t1, exchange=exchange)
    out = label_readout(
        KNOTS[1:], _ALWAYS, labelling="pcasl", inlet_delay=0.0, t1_blood=water.t1_blood, frequencies=frequencies
    )
    later = np.asarray(label_curves(perfused.bed, out, water))
    curves = np.concatenate([np.zeros((len(later), 1)), later], axis=1)
    truth = true_asl_values(perfused, inlet_delay=0.0, water=water)
    return packed(perfused, curves, truth, TRUTHS, np.empty((0, KNOTS.size)))


def label_matrix(
    times: Float[ArrayLike, " t"], label_duration: ArrayLike, inlet_delay: ArrayLike, *,
    t1_blood: ArrayLike = WATER.t1_blood,
) -> Float[Array, "m t"]:  # fmt: skip
    """What every readout at `times` [s since the start of labelling] takes from every knot of a response; times
    2 alpha M0/(lambda rho) that is the difference."""
    delay, duration = jnp.asarray(inlet_delay), jnp.asarray(label_duration)
    since = jnp.asarray(times) - delay

    def reading(t: Array) -> Array:
        """(m, t) of the linear reading; the last knot holds for all that comes later."""
        knots = jnp.asarray(KNOTS[:, None], t.dtype)
        return jnp.maximum(1 - jnp.abs(jnp.clip(t, 0.0, KNOTS[-1]) - knots) / STEP, 0.0) * (t > 0)

    return jnp.exp(-delay / jnp.asarray(t1_blood)) * (reading(since) - reading(since - duration))
