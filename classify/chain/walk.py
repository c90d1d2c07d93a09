"""The path from the signal before contrast to the measured one, and what a logit's parts are along it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.tree_util import Partial

from classify.attribution.path import Rule
from classify.chain.chain import Chain
from classify.chain.estimator import Local
from classify.chain.features import RegionMeans
from simulate.base.progress import Progress


class Parts(NamedTuple):
    """Of a logit's difference: maps (p, v), features (k,) or None, and one cotangent (p, v) of the maps for each of the
    estimators' nodes, from which the frames' parts follow."""

    logit: float
    at_zero: float
    maps: np.ndarray
    features: np.ndarray | None
    cotangents: list[np.ndarray]


class Known(NamedTuple):
    """All estimators at one place of the path: maps (p, v), their slope along it, and the way back to the frames; `own`
    as `Local` has it."""

    maps: np.ndarray
    slope: np.ndarray
    back: Callable[[np.ndarray], np.ndarray]
    own: Callable[[np.ndarray], np.ndarray] | None

    @staticmethod
    def joined(each: list[Local], direction: np.ndarray) -> "Known":
        ends = np.cumsum([len(local.maps) for local in each])[:-1]

        def back(cotangent: np.ndarray) -> np.ndarray:
            parts = zip(each, np.split(cotangent, ends), strict=True)
            return np.sum([local.back(part) for local, part in parts], axis=0)

        def own(cotangent: np.ndarray) -> np.ndarray:
            parts = zip(each, np.split(cotangent, ends), strict=True)
            return np.sum([(local.own or local.back)(part) for local, part in parts], axis=0)

        reads_all = any(local.own is not None for local in each)
        maps = np.concatenate([np.asarray(local.maps) for local in each])
        slope = np.concatenate([np.asarray(local.slope(direction)) for local in each])
        return Known(maps, slope, back, own if reads_all else None)

    def moved(self, by: np.ndarray, a: float) -> "Known":
        """At place a, where noise moves the maps at the path's end by so much: they vanish linearly along it (the scale
        law), and so does what noise does to them."""
        return self._replace(maps=self.maps + a * by, slope=self.slope + by)


KEPT = 2
"""Nodes whose derivatives are held in memory, beside those at the end; of any further node they are computed again when
they are asked for, so that memory does not grow with nodes."""


class Walk:
    """What is known along the path, its end kept from one number of nodes to the next."""

    def __init__(self, chain: Chain, frames: np.ndarray, baseline: int, progress: Progress):
        self.chain, self.frames, self.progress = chain, frames, progress
        self.start = np.broadcast_to(frames[:, :baseline].mean(axis=1, keepdims=True), frames.shape)
        self.direction = frames - self.start
        self._end: Known | None = None
        self._locals: list[Local | None] = [None] * len(chain.estimators)
        self._features = chain.features
        if not (chain.features is None or isinstance(chain.features, RegionMeans)):
            self._features = Partial(chain.features)  # a function is none of a program's arguments by itself
        self._head = jax.jit(jax.value_and_grad(partial(_logit, chain.decide), argnums=1))
        self._rates = jax.jit(partial(_of_features, chain.decide))

    def known(self, nodes: Rule) -> list[Known]:
        """At all nodes of the estimators, of which the last is the end."""
        end = self._at(1.0, 0, len(nodes.estimator))
        return [*(self._at(a, 1 + k, len(nodes.estimator)) for k, a in enumerate(nodes.estimator[:-1])), end]

    def _at(self, a: float, number: int, of: int) -> Known:
        """The end of the path is the same for every number of nodes."""
        if a == 1.0 and self._end is not None:
            return self._end
        self.progress("nodes of the path", number, of)
        found = self._computed(a)
        if a == 1.0:
            self._end = found
        elif number > KEPT:
            found = found._replace(back=self._again(a, "back"), own=found.own and self._again(a, "own"))
        return found

    def _again(self, a: float, name: str) -> Callable[[np.ndarray], np.ndarray]:
        return lambda cotangent: getattr(self._computed(a), name)(cotangent)

    def _computed(self, a: float) -> Known:
        frames = self.frames if a == 1.0 else self.start + a * self.direction  # the end to the last digit
        both = zip(self.chain.estimators, self._locals, strict=True)
        local = [each.at(frames, self.progress, place=a, end=end) for each, end in both]
        if a == 1.0:
            self._locals = list(local)
        return Known.joined(local, self.direction)

    def parts(self, nodes: Rule, known: list[Known], weight: np.ndarray | None = None) -> Parts:
        """The integral over the path of the head's gradient, split over maps and over features.

        weight : (p, v) of the voxels in means of regions, where it is another one than the estimators have."""
        by = self._features
        if weight is not None and isinstance(by, RegionMeans):
            by = by.reweighted(weight)
        cotangents = [np.zeros_like(known[0].maps) for _ in known]
        features: Any = 0.0
        for n, share in enumerate(nodes.weight):
            at = sum(
                nodes.values[1 + k, n] * each.maps + nodes.slopes[k, n] * each.slope for k, each in enumerate(known)
            )
            gradient = np.asarray(self._head(by, at)[1])
            for k, total in enumerate(cotangents):
                total += share * nodes.share[k, n] * gradient
            if by is not None:
                moves = sum(nodes.share[k, n] * each.slope for k, each in enumerate(known))
                features = features + share * np.asarray(self._rates(by, at, moves))
        logit, at_zero = (float(self._head(by, m)[0]) for m in (known[-1].maps, np.zeros_like(known[-1].maps)))
        maps = np.sum([G * each.slope for G, each in zip(cotangents, known, strict=True)], axis=0)
        return Parts(logit, at_zero, maps, None if by is None else features, cotangents)


def _logit(decide: Callable[[Any], Any], features: Any, maps: Any) -> Any:
    return decide(maps if features is None else features(maps))


def _of_features(decide: Callable[[Any], Any], features: Any, maps: Any, moves: Any) -> Any:
    """(k,) rate of each feature's part where maps move so."""
    value, slope = jax.jvp(features, (maps,), (moves,))
    return jax.grad(decide)(value) * slope
