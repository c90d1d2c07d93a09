"""An endless stream of examinations to train on: phantoms from a bank; inlet, protocol and noise drawn on the fly."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Key

from estimate.qtmnet.features import Features, Frames, features, scan_facts, told_input
from estimate.qtmnet.targets import target
from estimate.qtmnet.time_basis import NODES
from estimate.training.devices import split
from simulate.base.types import DCEProtocol
from simulate.inlets import Inlet, draw_inlet
from simulate.phantom import Region
from simulate.phantom_bank import Bank
from simulate.responses import LONGEST, SPACING, TRUTHS, frame_matrix, inlet_curve
from simulate.signal import spgr_concentration, spgr_signal

FRAMES = 150
"""Frames that every examination is padded to."""

FAVOUR = 40.0
"""Largest odds of a voxel of a tumour's rim over any other."""


class Acquisition(NamedTuple):
    """Ranges of the protocol (chosen): uniform, SNR log-uniform.

    spacing : of frames [s].      frames : their number, as far as `longest` [s] allows.
    baseline : whole frames before the inlet begins.      snr : baseline signal over sigma of one complex channel.
    flip_angle [degrees], repetition_time [s].      t10_error : largest standard deviation of the logarithm of each
    voxel's T10, in half of the examinations; the others have none.
    """

    spacing: tuple[float, float] = (1.5, 6.0)
    frames: tuple[int, int] = (40, 150)
    longest: float = 400.0
    baseline: tuple[int, int] = (3, 12)
    snr: tuple[float, float] = (12.0, 100.0)
    flip_angle: tuple[float, float] = (10.0, 30.0)
    repetition_time: tuple[float, float] = (0.003, 0.006)
    t10_error: float = 0.08


DILATION = (0.7, 1.4)
"""Factor (log-uniform) by which everything in a phantom happens more slowly: exact, and as good as another phantom.

With time stretched by x, Fp and PS fall to 1/x, delays grow to x, volumes stay; the curve is that of the unstretched
phantom for an input that is x times as fast."""

STRENGTH = 0.25
"""Standard deviation of the logarithm of a factor on all of Fp, PS, vp, ve of a region: exact, by the scale law."""


class Scan(NamedTuple):
    """How one examination is made.

    frames : where they lie.      matrix : (m, t), see `frame_matrix`.      inlet : see there.
    onset : of the inlet [s].      baseline : (t,) 1 for frames before it.      snr, flip_angle, repetition_time,
    t10_error : see `Acquisition`.      b1 : true over nominal flip angle, which nobody corrects.
    dilation : see `DILATION`; matrix belongs to it.
    """

    frames: Frames
    matrix: Array
    inlet: Inlet
    onset: Array
    baseline: Array
    snr: Array
    flip_angle: Array
    repetition_time: Array
    t10_error: Array
    b1: Array
    dilation: Array


class Voxels(NamedTuple):
    """Of some voxels of a phantom: shape (v, m), peak (v,), truth (v, p), region (v,)."""

    shape: Array
    peak: Array
    truth: Array
    region: Array


TRAINING = Acquisition()
"""The ranges of the training."""


def draw_scan(
    key: Key[Array, ""], ranges: Acquisition = TRAINING, inlet: Any = draw_inlet,
    dilation: tuple[float, float] = (1.0, 1.0),
) -> Scan:  # fmt: skip
    """A random protocol and input.

    inlet : function of (key, times) that draws the input.      dilation : range of the phantom's, see `DILATION`.
    """
    keys = jax.random.split(key, 11)

    def uniform(k: Array, low: float, high: float) -> Array:
        return jax.random.uniform(k, minval=low, maxval=high)

    spacing = uniform(keys[0], *ranges.spacing)
    count = jnp.minimum(jax.random.randint(keys[1], (), ranges.frames[0], ranges.frames[1] + 1), FRAMES)
    count = jnp.minimum(count, (ranges.longest / spacing).astype(int))
    before = jax.random.randint(keys[2], (), ranges.baseline[0], ranges.baseline[1] + 1)
    onset = spacing * (before + uniform(keys[3], 0.0, 1.0))
    start = spacing * jnp.arange(FRAMES)
    slow = jnp.exp(uniform(keys[10], *np.log(dilation)))
    drawn = inlet(keys[4], slow * SPACING * jnp.arange(LONGEST + 1))
    known = jnp.minimum(NODES[-1], slow * LONGEST)
    erring = jax.random.bernoulli(keys[5])
    return Scan(
        frames=Frames(start, spacing, ((jnp.arange(FRAMES) < count) & (start < onset + known)).astype(start.dtype)),
        matrix=frame_matrix(drawn.curve, (spacing * jnp.arange(FRAMES + 1) - onset) / slow),
        inlet=drawn,
        onset=onset,
        baseline=(jnp.arange(FRAMES) < before).astype(start.dtype),
        snr=jnp.exp(uniform(keys[6], *np.log(ranges.snr))),
        flip_angle=uniform(keys[7], *ranges.flip_angle),
        repetition_time=uniform(keys[8], *ranges.repetition_time),
        t10_error=jnp.where(erring, uniform(keys[9], 0.0, ranges.t10_error), 0.0),
        b1=jnp.ones(()),
        dilation=slow,
    )


