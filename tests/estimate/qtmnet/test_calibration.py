"""Intervals that cover what they promise, and curves that are not like the training's."""

import jax.numpy as jnp
import numpy as np
import pytest

from estimate.arterial.scale import InputScale
from estimate.qtmnet.contrast.features import ScanFacts
from estimate.qtmnet.contrast.inference import ScanPrediction
from estimate.qtmnet.contrast.maps import parameters, status_of, warnings_of, with_scale_error
from estimate.qtmnet.contrast.targets import MAPS, PS_FLOOR, SCORED
from estimate.qtmnet.learning.calibration import quantiles, weighted_quantile
from estimate.qtmnet.learning.evaluation import Evaluation, common_errors
from estimate.qtmnet.learning.limits import CURVE_FALSE_ALARMS
from estimate.qtmnet.out_of_distribution import (
    DIRECTIONS,
    TrainingDistribution,
    curve_distance,
    distance,
    learn_curves,
    learn_scans,
    scan_ood_score,
)
from estimate.qtmnet.prediction import COVERAGE
from simulate.base.status import Status
from simulate.inputs.random import POPULATION_AREA


def test_a_quantile_of_ratios_covers_new_ones_of_the_same_kind():
    rng = np.random.default_rng(0)
    old, new = np.abs(rng.standard_t(3, (2, 20000)))
    q = weighted_quantile(old, np.ones(old.size), COVERAGE)
    assert np.mean(new <= q) == pytest.approx(COVERAGE, abs=0.01)
    weights = np.where(old < 1, 3.0, 1.0)
    q = weighted_quantile(old, weights, 0.5)
    assert weights[old <= q].sum() / weights.sum() == pytest.approx(0.5, abs=1e-3)


def test_intervals_cover_all_tissue_and_the_rims_of_tumours_each_examination_counting_alike():
    rng = np.random.default_rng(2)
    ratios = np.abs(rng.standard_normal((400, 200, 2)))
    rim = np.zeros((400, 200), bool)
    rim[:100, :40] = True  # in a quarter of the examinations a fifth of the voxels
    ratios[rim] *= np.array([2.0, 0.5])
    q = quantiles(ratios, np.ones(ratios.shape, bool), rim)
    np.testing.assert_allclose(q, 1.6449 * np.array([2.0, 1.0]), rtol=0.03)
    uneven = np.ones(ratios.shape, bool)
    ratios[200:] *= 3.0
    uneven[200:, 5:] = False  # few voxels, but as many examinations
    q = quantiles(ratios, uneven, np.zeros_like(rim))
    low, high = (np.mean(ratios[part][uneven[part]] <= q[0]) for part in (slice(200), slice(200, None)))
    assert (low + high) / 2 == pytest.approx(COVERAGE, abs=0.01)


def test_distance_is_one_within_the_distribution_and_grows_outside_it_not_with_noise():
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((35, 35)) / 6
    shapes = rng.standard_normal((5000, 35)) @ mixing + 1.0
    known = learn_curves(shapes)
    gram = jnp.eye(35)
    near = curve_distance(known, jnp.asarray(shapes), jnp.zeros(5000), gram)
    assert float(jnp.mean(near)) == pytest.approx(1.0, abs=0.1)
    noisy = curve_distance(
        known, jnp.asarray(shapes + 0.5 * rng.standard_normal(shapes.shape)), jnp.full(5000, 0.5), gram
    )
    assert float(jnp.mean(noisy)) == pytest.approx(1.0, abs=0.1)
    limit = np.quantile(near, 1 - CURVE_FALSE_ALARMS)
    outside = curve_distance(known, jnp.asarray(shapes + 4.0), jnp.zeros(5000), gram)
    assert np.mean(np.asarray(outside) > limit) > 0.99


