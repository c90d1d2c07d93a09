"""The weights that ship: small, documented, and right on a phantom of which no training knew."""

import json
from itertools import product

import jax
import numpy as np
import pytest
from scipy.stats import binom

from estimate.networks.weights import weights_digest
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.contrast.targets import PS_FLOOR, SCORED
from estimate.qtmnet.learning.limits import SCAN_FALSE_ALARMS
from estimate.qtmnet.weights import SHIPPED, load_trained
from experiments.studies.comparison.found import derived
from experiments.studies.comparison.networks import qtmnet
from experiments.studies.comparison.scans import Condition, examine
from simulate.banks.phantoms import BankConfig, read_bank, write_bank
from simulate.inputs.random import POPULATION_AREA
from simulate.phantoms.priors import Region

ERRORS = (
    {"Fp": 0.117, "PS": 0.119, "vp": 0.188, "ve": 0.0584},
    {"Fp": 0.108, "PS": 0.0407, "vp": 0.133, "ve": 0.0374},
)
"""Median |log error| in the rims of `exams`, of the very weights that docs/guide tells of. Single phantoms: these two
moved when vessels came to fill cells by their exact length, the mean of 16 hardly did."""


@pytest.fixture(scope="module")
def exams(tmp_path_factory):
    """A glioblastoma with stirred capillaries, and the same with plug flow, from the test split."""
    found = []
    for mixing in (1.0, 0.0):
        config = BankConfig(split="test", mixing=mixing, cell=2.0, grade=4, local_aif=True)
        bank = read_bank(write_bank(tmp_path_factory.mktemp("bank"), config, 1))
        found.append(examine(jax.random.key(5), bank, 0, Condition(snr=(50.0, 50.0))))
    return found


@pytest.fixture(scope="module")
def trained():
    return load_trained()


def test_they_are_small_and_say_where_they_come_from(trained):
    assert SHIPPED.stat().st_size <= 10e6
    facts = json.loads((SHIPPED.parent / "config.json").read_text())
    assert facts["provenance"]["command"] == "tracerflow train qtmnet"
    assert isinstance(facts["provenance"]["seed"], int)
    log = [json.loads(line) for line in (SHIPPED.parent / "log.jsonl").read_text().splitlines()]
    steps = facts["config"]["sets"]["steps"] + facts["config"]["patches"]["steps"]
    assert log[-1]["step"] == steps
    assert trained.facts["config"] == facts["config"]


def test_they_know_an_intact_barrier_from_a_leaky_one(exams, trained):
    """Where PS is below what a curve shows, it is an upper limit without an error; where it is clear of that, not."""
    for exam in exams:
        found, known = qtmnet(trained, exam)["known"], exam.region > 0
        floor = PS_FLOOR * POPULATION_AREA / exam.area
        limit = np.isnan(found["PS_stderr"])
        intact, leaky = known & (exam.truth["PS"] < 0.7 * floor), known & (exam.truth["PS"] > 4 * floor)
        assert intact.sum() > 30
        assert leaky.sum() > 30
        assert limit[intact].mean() > 0.9
        assert limit[leaky].mean() < 0.05
        assert np.mean(exam.truth["PS"][known & limit] < 1.5 * found["PS"][known & limit]) > 0.95


def test_they_are_as_good_as_the_guide_says_and_no_better(exams, trained):
    """Other errors than these, smaller ones too, and the guide's figures are of another network or another code: run
    `tracerflow experiment qtmnet-vs-2cxm --config paper` and docs/write_results.py again, then set these."""
    for exam, expected in zip(exams, ERRORS, strict=True):
        rim = exam.region == int(Region.RIM)
        found = qtmnet(trained, exam)["known"]
        errors = {name: np.median(np.abs(np.log(found[name] / exam.truth[name])[rim])) for name in expected}
        assert errors == pytest.approx(expected, rel=0.08)


def test_their_weights_are_those_that_were_trained(trained):
    """Calibrated again since, and not touched."""
    digest = json.loads((SHIPPED.parent / "config.json").read_text())["calibrated again"]
    assert weights_digest(trained.network) == digest["sha256 of the weights, as before"]


