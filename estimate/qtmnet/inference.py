"""Voxels of a scan through a trained QTMnet, in bounded memory: once per context, then tile by tile."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.out_of_distribution import scan_ood_score
from estimate.qtmnet.prediction import Prediction
from estimate.qtmnet.tiles import CORE, cut, tiles
from estimate.qtmnet.weights import Trained
from estimate.signal.batches import batches, in_batches, padded
from simulate.base.progress import Progress, silent


class NetworkInput(NamedTuple):
    """What a network is given of v voxels: voxel (v, f), scan (g,), and which of them the context may use (v,)."""

    voxel: np.ndarray
    scan: Any
    inside: np.ndarray


def predict_voxels(
    trained: Trained,
    seen: NetworkInput,
    where: tuple[np.ndarray, ...],
    shape: tuple[int, ...],
    *,
    core: tuple[int, ...] = CORE,
    progress: Progress = silent,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Values and their standard deviations (v, q) by the tracer's `scored`; the scan's `scan_ood_score`.

    where : the voxels' indices in a volume of this shape.      core : of a tile; it changes nothing but memory.
    """
    graph, weights = nnx.split(trained.network)
    weights = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), weights)
    contexts = _contexts(graph, weights, seen, trained.network.shape.rounds)
    ood_score = scan_ood_score(trained.training_distribution, contexts[0]) if contexts else 0.0
    count = len(seen.voxel)
    parts: Any = [(np.arange(count), None)]
    if trained.uses_branch:
        parts = _neighbourhoods(graph, weights, seen, contexts, where, shape, core)
    scored = trained.network.shape.sees.scored
    values, spreads = (np.full((count, len(scored)), np.nan, np.float32) for _ in range(2))
    done = 0
    for voxels, beside in parts:
        for some in batches(len(voxels)):
            rows = voxels[some]
            near = None if beside is None else padded(beside[some])
            found = _decode(graph, weights, padded(seen.voxel[rows]), seen.scan, contexts, near)
            values[rows], spreads[rows] = (np.asarray(a)[: len(rows)] for a in found)
            done += len(rows)
            progress("qtmnet", done, count)
    return values, spreads, ood_score


# -- context --------------------------------------------------------------------------------------------


def _contexts(graph: Any, weights: Any, seen: NetworkInput, rounds: int) -> list[jax.Array]:
    """The contexts of the whole scan, one after the other."""
    found: list[jax.Array] = []
    for _ in range(rounds):
        total: Any = 0.0
        for rows in batches(len(seen.voxel)):
            voxel, inside = padded(seen.voxel[rows]), padded(seen.inside[rows])
            total = total + np.asarray(_sums(graph, weights, voxel, inside, seen.scan, found), float)
        found.append(_pooled(graph, weights, np.asarray(total, np.float32), seen.scan, found))
    return found


def _encode(net: QTMnet, voxel: jax.Array, scan: jax.Array, contexts: list[jax.Array]) -> jax.Array:
    """Features of voxels as far as these contexts take them."""
    x = net.start(voxel, scan)
    for number, context in enumerate(contexts):
        if number + 1 < len(net.encoder):
            x = net.refine(x, number + 1, context)
    return x


@partial(jax.jit, static_argnums=0)
def _sums(graph: Any, weights: Any, voxel: jax.Array, inside: jax.Array, scan: jax.Array, contexts: list) -> jax.Array:
    net: QTMnet = nnx.merge(graph, weights)
    return net.contexts[len(contexts)].sums(_encode(net, voxel, scan, contexts), inside)


@partial(jax.jit, static_argnums=0)
def _pooled(graph: Any, weights: Any, sums: jax.Array, scan: jax.Array, contexts: list) -> jax.Array:
    """The next context from the sums over all voxels."""
    net: QTMnet = nnx.merge(graph, weights)
    return net.contexts[len(contexts)](sums, scan, contexts[-1] if contexts else None)


# -- neighbourhood --------------------------------------------------------------------------------------


def _neighbourhoods(
    graph: Any, weights: Any, seen: NetworkInput, contexts: list[jax.Array], where: tuple, shape: tuple, core: tuple
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, (n, c) what the U-Net makes of their surroundings) of the voxels of one tile's core after the other."""
    entered = in_batches(lambda voxel: _enter(graph, weights, voxel, seen.scan, contexts), seen.voxel)
    row = np.full(shape, -1, np.int32)
    row[where] = np.arange(len(where[0]), dtype=np.int32)
    for tile in tiles(row >= 0, core):
        here = cut(row, tile.around, -1)
        rows = here[tile.core]
        wanted = rows >= 0
        if not wanted.any():
            continue
        inside = here >= 0
        inside[inside] = seen.inside[here[inside]]
        volume = np.zeros((*here.shape, entered.shape[-1]), np.float32)
        volume[inside] = entered[here[inside]]
        neighbours = np.asarray(_neighbours(graph, weights, volume, inside))
        yield rows[wanted], neighbours[tile.core][wanted]


@partial(jax.jit, static_argnums=0)
def _enter(graph: Any, weights: Any, voxel: jax.Array, scan: jax.Array, contexts: list) -> jax.Array:
    net: QTMnet = nnx.merge(graph, weights)
    assert net.branch is not None
    return net.branch.enter(_encode(net, voxel, scan, contexts))


@partial(jax.jit, static_argnums=0)
def _neighbours(graph: Any, weights: Any, entered: jax.Array, inside: jax.Array) -> jax.Array:
    """(d, h, w, c) what the U-Net makes of a tile: the one program that depends on a scan's extent."""
    net: QTMnet = nnx.merge(graph, weights)
    assert net.branch is not None
    return net.branch.after_entry(entered[None], inside[None].astype(entered.dtype))[0]


# -- parameters -----------------------------------------------------------------------------------------


@partial(jax.jit, static_argnums=0)
def _decode(
    graph: Any, weights: Any, voxel: jax.Array, scan: jax.Array, contexts: list, neighbours: jax.Array | None
) -> Prediction:
    net: QTMnet = nnx.merge(graph, weights)
    x = _encode(net, voxel, scan, contexts)
    return net.shape.sees.predicted(net.decode(x, contexts[-1] if contexts else None, neighbours))
