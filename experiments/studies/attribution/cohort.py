"""Patients as both estimators saw them, kept in the study's folder; patients are drawn until enough are eligible."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from estimate.qtmnet.weights import Trained
from experiments.studies.attribution import measured as estimating
from experiments.studies.attribution import patients as drawing
from experiments.studies.attribution.measured import ESTIMATORS, Measured, estimators_of
from experiments.studies.attribution.patients import RULES, bank, patient
from experiments.studies.shipped import shipped_checksums
from simulate.base.progress import Progress
from simulate.files.hdf5 import read_hdf5, write_hdf5
from simulate.files.pieces import key, run_pieces

SEED = 0


@dataclass(frozen=True)
class Case:
    """A patient as heads see him.

    index : by which `patient` draws him again.      region (v,).      cause : by rule.      maps : by estimator.
    """

    index: int
    side: int
    region: np.ndarray
    cause: dict[str, float]
    maps: dict[str, Measured]


def cohort(split: str, count: int, side: int, folder: Path, trained: Trained, progress: Progress) -> list[Case]:
    """The first so many eligible patients of a split."""
    config = bank(split, side, SEED)
    made = key({"bank": config._asdict(), "networks": shipped_checksums()}, drawing.__name__, estimating.__name__)

    def work(index: int, path: Path) -> None:
        found = patient(config, index)
        tree = {"eligible": int(found.eligible), "region": found.region, "cause": found.cause, "maps": {}}
        if found.eligible:
            maps = estimating.measured(found, estimators_of(found, trained))
            tree["maps"] = {name: each._asdict() for name, each in maps.items()}
        write_hdf5(path, tree)

    cases: list[Case] = []
    tried = 0
    while len(cases) < count:
        tried += count - len(cases)
        names = [f"{split}-{side}-{i:04d}-{made}.h5" for i in range(tried)]
        files = run_pieces(folder / split, names, work, config={}, code=(), what=f"{split} patients", progress=progress)
        cases = [case for i, path in enumerate(files) if (case := _read(path, i, side)) is not None]
    return cases[:count]


def _read(path: Path, index: int, side: int) -> Case | None:
    tree = read_hdf5(path)
    if not tree["eligible"]:
        return None
    cause = {rule: float(tree["cause"][rule]) for rule in RULES}
    return Case(index, side, tree["region"], cause, {name: Measured(**tree["maps"][name]) for name in ESTIMATORS})
