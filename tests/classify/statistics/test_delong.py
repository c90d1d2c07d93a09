"""DeLong's covariance: pROC's figures, the definition by all pairs, and intervals that cover."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from classify.statistics.delong import area_and_covariance, auc, delong
from classify.statistics.intervals import (
    auc_interval,
    auc_limits,
    exact_edge,
    hanley_mcneil_interval,
    proportion_interval,
)
from classify.statistics.paired import compare_aucs
from simulate.base.errors import InputError


@pytest.mark.parametrize("name", ["n15v15", "n80_ties"])
def test_proc_agrees(shared_data, name):
    case = json.loads((shared_data / "statistics" / "delong.json").read_text())[name]
    labels, first, second = (np.array(case[key]) for key in ("labels", "scores1", "scores2"))
    theirs = case["delong"]
    ours = delong(labels, np.stack([first, second], axis=1))
    np.testing.assert_allclose(ours.auc, [theirs["auc1"], theirs["auc2"]], rtol=0, atol=1e-10)
    table = [[theirs["var1"], theirs["cov"]], [theirs["cov"], theirs["var2"]]]
    np.testing.assert_allclose(ours.covariance, table, rtol=0, atol=1e-10)
    test = compare_aucs(labels, first, second)
    assert (test.z, test.p) == pytest.approx((theirs["z"], theirs["p"]), abs=1e-10)
    assert (test.low, test.high) == pytest.approx(theirs["diff_ci"], abs=1e-10)


@pytest.mark.parametrize("digits", [0, 8])
def test_placements_are_those_of_all_pairs(digits):
    rng = np.random.default_rng(1)
    cases, controls = rng.normal(0.7, 1, (2, 3, 9)).round(digits), rng.normal(0, 1, (2, 3, 13)).round(digits)
    pair = (cases[..., :, None] > controls[..., None, :]) + 0.5 * (cases[..., :, None] == controls[..., None, :])
    area, covariance = area_and_covariance(cases, controls)
    np.testing.assert_allclose(area, pair.mean((-1, -2)), atol=1e-14)
    for draw in range(2):
        by_case, by_control = np.cov(pair[draw].mean(-1)) / 9, np.cov(pair[draw].mean(-2)) / 13
        np.testing.assert_allclose(covariance[draw], by_case + by_control, atol=1e-14)


def test_area_depends_on_order_alone_and_turns_with_the_sign():
    rng = np.random.default_rng(2)
    labels, scores = np.repeat([0, 1], [30, 20]), rng.normal(size=50).round(1)
    assert auc(labels, np.exp(scores)) == pytest.approx(auc(labels, scores), abs=1e-15)
    assert auc(labels, -scores) == pytest.approx(1 - auc(labels, scores), abs=1e-15)
    assert auc(1 - labels, scores) == pytest.approx(1 - auc(labels, scores), abs=1e-15)
    assert auc([0, 1], [3, 3]) == 0.5


def coverage(area, cases, controls, draws):
    rng = np.random.default_rng(3)
    one = rng.normal(np.sqrt(2) * norm.ppf(area), 1, (draws, 1, cases))
    found, covariance = area_and_covariance(one, rng.normal(0, 1, (draws, 1, controls)))
    found, variance = found[:, 0], covariance[:, 0, 0]
    low, high = auc_limits(found, variance, cases, controls, 0.95)
    return found, (low <= area) & (area <= high), abs(found - area) <= 1.96 * np.sqrt(variance)


@pytest.mark.parametrize("draws", [4000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("area", "cases", "controls"), [(0.8, 30, 30), (0.9, 25, 60), (0.6, 20, 20)])
def test_logit_interval_covers(area, cases, controls, draws):
    assert 0.93 < coverage(area, cases, controls, draws)[1].mean() < 0.97


def test_near_one_only_the_logit_covers_and_at_one_the_exact_interval_does():
    """At .973 with 15 v 15: 75 % by DeLong's own scale, 97 % by the logit; an area of 1 in 17 % of the samples."""
    area, covered, plain = coverage(0.973, 15, 15, 8000)
    perfect = area == 1
    assert plain.mean() == pytest.approx(0.75, abs=0.02)
    assert perfect.mean() == pytest.approx(0.17, abs=0.02)
    assert covered[~perfect].mean() == pytest.approx(0.97, abs=0.01)
    assert covered[perfect].all()


