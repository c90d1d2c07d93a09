"""Kaplan-Meier, log-rank, concordance: scipy and lifelines as oracles, identities, hand tables."""

import numpy as np
import pytest
from scipy import stats

from classify.survival.concordance import harrell_c, uno_c
from classify.survival.cox_fit import fit_cox
from classify.survival.kaplan_meier import censoring_curve, kaplan_meier
from classify.survival.log_rank import log_rank
from simulate.base.errors import InputError
from tests.classify.survival.rossi import oracle, rossi


def drawn(count, seed, rounded=False, loss=1.5):
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=count)
    time, lost = rng.exponential(np.exp(-0.8 * risk)), rng.exponential(loss, count)
    seen = np.minimum(time, lost)
    return risk, (np.ceil(5 * seen) if rounded else seen), time <= lost


@pytest.mark.filterwarnings("ignore:The confidence interval is undefined")  # before the first event: scipy's NaN
@pytest.mark.parametrize("rounded", [False, True])
def test_curve_and_limits_are_scipys(rounded):
    _, time, event = drawn(80, 1, rounded)
    ours = kaplan_meier(time, event)
    theirs = stats.ecdf(stats.CensoredData.right_censored(time, ~event)).sf
    np.testing.assert_allclose(ours.survival, theirs.evaluate(ours.times), atol=1e-14)
    limits = theirs.confidence_interval(method="log-log")
    inside = ours.survival > 0
    np.testing.assert_allclose(ours.low[inside], limits.low.evaluate(ours.times)[inside], atol=1e-12)
    np.testing.assert_allclose(ours.high[inside], limits.high.evaluate(ours.times)[inside], atol=1e-12)


def test_without_censoring_it_is_a_share_with_its_binomial_error():
    time = np.random.default_rng(2).integers(1, 8, 50).astype(float)
    found = kaplan_meier(time, np.ones(50))
    share = np.array([(time > each).mean() for each in found.times])
    np.testing.assert_allclose(found.survival, share, atol=1e-14)
    np.testing.assert_allclose(found.error[:-1], np.sqrt(share * (1 - share) / 50)[:-1], atol=1e-14)
    assert found.survival[-1] == 0
    assert np.isnan([found.error[-1], found.low[-1], found.high[-1]]).all()


def test_values_before_and_after_a_step_and_no_further_than_the_follow_up():
    found = kaplan_meier([1, 2, 2, 3], [1, 1, 0, 0])
    np.testing.assert_allclose(found.at([0, 1, 1.5, 2, 3]), [1, 0.75, 0.75, 0.5, 0.5])
    np.testing.assert_allclose(found.at([1, 2], before=True), [1, 0.75])
    np.testing.assert_array_equal(found.at_risk, [4, 3])
    with pytest.raises(InputError, match="ask for times up to 3"):
        found.at(3.5)
    assert kaplan_meier([1, 2], [1, 1]).at(9.0) == 0  # ended: nobody is left


def test_nobody_with_an_event_leaves_the_curve_at_one():
    found = kaplan_meier([1, 2, 3], [0, 0, 0])
    assert len(found.times) == 0
    assert found.at([0, 3]).tolist() == [1, 1]


def test_curves_of_events_and_of_censoring_are_each_others_mirror():
    """Their product is the share in view, even where both happen at once: events come first."""
    _, time, event = drawn(200, 3, rounded=True)
    asked = np.unique(time)[:-1]
    both = kaplan_meier(time, event).at(asked) * censoring_curve(time, event).at(asked)
    np.testing.assert_allclose(both, [(time > each).mean() for each in asked], atol=1e-12)


def test_limits_of_the_curve_cover():
    covered = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        time, lost = rng.exponential(1, 60), rng.uniform(0, 3, 60)
        found = kaplan_meier(np.minimum(time, lost), time <= lost)
        step = np.searchsorted(found.times, 1.0, side="right") - 1
        covered.append(found.low[step] <= np.exp(-1) <= found.high[step])
    assert 0.92 < np.mean(covered) < 0.98


def test_log_rank_of_two_groups_is_scipys():
    rng = np.random.default_rng(4)
    _, time, event = drawn(70, 4, rounded=True)
    group = rng.integers(0, 2, 70)
    parts = [stats.CensoredData.right_censored(time[group == k], ~event[group == k]) for k in (0, 1)]
    theirs = stats.logrank(*parts)
    ours = log_rank(time, event, np.array(["a", "b"])[group])
    assert (ours.chi2, ours.p) == (
        pytest.approx(theirs.statistic**2, rel=1e-10),
        pytest.approx(theirs.pvalue, rel=1e-8),
    )


def test_log_rank_without_ties_is_the_score_test_of_cox():
    """Score at 0 and information by differences of log L of one dummy variable."""
    rng = np.random.default_rng(5)
    _, time, event = drawn(60, 5)
    group = rng.integers(0, 2, 60)

    def value(b):
        return sum(b * group[i] - np.log(np.exp(b * group[time >= time[i]]).sum()) for i in np.flatnonzero(event))

    step = 1e-3
    score = (value(step) - value(-step)) / (2 * step)
    information = -(value(step) - 2 * value(0) + value(-step)) / step**2
    assert log_rank(time, event, group).chi2 == pytest.approx(score**2 / information, rel=1e-5)


