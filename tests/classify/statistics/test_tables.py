"""Figures of one table, bounds between them, calibration: laws, brute force, and scikit-learn as an oracle."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics

from classify.statistics.calibration import brier_score, calibration
from classify.statistics.confusion import ConfusionMatrix, highest_macro_f1
from classify.statistics.decision import decision_curve
from classify.statistics.multiclass import hand_till_auc, one_vs_rest_auc
from classify.statistics.temperature import fit_temperature
from simulate.base.errors import InputError

NAMES = ("2", "3", "4")


def test_figures_of_a_table_are_scikit_learns():
    rng = np.random.default_rng(1)
    true, said = rng.integers(0, 3, (2, 200))
    table = ConfusionMatrix.of(true, said, NAMES)
    np.testing.assert_array_equal(table.counts, metrics.confusion_matrix(true, said))
    assert table.accuracy == pytest.approx(metrics.accuracy_score(true, said))
    assert table.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(true, said))
    assert table.macro_f1 == pytest.approx(metrics.f1_score(true, said, average="macro"))
    np.testing.assert_allclose(table.recall, metrics.recall_score(true, said, average=None))
    np.testing.assert_allclose(table.precision, metrics.precision_score(true, said, average=None))


def test_published_necrosis_table_is_of_nine_and_forty_nine():
    """Sensitivity .78 and specificity .94 (Front Oncol 2025 15:1573700) fit 7 of 9 and 46 of 49."""
    table = ConfusionMatrix(np.array([[46, 3], [2, 7]]), ("necrosis", "recurrence"))
    found, spared = table.sensitivity, table.specificity
    assert (round(found.estimate, 2), round(spared.estimate, 2), round(table.accuracy, 2)) == (0.78, 0.94, 0.91)
    assert (found.low, found.high) == (pytest.approx(0.400, abs=1e-3), pytest.approx(0.972, abs=1e-3))


def test_a_class_that_does_not_occur_has_no_recall():
    table = ConfusionMatrix.of([0, 0, 1], [0, 1, 1], NAMES)
    assert np.isnan(table.recall[2])
    assert np.isnan(table.f1[2])
    assert table.balanced_accuracy == 0.75
    wrong = ConfusionMatrix.of([0, 0, 1], [0, 2, 1], NAMES)  # said of one, true of none
    assert wrong.f1[2] == 0


def tables(total, classes):
    """All that there are: bars between stars."""
    cells = classes * classes
    for bars in combinations(range(total + cells - 1), cells - 1):
        counts = np.diff([-1, *bars, total + cells - 1]) - 1
        yield ConfusionMatrix(counts.reshape(classes, classes), tuple(map(str, range(classes))))


@pytest.mark.parametrize("total", [2, 5, 12])
def test_macro_f1_of_two_classes_is_at_most_the_accuracy(total):
    """Equal where both classes have as many right, or none is wrong."""
    for table in tables(total, 2):
        assert table.macro_f1 <= table.accuracy + 1e-12
        first, second = np.diag(table.counts)
        if first == second:
            assert table.macro_f1 == pytest.approx(table.accuracy)


@pytest.mark.parametrize(("total", "classes"), [(3, 2), (7, 2), (10, 2), (4, 3), (5, 3)])
def test_highest_macro_f1_is_that_of_the_best_of_all_tables(total, classes):
    best = {}
    for table in tables(total, classes):
        if (table.counts.sum(axis=1) > 0).all():
            correct = int(np.trace(table.counts))
            best[correct] = max(best.get(correct, 0), table.macro_f1)
    for correct, highest in best.items():
        bound = highest_macro_f1(correct, total, classes)
        assert highest <= bound + 1e-12
        if correct >= classes - 1:
            assert highest == pytest.approx(bound)


def test_aslnet_prints_more_than_its_accuracy_allows():
    """Three grades, 24 of 40 right: .726 at the most, .74 printed; survival: .66 and .73."""
    assert highest_macro_f1(24, 40, 3) == pytest.approx(0.7263, abs=1e-4)
    assert highest_macro_f1(66, 100, 2) == pytest.approx(0.66)
    assert highest_macro_f1(60_000, 100_000, 3) == pytest.approx(1 - 2 * 0.4 / 3, abs=1e-4)


def test_areas_of_many_classes_are_scikit_learns():
    rng = np.random.default_rng(2)
    labels = rng.choice(3, 150, p=[0.6, 0.3, 0.1])
    scores = rng.dirichlet(np.ones(3), 150) + 0.3 * np.eye(3)[labels]
    scores /= scores.sum(axis=1, keepdims=True)
    theirs = {kind: metrics.roc_auc_score(labels, scores, multi_class=kind) for kind in ("ovr", "ovo")}
    assert one_vs_rest_auc(labels, scores) == pytest.approx(theirs["ovr"], abs=1e-12)
    assert hand_till_auc(labels, scores) == pytest.approx(theirs["ovo"], abs=1e-12)
    assert theirs["ovr"] != pytest.approx(theirs["ovo"], abs=1e-3)


def test_hand_and_tills_area_does_not_change_with_prevalence():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], 40)
    scores = rng.normal(size=(120, 3)) + np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0.5]])[labels]
    rare = np.concatenate([np.arange(40), np.arange(40, 120).repeat(5)])  # classes 1 and 2 five times as frequent
    assert hand_till_auc(labels[rare], scores[rare]) == pytest.approx(hand_till_auc(labels, scores), abs=1e-12)
    assert one_vs_rest_auc(labels[rare], scores[rare]) != pytest.approx(one_vs_rest_auc(labels, scores), abs=1e-3)


def drawn(slope, intercept, count, seed):
    """Probabilities that are off by a slope and an intercept, and what happens."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, count)
    return rng.random(count) < expit(slope * z + intercept), expit(z)


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.6])
def test_slope_is_recovered_within_its_error(slope):
    found = calibration(*drawn(slope, 0, 40_000, 4))
    assert abs(found.slope - slope) < 4 * found.slope_error < 0.15


