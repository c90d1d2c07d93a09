"""Does estimation without an arterial input grade gliomas better than a fit with one?

Virtual patients whose grades overlap as the literature has them, or anybody's DCE with labels: every way to perfusion
maps on the same images, one statistic and its direction fixed beforehand, the rest corrected for their number, beside
the true maps, what needs no perfusion, and labels dealt anew.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from classify.datasets.cohort import Subject, read_cohort
from classify.datasets.dce import open_dce
from experiments.studies.grading import estimates, records
from experiments.studies.grading.comparison import areas, best, contrasts_of, differences, permuted
from experiments.studies.grading.estimates import AUTOMATIC, POPULATION, TRUTH, estimated
from experiments.studies.grading.figures import areas_figure
from experiments.studies.grading.records import read_record, record_of
from experiments.studies.grading.tables import QUESTION, Found, findings, summary, tables
from experiments.studies.kept import kept_records
from experiments.studies.shipped import shipped_checksums
from experiments.studies.study import Given, SizeName, Study
from simulate.base.errors import InputError
from simulate.base.progress import Progress
from simulate.files.pieces import key
from simulate.files.provenance import InputFile, provenance
from simulate.patients.cohort import TABLE, CohortPlan, simulate_cohort
from simulate.patients.examination import Visit

SEED = 0

GRADES = ("2", "3", "4")


class Size(NamedTuple):
    """grades : patients of grade 2, 3 and 4.      visit : how they are measured."""

    grades: tuple[int, int, int]
    visit: Visit


SIZES: dict[SizeName, Size] = {
    "small": Size((10, 6, 10), Visit(slab=(24, 24, 16), terminals=2000)),
    "paper": Size((62, 60, 62), Visit()),
}  # fmt: skip


def read_data(texts: Sequence[str]) -> Given:
    """`--data cohort.csv`: its table, or nothing."""
    if not texts:
        return Given(None)
    if len(texts) > 1:
        raise InputError("--data", "", "is given more than once", "name one cohort.csv")
    path = Path(texts[0])
    path = path / TABLE if path.is_dir() else path
    cohort = read_cohort(path, need=("label", "dce"))
    subjects = cohort.with_images("dce")
    for each in subjects:
        if each.label not in GRADES:
            raise InputError(path, "label", f"is {each.label!r} for {each.id}", "give the WHO grade: 2, 3 or 4")
    return Given(subjects, (path,))


def run_grading(size: Size, folder: Path, progress: Progress, *, data: tuple[Subject, ...] | None = None) -> Found:
    """Estimate every patient of the cohort, which is simulated first where none is given."""
    if data is None:
        plan = CohortPlan(seed=SEED, grades=size.grades, visit=size.visit)
        made = provenance(
            command="tracerflow experiment qtmnet-grading", options=plan.record(), inputs=[], seed=SEED
        )  # fmt: skip
        simulate_cohort(plan, folder / "cohort", made, progress=progress)
        data = read_cohort(folder / "cohort" / TABLE).with_images("dce")
    facts = {"networks": shipped_checksums()}
    names = [
        f"{_safe(each.id)}-{key(facts | _images(each), estimates.__name__, records.__name__)}.json" for each in data
    ]
    stored = kept_records(
        folder / "estimates", names, lambda i: _one(data[i]), what="patients estimated", progress=progress
    )  # fmt: skip
    kept = [read_record(each) for each in stored if "left_out" not in each]
    left_out = {each["id"]: each["left_out"] for each in stored if "left_out" in each}
    contrasts = contrasts_of(kept)
    if not contrasts:
        raise InputError("cohort", "label", "leaves too few patients of two grades", "give four and more of each")
    virtual = any(TRUTH in each.features for each in kept)
    question = QUESTION if QUESTION in contrasts else contrasts[0]
    rows = [row for row in (TRUTH, AUTOMATIC, POPULATION) if any(row in each.features for each in kept)]
    return Found(
        records=kept, areas=[area for name in contrasts for area in areas(kept, name)],
        differences=[each for name in contrasts for each in differences(kept, name)],
        best=[each for name in contrasts for each in best(kept, name)],
        permuted={row: permuted(kept, question, row).tolist() for row in rows}, left_out=left_out, virtual=virtual,
    )  # fmt: skip


def _one(subject: Subject) -> dict[str, object]:
    """Its record; where its images cannot be used, why."""
    try:
        case = open_dce(subject)
        return record_of(case, estimated(case))
    except InputError as refused:
        return {"id": subject.id, "left_out": str(refused)}


def _images(subject: Subject) -> dict[str, str]:
    """By column, what each image is: other images are other work."""
    return {
        column: InputFile.of(each.file).sha256 + each.dataset for column, each in sorted(subject.images.items())
    }  # fmt: skip


def _safe(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


STUDY = Study(
    sizes=SIZES, run=run_grading, findings=findings, tables=tables,
    figures=lambda found: {"areas.png": areas_figure(found)}, summary=summary, options={"data": read_data}, seed=SEED,
)  # fmt: skip
