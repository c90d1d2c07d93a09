"""Examinations with contrast: inlet, protocol and noise drawn at random, voxels measured and made into examples."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Key

from estimate.qtmnet.contrast.domain import TRAINING, Acquisition
from estimate.qtmnet.contrast.features import Frames, aif_channels, features, scan_facts
from estimate.qtmnet.contrast.targets import target
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.learning.stream import Example, Voxels, region_factors, some_of
from estimate.signal.concentration import block_concentration
from simulate.banks.contrast import LONGEST, SPACING, TRUTHS, frame_matrix, inlet_curve
from simulate.base.types import DCEProtocol
from simulate.inputs.random import InletRange, draw_inlet, unseen_inlet, window_area
from simulate.scanner.measurement import measure
from simulate.scanner.noise import gaussian

FRAMES = 150
"""Frames that every examination is padded to."""


DILATION = (0.7, 1.4)
"""Factor (log-uniform) by which everything in a phantom happens more slowly: exact, and as good as another phantom.

With time stretched by x, Fp and PS fall to 1/x, delays grow to x, volumes stay; the curve is that of the unstretched
phantom for an input that is x times as fast."""


class Scan(NamedTuple):
    """How one examination is made.

    frames : where they lie.      inlet : (k,) plasma [mmol/L], the weights of its splines.
    onset, area : of the inlet [s], [mmol/L s] (`window_area`).
    baseline : (t,) 1 for frames before it.      snr, flip_angle, repetition_time, t10_error : see `Acquisition`.
    b1 : true over nominal flip angle, which nobody corrects.      dilation : see `DILATION`.
    """

    frames: Frames
    inlet: Array
    area: Array
    onset: Array
    baseline: Array
    snr: Array
    flip_angle: Array
    repetition_time: Array
    t10_error: Array
    b1: Array
    dilation: Array

    @property
    def edges(self) -> Float[Array, " t1"]:
        """Of the frames [s] since the onset, on the clock of the phantom that is not dilated."""
        start, duration = self.frames.start, self.frames.duration
        return (jnp.append(start, start[-1] + duration) - self.onset) / self.dilation

    @property
    def matrix(self) -> Float[Array, "m t"]:
        """From responses to the means of frames, see `frame_matrix`."""
        return frame_matrix(self.inlet, self.edges)


@partial(jax.jit, static_argnames=("ranges", "inlet", "dilation"))
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
    knots = slow * SPACING * jnp.arange(LONGEST + 1)
    drawn = inlet(keys[4], knots)
    known = jnp.minimum(NODES[-1], slow * LONGEST)
    erring = jax.random.bernoulli(keys[5])
    return Scan(
        frames=Frames(start, spacing, ((jnp.arange(FRAMES) < count) & (start < onset + known)).astype(start.dtype)),
        inlet=drawn,
        area=window_area(drawn, knots),
        onset=onset,
        baseline=(jnp.arange(FRAMES) < before).astype(start.dtype),
        snr=jnp.exp(uniform(keys[6], *np.log(ranges.snr))),
        flip_angle=uniform(keys[7], *ranges.flip_angle),
        repetition_time=uniform(keys[8], *ranges.repetition_time),
        t10_error=jnp.where(erring, uniform(keys[9], 0.0, ranges.t10_error), 0.0),
        b1=jnp.ones(()),
        dilation=slow,
    )


def measured(key: Key[Array, ""], voxels: Voxels, scan: Scan) -> Float[Array, "v t"]:
    """Concentration [mmol/L] of the voxels as the scan measures it, see `acquire`."""
    clean = (voxels.shape.astype(jnp.float32) @ scan.matrix) * voxels.peak[:, None]
    return acquire(key, clean, voxels.truth[:, TRUTHS.index("T10")], scan)


def acquire(
    key: Key[Array, ""], clean: Float[Array, "v t"], t10: Float[Array, " v"], scan: Scan
) -> Float[Array, "v t"]:
    """From concentration to SPGR signal with Gaussian noise, and back to concentration with a T10 that errs."""
    protocol = DCEProtocol(times=scan.frames.start, repetition_time=scan.repetition_time, flip_angle=scan.flip_angle)
    noise, error = jax.random.split(key)
    signal = measure(
        noise, clean, protocol, t10=t10, b1=scan.b1, snr=scan.snr, noise=gaussian, baseline=scan.baseline
    )  # fmt: skip
    believed = t10 * jnp.exp(scan.t10_error * jax.random.normal(error, t10.shape))
    found, _ = block_concentration(signal, protocol, t10=believed, baseline=scan.baseline)
    return jnp.where(jnp.isfinite(found), found, 0.0) * scan.frames.weight


def example(key: Key[Array, ""], voxels: Voxels, scan: Scan) -> Example:
    """Measure voxels and turn them into what the network sees and should say."""
    noise, keep, share = jax.random.split(key, 3)
    curves = measured(noise, voxels, scan)
    everywhere = jnp.ones(curves.shape[0], bool)
    seen = features(curves, scan.frames, scan_facts(curves, scan.frames, everywhere))
    truth = {name: voxels.truth[:, i] for i, name in enumerate(TRUTHS)}
    wanted, weight = target(truth, seen.level, scan.area, seen.enhanced)
    ca = inlet_curve(scan.inlet, (jnp.asarray(NODES, curves.dtype) + seen.arrival - scan.onset) / scan.dilation)
    aif = aif_channels(ca, scan.area)
    inside = seen.enhanced & some_of(keep, share, curves.shape[0])
    return Example(seen, wanted, weight * seen.enhanced[:, None], inside, aif, voxels.region)


def varied(key: Key[Array, ""], voxels: Voxels, scan: Scan) -> Voxels:
    """The voxels as of another phantom: slower by the scan's dilation, every region weaker or stronger."""
    volumes = sum(voxels.truth[:, TRUTHS.index(name)] for name in ("vp", "ve", "vp_vessels"))
    factor = jnp.minimum(region_factors(key, voxels), 0.95 / jnp.maximum(volumes, 1e-6))
    by = {
        "Fp": factor / scan.dilation, "PS": factor / scan.dilation, "Ktrans": factor / scan.dilation, "vp": factor,
        "ve": factor, "vp_vessels": factor, "delay": scan.dilation, "speed": 1 / scan.dilation,
    }  # fmt: skip
    change = jnp.stack([jnp.broadcast_to(by.get(name, 1.0), factor.shape) for name in TRUTHS], axis=-1)
    return voxels._replace(peak=voxels.peak * factor, truth=voxels.truth * change)


def examination(keys: Key[Array, " 3"], voxels: Voxels) -> Example:
    """Some voxels of a phantom, varied, in a random scan."""
    return _examined(keys, voxels, draw_inlet)


SLOW = InletRange(stretch=(5.0, 10.0))
"""Injections of two to four times the training's longest."""

_slow_inlet = partial(draw_inlet, ranges=SLOW)


def slow_injection(keys: Key[Array, " 3"], voxels: Voxels) -> Example:
    """The same with an injection slower than any of the training."""
    return _examined(keys, voxels, _slow_inlet)


def unseen_injection(keys: Key[Array, " 3"], voxels: Voxels) -> Example:
    """The same with an infusion, of a family that neither training nor calibration knows."""
    return _examined(keys, voxels, unseen_inlet)


def _examined(keys: Key[Array, " 3"], voxels: Voxels, inlet: Any) -> Example:
    draw, noise, vary = keys
    scan = draw_scan(draw, inlet=inlet, dilation=DILATION)
    return example(noise, varied(vary, voxels, scan), scan)