def test_intercept_is_recovered_and_makes_the_mean_right():
    labels, probability = drawn(1, -0.7, 40_000, 5)
    found = calibration(labels, probability)
    assert abs(found.intercept + 0.7) < 4 * found.intercept_error < 0.08
    assert expit(logit(probability) + found.intercept).mean() == pytest.approx(labels.mean(), abs=1e-9)


def test_errors_of_slope_and_intercept_are_those_of_repeated_studies():
    found = np.array([calibration(*drawn(0.8, 0.2, 300, seed))[:4] for seed in range(150)])
    np.testing.assert_allclose(found[:, 1].mean(), found[:, 0].std(), rtol=0.2)
    np.testing.assert_allclose(found[:, 3].mean(), found[:, 2].std(), rtol=0.2)


def test_prevalence_said_of_everyone_scales_to_nothing():
    labels = np.array([1, 0, 0, 0])
    assert brier_score(labels, np.full(4, 0.25)) == pytest.approx(0.25 * 0.75)
    almost = calibration(labels, [0.26, 0.24, 0.25, 0.27])
    assert almost.scaled_brier == pytest.approx(0, abs=0.02)
    assert brier_score(labels, labels) == 0


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_temperature_is_recovered_and_the_order_of_classes_stays(temperature):
    rng = np.random.default_rng(6)
    z = rng.normal(0, 2, (20_000, 3))
    labels = (z + rng.gumbel(size=z.shape)).argmax(axis=1)  # softmax(z) exactly
    assert fit_temperature(labels, temperature * z) == pytest.approx(temperature, rel=0.03)
    two = (z[:, 1] - z[:, 0] + rng.logistic(size=len(z))) > 0
    assert fit_temperature(two, temperature * (z[:, 1] - z[:, 0])) == pytest.approx(temperature, rel=0.05)


def test_temperature_is_where_no_other_loses_less():
    rng = np.random.default_rng(7)
    labels, z = rng.integers(0, 4, 60), rng.normal(size=(60, 4))
    z[np.arange(60), labels] += 0.7
    best = fit_temperature(labels, z)
    loss = [
        metrics.log_loss(labels, np.exp(z / t) / np.exp(z / t).sum(1, keepdims=True))
        for t in best * np.linspace(0.8, 1.2, 41)
    ]
    assert np.argmin(loss) == 20


def test_decision_curve_of_certain_and_of_no_knowledge():
    labels = np.repeat([1, 0], [30, 70])
    thresholds = np.array([0.0, 0.1, 0.3, 0.6])
    perfect = decision_curve(labels, labels, thresholds[1:])
    np.testing.assert_allclose(perfect.net_benefit, 0.3)  # at the most the prevalence
    blind = decision_curve(labels, np.full(100, 0.3), thresholds)
    np.testing.assert_allclose(blind.net_benefit[:3], blind.act_on_all[:3])  # all are acted on
    assert blind.net_benefit[3] == 0  # nobody
    assert blind.act_on_all[0] == pytest.approx(0.3)
    assert decision_curve(labels, labels, [0.3]).act_on_all == pytest.approx(
        0
    )  # at the prevalence it makes no difference


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConfusionMatrix.of([0, 3], [0, 1], NAMES), "hold 3"),
        (lambda: ConfusionMatrix.of([0, 1], [0, 1, 1], NAMES), "2 labels, 3 predictions"),
        (lambda: ConfusionMatrix.of([0, 1], [0, 1], NAMES).sensitivity, "take recall"),
        (lambda: ConfusionMatrix.of([0, 0], [0, 1], ("a", "b")).sensitivity, "b: does not occur"),
        (lambda: highest_macro_f1(5, 4, 2), "5 of 4 rows"),
        (lambda: one_vs_rest_auc([0, 1], np.eye(3)[:2]), "no row of class 2"),
        (lambda: hand_till_auc([0, 1], np.ones(2)), "one column per class"),
        (lambda: calibration([0, 1], [0.2, 1.2]), "between 0 and 1"),
        (lambda: calibration([0, 1], [0.2, 1.0]), "exactly 0 or 1"),
        (lambda: calibration([0, 1], [0.2, 0.2]), "0.2 in all rows"),
        (lambda: calibration([0, 0, 1], [0.1, 0.2, 0.3]), "separates"),
        (lambda: calibration([1, 1], [0.1, 0.2]), "one class only"),
        (lambda: fit_temperature([0, 1], np.eye(2)), "right for every subject"),
        (lambda: fit_temperature([1, 0], np.eye(2)), "no better than chance"),
        (lambda: fit_temperature([1, 0], np.eye(2) * np.nan), "not finite"),
        (lambda: decision_curve([0, 1], [0.1, 0.2], [1.0]), "below 1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
