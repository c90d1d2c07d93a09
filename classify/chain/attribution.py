r"""A logit taken apart down to the measured frames, complete at every level.

The path leads straight from the mean before contrast, repeated, to the measured series. Arterial input, T10, baseline
and the voxels' weights are held as they are at the measured end, and maps are 0 at the path's start: a kinetic model is
homogeneous (a C has the parameters a \theta), so that along the concentration the maps vanish linearly, though the fit
of an empty curve is nothing. With x_1 - x_0 = D and the notation of `classify.attribution.path`,

    \Delta = logit(measured) - logit(maps of 0) = \sum_{pv} A_{pv} = \sum_{vt} A_{vt} = \sum_k A_k
    maps      A_{pv} = \sum_k G_{k,pv} (J_k D)_{pv}
    frames    A_{vt} = \sum_k (J_k^T G_k)_{vt} D_{vt}
    features  A_k    = \int dlogit/d\phi_k  d\phi_k

Maps and frames have the same sum to rounding, whatever the nodes; it misses \Delta by the `gap`, which is stated
relative to max(|\Delta|, .1 \sum |A_{pv}|), since a plain ratio explodes where \Delta is near 0. Where it exceeds the
tolerance more nodes are taken. Integrated gradients: Sundararajan et al., ICML 2017.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from classify.attribution.path import Rule, rule
from classify.chain.estimators import Estimator, Local
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent

NODES = ((2, 16), (3, 24), (5, 32), (8, 48))
"""(of the estimator, of the head), taken one after the other until the gap is small enough."""


@dataclass(frozen=True)
class Chain:
    """Frames (v, t) -> estimators -> maps (p, v) -> (features (k,) ->) logit.

    Attributes
    ----------
    estimators : tuple of Estimator
        Whose maps follow one another.
    decide : callable
        Of the features, or of the maps where there are none, to a number: a logit, or a log-hazard.
    features : callable, optional
        Of the maps, such as `RegionMeans`; None where a network reads the maps themselves.
    """

    estimators: tuple[Estimator, ...]
    decide: Callable[[Any], Any]
    features: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all maps."""
        return tuple(name for each in self.estimators for name in each.names)

    def logit(self, maps: Any) -> Any:
        """What is decided of maps.

        Parameters
        ----------
        maps : (p, v) array
            By `names`.

        Returns
        -------
        number
            Logit, or log-hazard.
        """
        return self.decide(maps if self.features is None else self.features(maps))


class ChainAttribution(NamedTuple):
    """Parts of `delta`, the difference that the measured frames make to a logit.

    Attributes
    ----------
    logit : float
        Of the measured frames.
    logit_at_zero : float
        Where all maps are 0.
    maps : (p, v) array
        By the names of the chain.
    frames : (v, t) array
        By voxel and frame.
    features : (k,) array or None
        None where the chain has none.
    gap : float
        Share by which the parts miss delta: over max(abs(delta), 0.1 sum of abs(maps)).
    excluded : tuple of float
        Share of voxels of no weight, by estimator.
    nodes : tuple of int
        Of the estimators and of the head that were needed.
    """

    logit: float
    logit_at_zero: float
    maps: np.ndarray
    frames: np.ndarray
    features: np.ndarray | None
    gap: float
    excluded: tuple[float, ...]
    nodes: tuple[int, int]

    @property
    def delta(self) -> float:
        """What all parts add up to, but for the gap."""
        return self.logit - self.logit_at_zero


def chain_attribution(
    chain: Chain,
    frames: Any,
    *,
    baseline: int,
    tolerance: float = 0.01,
    nodes: Sequence[tuple[int, int]] = NODES,
    progress: Progress = silent,
) -> ChainAttribution:
    """Attribute a chain's logit to features, maps and frames.

    Parameters
    ----------
    chain : Chain
        With its estimators' weights as they are at the measured frames.
    frames : (v, t) array
        The measured signal.
    baseline : int
        Number of frames before contrast, whose mean is where the path starts.
    tolerance : float
        Gap at which no more nodes are taken.
    nodes : sequence of (int, int)
        Nodes of the estimators and of the head to try.
    progress : callable
        Told of every node.

    Returns
    -------
    ChainAttribution
        The last one that was tried; its gap says whether the tolerance was reached.

    Raises
    ------
    InputError
        Where there are no frames before contrast.
    """
    frames = np.asarray(frames)
    if not 0 < baseline < frames.shape[1]:
        raise InputError("baseline", "", f"is {baseline} of {frames.shape[1]} frames", "give those before contrast")
    start = np.broadcast_to(frames[:, :baseline].mean(axis=1, keepdims=True), frames.shape)
    path = _Path(chain, start, frames - start, progress)
    found = path.attribution(*nodes[0])
    for more in nodes[1:]:
        if found.gap <= tolerance:
            break
        found = path.attribution(*more)
    return found


