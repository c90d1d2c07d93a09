r"""What the network is asked for, and how its numbers become parameters.

Outputs are scale-free: x = log(theta A / b) for Fp, PS, vp, ve and vp_vessels (a small share is added to the last,
which may be 0), the logit of the extraction E, log |u|, and the delay after the mean of the scan's voxels in units of
`DELAY_UNIT` (without the input nobody knows a delay from it). Everything else follows: Ktrans = E Fp, kep = Ktrans/ve,
MTT = (vp+ve)/Fp, vp/ve, which is the algebra of `simulate.base.exchange` in logarithms; the network says E itself, so
that it need not know what kind of capillary made it. Every quantity has its own standard deviation, of its logarithm
(of the delay, in s).
"""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from estimate.qtmnet.prediction import Prediction, standard_deviation
from simulate.base.units import from_clinical
from simulate.inputs.random import POPULATION_AREA

MEANS = ("Fp", "PS", "vp", "ve", "vp_vessels", "E", "speed", "delay")
"""Outputs that are means, in this order."""

SCORED = ("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels", "delay", "speed", "MTT", "kep", "E", "vp/ve")
"""Quantities with a standard deviation of their own, in this order, after the means."""

SCALED = ("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels")
"""Quantities that go with the inverse of the input's scale."""

OUTPUTS = len(MEANS) + len(SCORED)

DELAY_UNIT = 4.0
VESSEL_FLOOR = 1.0
"""Added to vp_vessels A/b before its logarithm; plasma alone makes this quotient about 90."""

PS_FLOOR = from_clinical("PS", 0.3)
"""Below this (at the population's input) PS leaves no trace in a curve, and is learnt as this."""


def predicted(outputs: Float[Array, "*v o"]) -> Prediction:
    """Scale-free logarithms of all quantities from the network's outputs."""
    mean = {name: outputs[..., i] for i, name in enumerate(MEANS)}
    x = {name: mean[name] for name in ("Fp", "PS", "vp", "ve", "vp_vessels", "speed")}
    x["E"] = -jax.nn.softplus(-mean["E"])
    x["Ktrans"] = x["Fp"] + x["E"]
    x["delay"] = DELAY_UNIT * mean["delay"]
    x["kep"] = x["Ktrans"] - x["ve"]
    x["MTT"] = jnp.logaddexp(x["vp"], x["ve"]) - x["Fp"]
    x["vp/ve"] = x["vp"] - x["ve"]
    value = jnp.stack([x[name] for name in SCORED], axis=-1)
    return Prediction(value, standard_deviation(outputs[..., len(MEANS) :]))


@jax.jit
def target(
    truth: dict[str, Array], level: Float[Array, " v"], area: Float[Array, ""], among: Bool[Array, " v"]
) -> tuple[Float[Array, "v q"], Float[Array, "v q"]]:
    """What `predicted` should say of a scan's voxels, and the weight of each quantity (0 where it has no meaning).

    truth : by name, internal units (v,).      level : b.      area : A of the input.
    among : voxels over which the mean delay is taken.
    """
    ratio = area / level

    def log(value: Array) -> Array:
        return jnp.log(jnp.maximum(value, 1e-12))

    floor = PS_FLOOR * POPULATION_AREA / area
    alive = truth["Fp"] > 0
    PS = jnp.maximum(truth["PS"], floor)
    E = jnp.maximum(truth["Ktrans"], floor) / jnp.maximum(truth["Fp"], 1e-12)
    E = jnp.clip(E, 1e-6, 0.9999)
    counted = alive & among
    mean_delay = jnp.sum(truth["delay"] * counted) / jnp.maximum(jnp.sum(counted), 1)
    x = {
        "Fp": log(truth["Fp"] * ratio), "PS": log(PS * ratio), "vp": log(truth["vp"] * ratio),
        "ve": log(truth["ve"] * ratio), "vp_vessels": log(truth["vp_vessels"] * ratio + VESSEL_FLOOR),
        "E": log(E), "speed": log(truth["speed"]), "delay": truth["delay"] - mean_delay,
    }  # fmt: skip
    x["Ktrans"] = x["Fp"] + x["E"]
    x["kep"] = x["Ktrans"] - x["ve"]
    x["MTT"] = log(truth["vp"] + truth["ve"]) - log(truth["Fp"])
    x["vp/ve"] = x["vp"] - x["ve"]
    weight = dict.fromkeys(SCORED, alive)
    weight["vp_vessels"] = jnp.ones_like(alive)
    weight["speed"] = truth["speed"] > 0
    stack = jnp.stack([jnp.where(weight[name], x[name], 0.0) for name in SCORED], axis=-1)
    return stack, jnp.stack([weight[name] for name in SCORED], axis=-1).astype(stack.dtype)


MAPS = tuple(name.replace("vp/ve", "vp_ve_ratio") for name in SCORED)
"""Names of the maps, in the order of `SCORED`."""
