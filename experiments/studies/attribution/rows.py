"""What the study found of every patient, rule, estimator and head."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Row(NamedTuple):
    """cause : the parameter that the rule reads, in the rim, clinical units.      true_map : AUC of the rim by the true
    map of that parameter alone.      scores : of `explained.scores`.
    """

    patient: int
    rule: str
    estimator: str
    head: str
    cause: float
    true_map: float
    scores: Mapping[str, Any]

    @property
    def refused(self) -> bool:
        return "refused" in self.scores


class Covered(NamedTuple):
    """Of a patient who was scanned again and again: as `redrawn.covered` has it."""

    patient: int
    estimator: str
    head: str
    covered: Mapping[str, float]
    ratio: float
    gap: float


@dataclass(frozen=True)
class Found:
    """rows : of all.      errors : of those scanned again.      limits : of the rules, clinical units.
    left_out : training patients by rule, estimator and head."""

    rows: Sequence[Row]
    errors: Sequence[Covered]
    limits: Mapping[str, float]
    left_out: Mapping[tuple[str, str, str], int]

    def of(self, rule: str, estimator: str, head: str) -> list[Row]:
        """Those that were explained."""
        return [r for r in self.rows if (r.rule, r.estimator, r.head) == (rule, estimator, head) and not r.refused]

    def refused(self, rule: str, estimator: str, head: str) -> int:
        return sum(r.refused for r in self.rows if (r.rule, r.estimator, r.head) == (rule, estimator, head))

    def chains(self) -> Iterator[tuple[str, str, str]]:
        """Rule, estimator and head, in their order."""
        return iter(self.left_out)


def values(rows: Sequence[Row], *names: str) -> np.ndarray:
    """(n,) of a score by its names from the outside in; NaN where a row has none."""
    found = []
    for row in rows:
        value: Any = row.scores
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        found.append(np.nan if value is None else float(value))
    return np.asarray(found)
