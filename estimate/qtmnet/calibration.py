"""What a trained network is told about itself, from phantoms that it never saw: how far to trust its intervals, and
what curves and scans it knows (`estimate.qtmnet.familiarity`).

Split conformal prediction (Vovk 2005; Lei et al. 2018): with the ratio r = |error| / sigma of each calibration voxel,
the 90 % quantile q of r makes value ± q sigma cover 90 % of voxels of the same kind, whatever the errors'
distribution. Each examination counts alike, since voxels of one phantom err together. Rims of tumours are what the
maps are made for, and the hardest to read: q is taken among all voxels and among those of rims, and the larger counts
(conformal prediction by class, Vovk 2012, for a class that nobody knows of a voxel).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.familiarity import (
    ODD,
    ODD_SCANS,
    Cloud,
    Familiarity,
    curve_distance,
    distance,
    learn_curves,
    learn_scans,
)
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.prediction import COVERAGE
from estimate.qtmnet.stream import Example, patches, sets, whole_scans
from estimate.qtmnet.tracers import Tracer
from estimate.qtmnet.training import patch_outputs, scan_channels
from simulate.phantom import Region
from simulate.phantom_bank import Bank

EXAMINATIONS = 4
"""Drawn of each calibration phantom, on average: with fewer the intervals depend on which."""

_BATCH = 32

_VOXELS = 512
"""Of an examination that is drawn without neighbours."""

_FEWEST = 15
"""Voxels of a rim with which an examination counts among those of rims."""

_CLEAR = 20.0
"""Times the noise: of such voxels the shapes are learnt."""

_SCANS = 8
"""Whole scans drawn of each calibration phantom, to learn what they look like."""


def calibrate(graph: Any, weights: Any, bank: Bank, *, seed: int, cube: int | None) -> tuple:
    """(widening by quantity, Familiarity) from `EXAMINATIONS` of each of the calibration phantoms.

    cube : edge of the patches that the branch sees; None for a network without it.
    """
    net: QTMnet = nnx.merge(graph, weights)
    tracer = net.shape.sees

    @jax.jit
    def draw(key: Any) -> tuple[Example, Any, Any]:
        if cube is None:
            batch = sets(key, bank, tracer.examination, scans=_BATCH, voxels=_VOXELS)
            outputs = net(batch.features.voxel, scan_channels(net, batch), batch.inside)
        else:
            batch = patches(key, bank, tracer.examination, scans=_BATCH, side=cube, beside=128)
            outputs = patch_outputs(net, batch, cube)
        found = tracer.predicted(outputs)
        return batch, jnp.abs(found.value - batch.target) / found.spread, jax.vmap(tracer.gram)(batch.features)

    ratios, counted, rim, drawn = [], [], [], []
    for key in jax.random.split(jax.random.key(seed), -(-EXAMINATIONS * len(bank.peak) // _BATCH)):
        batch, ratio, gram = draw(key)
        ratios.append(np.asarray(ratio))
        counted.append(np.asarray(batch.weight) > 0)
        rim.append(np.asarray(batch.region) == int(Region.RIM))
        drawn.append((batch, gram))
    found = quantiles(*(np.concatenate(parts) for parts in (ratios, counted, rim)))
    known = Familiarity(_familiar_curves(tracer, drawn), _familiar_scans(net, bank, seed=seed))
    return dict(zip(tracer.scored, found.tolist(), strict=True)), known


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


def _familiar_curves(tracer: Tracer, drawn: list[tuple[Example, Any]]) -> Cloud:
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
    return known._replace(limit=np.float32(np.quantile(np.concatenate(far), 1 - ODD)))


def _familiar_scans(net: QTMnet, bank: Bank, *, seed: int) -> Cloud:
    """Learnt from every other phantom; the limit is that of scans of the others, which the cloud was not fitted to."""
    tracer = net.shape.sees
    if not net.contexts:
        return Familiarity.empty(tracer.nodes, net.shape.context).scans

    @jax.jit
    def look(key: Any, half: Bank) -> Any:
        batch = whole_scans(key, half._replace(side=bank.side), tracer.examination, scans=_BATCH, voxels=_VOXELS)
        return net.first_context(batch.features.voxel, scan_channels(net, batch), batch.inside)

    halves = [bank.map(lambda a, k=k: a[k::2]) for k in range(2)] if len(bank.peak) > 1 else [bank, bank]
    found = []
    for k, half in enumerate(halves):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), k), -(-_SCANS * len(half.peak) // _BATCH))
        found.append(np.concatenate([np.asarray(look(key, half)) for key in keys]))
    known = learn_scans(found[0])
    far = np.asarray(distance(known, jnp.asarray(found[1])))
    return known._replace(limit=np.float32(np.quantile(far, 1 - ODD_SCANS)))
