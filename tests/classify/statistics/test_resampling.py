"""Patients are drawn whole; what is best of many is no better than chance where none is; power of a small study."""

import numpy as np
import pytest
from scipy.stats import norm

from classify.statistics.best_of_many import best_of_many
from classify.statistics.delong import auc
from classify.statistics.intervals import auc_interval
from classify.statistics.max_t import max_t
from classify.statistics.power import auc_power, paired_auc_power
from classify.statistics.resampling import cluster_bootstrap, permutation_test
from simulate.base.errors import InputError


def test_rows_of_one_patient_count_once():
    """Ten copies of every row change nothing where patients are drawn, and a mean has its textbook error."""
    values = np.random.default_rng(1).normal(size=60)
    once = cluster_bootstrap(lambda rows: float(values[rows].mean()), np.arange(60), seed=2)
    many = np.repeat(values, 10)
    tenfold = cluster_bootstrap(lambda rows: float(many[rows].mean()), np.repeat(np.arange(60), 10), seed=2)
    assert tenfold[:3] == pytest.approx(once[:3])
    assert once.high - once.low == pytest.approx(2 * 1.96 * values.std(ddof=1) / np.sqrt(60), rel=0.07)


def test_interval_of_an_area_agrees_with_delongs_for_independent_rows():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [120, 80])
    scores = rng.normal(size=200) + labels
    drawn = cluster_bootstrap(
        lambda rows: float(auc(labels[rows], scores[rows])[0]), np.arange(200), strata=labels, seed=4, draws=1000
    )
    exact = auc_interval(labels, scores)
    assert (drawn.low, drawn.high) == (pytest.approx(exact.low, abs=0.012), pytest.approx(exact.high, abs=0.012))


def test_permutations_find_a_shift_and_are_exact_for_few_rows():
    labels = np.array([0, 0, 0, 1, 1, 1])
    scores = np.arange(6.0)
    p = permutation_test(lambda dealt: float(auc(dealt, scores)[0]), labels, seed=1)
    assert p == pytest.approx(1 / 20)  # one of the 20 ways to deal three labels
    assert permutation_test(lambda dealt: float(auc(dealt, scores)[0]), labels, seed=1, two_sided=True) == 0.1
    patients = np.repeat(np.arange(6), 4)  # four rows each say no more
    spread = np.repeat(scores, 4)
    p = permutation_test(lambda dealt: float(auc(dealt, spread)[0]), np.repeat(labels, 4), groups=patients, seed=1)
    assert p == pytest.approx(1 / 20)


def test_p_of_permutations_is_uniform_without_a_difference():
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], 10)
    scores = rng.normal(size=(20, 400))
    p = max_t(labels, scores, seed=6, draws=2000).p
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.03)
    assert p.mean() == pytest.approx(0.5, abs=0.05)


