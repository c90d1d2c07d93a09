"""Simulation-based calibration: what is right passes, and a sigma that is wrong is caught."""

import json

import numpy as np
import pytest

from estimate.qtmnet.contrast.targets import SCORED
from estimate.qtmnet.learning.evaluation import Evaluation
from estimate.qtmnet.prediction import TO_ONE_SIGMA
from experiments.studies.calibration.ranks import BINS, LEVELS, gathered, ranked, rows_of
from experiments.studies.calibration.study import STUDY, run_network_calibration
from experiments.studies.calibration.tables import findings, summary
from experiments.studies.runner import write_answer
from simulate.base.progress import silent
from simulate.phantoms.priors import Region

FACTOR = dict.fromkeys(SCORED, 1.2 * TO_ONE_SIGMA)


def network(sigma=1.0, shift=0.0, phantoms=60, voxels=400):
    """What a study finds of a network that states this multiple of its true errors, and is off by this many of them."""
    rng = np.random.default_rng(0)
    scans = []
    for _ in range(phantoms):
        spread = np.exp(0.3 * rng.standard_normal((voxels, len(SCORED))))
        # the posterior is spread x 1.2 wide, and PS far above what a curve shows
        error = 1.2 * spread * (rng.standard_normal(spread.shape) + shift)
        region = np.where(np.arange(voxels) < 50, int(Region.RIM), int(Region.GREY_MATTER))
        value = np.full(spread.shape, 20.0)
        scans.append(Evaluation(value, sigma * spread, error, np.ones(spread.shape, bool), np.ones(voxels), region))
    errors = dict.fromkeys(SCORED, 0.1)
    limits = {"of calibration": {"alarms": 0.03, "found": 0.95}, "here": {"familiar": 0.04}}
    phantoms = [ranked(scan, SCORED, FACTOR) for scan in scans]
    return {"contrast": {"phantoms": phantoms, "common error": errors, "stated common error": errors, "limits": limits}}


def misses(found):
    return [r for r in rows_of(found) if not r.low <= r.level <= r.high]


def test_a_posterior_that_holds_covers_at_every_level_and_has_flat_ranks():
    found = network()
    rows = list(rows_of(found))
    assert len(rows) == 2 * len(SCORED) * len(LEVELS)
    for row in rows:
        assert row.mean == pytest.approx(row.level, abs=0.02), row
    assert len(misses(found)) < 0.15 * len(rows)  # one in twenty by chance, and levels of a quantity go together
    counts = np.mean([gathered(found["contrast"], "all voxels", q, "counts").mean(0) for q in SCORED], axis=0)
    np.testing.assert_allclose(BINS * counts, 1.0, atol=0.05)


@pytest.mark.parametrize(("sigma", "word", "edge"), [(0.8, "narrow", 1.5), (1.25, "wide", 0.6)])
def test_a_sigma_that_is_wrong_by_a_quarter_is_caught_at_every_level(sigma, word, edge):
    found = network(sigma)
    assert len(misses(found)) == 2 * len(SCORED) * len(LEVELS)
    counts = BINS * gathered(found["contrast"], "all voxels", "Fp", "counts").mean(0)
    assert (counts[[0, -1]] > edge).all() == (word == "narrow")  # a cup, or a hill
    assert (counts[[0, -1]] < edge).all() == (word == "wide")
    assert f"too {word} for {', '.join(SCORED)}" in findings(found)[0]


def test_values_off_to_one_side_slope_the_ranks():
    counts = gathered(network(shift=0.3)["contrast"], "all voxels", "Fp", "counts").mean(0)
    assert counts[-3:].sum() > 1.5 * counts[:3].sum()


def test_files_say_what_was_found(tmp_path):
    found = network(0.8, phantoms=5)
    write_answer(tmp_path, STUDY, found, {"seed": STUDY.seed})
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written.pop("provenance") == {"seed": 1000}
    assert written == json.loads(json.dumps(summary(found)))
    low = written["contrast"]["quantities"]["Fp"]["tumour rim"]["coverage"]["0.9"]
    assert low[1] <= low[0] <= low[2] < 0.9
    for name in ("table.csv", "table.md", "ranks.png"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.slow
def test_the_shipped_networks_are_asked(tmp_path):
    found = run_network_calibration(2, tmp_path, silent)
    assert set(found) == {"contrast", "water"}
    for result in found.values():
        rows = [r for r in rows_of({"x": result}) if r.level == 0.9 and r.region == "all voxels"]
        assert np.mean([r.mean for r in rows]) > 0.6
        assert 0 <= result["limits"]["here"]["familiar"] < 0.5
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.h5")}
    assert run_network_calibration(2, tmp_path, silent) == found
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())
