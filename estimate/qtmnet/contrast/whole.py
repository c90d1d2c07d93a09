r"""A scan through a trained QTMnet as one pure function of its concentrations, for derivatives down to every frame.

`inference.predict_scan` streams a scan through NumPy, voxel by voxel and tile by tile; this holds all of it, under
jit, grad and jvp, in the precision of the concentrations. What the network takes of the scan as a whole switches: the
arrival sits between two frames, medians are single voxels, and a voxel is or is not seen to enhance. Each of them is
`Held` as it is in the measured scan. What is left is smooth, and keeps the scale law: a level that was the median of
the scan's voxels becomes the mean of those about it, times what made the two equal, so that a C still has the maps
a \theta, and a derivative falls on many voxels, not on one.

Only what enters a residual block is kept for the way back; the rest is computed again (`jax.checkpoint`).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float

from estimate.arterial.scale import InputScale, population_scale
from estimate.qtmnet.contrast.features import (
    SEEN,
    Measured,
    Reading,
    ScanFacts,
    arrival_time,
    facts_from,
    features_from,
    measured,
    reading,
)
from estimate.qtmnet.contrast.inference import padded_frames
from estimate.qtmnet.contrast.targets import MAPS, SCALED, SCORED, VESSEL_FLOOR
from estimate.qtmnet.network import QTMnet
from estimate.qtmnet.tiles import few_extents
from estimate.qtmnet.weights import Trained
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol

ABOUT = 0.05
"""Share of the voxels on either side of the median whose mean stands for it."""


class Held(NamedTuple):
    """What switches, as it is in a measured scan of v voxels.

    Attributes
    ----------
    arrival : number [s]
        Of contrast.
    enhanced : (v,) bool array
        Whether the context may use a voxel.
    loud : (v,) bool array
        Whether its level is more than noise.
    level : (v,) array
        Weights of the voxels' levels in the scan's.
    variance : (v,) array
        Likewise of their noise.
    """

    arrival: Any
    enhanced: Any
    loud: Any
    level: Any
    variance: Any


def hold(concentration: Float[Any, "d h w t"], protocol: DCEProtocol, *, inside: Bool[np.ndarray, "d h w"]) -> Held:
    """What switches in a scan, as its measured concentrations have it; see `qtmnet_maps`.

    Parameters
    ----------
    concentration : (d, h, w, t) array [mmol/L]
        Finite inside.
    protocol : DCEProtocol
        Times and duration of the frames.
    inside : (d, h, w) bool array
        Voxels of the scan.

    Returns
    -------
    Held
        For all concentrations along a path to these.
    """
    curves, frames = np.asarray(concentration)[inside], _frames(protocol, jnp.result_type(float))
    arrival, read, found = _read(jnp.asarray(curves), frames, None)
    every = np.ones(len(curves), bool)
    facts = facts_from(arrival, found, read, every)
    seen = features_from(found, read, frames, facts)
    enhanced = np.asarray(found.level > SEEN * jnp.sqrt(found.variance * read.spread))
    level, variance = (np.asarray(each, float) for each in (found.level, found.variance))
    return Held(
        arrival, np.asarray(seen.enhanced), np.asarray(seen.level == found.level),
        _about_median(level, enhanced, float(facts.level)), _about_median(variance, every, float(facts.variance)),
    )  # fmt: skip


def qtmnet_maps(
    concentration: Float[Any, "d h w t"],
    protocol: DCEProtocol,
    trained: Trained,
    *,
    inside: Bool[np.ndarray, "d h w"],
    scale: InputScale | None = None,
    held: Held | None = None,
    own: ArrayLike = False,
) -> dict[str, Float[Array, "d h w"]]:
    """Perfusion maps of a scan, differentiable in every frame of every voxel.

    Parameters
    ----------
    concentration : (d, h, w, t) array [mmol/L]
        Finite inside.
    protocol : DCEProtocol
        Times and duration of the frames.
    trained : Trained
        A network that was not trained with the arterial input.
    inside : (d, h, w) bool array
        Voxels of the scan: known when a program is made of this, not traced.
    scale : InputScale, optional
        Where absolute values come from; the population's by default.
    held : Held, optional
        What switches, of the measured scan where this is not it; that of these concentrations by default, which must
        then not be traced.
    own : bool
        Derivatives of what a voxel's own curve and its neighbourhood say, without what it says of the scan to all
        others (the context); values are the same. It may be traced, so that one program gives both.

    Returns
    -------
    dict of str to (d, h, w) array
        In internal units; NaN outside.

    Raises
    ------
    InputError
        For a network that takes the arterial input, and where there is no voxel inside.
    """
    if trained.network.shape.aif_given:
        raise InputError("trained", "aif_given", "was trained with the input given", "give other weights")
    if not inside.any():
        raise InputError("inside", "", "has no voxel", "give a mask that covers enhancing tissue")
    values, where = jnp.asarray(concentration), np.nonzero(inside)
    graph, weights = nnx.split(trained.network)
    place, extent = _box(where)
    return _maps(
        graph, extent if trained.uses_branch else None, weights, values, _frames(protocol, values.dtype),
        held or hold(concentration, protocol, inside=inside), (where, place), (scale or population_scale()).area, own,
    )  # fmt: skip


@partial(jax.jit, static_argnums=(0, 1))
def _maps(
    graph: Any, extent: tuple[int, ...] | None, weights: Any, values: Array, frames: Any, held: Held,
    voxels: tuple[Any, Any], area: Any, own: Any,
) -> dict[str, Array]:  # fmt: skip
    """`qtmnet_maps` as one program, for any scan of its size. voxels : where those inside lie, in the scan and in the
    box of this extent that the neighbourhood's branch sees; None without it."""
    where, place = voxels
    curves = values[where]
    _, read, found = _read(curves, frames, held.arrival)
    through = jnp.where(own, 0.0, 1.0).astype(values.dtype)
    still = lambda x: through * x + (1 - through) * jax.lax.stop_gradient(x)  # noqa: E731  x, to the last digit
    facts = ScanFacts(held.arrival, still(found.level @ held.level), still(found.variance @ held.variance))
    seen = features_from(found, read, frames, facts, loud=held.loud)
    net: QTMnet = nnx.merge(graph, jax.tree.map(lambda a: jnp.asarray(a, values.dtype), weights))
    beside = None if extent is None else partial(_neighbours, net, place=place, extent=extent)
    said = _through(net, beside, seen.voxel, seen.scan, jnp.asarray(held.enhanced), still)
    out = {}
    for i, (name, map_name) in enumerate(zip(SCORED, MAPS, strict=True)):
        value = said[:, i] if name == "delay" else jnp.exp(said[:, i])
        value = jnp.maximum(value - VESSEL_FLOOR, 0.0) if name == "vp_vessels" else value
        value = value * seen.level / area if name in SCALED else value
        out[map_name] = jnp.full(values.shape[:-1], jnp.nan, value.dtype).at[where].set(value)
    return out