def noise_studies(count, maps, seed):
    """Correlated maps without any difference."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], 15)
    for _ in range(count):
        yield labels, rng.normal(size=(30, maps)) + rng.normal(size=(30, 1))


@pytest.mark.parametrize("studies", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_max_t_holds_the_error_over_all_maps(studies):
    errors, alone = [], []
    for labels, scores in noise_studies(studies, 20, 7):
        found = max_t(labels, scores, seed=8, draws=400)
        errors.append(found.p_adjusted.min() <= 0.05)
        alone.append(found.p.min() <= 0.05)
        assert (found.p_adjusted >= found.p - 1e-12).all()
    assert np.mean(errors) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / studies))
    assert np.mean(alone) > 0.2  # without the correction


def test_a_real_map_among_noise_stays_found_and_steps_down():
    rng = np.random.default_rng(9)
    labels = np.repeat([0, 1], 40)
    scores = rng.normal(size=(80, 30))
    scores[:, 4] += 1.5 * labels
    scores[:, 7] += 1.2 * labels
    found = max_t(labels, scores, seed=10)
    assert set(np.flatnonzero(found.p_adjusted < 0.01)) == {4, 7}
    assert found.auc[4] > found.null_best > 0.6
    order = np.argsort(-found.auc)
    assert (np.diff(found.p_adjusted[order]) >= -0.02).all()  # about in the order of the areas
    turned = max_t(labels, -scores, seed=10)
    assert turned.p_adjusted[4] > 0.9  # the sign is not chosen from the data
    assert max_t(labels, -scores, seed=10, two_sided=True).p_adjusted[4] < 0.01


def test_a_single_map_needs_no_correction_and_a_constant_one_is_never_found():
    rng = np.random.default_rng(11)
    labels = np.repeat([0, 1], 15)
    found = max_t(labels, rng.normal(size=(30, 1)) + labels[:, None], seed=12)
    assert found.p_adjusted == pytest.approx(found.p)
    assert max_t(labels, np.ones(30), seed=12).p == 1


def test_rows_of_one_patient_do_not_make_a_map_significant():
    rng = np.random.default_rng(13)
    labels, found, naive = np.repeat([0, 1], 8), [], []
    for _ in range(60):
        scores = np.repeat(rng.normal(size=16), 6)[:, None]
        rows, patients = np.repeat(labels, 6), np.repeat(np.arange(16), 6)
        found.append(max_t(rows, scores, groups=patients, seed=14, draws=300).p[0] <= 0.05)
        naive.append(max_t(rows, scores, seed=14, draws=300).p[0] <= 0.05)
    assert np.mean(found) < 0.15
    assert np.mean(naive) > 0.2


def test_best_of_many_is_chance_out_of_bag_where_none_is_any_good():
    apparent, in_bag, out = np.mean(
        [best_of_many(*study, seed=1, draws=60)[:3] for study in noise_studies(30, 48, 15)], axis=0
    )
    assert apparent > 0.62
    assert in_bag > apparent
    assert out == pytest.approx(0.5, abs=0.03)


def test_best_of_many_leaves_a_lone_map_as_it_is():
    rng = np.random.default_rng(16)
    labels = np.repeat([0, 1], 40)
    found = best_of_many(labels, rng.normal(size=80) + labels, seed=17, draws=400)
    assert found.optimism == pytest.approx(0, abs=0.01)
    assert found.out_of_bag == pytest.approx(found.apparent, abs=0.01)
    assert found.chosen == 1


def test_power_of_the_published_comparison():
    """.973 v .911: 8 to 9 % at 15 v 15, 80 % at 62 v 62 with the correlation .5."""
    small = paired_auc_power(0.973, 0.911, 15, 15, correlation=0.5, seed=1)
    assert small.power == pytest.approx(0.085, abs=0.02)
    assert small.error == pytest.approx(np.sqrt(small.power * (1 - small.power) / 2000))
    assert paired_auc_power(0.973, 0.911, 62, 62, correlation=0.5, seed=1).power == pytest.approx(0.8, abs=0.03)


def test_power_without_a_difference_is_the_error_of_the_first_kind():
    assert auc_power(0.5, 40, 40, seed=1, draws=4000).power == pytest.approx(0.025, abs=0.01)  # upper side alone
    assert paired_auc_power(0.7, 0.7, 60, 60, correlation=0.5, seed=1).power == pytest.approx(0.05, abs=0.015)


def test_power_follows_the_normal_approximation_for_many_subjects():
    area, n = 0.57, 200
    theta = np.sqrt(2) * norm.ppf(area)
    by_class = [norm.cdf(np.random.default_rng(2).normal(size=400_000) + theta).var() / n] * 2
    expected = norm.cdf((area - 0.5) / np.sqrt(sum(by_class)) - 1.96)
    assert auc_power(area, n, n, seed=3).power == pytest.approx(expected, abs=0.03)


LABELS, NOISE = np.repeat([0, 1], 4), np.arange(8.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_bootstrap(lambda rows: 1.0, np.arange(9), seed=1, draws=50), "in every resample"),
        (lambda: cluster_bootstrap(lambda rows: np.nan, np.arange(9), seed=1, draws=50), "give strata"),
        (lambda: cluster_bootstrap(lambda rows: 1.0, np.zeros(9), seed=1), "fewer than two patients"),
        (
            lambda: cluster_bootstrap(lambda rows: 1.0, np.zeros(8), strata=LABELS, seed=1),
            "strata: differ between rows of one patient",
        ),
        (lambda: permutation_test(lambda dealt: 1.0, np.ones(5), seed=1), "all the same"),
        (lambda: permutation_test(lambda dealt: 1.0, LABELS, groups=np.zeros(8), seed=1), "differ between rows"),
        (lambda: max_t(LABELS, NOISE, groups=np.zeros(7), seed=1), "one patient per row"),
        (lambda: max_t(LABELS, NOISE * np.nan, seed=1), "not finite in 8 of 8"),
        (lambda: best_of_many([0, 0, 0, 1, 1], np.arange(5), seed=1), "fewer than three patients"),
        (lambda: auc_power(1.0, 5, 5, seed=1), "between 0 and 1"),
        (lambda: paired_auc_power(0.8, 0.7, 5, 5, correlation=1.0, seed=1), "between -1 and 1"),
        (lambda: auc_power(0.8, 1, 5, seed=1), "two and more"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
