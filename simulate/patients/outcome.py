r"""Survival of a virtual patient from a stated hazard, and the end of the follow-up.

    h = h_0(grade, IDH) 1.04^{age - mean age} 1.45^{z_{Fp}} 1.45^{z_{PS}} r(resection),

constant in time; z standardises the logarithm of a parameter within the grade, so that the medians of
`simulate.patients.gliomas` hold in each. h_0 = ln 2/median.
"""

from typing import NamedTuple

import numpy as np

from simulate.base.units import to_clinical
from simulate.patients.gliomas import GLIOMAS, Spread
from simulate.patients.person import Person

PER_YEAR = 1.04
"""Hazard ratio of a year of age within grade 4: 1.040 (1.028-1.052) in UCSF-PDGM."""

PERFUSION = 1.45
"""Hazard ratio of one standard deviation of ln Fp, and of ln PS (chosen; Nguyen et al., AJNR 2015 36:63 find survival
worse with high Ktrans and vp)."""

RESECTION = {"GTR": 0.54, "STR": 1.0, "biopsy": 1.28}
"""Hazard over that after a subtotal resection: relative risks of death within a year .62 and 1/.85 (Brown et al., JAMA
Oncol 2016 2:1460), where half die after a subtotal one."""

FOLLOW_UP_SHAPE, FOLLOW_UP_SCALE = 1.15, 1180.0
"""Weibull distribution of days between examination and the day on which the table was closed: what the Kaplan-Meier
curve of the censorings in UCSF-PDGM follows (.90, .75, .50 and .25 at 160, 390, 860 and 1450 days)."""


class Outcome(NamedTuple):
    """log_hazard : of a day, ln h.      time : of death or of the end of the follow-up [days].      event : died."""

    log_hazard: float
    time: float
    event: bool


def outcome(person: Person) -> Outcome:
    """What becomes of a patient."""
    rng = person.rng("outcome")
    log_hazard = log_hazard_of(person)
    death = float(rng.exponential(np.exp(-log_hazard)))
    closed = float(FOLLOW_UP_SCALE * rng.weibull(FOLLOW_UP_SHAPE))
    return Outcome(log_hazard, float(np.ceil(max(min(death, closed), 1.0))), death <= closed)


def log_hazard_of(person: Person) -> float:
    """ln h of a day."""
    prior = GLIOMAS[person.grade]
    base = np.log(np.log(2) / prior.survival[person.idh_mutant])
    perfused = sum(np.log(PERFUSION) * standard(person, name) for name in ("Fp", "PS"))
    return float(
        base + np.log(PER_YEAR) * (person.age - prior.age) + perfused + np.log(RESECTION[person.resection])
    )  # fmt: skip


def standard(person: Person, name: str) -> float:
    """Deviations of the logarithm of Fp or PS from its mean within the grade."""
    prior = GLIOMAS[person.grade]
    parts = [(prior.Fp, 1.0)]
    if name == "PS":
        parts = [(prior.PS_enhancing, prior.enhancing), (prior.PS_intact, 1 - prior.enhancing)]
    mean, sd = _moments(parts)
    return float((np.log(to_clinical(name, getattr(person, name))) - mean) / sd)


def _moments(parts: list[tuple[Spread, float]]) -> tuple[float, float]:
    """Mean and deviation of the logarithm of a mixture of log-normals with these shares."""
    mean = sum(share * np.log(spread.median) for spread, share in parts)
    square = sum(share * (np.log(spread.median) ** 2 + spread.sd**2) for spread, share in parts)
    return float(mean), float(np.sqrt(square - mean**2))
