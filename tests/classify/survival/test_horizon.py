"""Labels and scores under censoring: identities of the weights, definitions by loops, Rossi; hazards of intervals."""

import re
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.survival.brier import survival_brier
from classify.survival.discrete import discrete_log_likelihood, discrete_survival, interval_table
from classify.survival.horizon import horizon_label
from classify.survival.kaplan_meier import censoring_curve, kaplan_meier
from simulate.base.errors import InputError
from tests.classify.survival.rossi import rossi


def drawn(count, seed, rounded=False):
    rng = np.random.default_rng(seed)
    time, lost = rng.exponential(1, count), rng.exponential(1.5, count)
    seen = np.minimum(time, lost)
    return (np.ceil(5 * seen) if rounded else seen), time <= lost


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_weights_stand_for_all_subjects_and_give_kaplan_and_meiers_share(rounded, share):
    """Satten & Datta, Am Stat 2001 55:207: the curve is the weighted share."""
    time, event = drawn(150, 1, rounded)
    tau = float(np.quantile(time, share))
    found = horizon_label(time, event, tau=tau)
    assert found.weight.sum() == pytest.approx(150, rel=1e-12)
    died = (found.weight * found.label).sum() / 150
    assert died == pytest.approx(1 - kaplan_meier(time, event).at(tau, before=True), abs=1e-12)


def test_what_is_known_at_the_horizon():
    """Dead before, censored before, dead at, in view at, dead after."""
    found = horizon_label([2, 3, 5, 5, 8], [1, 0, 1, 0, 1], tau=5.0)
    assert found.label.tolist() == [True, False, False, False, False]
    np.testing.assert_allclose(found.weight, [1, 0, 4 / 3, 4 / 3, 4 / 3])
    assert found.unknown == pytest.approx(0.2)


def test_alive_at_last_contact_is_biased_and_the_weighted_label_is_not():
    rng = np.random.default_rng(2)
    time, lost = rng.exponential(1, 20_000), rng.exponential(0.7, 20_000)
    seen, event = np.minimum(time, lost), time <= lost
    found = horizon_label(seen, event, tau=1.0)
    truth = 1 - np.exp(-1)
    assert np.average(found.label, weights=found.weight) == pytest.approx(truth, abs=0.015)
    assert abs(event.mean() - truth) > 0.1  # vital status
    assert abs(np.mean(event & (seen < 1)) - truth) > 0.1


def test_weights_of_other_subjects_are_those_of_the_training():
    time, event = drawn(100, 3)
    curve = censoring_curve(time, event)
    found = horizon_label([0.2, 2.0], [1, 0], tau=0.5, censoring=curve)
    np.testing.assert_allclose(found.weight, 1 / curve.at([0.2, 0.5], before=True))


@pytest.mark.parametrize("rounded", [False, True])
def test_half_said_of_everyone_scores_a_quarter_whatever_is_censored(rounded):
    time, event = drawn(150, 4, rounded)
    tau = float(np.quantile(time, 0.9))
    asked = np.linspace(0, tau, 17)
    found = survival_brier(np.full((150, 17), 0.5), asked, time, event, tau=tau)
    np.testing.assert_allclose(found.brier, 0.25, atol=1e-12)
    assert found.integrated == pytest.approx(0.25)


def test_without_censoring_it_is_the_mean_square_and_the_curve_has_its_variance():
    time, _ = drawn(80, 5)
    event, asked = np.ones(80), np.array([0.1, 0.5, 1.0])
    curve = kaplan_meier(time, event).at(asked)
    found = survival_brier(np.broadcast_to(curve, (80, 3)), asked, time, event, tau=1.0)
    np.testing.assert_allclose(found.brier, curve * (1 - curve), atol=1e-12)
    np.testing.assert_array_equal(found.at_risk, [(time > each).sum() for each in asked])
    predicted = np.random.default_rng(6).random((80, 3))
    square = ((predicted - (time[:, None] > asked)) ** 2).mean(axis=0)
    np.testing.assert_allclose(survival_brier(predicted, asked, time, event, tau=1.0).brier, square, atol=1e-12)


def test_censoring_does_not_move_the_score():
    rng = np.random.default_rng(7)
    rate = np.exp(rng.normal(size=20_000))
    time, lost = rng.exponential(1 / rate), rng.exponential(1.5, 20_000)
    asked = np.array([0.2, 0.5, 1.0])
    truth = np.exp(-rate[:, None] * asked)
    whole = survival_brier(truth, asked, time, np.ones(20_000), tau=1.0)
    part = survival_brier(truth, asked, np.minimum(time, lost), time <= lost, tau=1.0)
    np.testing.assert_allclose(part.brier, whole.brier, atol=0.006)


