"""The study of attributions: its patients, its scores in closed form, its sentences; the whole of it in a slow run."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.chain.estimator import Local, Weighted
from classify.networks.small import SmallCNNArchitecture
from experiments.studies.attribution import explained
from experiments.studies.attribution.cohort import Case
from experiments.studies.attribution.explained import FRAMES, MAPS, aucs, explain, places, tail_share
from experiments.studies.attribution.heads import HEADS, IMAGE, NETWORK, REGION, LinearHead, NetworkHead, taught
from experiments.studies.attribution.measured import ESTIMATORS, PARAMETERS, Measured, Remembered
from experiments.studies.attribution.patients import BASELINE, RULES, Patient, bank, patient, scanned
from experiments.studies.attribution.patients import FRAMES as TIMES
from experiments.studies.attribution.randomised import ATTRIBUTIONS
from experiments.studies.attribution.redrawn import covered
from experiments.studies.attribution.rows import Covered, Found, Row
from experiments.studies.attribution.study import STUDY, Size, run_attribution
from experiments.studies.attribution.tables import findings, tables
from experiments.studies.runner import write_answer
from simulate.base.progress import silent
from simulate.inputs.arterial_input import ArterialInput
from simulate.phantoms.priors import Region

SIDE = 8
VOXELS = SIDE**3


@pytest.mark.x64
def test_a_patient_is_the_same_every_time_but_for_the_noise_of_another_scan():
    drawn = patient(bank("test", 12, 0), 0)
    again = patient(bank("test", 12, 0), 0)
    assert jnp.zeros(1).dtype == np.float64  # what comes after it is in double again
    np.testing.assert_array_equal(again.frames, drawn.frames)
    np.testing.assert_array_equal(scanned(drawn, 0), drawn.frames)
    residual = (scanned(drawn, 1) - drawn.clean)[:, :BASELINE]
    before = drawn.clean[:, :BASELINE].mean()
    assert residual.std() == pytest.approx(before / 50, rel=0.1)
    assert np.abs(np.corrcoef(residual.ravel(), (drawn.frames - drawn.clean)[:, :BASELINE].ravel())[0, 1]) < 0.1


@dataclass(frozen=True)
class Linear:
    """Four maps that are sums of frames with weights of their own, taken after the mean before contrast."""

    weight: np.ndarray
    label: str = "linear"
    names: tuple[str, ...] = PARAMETERS

    @property
    def rates(self):
        after = np.arange(TIMES) >= BASELINE
        rows = np.stack([np.exp(-np.arange(TIMES) / tau) * after for tau in (5, 10, 20, 40)])
        return rows - rows.sum(axis=1, keepdims=True) / BASELINE * ~after

    def maps(self, frames):
        return np.einsum("pt,...vt->...pv", self.rates, np.asarray(frames)) * self.weight

    def without_noise(self, frames, noise):
        return frames

    def measured_again(self, frames):
        return Weighted(self.maps(frames), np.broadcast_to(self.weight, (len(frames), *self.weight.shape)))

    def at(self, frames, progress=None, *, place=1.0, end=None):
        back = lambda G: np.einsum("pv,pt->vt", np.asarray(G) * self.weight, self.rates)  # noqa: E731
        return Local(self.maps(frames), self.maps, back)

    def sensitivities(self, frames, cotangent):
        return {}


@pytest.fixture(scope="module")
def virtual():
    """A cube of rim in a cube of white matter; the rim is brighter by far."""
    rng = np.random.default_rng(0)
    region = np.full((SIDE,) * 3, int(Region.WHITE_MATTER))
    region[:3, :4, :4], region[3, :4, :4], region[4, :4, :4] = Region.RIM, Region.CORE, Region.INFILTRATION
    region = region.ravel()
    size = np.where(region == Region.RIM, 5.0, 1.0)[:, None] * (np.arange(TIMES) >= BASELINE)
    frames = 100 + size + 0.01 * rng.standard_normal((VOXELS, TIMES))
    aif = ArterialInput(np.arange(3.0), np.ones(3), "none")
    return Patient(
        frames, frames, np.ones(VOXELS), aif, region, {"PS": 5.0, "Fp": 30.0}, {}, 2.0, SIDE, jax.random.key(0)
    )


@pytest.fixture(scope="module")
def case(virtual):
    weight = np.ones((4, VOXELS))
    maps = Measured(Linear(weight).maps(virtual.frames), weight)
    return Case(0, SIDE, virtual.region, virtual.cause, dict.fromkeys(ESTIMATORS, maps))


@pytest.mark.x64
def test_a_linear_chain_is_explained_as_it_is_made(virtual, case):
    """A head on the image's mean of one map: the rim's voxels, five times as bright, have five times the share."""
    head = LinearHead(np.asarray([1.0, 0.0, 0.0, 0.0]), -1.0)
    found = explain(case, virtual, Remembered(Linear(np.ones((4, VOXELS)))), IMAGE, head)
    assert found["gap"] < 1e-6
    assert found["levels"] < 1e-9
    counts = np.bincount(places(virtual.region))
    bright = counts * np.asarray([5.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(list(found["energy"].values()), bright / bright.sum(), rtol=1e-2)
    assert found["parameters"] == pytest.approx({"Fp": 1, "PS": 0, "vp": 0, "ve": 0})
    assert found["Shapley cosine"] == pytest.approx(1, abs=1e-6)
    for level in (FRAMES, MAPS):
        assert found["auc"][level]["path, complete"] == 1
        assert found["auc"][level]["gradient x input"] == 1
    assert found["auc"][MAPS]["gradient"] == 0.5  # it is the same in all voxels
    weights = np.exp(-np.arange(BASELINE, TIMES) / 5)
    assert found["tail"] == pytest.approx(weights[10:].sum() / weights.sum(), rel=1e-2)


@pytest.mark.x64
def test_a_network_is_explained_too(virtual, case):
    network = SmallCNNArchitecture(channels=4, outputs=1, widths=(4, 8), groups=0).build(0)
    head = NetworkHead(network, np.full(4, 5.0), SIDE)
    found = explain(case, virtual, Remembered(Linear(np.ones((4, VOXELS)))), NETWORK, head)
    assert found["gap"] < 0.01
    assert 0 <= found["auc"][MAPS]["Grad-CAM"] <= 1
    judged = found["randomised"]
    assert set(judged) == set(ATTRIBUTIONS)
    assert all(0 <= each["mean"] <= 1 and each["chance"] < 0.1 for each in judged.values())


@pytest.mark.x64
def test_intervals_of_a_linear_chain_cover(virtual, case):
    """Errors are exact where all is linear: 90 % intervals hold the mean of other scans in 90 %."""
    head = LinearHead(np.asarray([1.0, 0.0, 0.0, 0.0]), -1.0)
    found = covered(case, virtual, lambda _: Linear(np.ones((4, VOXELS))), {IMAGE: head}, 20)[IMAGE]
    assert set(found["covered"]) == {"logit", "voxels", "features"}
    assert found["covered"]["voxels"] == pytest.approx(0.9, abs=0.02)
    assert found["covered"]["logit"] >= 0.65  # of 20: with 90 % it would be fewer once in 10,000
    assert found["ratio"] == pytest.approx(1, abs=0.45)


def test_a_feature_that_too_few_voxels_carry_leaves_a_patient_out(virtual, case, tmp_path):
    few = Measured(case.maps[ESTIMATORS[0]].maps, np.tile(np.arange(VOXELS) < 10, (4, 1)).astype(float))
    lacking = Case(1, SIDE, virtual.region, virtual.cause, dict.fromkeys(ESTIMATORS, few))
    other = Measured(2 * case.maps[ESTIMATORS[0]].maps, np.ones((4, VOXELS)))
    cases = [case, lacking, Case(2, SIDE, virtual.region, virtual.cause, dict.fromkeys(ESTIMATORS, other))]
    found = taught(IMAGE, cases, ESTIMATORS[0], np.asarray([0, 1, 1]), tmp_path, 1, silent)
    assert found.left_out == 1
    refused = explain(lacking, virtual, Linear(few.weight), IMAGE, found.head)
    assert "rests on 10 reliable voxels" in refused["refused"]


def test_scores_in_closed_form(virtual):
    assert tail_share(np.ones((3, TIMES))) == pytest.approx((TIMES - BASELINE - 10) / TIMES)
    judged = aucs({"right": virtual.rim * 1.0, "wrong": ~virtual.rim * 1.0, "none": np.zeros(VOXELS)}, virtual)
    assert judged == {"right": 1.0, "wrong": 0.0, "none": 0.5}
    core = (virtual.region == Region.CORE) + 0.5 * virtual.rim
    assert aucs({"core": core}, virtual) == {"core": 1.0}  # neither cause nor not


def made_up():
    rows = []
    for k in range(4):
        for rule in RULES:
            for estimator in ESTIMATORS:
                for head in HEADS:
                    auc = 0.95 - 0.1 * (k == 3)
                    scores = {
                        "logit": float(k % 2), "delta": 1.0, "gap": 0.001 * (k + 1), "nodes": [2, 16], "levels": 1e-9,
                        "excluded": 0.5, "weight of the rim": 0.9, "context": None,
                        "energy": {"rim": 0.7, "core": 0.1, "infiltration": 0.1, "elsewhere": 0.1},
                        "parameters": {"Fp": 0.1, "PS": 0.6, "vp": 0.2, "ve": 0.1},
                        "tail": 0.8 if rule == "PS" else 0.4, "Shapley cosine": 0.99, "randomised": None,
                        "auc": {FRAMES: {"path, complete": auc}, MAPS: {"path, complete": auc}},
                    }  # fmt: skip
                    if head == NETWORK:
                        one = {"mean": 0.1, "all destroyed": 0.05, "input": 0.6, "chance": 0.03}
                        scores["randomised"] = dict.fromkeys(
                            ("gradient", "gradient x input", "integrated gradients"), one
                        )
                    refused = {"refused": "too few"} if head == REGION and k == 0 else scores
                    rows.append(Row(k, rule, estimator, head, 10.0 + 5 * (k % 2), 0.98, refused))
    errors = [Covered(0, e, IMAGE, {"logit": 0.9, "voxels": 0.88, "features": 0.91}, 1.05, 0.002) for e in ESTIMATORS]
    left_out = {(r, e, h): 0 for r in RULES for e in ESTIMATORS for h in HEADS}
    return Found(rows, errors, {"PS": 12.0, "Fp": 12.0}, left_out)


def test_sentences_and_files_follow_from_the_rows(tmp_path):
    found = made_up()
    sentences = findings(found)
    assert "2CXM, linear, image means: median AUC PS 0.95, at least 0.9 in 3 of 4" in sentences[0]
    assert "2 of 3" in sentences[1]
    assert "2CXM, linear heads: PS 0.80, Fp 0.40" in sentences[4]
    assert sentences[-1] == "Largest gap: 2CXM 0.40 %, QTMnet 0.40 %."
    written = tables(found)
    chain = dict(zip(written[""].head, written[""].rows[1], strict=True))
    assert (chain["patients"], chain["refused"], chain["AUC >= 0.9"]) == ("3", "1", "2")
    assert chain["head's AUC"] == "1.000"
    assert written["errors"].rows[0][2:] == ["0.900", "0.910", "0.880", "1.050", "1"]
    assert len(written["randomised"].rows) == 2 * 2 * 3
    write_answer(tmp_path, STUDY, found, {})
    for name in ("table.csv", "methods/table.md", "errors/table.csv", "summary.json", "scores.png"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.slow
def test_the_cause_is_found_in_one_small_patient(tmp_path):
    """Heads that learnt from six patients; the whole way, and a second run reads all that is there."""
    size = Size(6, 1, 12, 2, (1, 2))
    found = run_attribution(size, tmp_path, silent)
    assert len(found.rows) == len(RULES) * len(ESTIMATORS) * len(HEADS)
    for rule in RULES:
        for estimator in ESTIMATORS:
            row = found.of(rule, estimator, IMAGE)[0]
            assert row.scores["gap"] < 0.01
            assert row.scores["levels"] < 1e-6
            assert row.scores["auc"][FRAMES][explained.CHAIN] > 0.75
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert run_attribution(size, tmp_path, silent) == found
    assert all(path.stat().st_mtime_ns == then for path, then in before.items() if path.name != "manifest.json")