def measure(key: Key[Array, ""], voxels: Voxels, scan: Scan) -> Float[Array, "v t"]:
    """Concentration [mmol/L] of the voxels as the scan measures it, see `acquire`."""
    clean = (voxels.shape.astype(jnp.float32) @ scan.matrix) * voxels.peak[:, None]
    return acquire(key, clean, voxels.truth[:, TRUTHS.index("T10")], scan)


def acquire(
    key: Key[Array, ""], clean: Float[Array, "v t"], t10: Float[Array, " v"], scan: Scan
) -> Float[Array, "v t"]:
    """From concentration to SPGR signal, noise, and back to concentration with a T10 that errs.

    The noise is that of one channel: at these ratios of signal to noise Rice's distribution is Gauss's.
    """
    protocol = DCEProtocol(times=scan.frames.start, repetition_time=scan.repetition_time, flip_angle=scan.flip_angle)
    signal = spgr_signal(clean, protocol, t10=t10, b1=scan.b1)
    noise, error = jax.random.split(key)
    before = scan.baseline
    sigma = jnp.mean(signal @ before) / jnp.maximum(jnp.sum(before), 1) / scan.snr
    signal = signal + sigma * jax.random.normal(noise, signal.shape)
    believed = t10 * jnp.exp(scan.t10_error * jax.random.normal(error, t10.shape))
    unit = spgr_signal(jnp.zeros_like(signal[:, :1]), protocol, t10=believed)[:, 0]
    s0 = (signal @ before) / jnp.maximum(jnp.sum(before), 1) / unit
    found = spgr_concentration(signal, protocol, t10=believed, s0=s0)
    return jnp.where(jnp.isfinite(found), found, 0.0) * scan.frames.weight


class Example(NamedTuple):
    """Of one examination: features, target (v, q), weight (v, q), which voxels the context may use (v,), and the input
    (n,) for a network that is told."""

    features: Features
    target: Array
    weight: Array
    inside: Array
    told: Array


def example(key: Key[Array, ""], voxels: Voxels, scan: Scan) -> Example:
    """Measure voxels and turn them into what the network sees and should say."""
    measured, keep, share = jax.random.split(key, 3)
    curves = measure(measured, voxels, scan)
    everywhere = jnp.ones(curves.shape[0], bool)
    seen = features(curves, scan.frames, scan_facts(curves, scan.frames, everywhere))
    truth = {name: voxels.truth[:, i] for i, name in enumerate(TRUTHS)}
    wanted, weight = target(truth, seen.level, scan.inlet.area, seen.enhanced)
    # scans are larger and smaller than a training block: contexts of many sizes
    kept = jax.random.uniform(keep, everywhere.shape) < jax.random.uniform(share, (), minval=0.2, maxval=1.0)
    ca = inlet_curve(scan.inlet.curve, (jnp.asarray(NODES, curves.dtype) + seen.arrival - scan.onset) / scan.dilation)
    told = told_input(ca, scan.inlet.area)
    return Example(seen, wanted, weight * seen.enhanced[:, None], seen.enhanced & kept, told)


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


def varied(key: Key[Array, ""], voxels: Voxels, scan: Scan) -> Voxels:
    """The voxels as of another phantom: slower by the scan's dilation, every region weaker or stronger."""
    regions = jnp.exp(STRENGTH * jax.random.normal(key, (len(Region),)))
    volumes = sum(voxels.truth[:, TRUTHS.index(name)] for name in ("vp", "ve", "vp_vessels"))
    factor = jnp.minimum(regions[voxels.region], 0.95 / jnp.maximum(volumes, 1e-6))
    by = {
        "Fp": factor / scan.dilation, "PS": factor / scan.dilation, "Ktrans": factor / scan.dilation, "vp": factor,
        "ve": factor, "vp_vessels": factor, "delay": scan.dilation, "speed": 1 / scan.dilation,
    }  # fmt: skip
    change = jnp.stack([jnp.broadcast_to(by.get(name, 1.0), factor.shape) for name in TRUTHS], axis=-1)
    return voxels._replace(peak=voxels.peak * factor, truth=voxels.truth * change)


def _examination(keys: Array, bank: Bank, phantom: Array, index: Array) -> Example:
    """Some voxels of a phantom, varied, in a random scan."""
    draw, noise, vary = keys
    scan = draw_scan(draw, dilation=DILATION)
    return example(noise, varied(vary, voxels_of(bank, phantom, index), scan), scan)


def sets(key: Key[Array, ""], bank: Bank, *, scans: int, voxels: int) -> Example:
    """`scans` examinations of `voxels` random voxels each, stacked."""

    def one(key: Array) -> Example:
        which, place, *rest = jax.random.split(key, 5)
        phantom = jax.random.randint(which, (), 0, bank.peak.shape[0])
        return _examination(jnp.stack(rest), bank, phantom, draw_voxels(place, bank, phantom, voxels))

    return jax.vmap(one)(split(jax.random.split(key, scans)))


def patches(key: Key[Array, ""], bank: Bank, *, scans: int, side: int, beside: int) -> Example:
    """Examinations of a cube of `side` voxels, turned and mirrored at random, and `beside` random voxels after it."""

    def one(key: Array) -> Example:
        which, place, corner, turn, *rest = jax.random.split(key, 7)
        phantom = jax.random.randint(which, (), 0, bank.peak.shape[0])
        cube = _cube(corner, turn, bank.side, side)
        index = jnp.concatenate([cube, draw_voxels(place, bank, phantom, beside)])
        return _examination(jnp.stack(rest), bank, phantom, index)

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
