"""What is kept of one patient: statistics of every row's parameters over the tumour's solid part, and trivial ones."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from classify.datasets.dce import CORE, SOLID, DCECase
from experiments.studies.grading.estimates import CURVES, Estimated

PRIMARY = "median"
"""The one statistic that answers; all others stand under a correction for their number."""

STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    PRIMARY: lambda x: float(np.median(x)),
    "mean": lambda x: float(np.mean(x)),
    "5th percentile": lambda x: float(np.percentile(x, 5)),
    "25th percentile": lambda x: float(np.percentile(x, 25)),
    "75th percentile": lambda x: float(np.percentile(x, 75)),
    "95th percentile": lambda x: float(np.percentile(x, 95)),
    "SD": lambda x: float(np.std(x)),
    "IQR": lambda x: float(np.subtract(*np.percentile(x, (75, 25)))),
}
"""Of the voxels of the solid part that have an estimate. Higher means worse, for all, fixed before any study."""

TRIVIAL = ("age", "volume", "core share")
"""What needs no perfusion: years, mL of the tumour, share of necrosis in it."""

FEWEST = 5
"""Voxels with an estimate below which a statistic is refused."""


class Record(NamedTuple):
    """id, group, label : of the patient.      features : row -> parameter -> statistic -> value; a row that was
    refused is not there.      refused : row -> why.      trivial : by name, NaN where it is not known.
    notes : what was done to its images.
    """

    id: str
    group: str
    label: str
    features: dict[str, dict[str, dict[str, float]]]
    refused: dict[str, str]
    trivial: dict[str, float]
    notes: list[str]

    def value(self, row: str, parameter: str, statistic: str = PRIMARY) -> float:
        """NaN where it was refused."""
        return self.features.get(row, {}).get(parameter, {}).get(statistic, float("nan"))


def record_of(case: DCECase, found: Mapping[str, Estimated | str]) -> dict[str, Any]:
    """Ready for JSON."""
    features, refused = {}, {}
    for row, each in found.items():
        if isinstance(each, str):
            refused[row] = each
            continue
        by_name = {name: _statistics(values) for name, values in each.values.items() if _wanted(row, name)}
        features[row] = {name: values for name, values in by_name.items() if values}
        if not features[row]:
            refused[row] = f"fewer than {FEWEST} voxels of the solid part have an estimate"
            del features[row]
    return Record(
        case.subject.id, case.subject.group, case.subject.label, features, refused, _trivial(case), list(case.notes)
    )._asdict()  # fmt: skip


def read_record(stored: dict[str, Any]) -> Record:
    """Back from JSON, where what is not known is null."""
    trivial = {name: float("nan") if value is None else float(value) for name, value in stored["trivial"].items()}
    return Record(**stored)._replace(trivial=trivial)


def _wanted(row: str, name: str) -> bool:
    """Curves' own statistics stand in a row of their own."""
    return row == CURVES or name not in ("peak", "IAUC60")


def _statistics(values: np.ndarray) -> dict[str, float]:
    known = values[np.isfinite(values)]
    return {name: of(known) for name, of in STATISTICS.items()} if len(known) >= FEWEST else {}


def _trivial(case: DCECase) -> dict[str, Any]:
    """Volume and core of the whole tumour as far as the series' field of view holds it."""
    edges = np.linalg.norm(np.asarray(case.series.affine)[:3, :3], axis=0)
    tumour = np.isin(case.labels, (CORE, SOLID))
    age = case.subject.number("age")
    return {
        "age": float(age) if np.isfinite(age) else None,
        "volume": float(tumour.sum() * np.prod(edges) / 1e3),
        "core share": float((case.labels == CORE).sum() / tumour.sum()),
    }  # fmt: skip
