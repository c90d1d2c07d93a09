"""Intervals over phantoms: those without a value do not count, pairs stay pairs, and 95 % is what they cover."""

import numpy as np
import pytest

from experiments.studies.bootstrap import mean_interval, ratio_interval


def test_averages_are_over_phantoms_and_ratios_keep_pairs():
    mean, low, high = mean_interval([0.1, 0.2, 0.3, float("nan")])
    assert mean == pytest.approx(0.2)
    assert 0.1 <= low < mean < high <= 0.3
    first, second = [0.1, 0.4, float("nan")], [0.2, 0.8, 0.5]
    assert ratio_interval(first, second) == pytest.approx((0.5, 0.5, 0.5))


def test_where_no_phantom_has_a_value_there_is_none():
    assert np.isnan(mean_interval([float("nan")])).all()
    assert np.isnan(ratio_interval([1.0, float("nan")], [float("nan"), 1.0])).all()


def test_intervals_of_means_cover_the_true_one():
    """A percentile bootstrap of 40 phantoms falls short of 95 % by some two (Efron & Tibshirani 1993, ch. 14)."""
    drawn = np.random.default_rng(1).normal(1.0, 0.3, (400, 40))
    inside = [low <= 1.0 <= high for _, low, high in map(mean_interval, drawn)]
    assert 0.90 < np.mean(inside) < 0.97
