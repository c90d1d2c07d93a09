"""Survival follows the stated hazard, and looks like the real table from which nothing but its follow-up was taken."""

from functools import cache

import numpy as np
import pytest

from classify.survival.concordance import harrell_c
from classify.survival.cox_fit import fit_cox
from classify.survival.kaplan_meier import kaplan_meier
from simulate.patients.gliomas import GLIOMAS
from simulate.patients.outcome import PERFUSION, RESECTION, outcome, standard
from simulate.patients.person import draw_person


@cache
def cohort(grade=4, count=1800):
    people = [draw_person(5, 100_000 * grade + i, grade) for i in range(count)]
    return people, [outcome(person) for person in people]


def test_cox_finds_the_stated_hazard_ratios():
    people, after = cohort()
    columns = {
        "age": [p.age for p in people],
        "Fp": [standard(p, "Fp") for p in people],
        "PS": [standard(p, "PS") for p in people],
        "GTR": [p.resection == "GTR" for p in people],
        "biopsy": [p.resection == "biopsy" for p in people],
    }
    x = np.stack([np.asarray(each, float) for each in columns.values()], axis=1)
    fit = fit_cox(x, [a.time for a in after], [a.event for a in after], names=tuple(columns))
    stated = np.log([1.04, PERFUSION, PERFUSION, RESECTION["GTR"], RESECTION["biopsy"]])
    np.testing.assert_array_less(np.abs(np.asarray(fit.coefficients) - stated) / np.asarray(fit.errors), 3.5)
    np.testing.assert_allclose(x[:, 1:3].mean(axis=0), 0, atol=0.08)
    np.testing.assert_allclose(x[:, 1:3].std(axis=0), 1, atol=0.08)


def test_medians_are_those_of_the_sources():
    """Of people at the mean age with mean perfusion and a subtotal resection."""
    people, _ = cohort()
    for person in people[:20]:
        mean = person.changed(
            age=GLIOMAS[4].age, resection="STR", Fp=GLIOMAS[4].Fp.median / 6000,
            idh_mutant=False, codeleted=False,
        )  # fmt: skip
        without_PS = outcome(mean).log_hazard - np.log(PERFUSION) * standard(mean, "PS")
        assert np.log(2) / np.exp(without_PS) == pytest.approx(GLIOMAS[4].survival[0])


def test_a_table_of_all_grades_looks_like_the_real_one():
    """UCSF-PDGM: .49 died, .21 were censored within a year, C of age .70 over all and .66 in grade 4."""
    people, after = [], []
    for which, count in ((2, 90), (3, 65), (4, 620)):
        some, theirs = cohort(which, count)
        people, after = people + some, after + theirs
    time, event, age, grade = (
        np.asarray(each) for each in (
            [a.time for a in after], [a.event for a in after], [p.age for p in people], [p.grade for p in people]
        )
    )  # fmt: skip
    assert event.mean() == pytest.approx(0.49, abs=0.06)
    assert np.mean(~event & (time < 365)) == pytest.approx(0.21, abs=0.06)
    assert harrell_c(age, time, event, tied_times="event first").c == pytest.approx(0.70, abs=0.05)
    four = grade == 4
    assert harrell_c(age[four], time[four], event[four], tied_times="event first").c == pytest.approx(0.66, abs=0.05)


def test_the_follow_up_is_that_of_the_real_table():
    """Its Kaplan-Meier curve of censorings passes .90, .75, .50 and .25 at 160, 390, 860 and 1450 days."""
    _, after = cohort()
    curve = kaplan_meier([a.time for a in after], [not a.event for a in after])
    found = curve.survival[np.searchsorted(curve.times, [160, 390, 860, 1450])]
    np.testing.assert_allclose(found, [0.9, 0.75, 0.5, 0.25], atol=0.05)


def test_nobody_has_lived_less_than_a_day():
    _, after = cohort()
    times = np.asarray([a.time for a in after])
    assert times.min() >= 1
    assert np.all(times == np.rint(times))
