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


def told_input(values: Float[Array, " n"], area: Float[Array, ""]) -> Float[Array, " n"]:
    """Scan channels for a network that is told its input: ca at the nodes after the scan's arrival [mmol/L], over its
    mean in the window, so that the scale law holds for it too."""
    return jnp.clip(values * AREA_WINDOW / area, 0.0, _LARGEST)


class ScanFacts(NamedTuple):
    """What is taken once per scan, so that tiles of it agree: arrival [s], median level, median noise variance."""

    arrival: Any
    level: Any
    variance: Any


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


def levels(
    curves: Float[Array, "*v t"], frames: Frames, arrival: Float[Array, ""]
) -> tuple[Float[Array, "*v"], Float[Array, "*v"], Float[Array, ""], Float[Array, ""]]:
    """b and the noise variance of each voxel; frames that the latter rests on; variance of b over that of a frame."""
    seconds = window(frames, arrival)
    share = seconds / jnp.maximum(jnp.sum(seconds), 1e-6)
    level = curves @ share
    second = curves[..., :-2] - 2 * curves[..., 1:-1] + curves[..., 2:]
    centre = frames.start[1:-1] + frames.duration / 2 - arrival
    both = frames.weight[:-2] * frames.weight[1:-1] * frames.weight[2:]
    reach = frames.start[2:] - frames.start[:-2]
    quiet = both * ((centre < -reach / 2) | (centre > BOLUS))
    count = jnp.sum(quiet)
    variance = (second**2 @ quiet) / (6 * jnp.maximum(count, 1.0))
    return level, variance, count, jnp.sum(share**2)


def scan_facts(curves: Float[Array, "v t"], frames: Frames, inside: Bool[Array, " v"]) -> ScanFacts:
    """Arrival, and the scan's scale of enhancement and of noise, from its voxels (those `inside`)."""
    mean = jnp.sum(curves * inside[:, None], axis=0) / jnp.maximum(jnp.sum(inside), 1)
    arrival = arrival_time(mean, frames)
    return facts_from(arrival, *voxel_facts(curves, frames, arrival), inside)


def voxel_facts(
    curves: Float[Array, "*v t"], frames: Frames, arrival: Float[Array, ""]
) -> tuple[Float[Array, "*v"], Float[Array, "*v"], Bool[Array, "*v"]]:
    """b and the noise variance of each voxel, and whether it enhances."""
    level, variance, _, spread = levels(curves, frames, arrival)
    return level, variance, level > SEEN * jnp.sqrt(variance * spread)


def facts_from(
    arrival: Any,
    level: Float[Any, " v"],
    variance: Float[Any, " v"],
    enhanced: Bool[Any, " v"],
    inside: Bool[Any, " v"],
) -> ScanFacts:
    """The same from what `voxel_facts` finds, in JAX or in NumPy, which compiles nothing."""
    return ScanFacts(arrival, median_of(level, inside & enhanced, 1.0), median_of(variance, inside, 1.0))


def features(curves: Float[Array, "v t"], frames: Frames, facts: ScanFacts) -> Features:
    """What the network sees of curves [mmol/L] of a scan."""
    since = frames.start - facts.arrival
    weight = frames.weight * (since < NODES[-1])
    shape = curves @ projection(since, frames.duration, weight)
    level, variance, count, spread = levels(curves, frames, facts.arrival)
    variance = (count * variance + _PRIOR_FRAMES * facts.variance) / (count + _PRIOR_FRAMES)
    noise = jnp.sqrt(jnp.maximum(variance, 1e-20))
    sure = noise * jnp.sqrt(spread)
    enhanced = level > SEEN * sure
    level = jnp.maximum(level, sure)
    channels = jnp.concatenate(
        [
            jnp.clip(shape / level[:, None], -_LARGEST, _LARGEST),
            jnp.log(level / facts.level)[:, None],
            jnp.log(level / noise)[:, None],
        ],
        axis=1,
    )
    scan = scan_channels(frames, facts)
    return Features(channels, scan, level, noise, enhanced, facts.arrival, frames._replace(weight=weight))


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