@pytest.mark.parametrize(("area", "smaller"), [(0.7, 4), (0.8, 6), (0.5, 3)])
def test_exact_interval_at_one_misses_in_less_than_the_tail(area, smaller):
    """Where all controls lie close together (the worst case: m cases, each on its own) the bound is reached."""
    rng = np.random.default_rng(4)
    cases = rng.random((20_000, 1, smaller)) < area  # above the controls with the chance `area`
    found, _ = area_and_covariance(np.where(cases, 1.0, -1.0), np.zeros((20_000, 1, 12)))
    perfect = found[:, 0] == 1
    assert perfect.mean() == pytest.approx(area**smaller, abs=0.012)
    edge = exact_edge(smaller, 12, 0.95)
    assert edge**smaller == pytest.approx(0.025)  # an area at the edge is found perfect just so often
    missed = perfect & (area < edge)
    assert missed.mean() <= 0.025 + 0.003


def test_an_area_of_one_is_no_certainty():
    found = auc_interval([0] * 15 + [1] * 15, np.arange(30))
    assert (found.estimate, found.high, found.method) == (1, 1, "exact")
    assert found.low == pytest.approx(0.025 ** (1 / 15))
    turned = auc_interval([1] * 15 + [0] * 15, np.arange(30))
    assert (turned.estimate, turned.low) == (0, 0)
    assert turned.high == pytest.approx(1 - found.low)
    both = compare_aucs([0] * 15 + [1] * 15, np.arange(30), np.arange(30) ** 3)
    assert (both.difference, both.p) == (0, 1)
    assert both.high == pytest.approx(1 - found.low) == -both.low


def test_printed_areas_have_the_interval_of_their_subjects():
    """Necrosis, AUC .83 with 9 v 49: .66 to 1."""
    found = hanley_mcneil_interval(0.83, 9, 49)
    assert (found.low, found.high) == (pytest.approx(0.66, abs=0.005), 1)
    assert hanley_mcneil_interval(1.0, 15, 15).low == pytest.approx(0.025 ** (1 / 15))
    assert hanley_mcneil_interval(0.0, 15, 15).high == pytest.approx(1 - 0.025 ** (1 / 15))


def test_hanley_and_mcneils_variance_is_that_of_exponential_scores():
    rng = np.random.default_rng(5)
    area, cases, controls = 0.8, 12, 40
    drawn = area / (1 - area) * rng.exponential(size=(20_000, 1, cases)), rng.exponential(size=(20_000, 1, controls))
    found = area_and_covariance(*drawn)[0]
    limits = hanley_mcneil_interval(area, cases, controls)
    assert found.mean() == pytest.approx(area, abs=0.002)
    assert found.std() == pytest.approx((area - limits.low) / 1.96, rel=0.02)


def test_shares_have_clopper_and_pearsons_interval():
    found = proportion_interval(7, 9)  # sensitivity .78 of 9 patients
    assert (found.low, found.high) == (pytest.approx(0.39991, abs=1e-5), pytest.approx(0.97186, abs=1e-5))
    assert proportion_interval(9, 9).low == pytest.approx(0.025 ** (1 / 9))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc([1, 1], [1, 2]), "one class only"),
        (lambda: auc([1, 0], [np.nan, 2]), "not finite in 1 of 2 rows"),
        (lambda: auc([1, 2], [1, 2]), "hold 2"),
        (lambda: auc([1, 0, 1], [1, 2]), "one row per label"),
        (lambda: auc([[1, 0]], [[1, 2]]), "one label per row"),
        (lambda: delong([1, 0, 0], [1, 2, 3]), "two and more of each"),
        (lambda: auc_interval([1, 1, 0, 0], np.ones(4)), "the same for all"),
        (lambda: auc_interval([1, 1, 0, 0], np.ones((4, 2))), "one score at a time"),
        (lambda: auc_interval([1, 1, 0, 0], [1, 2, 1, 0], level=95.0), "between 0 and 1"),
        (lambda: compare_aucs([1, 1, 0, 0], [2, 3, 0, 1], np.ones(4)), "no variance"),
        (lambda: compare_aucs([1, 1, 0, 0], [2, 3, 0, 1], np.ones(3)), "one score per row each"),
        (lambda: hanley_mcneil_interval(83.0, 9, 49), "from 0 to 1"),
        (lambda: hanley_mcneil_interval(0.83, 0, 49), "1 and more"),
        (lambda: proportion_interval(10, 9), "is 10 of 9"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
