"""Real patients (UCSF-PDGM, Calabrese et al. 2022): what a birth date alone says of grade and survival."""

import csv
from typing import NamedTuple

import numpy as np
import pytest

from classify.statistics.delong import auc
from classify.survival.concordance import harrell_c, uno_c
from classify.survival.cox_fit import fit_cox
from classify.survival.horizon import horizon_label
from classify.survival.kaplan_meier import kaplan_meier

ARTEFACTS = {
    5,
    13,
    35,
    36,
    50,
    67,
    73,
    75,
    92,
    96,
    159,
    196,
    229,
    259,
    264,
    288,
    332,
    379,
    415,
    442,
    474,
    489,
    522,
    526,
}
"""Left out by ASLNet (Front Oncol 2026, 10.3389/fonc.2026.1818663)."""


class Table(NamedTuple):
    age: np.ndarray
    grade: np.ndarray
    days: np.ndarray
    dead: np.ndarray


@pytest.fixture
def gliomas(shared_data):
    """471 patients, one without a survival time."""
    with (shared_data / "clinical" / "UCSF-PDGM-metadata_v5.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if "FU" not in row["ID"] and int(row["ID"].split("-")[2]) not in ARTEFACTS]
    columns = ("Age at MRI", "WHO CNS Grade", "OS", "1-dead 0-alive")
    return Table(*(np.array([float(row[name] or "nan") for row in rows]) for name in columns))


def test_age_separates_grades_as_well_as_a_network(gliomas):
    """.8010; a network's .79 is published."""
    assert len(gliomas.age) == 471
    assert auc(gliomas.grade == 4, gliomas.age)[0] == pytest.approx(0.8010, abs=5e-5)


def test_age_and_survival(gliomas):
    """230 dead of 470; C .7012 or .7013 by the rule of ties; hazard ratio 1.052 a year."""
    known = np.isfinite(gliomas.days)
    age, days, dead = gliomas.age[known], gliomas.days[known], gliomas.dead[known] == 1
    assert (len(days), dead.sum()) == (470, 230)
    by_rule = {rule: harrell_c(age, days, dead, tied_times=rule).c for rule in ("event first", "left out")}
    assert sorted(round(c, 4) for c in by_rule.values()) == [0.7012, 0.7013]
    assert np.exp(fit_cox(age[:, None], days, dead).coefficients[0]) == pytest.approx(1.052, abs=5e-4)
    assert uno_c(age, days, dead, tau=365.0).c > 0.7


def test_a_year_of_survival_by_age(gliomas):
    """97 censored before, 120 dead beyond; left out if censored before, the area is .7552."""
    known = np.isfinite(gliomas.days)
    age, days, dead = gliomas.age[known], gliomas.days[known], gliomas.dead[known] == 1
    found = horizon_label(days, dead, tau=365.0)
    assert (found.weight == 0).sum() == 97 == round(470 * found.unknown)
    assert (dead & ~found.label).sum() == 120
    there = found.weight > 0
    assert auc(found.label[there], age[there])[0] == pytest.approx(0.7552, abs=5e-5)
    died = (found.weight * found.label).sum() / 470
    assert died == pytest.approx(1 - kaplan_meier(days, dead).at(365.0, before=True), abs=1e-12)
