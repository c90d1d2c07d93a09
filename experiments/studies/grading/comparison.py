"""Areas under the curve of every row and parameter, their differences, and how much of it is chance."""

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu, norm

from classify.statistics.best_of_many import best_of_many
from classify.statistics.delong import auc, delong, placements
from classify.statistics.intervals import auc_interval
from classify.statistics.max_t import max_t
from classify.statistics.paired import compare_aucs, difference_error
from experiments.studies.grading.estimates import (
    AUTOMATIC,
    BY_ASL,
    CBF,
    CURVES,
    EXACT,
    PARAMETERS,
    POPULATION,
    ROWS,
    VESSELS,
)
from experiments.studies.grading.records import PRIMARY, STATISTICS, TRIVIAL, Record

CONTRASTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "2 v 4": (("2",), ("4",)), "2+3 v 4": (("2", "3"), ("4",)), "2 v 3": (("2",), ("3",)),
}  # fmt: skip
"""Grades of controls and of cases."""

FEWEST_OF_A_CLASS = 4
"""Patients below which a contrast is not made."""

PAIRS = ((POPULATION, AUTOMATIC), (VESSELS, AUTOMATIC), (BY_ASL, AUTOMATIC), (POPULATION, EXACT))
"""First less second: the question of the study."""

PUBLISHED_GAP, PUBLISHED_EACH = 0.062, 15
"""AUC .973 less .911 of 15 low-grade gliomas v 15 glioblastomas (medRxiv 10.64898/2026.03.31.26349864)."""

RESAMPLED = 2000
SEED = 0


class Area(NamedTuple):
    """One AUC. refused : patients left out.      at_median : the AUC where they have the median instead."""

    contrast: str
    row: str
    parameter: str
    auc: float
    low: float
    high: float
    patients: int
    refused: int
    at_median: float


class Difference(NamedTuple):
    """first less second, on patients who have both.      by_chance : share of random 15 v 15 in which the difference
    is the published one or more, beside `either` way.      power, needed : to find a gap of `PUBLISHED_GAP` at this
    number of patients, and patients of each class for 80 %.
    """

    contrast: str
    first: str
    second: str
    parameter: str
    difference: float
    low: float
    high: float
    p: float
    patients: int
    by_chance: float
    either: float
    power: float
    needed: float


class Best(NamedTuple):
    """Of all parameters and statistics of a row: the best, its area, p corrected for all, the area that the best of as
    many passes in 5 % of the deals where none is any good, and its area on patients who had no part in choosing it."""

    contrast: str
    row: str
    feature: str
    auc: float
    p_adjusted: float
    null_best: float
    out_of_bag: float
    features: int


def contrasts_of(records: Sequence[Record]) -> list[str]:
    """Those for which there are enough patients of both classes."""
    count = {label: sum(each.label == label for each in records) for label in ("2", "3", "4")}
    return [
        name for name, sides in CONTRASTS.items()
        if all(sum(count[label] for label in side) >= FEWEST_OF_A_CLASS for side in sides)
        and all(count[label] for side in sides for label in side)
    ]  # fmt: skip


def of_contrast(records: Sequence[Record], contrast: str) -> tuple[list[Record], np.ndarray]:
    """Patients of both classes, and 1 for a case."""
    controls, cases = CONTRASTS[contrast]
    some = [each for each in records if each.label in (*controls, *cases)]
    return some, np.asarray([int(each.label in cases) for each in some])


def parameters_of(records: Sequence[Record], row: str) -> tuple[str, ...]:
    """Of a row, in order."""
    known = {name for each in records for name in each.features.get(row, {})}
    return tuple(name for name in (*PARAMETERS, "CBF", "peak", "IAUC60") if name in known)


def areas(records: Sequence[Record], contrast: str) -> list[Area]:
    """Of the primary statistic of every row and parameter, then of what needs no perfusion."""
    some, cases = of_contrast(records, contrast)
    found = []
    for row in ROWS:
        for name in parameters_of(records, row):
            scores = np.asarray([each.value(row, name) for each in some])
            found += _area(contrast, row, name, scores, cases)
    for name in TRIVIAL:
        scores = np.asarray([each.trivial[name] for each in some], float)
        found += _area(contrast, "no perfusion", name, scores, cases)
    return found


def _area(contrast: str, row: str, name: str, scores: np.ndarray, cases: np.ndarray) -> list[Area]:
    known = np.isfinite(scores)
    if min(np.bincount(cases[known], minlength=2)) < FEWEST_OF_A_CLASS:
        return []
    interval = auc_interval(cases[known], scores[known])
    filled = np.where(known, scores, np.median(scores[known]))
    return [
        Area(
            contrast, row, name, interval.estimate, interval.low, interval.high, int(known.sum()), int((~known).sum()),
            float(auc(cases, filled)[0]),
        )
    ]  # fmt: skip


