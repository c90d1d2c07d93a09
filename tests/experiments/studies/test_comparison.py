"""The comparison's machinery: scores with known answers, examinations that are what they say."""

import json

import jax
import numpy as np
import pytest

from estimate.arterial.scale import population_scale
from estimate.qtmnet.learning.contrast import FRAMES
from estimate.qtmnet.weights import SHIPPED, load_trained
from experiments.studies.comparison import jobs
from experiments.studies.comparison.estimators import fast_estimators, kinetic, truth_at_population_scale
from experiments.studies.comparison.findings import findings
from experiments.studies.comparison.found import PARAMETERS, derived
from experiments.studies.comparison.inputs import automatic_input, exact_input
from experiments.studies.comparison.jobs import GENERATORS, SIZES, SWEEPS, Size, banks_of, jobs_of, record_name
from experiments.studies.comparison.networks import qtmnet
from experiments.studies.comparison.records import MIXED, SCALE, TISSUE, Comparison
from experiments.studies.comparison.scans import Condition, examine
from experiments.studies.comparison.scores import local_peaks, score
from experiments.studies.comparison.study import STUDY, run_qtmnet_vs_2cxm
from experiments.studies.comparison.sweeps import of_the_sweeps
from experiments.studies.runner import write_answer
from simulate.banks.phantoms import BankConfig, read_bank, write_bank
from simulate.base.errors import InputError
from simulate.base.progress import silent
from simulate.files.sources import reached
from simulate.phantoms.priors import Region


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    config = BankConfig(split="test", mixing=1.0, cell=2.0, grade=4, local_aif=True, side=12, terminals=200)
    return read_bank(write_bank(tmp_path_factory.mktemp("bank"), config, 1))


@pytest.fixture(scope="module")
def exam(bank):
    return examine(jax.random.key(0), bank, 0, Condition(snr=(200.0, 200.0)))


def test_an_examination_is_what_it_says(exam, bank):
    assert exam.curves.shape == (12**3, 120)
    assert np.all(np.isfinite(exam.curves))
    rim = exam.region == int(Region.RIM)
    assert rim.sum() > 20
    np.testing.assert_array_equal(np.asarray(bank.region[0])[exam.scored[rim]], exam.region[rim])
    # the local input of a voxel is late and dispersed, and has the global one's area
    exact = np.trapezoid(exam.aif.curve[: len(exam.local_aif_times)], exam.local_aif_times)
    local = np.trapezoid(exam.local_aif[rim], exam.local_aif_times, axis=1)
    np.testing.assert_allclose(local, exact, rtol=0.05)
    later = exam.local_aif_times[exam.local_aif[rim].argmax(1)]
    assert np.all(later >= exam.aif.times[exam.aif.curve.argmax()])


@pytest.mark.slow  # the block, the study's usual view, always
def test_under_a_mask_a_network_is_shown_the_tumour_alone(bank):
    plain, masked = (examine(jax.random.key(0), bank, 0, Condition(view=view)) for view in ("block", "tumour"))
    np.testing.assert_array_equal(plain.view, np.arange(12**3))
    assert np.isin(np.asarray(bank.region[0])[masked.view], (Region.RIM, Region.CORE)).all()
    assert set(masked.region) == {0, int(Region.RIM)}
    rim = masked.region > 0
    np.testing.assert_array_equal(plain.region[rim], masked.region[rim])
    trained, elsewhere = load_trained(), np.ones(12**3, bool)
    elsewhere[masked.view] = False
    curves = np.where(elsewhere[:, None], 9.0, masked.curves)
    found, same, whole = (qtmnet(trained, e)["known"] for e in (masked, masked._replace(curves=curves), plain))
    for name in ("Fp", "PS", "vp", "ve"):
        np.testing.assert_array_equal(found[name][rim], same[name][rim])
        assert np.isfinite(found[name][rim]).all()
        error = np.median(np.abs(np.log(found[name] / whole[name])[rim]))
        assert 0 < error < 0.7, name  # the same voxels, if another answer


def test_every_condition_of_the_study_has_room_for_its_frames(bank):
    """240 s of the shortest frames are more than an examination holds."""
    conditions = [c for sweep in SWEEPS.values() for c in sweep.values()]
    assert all(20 <= c.frames <= FRAMES for c in conditions)
    most = max(conditions, key=lambda c: c.duration / c.spacing)
    assert most.duration / most.spacing > FRAMES
    seen = examine(jax.random.key(1), bank, 0, most)
    assert seen.curves.shape == (12**3, FRAMES)
    assert np.isfinite(seen.curves).all()
    assert np.diff(seen.start) == pytest.approx(most.spacing)


