"""What the network is asked of labelled water: log(CBF/b), and the arrival time in seconds."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from estimate.qtmnet.prediction import Prediction, standard_deviation
from simulate.base.units import from_clinical

SCORED = ("CBF", "ATT")
"""Quantities, each with a mean and a standard deviation: of the logarithm, and in s."""

OUTPUTS = 2 * len(SCORED)

CBF_FLOOR = from_clinical("CBF", 2.0)
"""Below this flow leaves no trace in a series, and is learnt as this; its arrival time is not asked."""

_USUAL_ARRIVAL = 1.5


def predicted(outputs: Float[Array, "*v o"]) -> Prediction:
    """log(CBF/b) and ATT [s] from the network's outputs."""
    value = outputs[..., : len(SCORED)] + jnp.asarray([0.0, _USUAL_ARRIVAL])
    return Prediction(value, standard_deviation(outputs[..., len(SCORED) :]))


def target(
    cbf: Float[Array, " v"], att: Float[Array, " v"], level: Float[Array, " v"]
) -> tuple[Float[Array, "v q"], Float[Array, "v q"]]:
    """What `predicted` should say, and the weight of each quantity. cbf [mL/g/s], att [s]; level : b."""
    value = jnp.stack([jnp.log(jnp.maximum(cbf, CBF_FLOOR) / level), att], axis=-1)
    flows = cbf > CBF_FLOOR
    return jnp.where(flows[:, None] | jnp.asarray([True, False]), value, 0.0), jnp.stack(
        [jnp.ones_like(flows), flows], axis=-1
    ).astype(value.dtype)