def differences(records: Sequence[Record], contrast: str) -> list[Difference]:
    """Of every pair of rows and parameter."""
    some, cases = of_contrast(records, contrast)
    found = []
    for first, second in PAIRS:
        for name in PARAMETERS:
            both = np.asarray([[each.value(row, name) for row in (first, second)] for each in some])
            known = np.asarray(np.isfinite(both).all(axis=1))
            if known.any() and min(np.bincount(cases[known], minlength=2)) >= FEWEST_OF_A_CLASS:
                found.append(_difference(contrast, first, second, name, both[known], cases[known]))
    return found


def _difference(contrast: str, first: str, second: str, name: str, both: np.ndarray, cases: np.ndarray) -> Difference:
    paired = compare_aucs(cases, both[:, 0], both[:, 1])
    drawn = _resampled(both, cases)
    power, needed = _power(both, cases)
    return Difference(
        contrast, first, second, name, paired.difference, paired.low, paired.high, paired.p, len(cases),
        float(np.mean(drawn >= PUBLISHED_GAP)), float(np.mean(np.abs(drawn) >= PUBLISHED_GAP)), power, needed,
    )  # fmt: skip


def holm(p: Sequence[float]) -> np.ndarray:
    """(n,) p corrected for as many tests, step by step (Holm, Scand J Stat 1979 6:65)."""
    given = np.asarray(p, float)
    order = np.argsort(given)
    stepped = np.maximum.accumulate(given[order] * (len(given) - np.arange(len(given))))
    found = np.empty(len(given))
    found[order] = np.minimum(stepped, 1.0)
    return found


def _power(both: np.ndarray, cases: np.ndarray) -> tuple[float, float]:
    """To find the published gap at this number of patients, and how many of each class 80 % take: the difference is
    normal with DeLong's variance, which goes with 1/n."""
    error = float(difference_error(delong(cases, both).covariance))
    if error == 0:
        return nan, nan
    each = 2 / (1 / cases.sum() + 1 / (1 - cases).sum())  # as much as so many of each class
    limit = norm.ppf(0.975)
    return (
        float(norm.cdf(PUBLISHED_GAP / error - limit)),
        float(np.ceil(each * (error * (limit + norm.ppf(0.8)) / PUBLISHED_GAP) ** 2)),
    )


def _resampled(both: np.ndarray, cases: np.ndarray) -> np.ndarray:
    """Differences in random studies of `PUBLISHED_EACH` patients of each class, drawn without replacement where there
    are twice as many, with it where there are fewer."""
    rng = np.random.default_rng(SEED)
    drawn = []
    for each in (np.flatnonzero(cases == 1), np.flatnonzero(cases == 0)):
        if len(each) < 2 * PUBLISHED_EACH:
            drawn.append(rng.choice(each, (RESAMPLED, PUBLISHED_EACH)))
        else:
            drawn.append(rng.permuted(np.tile(each, (RESAMPLED, 1)), axis=1)[:, :PUBLISHED_EACH])
    first, second = (placements(*(scores[rows] for rows in drawn))[0].mean(axis=-1) for scores in both.T)
    return first - second


def best(records: Sequence[Record], contrast: str) -> list[Best]:
    """Of every row that has more than one parameter: all its parameters by all statistics."""
    some, cases = of_contrast(records, contrast)
    found = []
    for row in (row for row in ROWS if row not in (CBF, CURVES)):
        names = [(name, statistic) for name in parameters_of(records, row) for statistic in STATISTICS]
        scores = np.asarray([[each.value(row, *name) for name in names] for each in some]).reshape(len(some), -1)
        if not names:
            continue
        known = np.isfinite(scores).all(axis=1)
        if min(np.bincount(cases[known], minlength=2)) < FEWEST_OF_A_CLASS:
            continue
        tested = max_t(cases[known], scores[known], seed=SEED, draws=1000)
        chosen = best_of_many(cases[known], scores[known], seed=SEED, draws=200)
        k = int(np.argmax(tested.auc))
        found.append(
            Best(
                contrast, row, " ".join(names[k]), float(tested.auc[k]), float(tested.p_adjusted[k]), tested.null_best,
                chosen.out_of_bag, len(names),
            )
        )  # fmt: skip
    return found


def permuted(records: Sequence[Record], contrast: str, row: str, deals: int = 200) -> np.ndarray:
    """p of Ktrans by the primary statistic where labels are dealt anew: uniform where nothing leaks."""
    some, cases = of_contrast(records, contrast)
    scores = np.asarray([each.value(row, "Ktrans", PRIMARY) for each in some])
    known = np.isfinite(scores)
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(deals):
        dealt = rng.permutation(cases[known])
        found.append(float(mannwhitneyu(scores[known][dealt == 1], scores[known][dealt == 0]).pvalue))
    return np.asarray(found)
