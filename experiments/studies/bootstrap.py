"""Means over phantoms with their 95 % intervals, from bootstraps that redraw phantoms: voxels of one err together."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

REDRAWS = 1000
LIMITS = (2.5, 97.5)
"""Percentiles of the redrawn."""


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval; NaN where there is nothing to take a mean of."""

    value: float
    low: float
    high: float


NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def mean_interval(values: Iterable[float]) -> Interval:
    """Mean over the phantoms that have a value."""
    x = np.asarray([v for v in values if np.isfinite(v)])
    if x.size == 0:
        return NOTHING
    low, high = np.percentile(x[_redraws(x.size)].mean(axis=1), LIMITS)
    return Interval(float(x.mean()), float(low), float(high))


def ratio_interval(first: Sequence[float], second: Sequence[float]) -> Interval:
    """Ratio of two means over the phantoms that have both values; pairs are redrawn together."""
    pairs = np.asarray([(a, b) for a, b in zip(first, second, strict=True) if np.isfinite(a) and np.isfinite(b)])
    if len(pairs) == 0:
        return NOTHING
    drawn = pairs[_redraws(len(pairs))].mean(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], LIMITS)
    mean = pairs.mean(axis=0)
    return Interval(float(mean[0] / mean[1]), float(low), float(high))


@lru_cache(maxsize=8)
def _redraws(count: int) -> np.ndarray:
    """(REDRAWS, count) indices; the same for every value of the same phantoms."""
    return np.random.default_rng(0).integers(0, count, (REDRAWS, count))
