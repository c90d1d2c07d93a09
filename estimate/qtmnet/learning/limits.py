"""Thresholds of out-of-distribution detection (`estimate.qtmnet.out_of_distribution`), from calibration phantoms alone.

A curve is an outlier beyond what a share of `CURVE_FALSE_ALARMS` of the calibration's own curves pass, a scan beyond
what `SCAN_FALSE_ALARMS` of its scans do: shares by convention, the limits from calibration phantoms alone. (The
convention for scans was settled on after a stricter one was seen to miss infusions in a third of 24 test phantoms;
those that report on it are of other seeds, but of the same family.) How many scans that are made to be unlike are found
is kept beside it: the same phantoms with an injection two to four times as slow as the slowest of the training, or
label that takes as much longer (`Task.out_of_distribution`). The distribution of scans is learnt from every other
phantom, and its limit from the others.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Key

from estimate.qtmnet.learning.objectives import scan_channels
from estimate.qtmnet.learning.stream import Examination, Example, whole_scans
from estimate.qtmnet.learning.tasks import TASKS
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.out_of_distribution import (
    Gaussian,
    TrainingDistribution,
    curve_distance,
    distance,
    learn_curves,
    learn_scans,
)
from estimate.qtmnet.tracers import Tracer
from simulate.banks.phantoms import Bank

CURVE_FALSE_ALARMS = 0.005
"""Share of in-distribution curves beyond their limit."""

SCAN_FALSE_ALARMS = 0.05
"""Share of in-distribution scans beyond theirs, the usual level of a test."""

_CLEAR = 20.0
"""Times the noise: of such voxels the shapes are learnt."""

_SCANS = 8
"""Whole scans drawn of each calibration phantom, to learn what they look like."""

_BATCH, _VOXELS = 32, 512
"""Scans at a time, and voxels of each."""


def curve_distribution(tracer: Tracer, drawn: list[tuple[Example, Any]]) -> tuple[Gaussian, dict[str, float]]:
    """The distribution of curves with its limit, and which share of its own pass it."""

    def clear(seen: Any) -> np.ndarray:
        chosen = seen.enhanced & (seen.level > _CLEAR * seen.noise)
        return np.asarray(seen.voxel[chosen][:, : tracer.nodes])

    known = learn_curves(np.concatenate([clear(batch.features) for batch, _ in drawn]))
    far = [
        np.asarray(jax.vmap(curve_distance, in_axes=(None, 0, 0, 0))(
            known, b.features.voxel[..., : tracer.nodes], b.features.noise / b.features.level, gram
        ))[np.asarray(b.features.enhanced)]
        for b, gram in drawn
    ]  # fmt: skip
    return known._replace(limit=np.float32(np.quantile(np.concatenate(far), 1 - CURVE_FALSE_ALARMS))), {
        "alarms": CURVE_FALSE_ALARMS
    }


def scan_distribution(net: QTMnet, bank: Bank, *, seed: int) -> tuple[Gaussian, dict[str, float]]:
    """The distribution of scans with its limit, and which shares of its own and of others pass it."""
    tracer, task = net.shape.sees, TASKS[net.shape.tracer]
    if not net.contexts:
        return TrainingDistribution.empty(tracer.nodes, net.shape.context).scans, {"alarms": 0.0, "found": 0.0}

    one, other = [bank.map(lambda a, k=k: a[k::2]) for k in range(2)] if len(bank.peak) > 1 else [bank, bank]
    keys = [jax.random.fold_in(jax.random.key(seed), draw) for draw in range(3)]
    known = learn_scans(contexts(net, one, task.examination, keys[0]))
    inside, outside = (
        np.asarray(distance(known, jnp.asarray(contexts(net, other, examination, key))))
        for examination, key in ((task.examination, keys[1]), (task.out_of_distribution, keys[2]))
    )
    limit = float(np.quantile(inside, 1 - SCAN_FALSE_ALARMS))
    shares = {"alarms": SCAN_FALSE_ALARMS, "found": float(np.mean(outside > limit))}
    return known._replace(limit=np.float32(limit)), shares


def contexts(net: QTMnet, bank: Bank, examination: Examination, key: Key[Array, ""]) -> np.ndarray:
    """(s, c) the first contexts of `_SCANS` whole scans of each phantom, more or less."""

    graph, weights = nnx.split(net)
    keys = jax.random.split(key, -(-_SCANS * len(bank.peak) // _BATCH))
    return np.concatenate(
        [np.asarray(_look(graph, examination, bank.side, weights, k, tuple(bank[:-1]))) for k in keys]
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def _look(graph: Any, examination: Examination, side: int, weights: Any, key: Any, arrays: tuple) -> Any:
    net: QTMnet = nnx.merge(graph, weights)
    batch = whole_scans(key, Bank._make([*arrays, side]), examination, scans=_BATCH, voxels=_VOXELS)
    return net.first_context(batch.features.voxel, scan_channels(net, batch), batch.inside)