def test_a_scans_ood_score_is_how_far_its_context_lies_off_in_units_of_the_trainings_spread():
    rng = np.random.default_rng(3)
    n, count = 96, 4000
    spread = np.exp(np.linspace(3, -6, n))  # what varies little is left out: only DIRECTIONS are kept
    turn, _ = np.linalg.qr(rng.standard_normal((n, n)))
    old, new = 5.0 + (spread * rng.standard_normal((2, count, n))) @ turn.T
    learnt = learn_scans(old)
    assert learnt.directions.shape == (n, DIRECTIONS)
    np.testing.assert_allclose(np.sort(learnt.variance)[::-1], spread[:DIRECTIONS] ** 2, rtol=0.15)
    far = np.asarray(distance(learnt, jnp.asarray(new, jnp.float32)))
    assert far.mean() == pytest.approx(1.0, abs=0.05)
    known = TrainingDistribution.empty(35, n)._replace(scans=learnt._replace(limit=np.float32(np.quantile(far, 0.9))))
    along = [
        scan_ood_score(known, jnp.asarray(5.0 + k * spread[j] * turn[:, j], jnp.float32))
        for j in (0, 30, 60) for k in (0.0, 2.0, 20.0)
    ]  # fmt: skip
    # k spreads off in one of the directions are k^2/DIRECTIONS of d^2, whichever it is
    expected = [k**2 / DIRECTIONS / float(known.scans.limit) for _ in range(3) for k in (0.0, 2.0, 20.0)]
    np.testing.assert_allclose(along, expected, rtol=0.15, atol=0.02)
    assert scan_ood_score(TrainingDistribution.empty(35, n), jnp.full(n, 1e6)) == 0  # nothing learnt: no limit


def test_what_voxels_are_off_by_together_is_told_from_what_each_is_off_by():
    rng = np.random.default_rng(5)
    scans = []
    for together in 0.3 * rng.standard_normal(400):
        error = together * np.array([1.0, 0.5]) + 0.7 * rng.standard_normal((301, 2))
        counted = np.ones((301, 2), bool)
        error[:100], counted[:100] = 9.0, False
        none = np.zeros((301, 2))
        scans.append(Evaluation(none, none, error, counted, none[:, 0], none[:, 0]))
    np.testing.assert_allclose(common_errors(iter(scans)), [0.305, 0.16], rtol=0.08)


def prediction(spread=0.1, enhanced=True, outlier=False, level=0.3, arrival=20.0, ood_score=0.5):
    count = 8
    facts = ScanFacts(jnp.asarray(arrival), jnp.asarray(level), jnp.asarray((level / 30) ** 2))
    return ScanPrediction(
        np.zeros((count, len(SCORED)), np.float32), np.full((count, len(SCORED)), spread, np.float32),
        np.full(count, level), np.full(count, enhanced), np.full(count, outlier), facts, ood_score,
    )  # fmt: skip


def test_errors_are_the_voxels_own_and_the_scales_is_added_where_it_is_asked_for():
    calibration_factor = dict.fromkeys(SCORED, 2 * 1.6449)
    found = parameters(prediction(), InputScale(150.0, 0.3, ""), calibration_factor)
    assert set(found) == {f"{n}{s}" for n in MAPS for s in ("", "_stderr")}
    assert found["Fp"] == pytest.approx(0.3 / 150)
    np.testing.assert_allclose(found["Fp_stderr"] / found["Fp"], 0.2, rtol=1e-3)
    both = with_scale_error(found, InputScale(150.0, 0.3, ""))
    for name in ("Fp", "PS", "vp", "ve", "Ktrans"):
        np.testing.assert_allclose(both[f"{name}_stderr"] / found[name], np.hypot(0.2, 0.3), rtol=1e-3)
    for name in ("MTT_stderr", "kep_stderr", "delay_stderr", "Fp"):
        np.testing.assert_array_equal(both[name], found[name])
    np.testing.assert_allclose(found["MTT_stderr"] / found["MTT"], 0.2, rtol=1e-3)  # free of the scale
    np.testing.assert_allclose(found["delay_stderr"], 0.2, rtol=1e-3)
    double = parameters(prediction(), InputScale(300.0, 0.3, ""), calibration_factor)
    for name in ("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels"):
        np.testing.assert_allclose(double[name], found[name] / 2)
    for name in ("MTT", "kep", "E", "vp_ve_ratio", "speed", "delay"):
        np.testing.assert_allclose(double[name], found[name])