def test_the_automatic_input_finds_the_artery_beside_the_block(exam):
    found = automatic_input(exam)
    times = np.asarray(found.times)
    exact = np.interp(times, exam.aif.times, exam.aif.curve)
    assert found.curve.max() == pytest.approx(exact.max(), rel=0.15)
    assert np.trapezoid(found.curve, times) == pytest.approx(np.trapezoid(exact, times), rel=0.15)


def test_where_no_artery_is_found_what_needs_one_answers_nothing(exam, monkeypatch):
    def refuses(*_, **__):
        raise InputError("arterial input", "", "nothing looks like an artery", "give one")

    monkeypatch.setattr("experiments.studies.comparison.inputs.find_aif", refuses)
    chosen = fast_estimators(dict.fromkeys(PARAMETERS, 1.0))
    needing = [name for name in chosen if "automatic" in name]
    assert len(needing) == 3
    for name in needing:
        assert all(np.isnan(values).all() for values in chosen[name](exam).values())


def test_a_fit_scores_as_well_as_it_is(exam):
    found = score(kinetic(exact_input, exam, fit_delay=True), exam)["tumour rim"]
    assert found["Ktrans"]["median |log error|"] < 0.1
    assert found["Fp"]["failures"] == 0
    truth = score(derived(exam.truth), exam)["tumour rim"]
    assert truth["PS"]["median |log error|"] == 0
    assert truth["PS"]["CCC"] == pytest.approx(1.0)
    double = score(derived({n: 2 * v for n, v in exam.truth.items()}), exam)["tumour rim"]
    assert double["vp"]["bias"] == pytest.approx(np.log(2))
    assert double["vp"]["after one factor"] == pytest.approx(0.0, abs=1e-12)
    lost = score(derived({n: np.where(np.arange(len(v)) % 2, v, np.nan) for n, v in exam.truth.items()}), exam)
    assert lost["tumour rim"]["vp"]["failures"] == pytest.approx(0.5, abs=0.1)


def test_without_a_scale_the_truth_is_off_by_the_inputs_area(exam):
    found = score(truth_at_population_scale(exam), exam)["tumour rim"]
    for name in ("Fp", "PS", "vp", "ve"):
        assert found[name]["bias"] == pytest.approx(np.log(exam.area / population_scale().area), abs=1e-6)
        assert found[name]["after one factor"] == pytest.approx(0.0, abs=1e-6)
    for name in ("MTT", "kep", "E"):
        assert found[name]["median |log error|"] == pytest.approx(0.0, abs=1e-6)


def records():
    """Two phantoms, two inlets: made-up errors."""
    names = ("QTMnet", "2CXM, automatic AIF, delay", "2CXM, exact AIF, delay", "constant")
    names += ("matched model, true local input, arterial volume",)
    measures = ("median |log error|", "after one factor", "bias", "coverage", "failures")
    parameters = ("Fp", "PS", "vp", "ve", "Ktrans", "MTT", "kep", "E")
    found = []
    for sweep, label in (("base", ""), ("SNR", "10"), ("SNR", "100")):
        for phantom in range(2):
            for inlet in range(2):
                small = 0.01 * phantom + 0.02 * inlet
                scores = {
                    name: {"tumour rim": {p: dict.fromkeys(measures, 0.1 * (k + 1) + small) for p in parameters}}
                    for k, name in enumerate(names)
                }
                found.append(
                    {"generator": "stirred (2CXM)", "sweep": sweep, "label": label, "phantom": phantom, "inlet": inlet,
                     "kind": "fast", "scores": scores, "seconds": dict.fromkeys(names, 1.0),
                     "voxels": dict.fromkeys(names, 100), "local peak": {},
                     "unfamiliar": {"QTMnet": {"tumour rim": 0.02}},
                     "automatic input": {"peak": 0.9, "area": 1.0, "arrival": 0.1}}
                )  # fmt: skip
    return Comparison(found)