def test_they_beat_any_constant_on_both_kinds_of_capillaries(exams, trained):
    """Median |log error| in the rim, against that of the best possible constant, the truth's own median."""
    for exam in exams:
        rim = exam.region == int(Region.RIM)
        found, truth = qtmnet(trained, exam)["known"], derived(exam.truth)
        for name, share in (("Fp", 0.8), ("PS", 0.5), ("vp", 0.5)):
            error = np.median(np.abs(np.log(found[name] / truth[name])[rim]))
            spread = np.median(np.abs(np.log(truth[name][rim] / np.median(truth[name][rim]))))
            assert error < max(share * spread, 0.25), name
        half = 1.645 * found["PS_stderr"] / found["PS"]
        inside = np.abs(np.log(found["PS"] / truth["PS"])) < half
        assert 0.5 < inside[rim].mean() <= 1


@pytest.mark.slow  # of weights that are committed; their training and their limits are tested always
def test_they_know_an_injection_unlike_the_trainings(trained, tmp_path):
    """An infusion of 15 to 60 s, where no voxel's curve is an outlier: the scan is, beside a known injection's."""
    bank = read_bank(write_bank(tmp_path, BankConfig(split="test", local_aif=True), 6))
    shape = (16, 16, 16)
    where = np.unravel_index(np.arange(16**3), shape)

    def ood_score(phantom, key, family):
        exam = examine(jax.random.key(key), bank, phantom, Condition(family=family))
        return predict_scan(trained, exam.curves, exam.start, exam.spacing, where=where, shape=shape).ood_score

    # four known and two unknown injections into each of the phantoms
    seen = np.array([[ood_score(i, 8 * i + k, "seen") for k in range(4)] for i in range(6)])
    unseen = np.array([[ood_score(i, 8 * i + k, "unseen") for k in range(2)] for i in range(6)])
    # usual scans lie no further out than training's
    assert np.sum(seen > 1) <= binom.ppf(0.975, seen.size, SCAN_FALSE_ALARMS)
    assert np.median(seen) < 0.8
    assert np.mean(unseen > 1) > 0.9
    assert np.all(unseen > 1.5 * seen[:, :2])


def volume(exam, trained, turn):
    """(side, side, side, q) of the scan after a turn of the block, turned back; turn maps volumes to volumes."""
    back = np.argsort(turn(np.arange(exam.side**3).reshape((exam.side,) * 3)).ravel())
    curves = turn(exam.curves.reshape(exam.side, exam.side, exam.side, -1))
    where = np.unravel_index(np.arange(exam.side**3), (exam.side,) * 3)
    found = predict_scan(
        trained, curves.reshape(-1, curves.shape[-1]), exam.start, exam.spacing, where=where, shape=(exam.side,) * 3
    )
    return found.value[back]


def test_turning_the_patient_hardly_changes_the_flow(exams, trained):
    """The 8 rotations and flips in plane: Fp by 5 % at most, in the median."""
    exam, Fp = exams[0], SCORED.index("Fp")
    plain = volume(exam, trained, lambda v: v)[:, Fp]
    for quarter, flip in list(product(range(4), (False, True)))[1:]:

        def turn(v, quarter=quarter, flip=flip):
            v = np.rot90(v, quarter, axes=(0, 1))
            return np.flip(v, 0) if flip else v

        assert np.nanmedian(np.abs(volume(exam, trained, turn)[:, Fp] - plain)) < 0.05, (quarter, flip)


def test_scale_is_exact(exams, trained):
    exam = exams[0]
    plain = qtmnet(trained, exam)["known"]
    for factor in (0.5, 0.7, 1.4, 2.0):
        scaled = qtmnet(trained, exam._replace(curves=(factor * exam.curves).astype(np.float32)))["known"]
        for name in ("Fp", "PS", "vp", "ve"):
            np.testing.assert_allclose(scaled[name], factor * plain[name], rtol=1e-5)
        for name in ("MTT", "kep", "E"):
            np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-5)
