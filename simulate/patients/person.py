"""One person drawn whole: everything that causes an image, a label or an outcome, before anything is simulated.

Every topic has a random stream of its own, so that what one topic draws moves nothing in another.
"""

import zlib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from simulate.base.errors import InputError
from simulate.base.units import from_clinical
from simulate.patients import gliomas
from simulate.patients.gliomas import CUT, GLIOMAS, GRADES, RESECTIONS, Glioma, Spread
from simulate.patients.scanners import Scanner, scanner

MEASURABLE = 8.0
"""Diameter [mm] below which there is no lesion to measure."""


@dataclass(frozen=True)
class Person:
    """What a patient is. Of the tumour's solid part, where nothing else is said; internal units.

    Attributes
    ----------
    seed : int
        By which, and by its number, everything else of this person is drawn.
    number : int
        Of the person.
    grade : int
        WHO grade, 2 to 4.
    age : float [years]
        At the examination.
    male : bool
        Or female.
    idh_mutant : bool
        Mutated IDH.
    codeleted : bool
        1p/19q lost.
    resection : str
        One of `simulate.patients.gliomas.RESECTIONS`.
    haematocrit : float [fraction]
        Of large vessels.
    enhancing : bool
        Whether the barrier leaks.
    necrotic : bool
        Whether there is a necrotic core.
    diameter : float [mm]
        Of a sphere as large as the tumour.
    rim : float [mm]
        Solid thickness around a core.
    oedema : float [mm]
        Its reach.
    infiltration : float [mm]
        Its reach.
    lobes : float
        Relative depth of lobulation.
    texture : float
        Deviation of the logarithm of tissue within the tumour.
    irregularity : float
        How tumour-like its vessels are, 0 to 1.
    Fp : float [1/s]
        Plasma flow.
    PS : float [1/s]
        Permeability-surface product.
    vp : float [fraction]
        Volume of plasma.
    ve : float [fraction]
        Volume of the extravascular extracellular space.
    t10 : float [s]
        T1 before contrast.
    t2 : float [s]
        T2.
    mixing : float
        1/N of the stirred tanks of every capillary; 1 is 2CXM, 0 plug flow.
    scanner : Scanner
        Where, and by what, the person was examined.
    """

    seed: int
    number: int
    grade: int
    age: float
    male: bool
    idh_mutant: bool
    codeleted: bool
    resection: str
    haematocrit: float
    enhancing: bool
    necrotic: bool
    diameter: float
    rim: float
    oedema: float
    infiltration: float
    lobes: float
    texture: float
    irregularity: float
    Fp: float
    PS: float
    vp: float
    ve: float
    t10: float
    t2: float
    mixing: float
    scanner: Scanner

    def __post_init__(self) -> None:
        check_person(self)

    @property
    def diagnosis(self) -> str:
        """After WHO 2021, as UCSF-PDGM writes it."""
        if not self.idh_mutant:
            return "Glioblastoma, IDH-wildtype" if self.grade == 4 else "Astrocytoma, IDH-wildtype"
        return "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted" if self.codeleted else "Astrocytoma, IDH-mutant"

    def rng(self, topic: str) -> np.random.Generator:
        """What draws one topic of this person, and nothing else.

        Parameters
        ----------
        topic : str
            Any word; another one draws other numbers.

        Returns
        -------
        numpy.random.Generator
            At its beginning, every time.
        """
        return stream(self.seed, self.number, topic)

    def record(self) -> dict[str, Any]:
        """All of it by name, ready for a file.

        Returns
        -------
        dict
            The scanner is a dict of its own.
        """
        return asdict(self)

    def changed(self, **values: Any) -> "Person":
        """The same person with other values.

        Parameters
        ----------
        values : dict
            By the name of the attribute, internal units.

        Returns
        -------
        Person
            Checked.

        Raises
        ------
        InputError
            For values that contradict each other, and a name of nothing that a patient has.
        """
        unknown = sorted(set(values) - {field.name for field in fields(self)})
        if unknown:
            known = ", ".join(field.name for field in fields(self))
            raise InputError("patient", unknown[0], "is nothing that a patient has", f"choose among {known}")
        return replace(self, **values)


def check_person(person: Person) -> None:
    """Raise InputError for what no patient can be."""
    problem, cure, name = "", "", ""
    if person.grade not in GRADES:
        name, problem, cure = "grade", f"is {person.grade}", "give 2, 3 or 4"
    elif not all(getattr(person, each) > 0 for each in ("Fp", "PS", "vp", "ve", "t10", "t2", "texture")):
        name, problem, cure = "tissue", "has a parameter that is not above zero", "give positive values"
    elif person.vp + person.ve >= 1:
        name, problem = "vp, ve", f"are {person.vp:g} and {person.ve:g}, more than all of the tissue"
        cure = "let them sum to less than 1"
    elif not 0.3 <= person.vp / person.Fp <= 120:
        name, problem = "vp, Fp", f"give a capillary transit of {person.vp / person.Fp:.3g} s"
        cure = "give vp and Fp of 0.3 to 120 s"
    elif person.diameter < MEASURABLE:
        name, problem, cure = "diameter", f"is {person.diameter:g} mm", f"give {MEASURABLE:g} mm or more"
    elif person.necrotic and person.rim >= person.diameter / 2:
        name, problem = "necrotic", f"needs a core, and the rim of {person.rim:g} mm fills the tumour"
        cure = "give a thinner rim, a larger diameter, or no necrosis"
    elif person.codeleted and not person.idh_mutant:
        name, problem, cure = "codeleted", "is true without mutated IDH, which no glioma is", "give both or neither"
    elif person.resection not in RESECTIONS:
        name, problem, cure = "resection", f"is {person.resection!r}", f"choose among {', '.join(RESECTIONS)}"
    elif not 0 < person.haematocrit < 0.7:
        name, problem, cure = "haematocrit", f"is {person.haematocrit:g}", "give a fraction below 0.7"
    if problem:
        raise InputError(f"patient {person.number}", name, problem, cure)


