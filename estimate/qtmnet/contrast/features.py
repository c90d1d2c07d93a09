r"""What the network sees of a voxel: the shape of its curve, how strong it is, and how noisy.

Everything is a ratio, so that the scale law (PHYSICS: C is unchanged under ca -> a ca, theta -> theta/a) holds by
construction and not by training:

    b          mean of a voxel's curve over `AREA_WINDOW` after the contrast's arrival
    shape      its curve / b at the nodes of `time_basis`
    strength   log(b / scan's median b)        clarity   log(b / sigma), sigma the noise of the curve

and the network predicts log(theta A / b), where A, the input's area over the same window, is the scale that a
stated source has to give (`scale`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from estimate.qtmnet.contrast.time_basis import NODES, projection
from estimate.qtmnet.medians import median_of
from simulate.inputs.random import AREA_WINDOW

ARRIVED = 0.1
"""Contrast has arrived when the scan's mean curve first passes this share of its peak."""

BOLUS = 45.0
"""Seconds after arrival in which second differences are signal rather than noise."""

SEEN = 3.0
"""Standard deviations of b by which a voxel must enhance to be worth an estimate."""

_LARGEST = 30.0
_PRIOR_FRAMES = 10.0

VOXEL_CHANNELS = len(NODES) + 2
SCAN_CHANNELS = 3


class Frames(NamedTuple):
    """Where the frames lie, and which count: start (t,) [s], duration () [s], weight (t,) 1 or 0."""

    start: Array
    duration: Array
    weight: Array


class Features(NamedTuple):
    """voxel : (*v, f).      scan : (g,).      level : (*v) b [mmol/L].      noise : (*v) sigma [mmol/L].
    enhanced : (*v) whether the voxel shows contrast.      arrival : () [s].      frames : those looked at."""

    voxel: Array
    scan: Array
    level: Array
    noise: Array
    enhanced: Array
    arrival: Array
    frames: Frames


def aif_channels(values: Float[Array, " n"], area: Float[Array, ""]) -> Float[Array, " n"]:
    """Scan channels for a network that is given the AIF: ca at the nodes after the scan's arrival [mmol/L], over its
    mean in the window, so that the scale law holds for it too."""
    return jnp.clip(values * AREA_WINDOW / area, 0.0, _LARGEST)


class ScanFacts(NamedTuple):
    """What is taken once per scan, so that tiles of it agree: arrival [s], median level, median noise variance."""

    arrival: Any
    level: Any
    variance: Any


@jax.jit
def arrival_time(mean: Float[Array, " t"], frames: Frames) -> Float[Array, ""]:
    """Time [s] at which a scan's mean curve passes `ARRIVED` of its peak, linearly between frame centres."""
    centre = frames.start + frames.duration / 2
    counted = jnp.where(frames.weight > 0, mean, -jnp.inf)
    threshold = ARRIVED * jnp.max(counted)
    above = (mean >= threshold) & (frames.weight > 0)
    after = jnp.maximum(jnp.argmax(above), 1)
    low, high = mean[after - 1], mean[after]
    share = jnp.clip((threshold - low) / jnp.where(high > low, high - low, 1.0), 0.0, 1.0)
    return centre[after - 1] + share * (centre[after] - centre[after - 1])


def window(frames: Frames, arrival: Float[Array, ""]) -> Float[Array, " t"]:
    """(t,) seconds of each frame within `AREA_WINDOW` after arrival, of frames that run back to back."""
    until = jnp.append(frames.start[1:], frames.start[-1] + jnp.maximum(frames.duration, 1e-3))
    begin, end = jnp.maximum(frames.start, arrival), jnp.minimum(until, arrival + AREA_WINDOW)
    return jnp.maximum(end - begin, 0.0) * frames.weight


class Reading(NamedTuple):
    """How curves are read: projection (t, n) onto the nodes, share (t,) of each frame in b, and quiet (t-2,) 1 for
    second differences that hold noise alone."""

    projection: Array
    share: Array
    quiet: Array

    @property
    def spread(self) -> Any:
        """Variance of b over that of a frame."""
        return (self.share**2).sum()

    @property
    def count(self) -> Any:
        """Second differences that the noise is found from."""
        return self.quiet.sum()


class Measured(NamedTuple):
    """Of v curves: shape (v, n) at the nodes and level (v,) b [mmol/L], variance (v,) of the noise."""

    shape: Any
    level: Any
    variance: Any


