"""Scenes that the finder learns from: their vessels hold the blood they should; what is learnt is what was there."""

import json
from pathlib import Path

import numpy as np
import pytest

from estimate.arterial.evidence import Evidence
from estimate.arterial.quality import FILE, T1_KINDS, chance_off, names_of, predict, values_of
from experiments.studies.arterial_input.bank import SPLITS, constants
from experiments.studies.arterial_input.learning import learn_kind
from experiments.studies.arterial_input.looks import Look
from experiments.studies.arterial_input.scenes import area_from
from experiments.studies.arterial_input.scores import score, table
from experiments.studies.arterial_input.vessels import blood_share, centre_line, random_vessel

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results" / "aif_finder.json"


@pytest.mark.parametrize("diameter", [0.9, 2.0, 4.5])
def test_a_painted_vessel_holds_its_cylinder_of_blood(diameter):
    """On average over where in its voxels it runs."""
    along = np.arange(-5, 12, 0.05)
    ones = np.ones_like(along)
    places = 5 + np.random.default_rng(0).random((60, 2))
    lines = [np.column_stack([x * ones, y * ones, along]) for x, y in places]
    shares = np.stack([blood_share(line, (11, 11, 4), diameter) for line in lines])
    assert shares.sum(axis=(1, 2)).mean() == pytest.approx(np.pi * diameter**2 / 4, rel=0.03)
    assert shares.max() == pytest.approx(min(1.0, diameter**2), abs=0.2)


def test_centre_lines_are_as_bent_as_asked():
    for seed in range(5):
        straight = centre_line(np.random.default_rng(seed), (20, 20, 20), bend=0.0)
        steps = np.diff(straight, axis=0)
        np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-9)
        assert np.linalg.norm(straight[-1] - straight[0]) > 15


def test_a_vessel_beside_the_block_runs_through_the_slices_there_alone():
    for seed in range(5):
        share = random_vessel(np.random.default_rng(seed), (12, 12, 16), 3.0, 5)
        assert share[..., :11].max() == 0
        assert share[..., 11:].max() == 1


def test_an_area_is_that_of_the_line_between_the_samples():
    times = np.array([0.0, 10.0, 40.0, 200.0])
    assert area_from(times, times, 5.0) == pytest.approx((75.0**2 - 5.0**2) / 2)


def looks(count, kind, *, draw, spread=0.15):
    """Vessels of any width whose area falls short with it, and with T1, by known laws."""
    rng = np.random.default_rng(draw)
    found = []
    for seed in range(count):
        width = rng.uniform(0, 2)
        t1 = rng.normal(0, 0.1)
        evidence = Evidence(width, -width, rng.normal(), rng.normal(4, 1), rng.normal(0.2, 0.1), 0, t1, kind == "blood")
        short = 0.8 * (width < 1) + 0.9 * t1 + spread * rng.normal()
        about = {"seed": seed, "kind": "wide" if width >= 1 else ("tree", "thin")[seed % 2], "voxel": 2.0}
        found.append(Look(kind, evidence, -short, 0.0, 0.0, about))
    return found


def test_what_is_learnt_is_what_was_there():
    kind = "measured"
    quality = learn_kind(looks(600, kind, draw=3), kind)
    assert quality.slope == pytest.approx(0.9, abs=0.1)
    steady = [Evidence(w, -w, 0.0, 4.0, 0.2, 0, 0.0, False) for w in (0.3, 1.7)]
    mean, spread = predict(quality, np.array([values_of(e, names_of(kind)) for e in steady]))
    assert mean[0] == pytest.approx(0.8, abs=0.1)
    assert mean[1] == 0.0  # a correction too small to be made
    np.testing.assert_allclose(spread, 0.15, rtol=0.35)
    assert chance_off(mean, spread)[0] > 0.95
    scores = score(looks(300, kind, draw=4), quality)["with and without a wide artery"]
    assert 0.85 < scores["covered"] < 0.95
    assert scores["delivered_off"] < 0.5 * scores["off"]
    assert len(table({"one": scores})) > 8


def test_what_ships_says_where_it_comes_from_and_was_scored_on_other_patients():
    stored, results = json.loads(FILE.read_text()), json.loads(RESULTS.read_text())
    same = json.loads(json.dumps(constants()))
    assert stored["provenance"]["scenes"] == results["provenance"]["scenes"] == same
    learnt, scored = stored["provenance"]["options"], results["provenance"]["options"]
    assert learnt["first seed"] + learnt["patients"] <= scored["first seed"] == SPLITS["test"]
    assert scored["patients"] >= 200
    assert set(T1_KINDS) <= set(results)
    both = results["measured"]["groups"]["with and without a wide artery"]
    assert both["false"] <= 0.1
    assert both["refused"] <= 0.03
    assert 0.85 <= both["covered"] <= 0.95


@pytest.mark.xfail(reason="88.7 % of 194 (standard error 2.3): a wrong T1 shows in half of the wide arteries alone")
def test_nine_in_ten_of_the_inputs_that_are_off_are_warned_of():
    results = json.loads(RESULTS.read_text())
    assert results["measured"]["groups"]["with and without a wide artery"]["warned_of_off"] >= 0.9
