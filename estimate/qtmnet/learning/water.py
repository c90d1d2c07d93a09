"""Examinations of labelled water: delays, label, noise drawn at random, voxels measured and made into examples."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key

from estimate.qtmnet.learning.stream import Example, Voxels, region_factors, some_of
from estimate.qtmnet.water.domain import READOUTS, T1B, TRAINING, Labelling
from estimate.qtmnet.water.features import Delays, features, levels, scan_facts
from estimate.qtmnet.water.targets import target
from simulate.banks.water import TRUTHS, label_matrix
from simulate.base.constants import BRAIN_DENSITY, LABEL_EFFICIENCY, PARTITION_COEFFICIENT


class LabelScan(NamedTuple):
    """How one examination is made: delays, matrix (m, k) of `label_matrix`, inlet_delay () [s], sigma () of d from one
    pair."""

    delays: Delays
    matrix: Array
    inlet_delay: Array
    sigma: Array


@partial(jax.jit, static_argnames="ranges")
def draw_scan(key: Key[Array, ""], ranges: Labelling = TRAINING) -> LabelScan:
    """A random protocol."""
    keys = jax.random.split(key, 9)

    def uniform(k: Array, low: float, high: float) -> Array:
        return jax.random.uniform(k, minval=low, maxval=high)

    count = jax.random.randint(keys[0], (), ranges.delays[0], ranges.delays[1] + 1)
    first, last = uniform(keys[1], *ranges.first), uniform(keys[2], *ranges.last)
    number = jnp.arange(READOUTS)
    step = (last - first) / (count - 1)
    moved = step * jax.random.uniform(keys[3], (READOUTS,), minval=-0.2, maxval=0.2)
    used = number < count
    delay = jnp.where(used, first + step * number + moved * ((number > 0) & (number < count - 1)), last)
    duration = jnp.exp(uniform(keys[4], *np.log(ranges.duration))) * jnp.ones(READOUTS)
    several = jax.random.randint(keys[5], (READOUTS,), 1, ranges.repeats + 1)
    repeats = jnp.where(jax.random.bernoulli(keys[6]), several, 1) * used
    arrives = uniform(keys[7], *ranges.inlet_delay)
    of_m0 = jnp.exp(uniform(keys[8], *np.log(ranges.noise)))
    return LabelScan(
        delays=Delays(delay, duration, repeats.astype(delay.dtype)),
        matrix=label_matrix(delay + duration, duration, arrives, t1_blood=T1B).astype(delay.dtype),
        inlet_delay=arrives,
        sigma=of_m0 * PARTITION_COEFFICIENT / (2 * LABEL_EFFICIENCY["pcasl"]),
    )


def measure(key: Key[Array, ""], voxels: Voxels, scan: LabelScan) -> Float[Array, "v k"]:
    """d = lambda dM/(2 alpha M0) [mL/g] of the voxels, means over the repeats, with noise; 0 where there are none."""
    clean = (voxels.shape.astype(jnp.float32) @ scan.matrix) * voxels.peak[:, None] / BRAIN_DENSITY
    repeats = scan.delays.repeats
    sigma = scan.sigma / jnp.sqrt(jnp.maximum(repeats, 1.0))
    return (clean + sigma * jax.random.normal(key, clean.shape)) * (repeats > 0)


def varied(key: Key[Array, ""], voxels: Voxels) -> Voxels:
    """The voxels as of another phantom, every region with more or less flow: all the label goes with it."""
    factor = region_factors(key, voxels)
    proportional = jnp.asarray([name != "ATT" for name in TRUTHS])
    return voxels._replace(
        peak=voxels.peak * factor, truth=voxels.truth * jnp.where(proportional, factor[:, None], 1.0)
    )


def example(key: Key[Array, ""], voxels: Voxels, scan: LabelScan) -> Example:
    """Measure voxels and turn them into what the network sees and should say."""
    measured, keep, share = jax.random.split(key, 3)
    d = measure(measured, voxels, scan)
    count = d.shape[0]
    sigma = jnp.broadcast_to(scan.sigma, (count,))
    level, sure = levels(d, sigma, scan.delays, T1B)
    seen = features(d, sigma, scan.delays, T1B, scan_facts(level, sure, jnp.ones(count, bool)))
    truth = {name: voxels.truth[:, i] for i, name in enumerate(TRUTHS)}
    wanted, weight = target(truth["CBF"], truth["ATT"] + scan.inlet_delay, seen.level)
    return Example(seen, wanted, weight, some_of(keep, share, count), jnp.zeros(0), voxels.region)


def examination(keys: Key[Array, " 3"], voxels: Voxels) -> Example:
    """Some voxels of a phantom, varied, in a random scan."""
    return _examined(keys, voxels, TRAINING)


LATE = TRAINING._replace(inlet_delay=(2.4, 4.8))
"""Label that takes two to four times the training's longest way to the block."""


def late_label(keys: Key[Array, " 3"], voxels: Voxels) -> Example:
    """The same with label that is later than any of the training."""
    return _examined(keys, voxels, LATE)


def _examined(keys: Key[Array, " 3"], voxels: Voxels, ranges: Labelling) -> Example:
    draw, noise, vary = keys
    return example(noise, varied(vary, voxels), draw_scan(draw, ranges))