def test_status_says_what_is_not_to_be_believed():
    calibration_factor = dict.fromkeys(SCORED, 1.6449)

    def status(scale_error=0.0, **options):
        found, scale = prediction(**options), InputScale(150.0, scale_error, "")
        return status_of(found, parameters(found, scale, calibration_factor), np.zeros(8, np.int32))[0]

    assert status() == Status.OK
    assert status(scale_error=2.0) == Status.OK  # which all voxels share: it hides no difference between them
    assert status(spread=0.5) & Status.NOT_IDENTIFIABLE
    assert status(spread=0.5) & Status.PS_NOT_IDENTIFIABLE
    assert status(outlier=True) & Status.UNFAMILIAR
    assert status(ood_score=1.01) & Status.UNFAMILIAR
    assert status(enhanced=False) & Status.NO_SIGNAL


def test_a_permeability_too_low_to_be_seen_is_an_upper_limit():
    """PS A at the training's floor, whatever share of it the input's area is said to be."""
    calibration_factor, names = dict.fromkeys(SCORED, 1.6449), ("PS", "Ktrans", "kep", "E")
    i = SCORED.index("PS")
    for area in (150.0, 300.0):
        scale = InputScale(area, 0.3, "")
        for times_floor, limit in ((1.1, True), (1.25, False)):  # exp(1.645 x 0.1) = 1.18
            given = prediction()
            given.value[:, i] = np.log(times_floor * PS_FLOOR * POPULATION_AREA / 0.3)
            found = parameters(given, scale, calibration_factor)
            assert found["PS"] == pytest.approx(times_floor * PS_FLOOR * POPULATION_AREA / area, rel=1e-5)
            for name in names:
                assert np.all(np.isnan(found[f"{name}_stderr"]) == limit)
            assert np.isfinite(found["Fp_stderr"]).all()
            assert np.isfinite(found["ve_stderr"]).all()
            status = status_of(given, found, np.zeros(8, np.int32))
            expected = Status.AT_BOUND | Status.PS_NOT_IDENTIFIABLE if limit else Status.OK
            assert np.all(status & (Status.AT_BOUND | Status.PS_NOT_IDENTIFIABLE) == expected)


def warnings(given, times, area=150.0):
    return warnings_of(
        given, parameters(given, InputScale(area, 0.0, ""), dict.fromkeys(SCORED, 1.6449)), times, alarms=0.03
    )


def test_volumes_above_one_are_not_believed():
    """Whatever the network thinks of the curves: 0.3/0.4 + 0.3/0.4 of a voxel."""
    found = parameters(prediction(), InputScale(0.4, 0.0, ""), dict.fromkeys(SCORED, 1.6449))
    assert np.all(status_of(prediction(), found, np.zeros(8, np.int32)) & Status.UNFAMILIAR)
    assert "vp + ve above 1" in " ".join(warnings(prediction(), 2.0 * np.arange(120), area=0.4))


def test_warnings_name_what_lies_outside_the_training():
    assert warnings(prediction(), 2.0 * np.arange(120)) == []
    assert "frame spacing is 10" in " ".join(warnings(prediction(), 10.0 * np.arange(60)))
    assert "25 frames" in " ".join(warnings(prediction(), 4.0 * np.arange(25)))
    assert "after contrast arrived" in " ".join(warnings(prediction(arrival=200.0), 2.0 * np.arange(120)))
    assert "100 % of the enhancing voxels" in " ".join(warnings(prediction(outlier=True), 2.0 * np.arange(120)))
    assert "that 3 % of these pass" in " ".join(warnings(prediction(ood_score=1.5), 2.0 * np.arange(120)))
    assert "scan as a whole is unlike" in " ".join(warnings(prediction(ood_score=1.5), 2.0 * np.arange(120)))
