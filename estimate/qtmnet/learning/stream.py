"""An endless stream of examinations to train on: phantoms from a bank, everything else drawn on the fly."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int, Key

from estimate.training.devices import split
from simulate.banks.phantoms import Bank
from simulate.phantoms.priors import Region

FAVOUR = 40.0
"""Largest odds of a voxel of a tumour's rim over any other."""

STRENGTH = 0.25
"""Standard deviation of the logarithm of a factor on all that a region's curves are proportional to: exact, and as
good as another phantom."""


class Voxels(NamedTuple):
    """Of some voxels of a phantom: shape (v, m), peak (v,), truth (v, p), region (v,)."""

    shape: Array
    peak: Array
    truth: Array
    region: Array


class Example(NamedTuple):
    """Of one examination: features (voxel, scan, level, noise, enhanced and what else a tracer has), target (v, q),
    weight (v, q), which voxels the context may use (v,), the input (n,) for a network that is given it, and the tissue
    that voxels are of (v,), a value of `Region`."""

    features: Any
    target: Array
    weight: Array
    inside: Array
    aif: Array
    region: Array


Examination = Callable[[Array, Voxels], Example]
"""(three keys, voxels) -> an examination of them with random protocol, input and noise."""


def voxels_of(bank: Bank, phantom: Int[Array, ""], index: Int[Array, " v"]) -> Voxels:
    return Voxels(
        bank.shape[phantom, index], bank.peak[phantom, index], bank.truth[phantom, index], bank.region[phantom, index]
    )


def draw_voxels(key: Key[Array, ""], bank: Bank, phantom: Int[Array, ""], count: int) -> Int[Array, " v"]:
    """Indices of random voxels, those of the tumour's rim up to `FAVOUR` times as likely; with replacement."""
    choose, favour = jax.random.split(key)
    rim = bank.region[phantom] == int(Region.RIM)
    odds = jnp.where(rim, jnp.exp(jax.random.uniform(favour, maxval=jnp.log(FAVOUR))), 1.0)
    total = jnp.cumsum(odds)
    return jnp.searchsorted(total, total[-1] * jax.random.uniform(choose, (count,)))


def region_factors(key: Key[Array, ""], voxels: Voxels) -> Array:
    """(v,) by how much stronger or weaker the region of every voxel is made, see `STRENGTH`."""
    return jnp.exp(STRENGTH * jax.random.normal(key, (len(Region),)))[voxels.region]


def some_of(keep: Key[Array, ""], share: Key[Array, ""], count: int) -> Array:
    """(v,) which voxels the context may use: scans are larger and smaller than a training block."""
    return jax.random.uniform(keep, (count,)) < jax.random.uniform(share, (), minval=0.2, maxval=1.0)


def sets(key: Key[Array, ""], bank: Bank, examination: Examination, *, scans: int, voxels: int) -> Example:
    """`scans` examinations of `voxels` random voxels each, stacked."""

    def one(key: Array) -> Example:
        which, place, *rest = jax.random.split(key, 5)
        phantom = jax.random.randint(which, (), 0, bank.peak.shape[0])
        return examination(jnp.stack(rest), voxels_of(bank, phantom, draw_voxels(place, bank, phantom, voxels)))

    return jax.vmap(one)(split(jax.random.split(key, scans)))


def whole_scans(key: Key[Array, ""], bank: Bank, examination: Examination, *, scans: int, voxels: int) -> Example:
    """Examinations of which the context may use all that is drawn, each region as often as it is in the phantom."""

    def one(key: Array) -> Example:
        which, place, *rest = jax.random.split(key, 5)
        phantom = jax.random.randint(which, (), 0, bank.peak.shape[0])
        index = jax.random.permutation(place, bank.peak.shape[1])[:voxels]
        seen = examination(jnp.stack(rest), voxels_of(bank, phantom, index))
        return seen._replace(inside=seen.features.enhanced)

    return jax.vmap(one)(split(jax.random.split(key, scans)))


def blocks(key: Key[Array, ""], bank: Bank, examination: Examination, phantoms: Int[Array, " n"]) -> Example:
    """An examination of each of these phantoms, all voxels in their order; the context may use what is enhanced."""

    def one(key: Array, phantom: Array) -> Example:
        seen = examination(jax.random.split(key, 3), voxels_of(bank, phantom, jnp.arange(bank.peak.shape[1])))
        return seen._replace(inside=seen.features.enhanced)

    return jax.vmap(one)(jax.random.split(key, len(phantoms)), phantoms)


def patches(
    key: Key[Array, ""], bank: Bank, examination: Examination, *, scans: int, side: int, beside: int
) -> Example:
    """Examinations of a cube of `side` voxels, turned and mirrored at random, and `beside` random voxels after it."""

    def one(key: Array) -> Example:
        which, place, corner, turn, *rest = jax.random.split(key, 7)
        phantom = jax.random.randint(which, (), 0, bank.peak.shape[0])
        cube = _cube(corner, turn, bank.side, side)
        index = jnp.concatenate([cube, draw_voxels(place, bank, phantom, beside)])
        return examination(jnp.stack(rest), voxels_of(bank, phantom, index))

    return jax.vmap(one)(split(jax.random.split(key, scans)))


def _cube(corner: Array, turn: Array, whole: int, side: int) -> Int[Array, " v"]:
    """Flat indices of a random cube within a grid of `whole` voxels along an edge, in a random orientation."""
    at = jax.random.randint(corner, (3,), 0, whole - side + 1)
    axes, flips = jax.random.split(turn)
    step = jnp.array([whole * whole, whole, 1])
    base = jnp.sum(at * step)
    order = jax.random.permutation(axes, step)
    back = jax.random.bernoulli(flips, shape=(3,))
    along = jnp.where(back[:, None], jnp.arange(side)[::-1], jnp.arange(side)) * order[:, None]
    return (base + along[0][:, None, None] + along[1][:, None] + along[2]).ravel()