def test_log_rank_of_many_groups_is_uniform_without_a_difference():
    p = []
    for seed in range(300):
        _, time, event = drawn(60, 1000 + seed)
        p.append(log_rank(time, event, np.arange(60) % 3).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_rossis_log_rank_and_curve_are_the_published():
    """Financial aid: 3.837570; S(52) = .736111."""
    data = rossi()
    aid = data.features[:, data.names.index("fin")]
    assert log_rank(data.time, data.event, aid).chi2 == pytest.approx(3.837570, abs=1e-6)
    assert kaplan_meier(data.time, data.event).at(52.0) == pytest.approx(0.736111, abs=1e-6)
    oracle()
    from lifelines.statistics import multivariate_logrank_test

    prior = np.minimum(data.features[:, data.names.index("prio")], 4)
    theirs = multivariate_logrank_test(data.time, prior, data.event)
    assert log_rank(data.time, data.event, prior).chi2 == pytest.approx(theirs.test_statistic, rel=1e-9)


def test_concordance_of_a_table_counted_by_hand():
    """Times 1, 2, 2+, 3, 4+ (+ censored), risks 5, 3, 3, 4, 1.

    From 1: four pairs, all right. From 2: with 3 wrong, with 4+ right, with 2+ a tied risk where it counts.
    From 3: with 4+ right.
    """
    risk, time, event = [5, 3, 3, 4, 1], [1, 2, 2, 3, 4], [1, 1, 0, 1, 0]
    first = harrell_c(risk, time, event, tied_times="event first")
    assert (first.c, first.pairs, first.tied) == pytest.approx((6.5 / 8, 8, 1 / 8))
    out = harrell_c(risk, time, event, tied_times="left out")
    assert (out.c, out.pairs, out.tied) == pytest.approx((6 / 7, 7, 0))


def test_concordance_is_that_of_lifelines():
    oracle()
    from lifelines.utils import concordance_index

    data = rossi()
    fit = fit_cox(data.features, data.time, data.event)
    for risk in (fit.log_hazard(data.features), data.features[:, 6], np.round(fit.log_hazard(data.features), 1)):
        ours = harrell_c(risk, data.time, data.event, tied_times="event first")
        assert ours.c == pytest.approx(concordance_index(data.time, -risk, data.event), abs=1e-12)


def test_concordance_turns_with_the_sign_and_depends_on_order_alone():
    risk, time, event = drawn(100, 6, rounded=True)
    ours = harrell_c(risk, time, event, tied_times="event first")
    assert harrell_c(-risk, time, event, tied_times="event first").c == pytest.approx(1 - ours.c, abs=1e-14)
    assert harrell_c(np.exp(risk), time, event, tied_times="event first") == ours
    assert harrell_c(np.zeros(100), time, event, tied_times="left out").c == 0.5


def test_unos_is_harrells_without_censoring():
    risk, time, _ = drawn(100, 7)
    event = np.ones(100)
    uno = uno_c(risk, time, event, tau=time.max())
    assert uno.c == pytest.approx(harrell_c(risk, time, event, tied_times="left out").c, abs=1e-14)


def test_unos_weights_are_those_of_their_definition():
    risk, time, event = drawn(60, 8, rounded=True)
    tau = np.quantile(time, 0.8)
    right = pairs = 0.0
    for i in np.flatnonzero(event & (time < tau)):
        g = 1.0
        for moment in np.unique(time[~event & (time < time[i])]):
            there = (time > moment) | ((time == moment) & ~event)
            g *= 1 - (~event & (time == moment)).sum() / there.sum()
        later = time > time[i]
        right += ((risk[later] < risk[i]) + 0.5 * (risk[later] == risk[i])).sum() / g**2
        pairs += later.sum() / g**2
    found = uno_c(risk, time, event, tau=tau)
    assert (found.c, found.pairs) == pytest.approx((right / pairs, pairs), rel=1e-12)


def test_censoring_moves_harrells_and_not_unos():
    """Hazards that come together, so that C falls with time: censoring keeps only the early pairs."""
    rng = np.random.default_rng(9)
    group = rng.integers(0, 2, 4000)
    time = np.where(group == 1, rng.exponential(0.5, 4000), rng.weibull(3, 4000))
    lost = rng.exponential(0.6, 4000)
    event, seen = time <= lost, np.minimum(time, lost)
    whole = uno_c(group, time, np.ones(4000), tau=1.0).c
    early = harrell_c(group, np.minimum(seen, 1), event & (seen < 1), tied_times="left out").c
    assert uno_c(group, seen, event, tau=1.0).c == pytest.approx(whole, abs=0.012)
    assert abs(early - whole) > 0.02


R, T, E = drawn(12, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kaplan_meier(-T, E), "is negative"),
        (lambda: kaplan_meier(T, E + 1), "holds 2"),
        (lambda: kaplan_meier(T, E[:3]), r"one of each per subject"),
        (lambda: kaplan_meier(T * np.inf, E), "not finite in 12 of 12"),
        (lambda: kaplan_meier(T, E, level=1.0), "between 0 and 1"),
        (lambda: log_rank(T, E, np.ones(12)), "are all 1"),
        (lambda: log_rank(T, np.zeros(12), R > 0), "event: is 0 in all subjects"),
        (lambda: log_rank(T, E, R[:4]), "one per subject"),
        (lambda: harrell_c(R * np.nan, T, E, tied_times="left out"), "risk: is not finite in 12 of 12"),
        (lambda: harrell_c(R[:3], T, E, tied_times="left out"), "one number per subject"),
        (lambda: harrell_c(R, T, np.zeros(12), tied_times="left out"), "event: is 0 in all"),
        (lambda: harrell_c([1, 2], [1, 1], [1, 1], tied_times="left out"), "no comparable pair"),
        (lambda: uno_c(R, T, E, tau=99.0), "tau: is 99, when nobody is in view any longer"),
        (lambda: uno_c(R, T, E, tau=0.0), "finite time above 0"),
        (lambda: uno_c(R, T, E, tau=T.min() / 2), "no comparable pair"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
