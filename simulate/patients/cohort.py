"""A cohort of virtual patients on disk: a file for each, and a table of all, `cohort.csv`."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.units import CLINICAL_UNITS, from_clinical
from simulate.files.atomic import prepare_output_folder, write_atomically
from simulate.files.pieces import run_pieces
from simulate.files.tables import table_text
from simulate.patients.brain import grid_shape
from simulate.patients.examination import Visit, examine_patient
from simulate.patients.files import patient_bytes, true_columns, write_patient
from simulate.patients.gliomas import GRADES
from simulate.patients.outcome import outcome
from simulate.patients.person import Person, draw_person, stream
from simulate.patients.scanners import scanner

TABLE, FOLDER = "cohort.csv", "patients"

IMAGES = ("t1", "t1ce", "t2", "flair", "segmentation")

ASIDE = ("seed", "number", "scanner")
"""Fields of a person that nobody fixes."""


def _snr(person: Person) -> Person:
    return person.changed(scanner=replace(person.scanner, snr=0.5 * person.scanner.snr))


def _scanner(person: Person) -> Person:
    its = person.scanner
    return person.changed(scanner=replace(its, t1=1.2 * its.t1, t2=1.2 * its.t2))


def _size(person: Person) -> Person:
    return person.changed(diameter=1.25 * person.diameter)


def _site(person: Person) -> Person:
    return person.changed(scanner=scanner(person.seed, person.scanner.site + 1, person.rng("where")))


NUISANCES: dict[str, Callable[[Person], Person]] = {"snr": _snr, "scanner": _scanner, "size": _size, "site": _site}
"""What the second group of a nuisance cohort has otherwise: half the SNR, relaxation times a fifth longer, tumours a
quarter larger, another site; none has anything to do with grade or tissue."""


class CohortPlan(NamedTuple):
    """What makes a cohort.

    seed : of everything.      grades : how many patients of each of `GRADES`.
    separation : see `draw_person`.      sites : how many.
    nuisance : one of `NUISANCES`, whose two groups are the labels, whatever the grade; "" labels by grade.
    fixed : values that everybody has, by the name of a `Person`'s field, internal units.      visit : what is measured.
    """

    seed: int = 0
    grades: tuple[int, int, int] = (62, 60, 62)
    separation: float = 1.0
    sites: int = 3
    nuisance: str = ""
    fixed: Mapping[str, Any] = {}
    visit: Visit = Visit()

    @property
    def patients(self) -> int:
        return sum(self.grades)

    @property
    def bytes(self) -> float:
        """About what all of them take on disk."""
        return self.patients * patient_bytes(self.visit, int(np.prod(grid_shape(self.visit.cell))))

    def record(self) -> dict[str, Any]:
        """Ready for JSON."""
        return self._asdict() | {"visit": self.visit._asdict(), "fixed": dict(self.fixed)}


def simulate_cohort(
    plan: CohortPlan, folder: Path, made: Mapping[str, Any], *, progress: Progress = silent
) -> list[Path]:
    """Simulate every patient into `folder/patients`, or go on with it, and write `folder/cohort.csv`.

    Parameters
    ----------
    plan : CohortPlan
        Who, and how they are measured.
    folder : path
        Of the cohort.
    made : dict
        Provenance, which every file carries.
    progress : function
        Told of every patient.

    Returns
    -------
    list of path
        Of the patients' files.

    Raises
    ------
    InputError
        Before any long work: patients who contradict themselves, a disk that is too small, a folder of another
        cohort. While at it: a tumour that the anatomy cannot hold.
    """
    people = people_of(plan)
    folder = prepare_output_folder(folder)
    names = [f"{name_of(person)}.h5" for person in people]
    _check_disk(plan, folder, sum(not (folder / FOLDER / name).exists() for name in names))

    def work(index: int, path: Path) -> None:
        person = people[index]
        found = examine_patient(person, plan.visit)
        write_patient(path, person, found, outcome(person), label_of(plan, person), dict(made))

    files = run_pieces(
        folder / FOLDER, names, work, config=plan.record(), code=(__name__,), what="patients", progress=progress
    )  # fmt: skip
    rows = [row_of(plan, person, f"{FOLDER}/{path.name}") for person, path in zip(people, files, strict=True)]
    write_table(folder / TABLE, rows)
    return files


def people_of(plan: CohortPlan) -> list[Person]:
    """Everybody, in an order that says nothing of the grade.

    Raises InputError for nobody, and for patients who contradict themselves.
    """
    if not plan.patients:
        raise InputError("cohort", "grades", "ask for nobody", "give a number of patients")
    grades = [grade for grade, count in zip(GRADES, plan.grades, strict=True) for _ in range(count)]
    people = []
    for number, grade in enumerate(stream(plan.seed, 0, "order").permutation(grades)):
        grade = int(plan.fixed.get("grade", grade))
        person = draw_person(plan.seed, number, grade, separation=plan.separation, sites=plan.sites)
        person = person.changed(**plan.fixed) if plan.fixed else person
        people.append(NUISANCES[plan.nuisance](person) if plan.nuisance and group_of(person) else person)
    return people


def group_of(person: Person) -> int:
    """0 or 1, by a stream of its own."""
    return int(person.rng("group").integers(2))


def label_of(plan: CohortPlan, person: Person) -> int:
    """The grade; of a nuisance cohort the group."""
    return group_of(person) if plan.nuisance else person.grade


def name_of(person: Person) -> str:
    return f"patient-{person.number:05d}"


def row_of(plan: CohortPlan, person: Person, file: str) -> dict[str, Any]:
    """A row of the table; columns that begin with true_ are what nobody knows of a real patient."""
    after = outcome(person)
    return {
        "id": name_of(person), "group": name_of(person), "timepoint": 0,
        **{name: f"{file}::/images/{name}" for name in IMAGES},
        "dce": f"{file}::/dce/signal", "dce_segmentation": f"{file}::/dce/segmentation", "asl": f"{file}::/asl/data",
        "label": label_of(plan, person), "time": after.time, "event": int(after.event),
        "age": round(person.age, 1), "sex": "M" if person.male else "F", "resection": person.resection,
        "IDH": "mutant" if person.idh_mutant else "wildtype", "grade": person.grade, "diagnosis": person.diagnosis,
        "site": person.scanner.site, "haematocrit": round(person.haematocrit, 3), **true_columns(person),
        "true_log_hazard": after.log_hazard,
    }  # fmt: skip


def fixed_values(texts: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE in clinical units, as a `CohortPlan` takes them.

    Raises InputError for what is no field of a person, and a value of another kind.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name in ASIDE or name not in Person.__dataclass_fields__:
            known = ", ".join(each for each in Person.__dataclass_fields__ if each not in ASIDE)
            raise InputError("fixed", name, "is nothing that a patient has", f"choose among {known}")
        kind = Person.__dataclass_fields__[name].type
        try:
            found[name] = _KINDS[kind](value)
        except (KeyError, ValueError) as error:
            raise InputError("fixed", name, f"is {value!r}", f"give {_WORDS[kind]}") from error
        if name in CLINICAL_UNITS:
            found[name] = float(from_clinical(name, found[name]))
    return found


_KINDS: dict[Any, Callable[[str], Any]] = {
    bool: lambda text: {"true": True, "false": False}[text.lower()], int: int, float: float, str: str,
}  # fmt: skip
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """As CSV, whole or not at all."""
    head = list(rows[0])
    write_atomically(path, table_text([head, *([str(row[name]) for name in head] for row in rows)]))


def _check_disk(plan: CohortPlan, folder: Path, missing: int) -> None:
    need, free = missing * plan.bytes / plan.patients, shutil.disk_usage(folder).free
    if need > free:
        raise InputError(
            folder, "", f"{missing} patients need about {need / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free",
            "ask for fewer, a smaller slab or larger cells, or name another disk",
        )  # fmt: skip
