"""A trained network on whole phantoms whose truth is known: how far it is off, in its own units."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from estimate.qtmnet.learning.objectives import patch_outputs, scan_channels
from estimate.qtmnet.learning.stream import blocks
from estimate.qtmnet.learning.tasks import TASKS
from estimate.qtmnet.network import QTMnet
from simulate.banks.phantoms import Bank

_AT_ONCE = 4
"""Phantoms."""


class Evaluation(NamedTuple):
    """One examination of v voxels, q quantities (the tracer's `scored`).

    value, spread, error : (v, q) what the network says, how sure it is, and truth minus value: of a logarithm, or in s.
    counted : (v, q) where the quantity has a meaning.      level : (v,) of the curve, see the tracer's features.
    region : (v,) values of `Region`.
    """

    value: Array | np.ndarray
    spread: Array | np.ndarray
    error: Array | np.ndarray
    counted: Array | np.ndarray
    level: Array | np.ndarray
    region: Array | np.ndarray


def evaluations(net: QTMnet, bank: Bank, *, seed: int, branch: bool) -> Iterator[Evaluation]:
    """One examination of every phantom of a bank, protocol, input and noise drawn as in training.

    branch : whether the network sees the neighbourhood.
    """
    graph, weights = nnx.split(net)
    count, arrays = len(bank.peak), tuple(bank[:-1])
    for number, begin in enumerate(range(0, count, _AT_ONCE)):
        phantoms = jnp.minimum(jnp.arange(begin, begin + _AT_ONCE), count - 1)  # the last again where few are left
        key = jax.random.fold_in(jax.random.key(seed), number)
        found = jax.tree.map(np.asarray, _look(graph, bank.side, branch, weights, arrays, key, phantoms))
        for k in range(min(_AT_ONCE, count - begin)):
            yield Evaluation(*(a[k] for a in found))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _look(graph: Any, side: int, branch: bool, weights: Any, arrays: tuple, key: Any, phantoms: Any) -> Evaluation:
    net: QTMnet = nnx.merge(graph, weights)
    tracer = net.shape.sees
    batch = blocks(key, Bank._make([*arrays, side]), TASKS[net.shape.tracer].examination, phantoms)
    if branch:
        outputs = patch_outputs(net, batch, side)
    else:
        outputs = net(batch.features.voxel, scan_channels(net, batch), batch.inside)
    said = tracer.predicted(outputs)
    return Evaluation(
        said.value, said.spread, batch.target - said.value, batch.weight > 0, batch.features.level, batch.region
    )


def common_errors(scans: Iterator[Evaluation]) -> np.ndarray:
    """(q,) what all voxels of a scan are off by together: root mean square over scans of the median error of each."""
    medians = [
        [np.median(e[c]) if c.any() else np.nan for e, c in zip(scan.error.T, scan.counted.T, strict=True)]
        for scan in scans
    ]
    return np.sqrt(np.nanmean(np.square(medians), axis=0))