def test_a_bias_that_goes_with_the_boluss_dispersion_is_said(exam):
    spread = local_peaks(exam)["tumour rim"]
    rim = exam.region == int(Region.RIM)
    assert spread == pytest.approx(np.median(np.log(exam.local_aif[rim].max(1) / exam.aif.curve.max())), abs=0.01)
    assert spread < 0  # vessels only ever lower a peak
    found = records().records
    lost = np.linspace(-0.4, 0.0, 12)
    many = []
    for phantom, peak in enumerate(lost):
        measures = {"bias": float(peak), "median |log error|": float(abs(peak))}
        scores = {"QTMnet": {"tumour rim": {"Fp": measures}}}
        more = {"phantom": phantom, "scores": scores, "local peak": {"tumour rim": float(peak)}}
        many += [{**found[0], **more}, {**found[0], "phantom": phantom, "scores": {}}]
    sentence = findings(Comparison(many))[-1]
    assert "r = 1.00 over 12 rims" in sentence
    sharp, spread_out = np.abs(lost[6:]).mean(), np.abs(lost[:6]).mean()
    assert f"{sharp:.3f} in the half that lost less than 18 %, {spread_out:.3f} in the other" in sentence


def test_what_breaks_qtmnet_is_said_and_whether_it_warns():
    found = records()
    for r in found.records:  # the base covers 90 %, and so does SNR 100, on phantom 1 alone; SNR 10 is worse
        rim = r["scores"]["QTMnet"]["tumour rim"]
        for values in rim.values():
            values["coverage"] = 0.9
        if r["label"] == "10":
            rim["ve"]["median |log error|"] *= 2
            rim["PS"]["coverage"] = 0.6
            r["unfamiliar"] = {"QTMnet": {"tumour rim": 0.25}}
    kept = [r for r in found.records if r["label"] != "100" or r["phantom"] == 1]
    for r in kept:
        if r["phantom"] == 0 and r["label"] == "":
            r["scores"]["QTMnet"]["tumour rim"]["Fp"]["median |log error|"] = 0.001  # not compared with SNR 100
    (sentence,) = of_the_sweeps(Comparison([r for r in kept if r["label"] in ("", "100")]))
    assert "SNR 100. It does not stand: nothing else" in sentence
    (sentence,) = of_the_sweeps(Comparison([r for r in found.records if r["phantom"] == 1]))
    assert "): SNR 100. It" in sentence
    assert "SNR 10 (ve off by 0.240, in the base by 0.120, 2CXM, exact AIF, delay by 0.320" in sentence
    assert "intervals cover 60 % of PS; 25 % of the voxels are marked as unfamiliar" in sentence
    (sentence,) = of_the_sweeps(records())  # covering little, but as much as in the base, is not the condition's doing
    assert "SNR 10, SNR 100. It does not stand: nothing else" in sentence


def test_the_scales_law_is_measured():
    found = records()
    scaled = []
    for r in found.of("stirred (2CXM)"):
        scores = json.loads(json.dumps(r["scores"]))
        for values in scores["QTMnet"]["tumour rim"].values():
            values["bias"] += np.log(1.4) + 1e-4 * r["phantom"]
        scaled.append({**r, "sweep": SCALE, "label": "1.4", "scores": scores})
    sentence = of_the_sweeps(Comparison([*found.of("stirred (2CXM)"), *scaled]))[-1]
    assert "to 1e-04 at worst" in sentence


def test_tables_figures_and_sentences_follow_from_the_records(tmp_path):
    found = records()
    assert found.values(found.of("stirred (2CXM)"), "QTMnet", "tumour rim", "Fp", "bias") == pytest.approx([0.11, 0.12])
    assert found.repeatability(found.of("stirred (2CXM)"), "QTMnet", "tumour rim", "Fp") == pytest.approx(
        0.02 / np.sqrt(2)
    )
    sentences = findings(found)
    assert "QTMnet Fp 0.115" in sentences[0]
    assert "lower in MTT 0.5" in sentences[2]
    assert "not lower in nothing" in sentences[2]
    write_answer(tmp_path, STUDY, found, {})
    for name in (
        "table.csv",
        "table.md",
        "base.png",
        "sweeps.png",
        "rim/table.csv",
        "ratios/table.csv",
        "coverage/table.csv",
        "sweeps/table.csv",
        "inputs/table.csv",
        "summary.json",
    ):
        assert (tmp_path / name).stat().st_size > 0
    numbers = json.loads((tmp_path / "summary.json").read_text())
    assert numbers["errors"]["stirred (2CXM)"]["QTMnet"]["Fp"] == [0.115, 0.11, 0.12]
    assert [(s["label"], s["error"]["PS"], s["warned"]) for s in numbers["sweeps"]] == [
        ("10", 0.115, 0.02), ("100", 0.115, 0.02),
    ]  # fmt: skip
    assert numbers["marked"]["familiar"] == [0, 4]
    covered = (tmp_path / "coverage" / "table.csv").read_text()
    assert "tumour rim,Fp,0.115,0.110,0.120,0.111,0.119,2" in covered  # means over inlets are .11 and .12


