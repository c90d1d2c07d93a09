"""From a configuration to a cohort of virtual patients on disk: a file for each, and cohort.csv."""

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.simulate_cohort import CohortConfig
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.typed import as_record
from simulate.base.units import CLINICAL_UNITS, from_clinical
from simulate.files.atomic import prepare_output_folder, write_atomically
from simulate.files.pieces import run_pieces
from simulate.files.provenance import provenance
from simulate.patients.brain import grid_shape
from simulate.patients.examination import Visit, examine
from simulate.patients.files import patient_bytes, true_columns, write_patient
from simulate.patients.nifti import write_patient_nifti
from simulate.patients.outcome import outcome
from simulate.patients.person import Person, draw_person, stream
from simulate.patients.scanners import scanner

COHORT = "cohort.csv"

SHIFTED: dict[str, float] = {"snr": 0.5, "scanner": 1.2, "size": 1.25}
"""Factor by which the second group of a nuisance cohort differs."""

IMAGES = ("t1", "t1ce", "t2", "flair", "segmentation")


def run_cohort(config: CohortConfig, out: Path, *, nifti: bool = False, progress: Progress = silent) -> Path:
    """Simulate every patient of the configuration into `out/patients`, or go on with it; returns out/cohort.csv.

    nifti : write images and series beside every file, in the layout of `simulate.patients.nifti`.

    Raises InputError, before any long work, for patients who contradict themselves, anatomy that the grid cannot
    hold, a disk that is too small, a folder of another configuration.
    """
    people = people_of(config)
    folder = prepare_output_folder(out)
    names = [f"{name_of(person)}.h5" for person in people]
    _check_disk(config, folder, sum(not (folder / "patients" / name).exists() for name in names))
    record = provenance(
        command="tracerflow simulate cohort", options=as_record(config), inputs=[], seed=config.seed
    )  # fmt: skip
    visit = visit_of(config)

    def work(index: int, path: Path) -> None:
        person = people[index]
        write_patient(path, person, examine(person, visit), outcome(person), label_of(config, person), record)

    files = run_pieces(
        folder / "patients", names, work, config=as_record(config), code=("simulate.patients.files", __name__),
        what="patients", progress=progress,
    )  # fmt: skip
    if nifti:
        for path in files:
            write_patient_nifti(path)
    rows = [row_of(config, person, path.relative_to(folder)) for person, path in zip(people, files, strict=True)]
    return write_cohort(folder / COHORT, rows)


def people_of(config: CohortConfig) -> list[Person]:
    """Everybody, in an order that says nothing of the grade."""
    grades = config.grades
    counts = {2: grades.grade_2, 3: grades.grade_3, 4: grades.grade_4}
    if not sum(counts.values()):
        raise InputError("grades", "", "ask for nobody", "give a number of patients")
    of = stream(config.seed, 0, "order").permutation([grade for grade, n in counts.items() for _ in range(n)])
    fixed = _fixed(config)
    people = []
    for number, grade in enumerate(of):
        drawn = draw_person(
            config.seed, number, int(fixed.get("grade", grade)), separation=config.separation, sites=config.sites
        )  # fmt: skip
        people.append(_with_nuisance(config, drawn.changed(**fixed) if fixed else drawn))
    return people


def _fixed(config: CohortConfig) -> dict[str, Any]:
    """name -> value, internal units."""
    found: dict[str, Any] = {}
    for text in config.fixed:
        name, value = text.split("=", 1)
        if name in ("seed", "number", "scanner") or name not in Person.__dataclass_fields__:
            raise InputError("fixed", name, "is nothing that can be fixed", "see the fields of simulate.patients.Person")
        kind = Person.__dataclass_fields__[name].type
        try:
            if kind in (bool, "bool"):
                found[name] = {"true": True, "false": False}[value.lower()]
            elif kind in (int, "int"):
                found[name] = int(value)
            elif kind in (float, "float"):
                found[name] = float(from_clinical(name, float(value)) if name in CLINICAL_UNITS else float(value))
            else:
                found[name] = value
        except (KeyError, ValueError) as error:
            raise InputError("fixed", name, f"is {value!r}", f"give {kind}") from error
    return found


def _with_nuisance(config: CohortConfig, person: Person) -> Person:
    """The second group's examination, or size."""
    if config.nuisance == "none" or not group_of(person):
        return person if config.nuisance != "site" else _at_site(person, 0)
    machine, factor = person.scanner, SHIFTED.get(config.nuisance, 1.0)
    if config.nuisance == "snr":
        return person.changed(scanner=replace(machine, snr=factor * machine.snr))
    if config.nuisance == "scanner":
        return person.changed(scanner=replace(machine, t1=factor * machine.t1, t2=factor * machine.t2))
    if config.nuisance == "size":
        return person.changed(diameter=factor * person.diameter)
    return _at_site(person, 1)


def _at_site(person: Person, site: int) -> Person:
    return person.changed(scanner=scanner(person.seed, site, person.rng("where")))


def group_of(person: Person) -> int:
    """0 or 1, by a stream of its own."""
    return int(person.rng("group").integers(2))


def label_of(config: CohortConfig, person: Person) -> int:
    """The grade; of a nuisance cohort the group."""
    return person.grade if config.nuisance == "none" else group_of(person)


def name_of(person: Person) -> str:
    return f"patient-{person.number:05d}"


def visit_of(config: CohortConfig) -> Visit:
    """What is measured of everybody."""
    asked = config.visit
    return Visit(
        cell=asked.cell, slab=asked.slab, terminals=asked.terminals, frames=asked.frames, spacing=asked.frame_spacing,
        delays=asked.asl_delays, pairs=asked.asl_pairs, sigma=asked.asl_sigma, frequencies=asked.frequencies,
    )  # fmt: skip


def row_of(config: CohortConfig, person: Person, path: Path) -> dict[str, Any]:
    """A row of cohort.csv."""
    after = outcome(person)
    return {
        "id": name_of(person), "group": name_of(person), "timepoint": 0,
        **{name: f"{path.as_posix()}::/images/{name}" for name in IMAGES},
        "dce": f"{path.as_posix()}::/dce/signal", "asl": f"{path.as_posix()}::/asl/data",
        "label": label_of(config, person), "time": after.time, "event": int(after.event),
        "age": round(person.age, 1), "sex": "M" if person.male else "F", "resection": person.resection,
        "IDH": "mutant" if person.idh_mutant else "wildtype", "grade": person.grade, "diagnosis": person.diagnosis,
        "site": person.scanner.site, "haematocrit": round(person.haematocrit, 3), **true_columns(person),
        "true_log_hazard": after.log_hazard,
    }  # fmt: skip


def write_cohort(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The table, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue())
    return path


def patients_of(config: CohortConfig) -> int:
    """How many there are."""
    return config.grades.grade_2 + config.grades.grade_3 + config.grades.grade_4


def stated(config: CohortConfig) -> str:
    """What a run will take, said before it."""
    patients = patients_of(config)
    return f"{patients} patients, about {needed_bytes(config, patients) / 1e9:.2g} GB."


def needed_bytes(config: CohortConfig, patients: int) -> float:
    """About what so many patients take."""
    cells = int(np.prod(grid_shape(config.visit.cell)))
    return patients * patient_bytes(visit_of(config), cells)


def _check_disk(config: CohortConfig, folder: Path, patients: int) -> None:
    need, free = needed_bytes(config, patients), shutil.disk_usage(folder).free
    if need > free:
        raise InputError(
            "--out", "", f"{patients} patients need about {need / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free",
            "ask for fewer, a smaller slab or larger cells, or name another disk",
        )  # fmt: skip