def stream(seed: int, number: int, topic: str) -> np.random.Generator:
    """The generator of one topic of one person."""
    return np.random.default_rng([seed, number, zlib.crc32(topic.encode())])


def draw_person(seed: int, number: int, grade: int, *, separation: float = 1.0, sites: int = 3) -> Person:
    """Draw person `number`.

    Parameters
    ----------
    seed : int
        Of the cohort.
    number : int
        Of the person; the same two draw the same one.
    grade : int
        2, 3 or 4.
    separation : float
        Factor on how far the grades' medians of Fp, PS, vp, ve and enhancement lie apart, about those of grade 3; 1 is
        the literature's.
    sites : int
        How many sites there are to be examined at.

    Returns
    -------
    Person
        Before anything is simulated.

    Raises
    ------
    InputError
        For an unknown grade.
    """
    if grade not in GLIOMAS:
        raise InputError("draw_person", "grade", f"is {grade}", "give 2, 3 or 4")
    prior = separated(grade, separation)
    who, tissue, form, where = (stream(seed, number, topic) for topic in ("who", "tissue", "form", "where"))
    male = bool(who.random() < gliomas.MALE)
    idh = bool(who.random() < prior.idh_mutant)
    mean, sd = gliomas.HAEMATOCRIT[male]
    enhancing = bool(tissue.random() < prior.enhancing)
    diameter, rim = _drawn(form, prior.diameter), _drawn(form, gliomas.RIM)
    necrotic = bool(form.random() < gliomas.NECROSIS[enhancing])
    flow, volume = _related(tissue, gliomas.FLOW_AND_VOLUME)
    return Person(
        seed=seed, number=number, grade=grade,
        age=_reflected(prior.age + gliomas.AGE_SD * who.standard_normal()),
        male=male, idh_mutant=idh, codeleted=idh and bool(who.random() < prior.codeleted),
        resection=str(who.choice(RESECTIONS, p=prior.resection)),
        haematocrit=mean + sd * _standard(who),
        enhancing=enhancing, necrotic=necrotic, diameter=diameter,
        rim=min(rim, 0.35 * diameter), oedema=_drawn(form, gliomas.OEDEMA[enhancing]),
        infiltration=_drawn(form, gliomas.INFILTRATION), lobes=float(form.uniform(*gliomas.LOBES)),
        texture=_drawn(form, gliomas.TEXTURE), irregularity=float(form.uniform(*gliomas.IRREGULARITY)),
        Fp=from_clinical("Fp", _at(prior.Fp, flow)), vp=_at(prior.vp, volume),
        PS=from_clinical("PS", _drawn(tissue, prior.PS_enhancing if enhancing else prior.PS_intact)),
        ve=_drawn(tissue, prior.ve), t10=_drawn(tissue, prior.t10), t2=_drawn(tissue, gliomas.T2[idh]),
        mixing=float(tissue.choice(gliomas.MIXINGS)),
        scanner=scanner(seed, int(where.integers(sites)), where),
    )  # fmt: skip


def separated(grade: int, factor: float) -> Glioma:
    """The grade's prior with its medians `factor` times as far from those of grade 3, and so the odds of enhancing."""
    prior, middle = GLIOMAS[grade], GLIOMAS[3]

    def moved(name: str) -> Spread:
        own, centre = getattr(prior, name), getattr(middle, name)
        return own._replace(median=centre.median * (own.median / centre.median) ** factor)

    odds, centre = (share / (1 - share) for share in (prior.enhancing, middle.enhancing))
    odds = centre * (odds / centre) ** factor
    names = ("Fp", "PS_enhancing", "PS_intact", "vp", "ve")
    return prior._replace(**{name: moved(name) for name in names}, enhancing=odds / (1 + odds))


def _standard(rng: np.random.Generator) -> float:
    """Standard normal, none beyond `CUT`."""
    low = ndtr(-CUT)
    return float(ndtri(low + (1 - 2 * low) * rng.random()))


def _related(rng: np.random.Generator, correlation: float) -> tuple[float, float]:
    """Two standard normal numbers of this correlation, none beyond `CUT`."""
    while True:
        a, b = rng.standard_normal(2)
        b = correlation * a + np.sqrt(1 - correlation**2) * b
        if max(abs(a), abs(b)) < CUT:
            return float(a), float(b)


def _at(spread: Spread, deviations: float) -> float:
    return spread.median * float(np.exp(spread.sd * deviations))


def _drawn(rng: np.random.Generator, spread: Spread) -> float:
    return _at(spread, _standard(rng))


def _reflected(age: float) -> float:
    """Nobody younger or older than the ends, where ages turn back: no atom lies there."""
    low, high = gliomas.YOUNGEST, gliomas.OLDEST
    return float(high - abs(high - low - abs(age - low)))