def test_a_record_is_named_by_all_that_makes_it():
    plan, versions = SIZES["small"], {"QTMnet": "a" * 64}
    jobs = list(jobs_of(plan, versions))
    banks = banks_of(plan, 0)
    bank = banks[next(iter(GENERATORS)), "as in training"].config
    network, fast = (next(j for j in jobs if j["kind"] == kind) for kind in ("network", "fast"))
    names = {record_name(j, bank, 0, {}) for j in jobs}
    assert len(names) == len(jobs)
    plain = record_name(fast, bank, 0, {})
    others = [
        record_name(fast, bank._replace(width=1.5), 0, {}), record_name(fast, bank, 1, {}),
        record_name(fast, bank, 0, {"Fp": 1.0}), record_name(fast | {"phantom": 1}, bank, 0, {}),
    ]  # fmt: skip
    assert len({plain, *others}) == 5
    assert record_name(network | {"weights": "b" * 64}, bank, 0, {}) != record_name(network, bank, 0, {})


def test_a_condition_that_changes_is_another_record(monkeypatch):
    job = {"sweep": "SNR", "label": "10", "generator": "plug flow", "phantom": 0, "inlet": 0, "kind": "fast"}
    bank = banks_of(SIZES["small"], 0)["plug flow", "as in training"].config
    before = record_name(job, bank, 0, {})
    monkeypatch.setitem(SWEEPS["SNR"], "10", Condition(snr=(10.0, 12.0)))
    assert record_name(job, bank, 0, {}) != before


def test_what_fits_is_keyed_by_the_fits_and_networks_by_the_network(monkeypatch):
    """Other code of the fit alone: its records are others; scores and scans concern both."""
    jobs = list(jobs_of(SIZES["small"], {"QTMnet": "a" * 64}))
    bank = BankConfig()
    some = [next(j for j in jobs if j["kind"] == kind) for kind in ("network", "fast", "slow", "qtm")]

    def names(changed):
        monkeypatch.setattr("simulate.files.pieces.code_digest", lambda *m: str(sorted({changed} & reached(*m))))
        return [record_name(j, bank, 0, {}) for j in some]

    plain = names("")
    for changed, expected in (
        ("estimate.kinetics.linear", [False, True, True, True]),
        ("estimate.qtmnet.network", [True, False, False, False]),
        ("experiments.studies.comparison.scores", [True] * 4),
        ("simulate.inputs.random", [True] * 4),
        ("experiments.studies.comparison.tables", [False] * 4),
    ):
        assert [a != b for a, b in zip(names(changed), plain, strict=True)] == expected, changed


@pytest.mark.slow  # that what is kept is not made again, test_pieces.py says always
def test_another_network_costs_no_fit_again(tmp_path, monkeypatch):
    """A study that is asked for again with one more network examines that one alone."""
    tiny = Size(phantoms=1, inlets=1, slow=0, qtm=0, sweep_phantoms=1, sweeps=(TISSUE,))
    monkeypatch.setitem(SWEEPS, TISSUE, {"grade 3 only": SWEEPS[TISSUE]["grade 3 only"]})
    monkeypatch.setattr(jobs, "BankConfig", lambda **given: BankConfig(**given, side=8, terminals=100))
    first = run_qtmnet_vs_2cxm(tiny, tmp_path, silent)
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("*-*.json")}
    assert len(done) == len(first.records) == 2 * (2 * 2 + 1)  # conditions; generators and kinds; one for networks
    again = run_qtmnet_vs_2cxm(tiny, tmp_path, silent, network={"another": SHIPPED})
    assert len(again.records) == len(first.records) + 2 * 3
    assert all(path.stat().st_mtime_ns == at for path, at in done.items())
    assert {"QTMnet", "QTMnet, vessels scale", "another", "constant"} <= set(again.estimators())
    assert again.generators() == ["stirred (2CXM)", "plug flow"]
    assert {name for r in again.of(MIXED) for name in r["scores"]} == {
        "QTMnet", "QTMnet, vessels scale", "QTMnet, population scale", "another",
    }  # fmt: skip
    for case in again.cases():
        assert again.of(*case)[0]["local peak"] == again.of(*case)[-1]["local peak"]
