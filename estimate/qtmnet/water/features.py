r"""What the network sees of a voxel's labelled water: the course of its flow signal over delays, how strong, how noisy.

A difference is first taken as flow, as the consensus formula takes it (all label arrived and still in blood):

    d_k = \lambda \Delta M_k/(2 \alpha M_0),   f_k = d_k/g_k,   g_k = T_{1b} (1 - e^{-\tau_k/T_{1b}}) e^{-PLD_k/T_{1b}}

f is flat where all label has arrived and lower where it has not, whatever \tau is. With \sigma the noise of d from one
pair and n_k pairs, f_k has the precision p_k = n_k g_k^2/\sigma^2, and

    b          mean of f, weighted by precision                 shape     f / b at `NODES` in PLD
    strength   log(b / scan's median b)                         clarity   log(b / noise), that of f at mean precision
    coverage   of every node by the delays

The network says log(CBF/b) and ATT. So series times a is CBF times a and the same ATT, exactly.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Bool, Float

from estimate.qtmnet.hats import hat_values, penalty
from estimate.qtmnet.medians import median_of

NODES = np.array([0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4, 2.7, 3.0, 3.5, 4.0])
"""Post-labelling delays [s]."""

SEEN = 3.0
"""Standard deviations by which a voxel must show label to count in the scan's median."""

_LARGEST = 30.0

VOXEL_CHANNELS = 2 * len(NODES) + 2
SCAN_CHANNELS = 3


class Delays(NamedTuple):
    """Of k readouts: post_label_delay and label_duration (k,) [s], repeats (k,) pairs behind each, 0 for none."""

    post_label_delay: Any
    label_duration: Any
    repeats: Any


class Features(NamedTuple):
    """voxel : (v, f).      scan : (g,).      level : (v,) b [mL/g/s].      noise : (v,) of f at mean precision.
    enhanced : (v,) all, so that the context sees every voxel.      gram : (n, n) P^T W^-1 P, see `gram`."""

    voxel: Array
    scan: Array
    level: Array
    noise: Array
    enhanced: Array
    gram: Array


def sensitivity(delays: Delays, t1_blood: ArrayLike) -> Float[Array, " k"]:
    """g [s]: d per flow where all label has arrived and none has left the blood."""
    t1 = jnp.asarray(t1_blood, delays.post_label_delay.dtype)
    return -t1 * jnp.expm1(-delays.label_duration / t1) * jnp.exp(-delays.post_label_delay / t1)


@jax.jit
def levels(
    d: Float[Array, "v k"], sigma: Float[Array, " v"], delays: Delays, t1_blood: ArrayLike
) -> tuple[Float[Array, " v"], Float[Array, " v"]]:
    """b and its standard deviation. d : (v, k) [mL/g].      sigma : (v,) of d from one pair."""
    g = sensitivity(delays, t1_blood)
    precision = delays.repeats * g**2
    total = jnp.sum(precision)
    return (d * delays.repeats) @ g / total, sigma / jnp.sqrt(total)


class ScanFacts(NamedTuple):
    """What is taken once per scan: median b of the voxels that show label, median standard deviation of b."""

    level: Any
    sure: Any


def scan_facts(level: Float[Any, " v"], sure: Float[Any, " v"], inside: Bool[Any, " v"]) -> ScanFacts:
    """From what `levels` finds in the voxels (those `inside`), in JAX or in NumPy, which compiles nothing."""
    middle = sure.__array_namespace__().median(sure)
    return ScanFacts(median_of(level, inside & (level > SEEN * sure), middle), middle)


@jax.jit
def features(
    d: Float[Array, "v k"], sigma: Float[Array, " v"], delays: Delays, t1_blood: ArrayLike, facts: ScanFacts
) -> Features:
    """What the network sees. d, sigma : see `levels`."""
    g = sensitivity(delays, t1_blood)
    precision = delays.repeats * g**2
    used = delays.repeats > 0
    count = jnp.sum(used, dtype=precision.dtype)
    weight = precision * count / jnp.sum(precision)
    level, sure = levels(d, sigma, delays, t1_blood)
    level = jnp.maximum(level, sure)
    noise = sure * jnp.sqrt(count)
    hats = hat_values(delays.post_label_delay, NODES)
    inverse = jnp.linalg.inv((hats.T * weight) @ hats + jnp.asarray(penalty(NODES), hats.dtype))
    shape = (d / g * weight) @ hats @ inverse
    coverage = jnp.minimum(used @ hats, 1.0)
    channels = jnp.concatenate(
        [
            jnp.clip(shape / level[:, None], -_LARGEST, _LARGEST),
            jnp.broadcast_to(coverage, shape.shape),
            jnp.log(level / facts.level)[:, None],
            jnp.log(level / noise)[:, None],
        ],
        axis=1,
    )
    spread = inverse @ ((hats.T * weight) @ hats) @ inverse
    return Features(channels, scan_channels(delays, facts), level, noise, jnp.ones(level.shape, bool), spread)


@jax.jit
def scan_channels(delays: Delays, facts: ScanFacts) -> Float[Array, " g"]:
    """What is said of the scan: duration of its label, number of its delays, and how clear its typical voxel is."""
    used = delays.repeats > 0
    count = jnp.sum(used, dtype=delays.repeats.dtype)
    duration = jnp.sum(delays.label_duration * used) / count
    clarity = facts.level / (facts.sure * jnp.sqrt(count))
    return jnp.stack([jnp.log(duration / 1.8), jnp.log(count / 6.0), jnp.log(clarity)])


def gram(seen: Features) -> Float[Array, "n n"]:
    """How noise of the readouts, each in proportion to its precision, spreads over the nodes."""
    return seen.gram
