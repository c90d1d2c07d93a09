"""Calibration of a trained network on phantoms that it never saw: how far to trust its intervals, and where
the distribution of its training ends (`estimate.qtmnet.learning.limits`).

Split conformal prediction (Vovk 2005; Lei et al. 2018): with the ratio r = |error| / sigma of each calibration voxel,
the 90 % quantile q of r makes value ± q sigma cover 90 % of voxels of the same kind, whatever the errors'
distribution. Each examination counts alike, since voxels of one phantom err together. Rims of tumours are what the
maps are made for, and the hardest to read: q is taken among all voxels and among those of rims, and the larger counts
(conformal prediction by class, Vovk 2012, for a class that nobody knows of a voxel).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.learning.evaluation import common_errors, evaluations
from estimate.qtmnet.learning.limits import curve_distribution, scan_distribution
from estimate.qtmnet.learning.objectives import patch_outputs, scan_channels
from estimate.qtmnet.learning.stream import Example, patches, sets
from estimate.qtmnet.learning.tasks import TASKS
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.out_of_distribution import TrainingDistribution
from estimate.qtmnet.prediction import COVERAGE
from estimate.qtmnet.weights import Calibration
from simulate.banks.phantoms import Bank
from simulate.phantoms.priors import Region

EXAMINATIONS = 4
"""Drawn of each calibration phantom, on average: with fewer the intervals depend on which."""

_BATCH = 32

_VOXELS = 512
"""Of an examination that is drawn without neighbours."""

_FEWEST = 15
"""Voxels of a rim with which an examination counts among those of rims."""


def calibrate(graph: Any, weights: Any, bank: Bank, *, seed: int, cube: int | None) -> Calibration:
    """From `EXAMINATIONS` of each of the calibration phantoms.

    cube : edge of the patches that the branch sees; None for a network without it.
    """
    net: QTMnet = nnx.merge(graph, weights)
    tracer = net.shape.sees

    ratios, counted, rim, drawn = [], [], [], []
    for key in jax.random.split(jax.random.key(seed), -(-EXAMINATIONS * len(bank.peak) // _BATCH)):
        batch, ratio, gram = _draw(graph, bank.side, cube, weights, tuple(bank[:-1]), key)
        ratios.append(np.asarray(ratio))
        counted.append(np.asarray(batch.weight) > 0)
        rim.append(np.asarray(batch.region) == int(Region.RIM))
        drawn.append((batch, gram))
    found = quantiles(*(np.concatenate(parts) for parts in (ratios, counted, rim)))
    curves, curve_shares = curve_distribution(tracer, drawn)
    scans, scan_shares = scan_distribution(net, bank, seed=seed)
    together = common_errors(evaluations(net, bank, seed=seed + 1, branch=cube is not None))
    return Calibration(
        dict(zip(tracer.scored, found.tolist(), strict=True)), dict(zip(tracer.scored, together.tolist(), strict=True)),
        TrainingDistribution(curves, scans), {"curves": curve_shares, "scans": scan_shares},
    )  # fmt: skip


@partial(jax.jit, static_argnums=(0, 1, 2))
def _draw(graph: Any, side: int, cube: int | None, weights: Any, arrays: tuple, key: Any) -> tuple[Example, Any, Any]:
    """Examinations, |error|/sigma of what the network says of them, and what curves' distances need."""
    net: QTMnet = nnx.merge(graph, weights)
    tracer, bank, examination = net.shape.sees, Bank._make([*arrays, side]), TASKS[net.shape.tracer].examination
    if cube is None:
        batch = sets(key, bank, examination, scans=_BATCH, voxels=_VOXELS)
        outputs = net(batch.features.voxel, scan_channels(net, batch), batch.inside)
    else:
        batch = patches(key, bank, examination, scans=_BATCH, side=cube, beside=128)
        outputs = patch_outputs(net, batch, cube)
    found = tracer.predicted(outputs)
    return batch, jnp.abs(found.value - batch.target) / found.spread, jax.vmap(tracer.gram)(batch.features)


def quantiles(ratios: np.ndarray, counted: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """(q,) what covers `COVERAGE` of the ratios both anywhere and in rims, every examination counting alike.

    ratios, counted : (examinations, voxels, q) |error|/sigma, and which count.      rim : (examinations, voxels).
    """
    number = counted.sum(1, keepdims=True)
    kinds = [counted / np.maximum(number, 1)]
    inside = counted & rim[..., None]
    number = inside.sum(1, keepdims=True)
    kinds.append(inside * (number >= _FEWEST) / np.maximum(number, 1))
    return np.asarray([
        max(weighted_quantile(ratios[..., i].ravel(), w[..., i].ravel(), COVERAGE) for w in kinds if w[..., i].any())
        for i in range(ratios.shape[-1])
    ])  # fmt: skip


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Smallest value below or at which lies this share of the weight."""
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, share * passed[-1])])