def _frames(protocol: DCEProtocol, dtype: Any) -> Any:
    start = np.asarray(protocol.times, float)
    frames = padded_frames(start, float(np.asarray(protocol.frame_duration)))
    return jax.tree.map(lambda each: each[: len(start)].astype(dtype) if each.ndim else each.astype(dtype), frames)


def _read(curves: Array, frames: Any, arrival: Any) -> tuple[Any, Reading, Measured]:
    arrival = arrival_time(jnp.mean(curves, axis=0), frames) if arrival is None else arrival
    read = reading(frames, arrival)
    return arrival, read, measured(curves, read)


def _about_median(values: np.ndarray, which: np.ndarray, median: float) -> np.ndarray:
    """(v,) weights of those of `which` that lie about the median, such that their sum of values is it."""
    weight = np.zeros(len(values))
    rows = np.flatnonzero(which)
    if rows.size:
        ordered = rows[np.argsort(values[rows])]
        middle, reach = (rows.size - 1) // 2, max(int(ABOUT * rows.size), 1)
        weight[ordered[max(middle - reach, 0) : middle + reach + 1]] = 1.0
    total = float(weight @ values)
    return weight * median / total if total > 0 else weight


def _through(
    net: QTMnet, neighbours: Callable[[Array], Array] | None, voxel: Array, scan: Array, enhanced: Array,
    still: Callable[[Array], Array],
) -> Array:  # fmt: skip
    """(v, q) scale-free logarithms by `SCORED`. neighbours : of features (v, c), what the branch makes of every voxel's
    surroundings.      still : what is done to every context."""
    everywhere = jnp.broadcast_to(scan, (len(voxel), scan.size))
    x = _again(net.enter, jnp.concatenate([voxel, everywhere], axis=-1))
    context = None
    for number, blocks in enumerate(net.encoder):
        for block in blocks:
            x = _again(block, x, context)
        if number < len(net.contexts):
            pool = net.contexts[number]
            context = still(pool(pool.sums(x, enhanced), scan, context))
    h = net.widen(x)
    if neighbours is not None:
        assert net.beside is not None
        h = h + net.beside(neighbours(x))
    for block in net.decoder:
        h = _again(block, h, context)
    return net.shape.sees.predicted(_again(lambda y: net.heads(net.norm(y)), h)).value


def _box(where: tuple[np.ndarray, ...]) -> tuple[tuple[np.ndarray, ...], tuple[int, ...]]:
    """Where voxels lie in the box about them, and its extent, one of few."""
    place = tuple(axis - axis.min() for axis in where)
    return place, tuple(few_extents(int(axis.max()) + 1) for axis in place)


def _neighbours(net: QTMnet, x: Array, *, place: tuple[Array, ...], extent: tuple[int, ...]) -> Array:
    """(v, c) what the U-Net makes of every voxel's surroundings."""
    assert net.branch is not None
    entered = net.branch.enter(x)
    inside = jnp.zeros(extent, x.dtype).at[place].set(1.0)
    volume = jnp.zeros((*extent, entered.shape[-1]), x.dtype).at[place].set(entered)
    return _again(net.branch.after_entry, volume[None], inside[None])[0][place]


def _again(layer: Any, *arrays: Any) -> Array:
    """What a layer makes of arrays, computed a second time for the way back rather than kept."""
    return jax.checkpoint(layer)(*arrays)