@jax.jit
def reading(frames: Frames, arrival: Float[Array, ""]) -> Reading:
    """That of a scan."""
    since = frames.start - arrival
    seconds = window(frames, arrival)
    centre = since[1:-1] + frames.duration / 2
    whole = frames.weight[:-2] * frames.weight[1:-1] * frames.weight[2:]
    reach = frames.start[2:] - frames.start[:-2]
    return Reading(
        projection=projection(since, frames.duration, looked_at(frames, arrival)),
        share=seconds / jnp.maximum(jnp.sum(seconds), 1e-6),
        quiet=whole * ((centre < -reach / 2) | (centre > BOLUS)),
    )


def looked_at(frames: Frames, arrival: Float[Array, ""]) -> Float[Array, " t"]:
    """(t,) 1 for frames that count, as far as the nodes reach."""
    return frames.weight * (frames.start - arrival < NODES[-1])


@jax.jit
def measured(curves: Float[Array, "v t"], read: Reading) -> Measured:
    """What the network sees of curves [mmol/L] before it knows of the rest of the scan."""
    second = curves[:, :-2] - 2 * curves[:, 1:-1] + curves[:, 2:]
    variance = (second**2 @ read.quiet) / (6 * jnp.maximum(read.count, 1.0))
    return Measured(curves @ read.projection, curves @ read.share, variance)


@jax.jit
def scan_facts(curves: Float[Array, "v t"], frames: Frames, inside: Bool[Array, " v"]) -> ScanFacts:
    """Arrival, and the scan's scale of enhancement and of noise, from its voxels (those `inside`)."""
    mean = jnp.sum(curves * inside[:, None], axis=0) / jnp.maximum(jnp.sum(inside), 1)
    arrival = arrival_time(mean, frames)
    read = reading(frames, arrival)
    return facts_from(arrival, measured(curves, read), read, inside)


def facts_from(arrival: Any, found: Measured, read: Reading, inside: Bool[Any, " v"]) -> ScanFacts:
    """The same from what is found of each voxel, in JAX or in NumPy, which compiles nothing."""
    enhanced = found.level > SEEN * (found.variance * read.spread) ** 0.5
    return ScanFacts(arrival, median_of(found.level, inside & enhanced, 1.0), median_of(found.variance, inside, 1.0))


@jax.jit
def features(curves: Float[Array, "v t"], frames: Frames, facts: ScanFacts) -> Features:
    """What the network sees of curves [mmol/L] of a scan."""
    read = reading(frames, facts.arrival)
    return features_from(measured(curves, read), read, frames, facts)


@jax.jit
def features_from(
    found: Measured, read: Reading, frames: Frames, facts: ScanFacts, *, loud: Bool[Any, " v"] | None = None
) -> Features:
    """The same from what is found of each voxel.

    loud : (v,) whether b is more than noise, where that was settled before; as these curves have it by default.
    """
    variance = (read.count * found.variance + _PRIOR_FRAMES * facts.variance) / (read.count + _PRIOR_FRAMES)
    noise = jnp.sqrt(jnp.maximum(variance, 1e-20))
    sure = noise * jnp.sqrt(read.spread)
    level = jnp.maximum(found.level, sure)
    if loud is not None:  # under other noise than it was settled in, what was more than noise may be less than none
        level = jnp.where(loud, level, sure)
    channels = jnp.concatenate(
        [
            jnp.clip(found.shape / level[:, None], -_LARGEST, _LARGEST),
            jnp.log(level / facts.level)[:, None],
            jnp.log(level / noise)[:, None],
        ],
        axis=1,
    )
    seen = frames._replace(weight=looked_at(frames, facts.arrival))
    return Features(
        channels, scan_channels(frames, facts), level, noise, found.level > SEEN * sure, facts.arrival, seen
    )  # fmt: skip


@jax.jit
def scan_channels(frames: Frames, facts: ScanFacts) -> Float[Array, " g"]:
    """What is said of the scan: spacing of its frames, time after arrival, and how clear its typical voxel is."""
    total = jnp.sum(frames.weight)
    last = jnp.max(jnp.where(frames.weight > 0, frames.start, -jnp.inf))
    spacing = (last - frames.start[0]) / jnp.maximum(total - 1, 1)
    return jnp.stack(
        [
            jnp.log(spacing / 2.5),
            jnp.log(jnp.maximum(last - facts.arrival, 1.0) / 150),
            jnp.log(facts.level / jnp.sqrt(facts.variance)),
        ]
    )


def gram(seen: Features) -> Float[Array, "n n"]:
    """P^T P of the projection of a scan's frames on the nodes: how noise of the frames spreads over them."""
    P = projection(seen.frames.start - seen.arrival, seen.frames.duration, seen.frames.weight)
    return P.T @ P
