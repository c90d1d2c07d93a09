"""What a trained network is told about itself, from phantoms that it never saw: how far to trust its intervals.

Split conformal prediction (Vovk 2005; Lei et al. 2018): with the ratio r = |error| / sigma of each calibration voxel,
the 90 % quantile q of r makes value ± q sigma cover 90 % of voxels of the same kind, whatever the errors'
distribution. Each examination counts alike, since voxels of one phantom err together.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.familiarity import ODD, Familiarity, distance, learn
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.stream import Example, patches, sets
from estimate.qtmnet.tracers import Tracer
from estimate.qtmnet.training import patch_outputs, scan_channels
from simulate.phantom_bank import Bank

COVERAGE = 0.9

TO_ONE_SIGMA = 1.6449
"""Half an interval of that coverage of a normal distribution, in standard deviations."""

_CLEAR = 20.0
"""Times the noise: of such voxels the shapes are learnt."""


def calibrate(graph: Any, weights: Any, bank: Bank, *, seed: int, cube: int | None, rounds: int = 8) -> tuple:
    """(widening by quantity, Familiarity) from `rounds` x 32 examinations of the calibration phantoms.

    cube : edge of the patches that the branch sees; None for a network without it.
    """
    net: QTMnet = nnx.merge(graph, weights)
    tracer = net.shape.sees

    @jax.jit
    def draw(key: Any) -> tuple[Example, Any, Any]:
        if cube is None:
            batch = sets(key, bank, tracer.examination, scans=32, voxels=512)
            outputs = net(batch.features.voxel, scan_channels(net, batch), batch.inside)
        else:
            batch = patches(key, bank, tracer.examination, scans=32, side=cube, beside=128)
            outputs = patch_outputs(net, batch, cube)
        found = tracer.predicted(outputs)
        return batch, jnp.abs(found.value - batch.target) / found.spread, jax.vmap(tracer.gram)(batch.features)

    ratios, weight, drawn = [], [], []
    for key in jax.random.split(jax.random.key(seed), rounds):
        batch, ratio, gram = draw(key)
        counted = np.asarray(batch.weight) > 0
        ratios.append(np.asarray(ratio))
        weight.append(counted / np.maximum(counted.sum(1, keepdims=True), 1))
        drawn.append((batch, gram))
    widening = {}
    for i, name in enumerate(tracer.scored):
        r = np.concatenate([a[..., i].ravel() for a in ratios])
        w = np.concatenate([a[..., i].ravel() for a in weight])
        widening[name] = weighted_quantile(r, w, COVERAGE)
    return widening, _familiar(tracer, drawn)


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Smallest value below or at which lies this share of the weight."""
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, share * passed[-1])])


def _familiar(tracer: Tracer, drawn: list[tuple[Example, Any]]) -> Familiarity:
    def clear(seen: Any) -> np.ndarray:
        chosen = seen.enhanced & (seen.level > _CLEAR * seen.noise)
        return np.asarray(seen.voxel[chosen][:, : tracer.nodes])

    known = learn(np.concatenate([clear(batch.features) for batch, _ in drawn]))
    far = [
        np.asarray(jax.vmap(distance, in_axes=(None, 0, 0, 0))(
            known, b.features.voxel[..., : tracer.nodes], b.features.noise / b.features.level, gram
        ))[np.asarray(b.features.enhanced)]
        for b, gram in drawn
    ]  # fmt: skip
    return known._replace(limit=np.float32(np.quantile(np.concatenate(far), 1 - ODD)))
