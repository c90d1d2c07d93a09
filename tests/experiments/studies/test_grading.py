"""The grading study: its numbers on records whose answer is known, its sentences, and one tiny run of the whole."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from experiments.studies.grading.comparison import (
    PUBLISHED_GAP,
    areas,
    best,
    contrasts_of,
    differences,
    holm,
    permuted,
)
from experiments.studies.grading.estimates import AUTOMATIC, EXACT, PARAMETERS, POPULATION, TRUTH
from experiments.studies.grading.records import STATISTICS, TRIVIAL, Record
from experiments.studies.grading.study import STUDY, read_data, run_grading
from experiments.studies.grading.tables import Found, findings, tables
from experiments.studies.runner import write_answer
from simulate.base.errors import InputError
from simulate.base.progress import silent
from simulate.patients.cohort import CohortPlan, simulate_cohort
from simulate.patients.examination import Visit


def records(shift, each=40, seed=0, refused=()):
    """Patients of grades 2 and 4 whose values are normal, cases `shift[row]` deviations higher, rows alike but for
    noise of their own."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(2 * each):
        grade = 2 if number < each else 4
        common = rng.standard_normal(len(PARAMETERS))
        features, why = {}, {}
        for row, by in shift.items():
            own = 0.6 * common + 0.8 * rng.standard_normal(len(PARAMETERS)) + by * (grade == 4)
            if (row, number) in refused:
                why[row] = "no artery"
                continue
            features[row] = {
                name: {s: float(value + 0.1 * rng.standard_normal()) for s in STATISTICS}
                for name, value in zip(PARAMETERS, own, strict=True)
            }
        trivial = dict.fromkeys(TRIVIAL, float(rng.standard_normal()))
        found.append(Record(f"p{number}", f"p{number}", str(grade), features, why, trivial, []))
    return found


def found_of(some, **others):
    contrasts = contrasts_of(some)
    return Found(
        some, [a for c in contrasts for a in areas(some, c)], [d for c in contrasts for d in differences(some, c)],
        [b for c in contrasts for b in best(some, c)], {}, {}, others.get("virtual", True),
    )  # fmt: skip


def test_areas_are_those_of_the_normal_law():
    """Cases d deviations of sqrt(1.01) higher: AUC = Phi(d/sqrt(2 * 1.01))."""
    some = records({TRUTH: 1.2}, each=400)
    for area in areas(some, "2 v 4"):
        if area.row == TRUTH:
            assert area.low < norm.cdf(1.2 / np.sqrt(2 * 1.01)) < area.high
            assert area.refused == 0
            assert area.at_median == area.auc
    assert contrasts_of(some) == ["2 v 4"]


def test_a_better_estimator_is_found_and_an_equal_one_is_not():
    better = records({POPULATION: 1.6, AUTOMATIC: 0.6, EXACT: 1.6}, each=100)
    for each in differences(better, "2 v 4"):
        if (each.first, each.second) == (POPULATION, AUTOMATIC):
            assert each.low > 0
            assert each.p < 0.01
            assert each.by_chance > 0.5
    said = " ".join(findings(found_of(better)))
    assert f"these grade better: {POPULATION} in {', '.join(PARAMETERS)}. In nothing" in said
    equal = records({POPULATION: 1.0, AUTOMATIC: 1.0}, each=100, seed=3)
    found = differences(equal, "2 v 4")
    assert np.all(holm([each.p for each in found[: len(PARAMETERS)]]) > 0.05)
    assert all(0.05 < each.by_chance < 0.5 for each in found)
    assert all(each.by_chance <= each.either for each in found)
    for each in found:  # the difference's own limits say the same: 2.8 of its errors are to be the gap
        error = (each.high - each.low) / 2 / norm.ppf(0.975)
        assert each.needed == pytest.approx(100 * (2.802 * error / PUBLISHED_GAP) ** 2, rel=0.02)
        assert each.power == pytest.approx(norm.cdf(PUBLISHED_GAP / error - 1.96), abs=0.01)
    said = " ".join(findings(found_of(equal)))
    assert "neither estimator grades better than the other in any of them" in said
    assert f"by the published {PUBLISHED_GAP:.3f} or more in:" in said


def test_holm_by_hand():
    """Smallest times n, the next times n - 1, never falling, never above 1."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.9, 0.6]), [1.0, 1.0])


def test_the_best_of_many_is_flattered_and_says_so():
    nothing = records({POPULATION: 0.0, AUTOMATIC: 0.0}, each=15, seed=1)
    for each in best(nothing, "2 v 4"):
        assert each.features == len(PARAMETERS) * len(STATISTICS)
        assert each.auc > each.out_of_bag
        assert each.p_adjusted > 0.05
        assert each.null_best > 0.6


def test_dealt_labels_give_uniform_p():
    p = permuted(records({POPULATION: 2.0}, each=60), "2 v 4", POPULATION, deals=300)
    assert kstest(p, "uniform").pvalue > 0.01


def test_refusals_are_reported_both_ways():
    """Left out, and at the median of the others."""
    some = records({AUTOMATIC: 1.0}, each=30, refused=[(AUTOMATIC, 0), (AUTOMATIC, 31)])
    for area in areas(some, "2 v 4"):
        if area.row == AUTOMATIC:
            assert (area.patients, area.refused) == (58, 2)
            assert area.at_median != area.auc
    assert f"Refused, of 60: {AUTOMATIC} 2" in " ".join(findings(found_of(some)))


def test_no_sentence_claims_a_truth_of_real_patients():
    said = findings(found_of(records({AUTOMATIC: 1.0}), virtual=False))
    assert "80 patients: 40 of grade 2" in said[0]
    assert not any("true maps" in each for each in said)


def test_a_table_for_the_study_is_checked(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_data([str(tmp_path / "none.csv")])
    with pytest.raises(InputError, match="given more than once"):
        read_data(["a", "b"])
    (tmp_path / "cohort.csv").write_text("id,label\np,4\n")
    with pytest.raises(InputError, match="dce: is no column"):
        read_data([str(tmp_path)])
    assert read_data([]).value is None


@pytest.mark.slow
def test_a_tiny_cohort_goes_all_the_way(tmp_path):
    """Eight patients: every row of every patient, tables, picture, and nothing made twice."""
    visit = Visit(cell=3.0, slab=(16, 16, 12), terminals=300, frames=50, spacing=4.0, delays=(1.0, 2.0), pairs=4)
    simulate_cohort(CohortPlan(grades=(4, 0, 4), visit=visit), tmp_path / "cohort", {})
    data = read_data([str(tmp_path / "cohort")]).value
    found = run_grading(STUDY.sizes["small"], tmp_path / "out", silent, data=data)
    assert len(found.records) == 8
    truth = found.area(TRUTH, "Ktrans")
    assert truth is not None
    assert truth.patients == 8
    for record in found.records:
        assert record.value(TRUTH, "Fp") > 0
        assert abs(np.log(record.value(EXACT, "Ktrans") / record.value(TRUTH, "Ktrans"))) < 1.0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
    assert run_grading(STUDY.sizes["small"], tmp_path / "out", silent, data=data).areas == found.areas
    assert all(path.stat().st_mtime_ns == then for path, then in before.items() if path.name != "manifest.json")
    write_answer(tmp_path / "out", STUDY, found, {})
    for name in ("table.csv", "differences/table.md", "best of many/table.csv", "summary.json", "areas.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0
    assert set(tables(found)) == {"", "differences", "best of many", "patients"}