class _Path:
    """What is known along the path, kept from one attempt to the next."""

    def __init__(self, chain: Chain, start: np.ndarray, direction: np.ndarray, progress: Progress):
        self.chain, self.start, self.direction, self.progress = chain, start, direction, progress
        self._end = None
        self._head = jax.jit(jax.value_and_grad(chain.logit))

    def attribution(self, estimator: int, head: int) -> ChainAttribution:
        """With so many nodes."""
        nodes = rule(estimator, head)
        known = [self._known(a, k, len(nodes.estimator)) for k, a in enumerate(nodes.estimator)]
        zero = jnp.zeros_like(known[-1].maps)
        logit, at_zero = (float(self._head(m)[0]) for m in (known[-1].maps, zero))
        cotangents, features = self._integrated(nodes, known)
        maps = np.sum([G * each.slope for G, each in zip(cotangents, known, strict=True)], axis=0)
        back = np.sum([each.back(G) for G, each in zip(cotangents, known, strict=True)], axis=0)
        missed, size = abs(float(maps.sum()) - (logit - at_zero)), float(np.abs(maps).sum())
        return ChainAttribution(
            logit, at_zero, maps, back * self.direction, features,
            gap=missed / max(abs(logit - at_zero), 0.1 * size, np.finfo(float).tiny),
            excluded=tuple(float(np.mean(np.asarray(each.weight) == 0)) for each in self.chain.estimators),
            nodes=(estimator, head),
        )  # fmt: skip

    def _known(self, a: float, number: int, of: int) -> "_Known":
        """The end of the path is the same for every number of nodes."""
        if a == 1.0 and self._end is not None:
            return self._end
        self.progress("nodes of the path", number, of)
        frames = self.start + a * self.direction
        found = _Known.joined([each.at(frames) for each in self.chain.estimators], self.direction)
        if a == 1.0:
            self._end = found
        return found

    def _integrated(self, nodes: Rule, known: list["_Known"]) -> tuple[list[np.ndarray], np.ndarray | None]:
        """One cotangent of the maps (p, v) for each node of the estimators, and the features' shares (k,)."""
        cotangents = [np.zeros_like(known[0].maps) for _ in known]
        parts: Any = 0.0
        for n, weight in enumerate(nodes.weight):
            at = sum(
                nodes.values[1 + k, n] * each.maps + nodes.slopes[k, n] * each.slope for k, each in enumerate(known)
            )
            gradient = np.asarray(self._head(at)[1])
            for k, total in enumerate(cotangents):
                total += weight * nodes.share[k, n] * gradient
            if self.chain.features is not None:
                moves = sum(nodes.share[k, n] * each.slope for k, each in enumerate(known))
                value, slope = jax.jvp(self.chain.features, (jnp.asarray(at),), (jnp.asarray(moves),))
                parts = parts + weight * np.asarray(jax.grad(self.chain.decide)(value) * slope)
        return cotangents, None if self.chain.features is None else parts


class _Known(NamedTuple):
    """All estimators at one place of the path: maps (p, v), their slope along it, and back to the frames."""

    maps: np.ndarray
    slope: np.ndarray
    back: Callable[[np.ndarray], np.ndarray]

    @staticmethod
    def joined(each: list[Local], direction: np.ndarray) -> "_Known":
        ends = np.cumsum([len(local.maps) for local in each])[:-1]

        def back(cotangent: np.ndarray) -> np.ndarray:
            parts = zip(each, np.split(cotangent, ends), strict=True)
            return np.sum([local.back(part) for local, part in parts], axis=0)

        maps = np.concatenate([np.asarray(local.maps) for local in each])
        return _Known(maps, np.concatenate([np.asarray(local.slope(direction)) for local in each]), back)