def test_rossis_curve_scores_its_own_variance_until_the_end_of_follow_up():
    """Nobody is censored before week 52."""
    data = rossi()
    asked = np.arange(1.0, 52)
    curve = kaplan_meier(data.time, data.event).at(asked)
    found = survival_brier(np.broadcast_to(curve, (432, 51)), asked, data.time, data.event, tau=52.0)
    np.testing.assert_allclose(found.brier, curve * (1 - curve), atol=1e-12)


@pytest.mark.x64
def test_best_hazards_are_the_life_tables_and_their_survival_kaplan_and_meiers():
    time, event = drawn(60, 8)
    edges = np.concatenate([[0], np.sort(time[event])[:-1] + 1e-9, [time.max() + 1]])  # one event in each interval
    table = interval_table(time, event, edges)
    at_risk, died = (table.passed + table.died).sum(axis=0), table.died.sum(axis=0)
    best = jnp.asarray(np.log(died[:-1] / (at_risk - died)[:-1]))
    table = type(table)(table.passed[:, :-1], table.died[:, :-1])
    value = lambda z: discrete_log_likelihood(jnp.broadcast_to(z, table.died.shape), *table)  # noqa: E731
    np.testing.assert_allclose(jax.grad(value)(best), 0, atol=1e-9)
    inside = np.array([((time >= a) & (time < (a + b) / 2) & ~event).any() for a, b in pairwise(edges)])
    assert inside.any()  # censored early in an interval: not counted in it
    survival = discrete_survival(best)
    np.testing.assert_allclose(survival, np.cumprod(1 - died / at_risk)[:-1], atol=1e-12)


@pytest.mark.x64
def test_gradient_is_that_of_differences_and_extreme_logits_stay_finite():
    time, event = drawn(20, 9)
    table = interval_table(time, event, np.linspace(0, 2, 5))
    z = jnp.asarray(np.random.default_rng(10).normal(size=(20, 4)))
    gradient = jax.grad(discrete_log_likelihood)(z, *table)
    for place in ((0, 0), (7, 2), (19, 3)):
        step = 1e-5 * jnp.zeros_like(z).at[place].set(1)
        slope = (discrete_log_likelihood(z + step, *table) - discrete_log_likelihood(z - step, *table)) / 2e-5
        assert float(gradient[place]) == pytest.approx(float(slope), abs=1e-8)
    assert np.isfinite(discrete_log_likelihood(1e3 * z, *table))
    assert np.isfinite(jax.grad(discrete_log_likelihood)(1e3 * z, *table)).all()


def test_what_was_seen_in_each_interval():
    """Dead in the second; censored late and early in the second; dead beyond the last edge; dead on an edge."""
    table = interval_table([1.5, 1.6, 1.4, 9, 1], [1, 0, 0, 1, 1], [0, 1, 2, 3])
    np.testing.assert_array_equal(table.passed, [[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(table.died, [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]])


T, E = drawn(12, 11)
HALF = np.full((12, 2), 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: horizon_label(T, E, tau=99.0), "give a tau up to"),
        (lambda: horizon_label(T, E, tau=99.0, censoring=censoring_curve(T, E)), "weights are infinite"),
        (lambda: horizon_label(T, 3 * E, tau=0.1), "holds 3"),
        (lambda: horizon_label(-T, E, tau=0.1), "is negative"),
        (lambda: survival_brier(HALF, [0.1, 99.0], T, E, tau=99.0), "weights are infinite"),
        (
            lambda: survival_brier(HALF, [0.1, 0.2], T, E, tau=0.2, censoring=censoring_curve([0.1, 0.2], [0, 0])),
            "earlier",
        ),
        (lambda: survival_brier(HALF, [0.2, 0.1], T, E, tau=0.3), "do not rise"),
        (lambda: survival_brier(HALF, [0.1, 0.4], T, E, tau=0.3), "up to tau"),
        (lambda: survival_brier(2 * HALF + 0.1, [0.1, 0.2], T, E, tau=0.3), "between 0 and 1"),
        (lambda: survival_brier(HALF * np.nan, [0.1, 0.2], T, E, tau=0.3), "between 0 and 1"),
        (lambda: survival_brier(HALF, [0.1, 0.2, 0.3], T, E, tau=0.3), "give (n, m)"),
        (lambda: interval_table(T, E, [0.1, 1]), "the first 0"),
        (lambda: interval_table(T, E, [0, 1, 1]), "in order"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()
