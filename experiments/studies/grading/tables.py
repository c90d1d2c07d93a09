"""What the grading study says: sentences written from its numbers, and its tables."""

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from experiments.report.tables import Table
from experiments.studies.grading.comparison import PUBLISHED_EACH, PUBLISHED_GAP, Area, Best, Difference, holm
from experiments.studies.grading.estimates import AUTOMATIC, POPULATION, ROWS, TRUTH
from experiments.studies.grading.records import PRIMARY, TRIVIAL, Record

QUESTION = "2 v 4"
"""The contrast that the sentences are of."""


class Found(NamedTuple):
    """records : of the patients.      areas, differences, best : of all contrasts.      permuted : p of Ktrans where
    labels are dealt anew, by row.      left_out : patients whose images could not be read, and why.      virtual :
    whether the patients are.
    """

    records: list[Record]
    areas: list[Area]
    differences: list[Difference]
    best: list[Best]
    permuted: dict[str, list[float]]
    left_out: dict[str, str]
    virtual: bool

    def area(self, row: str, parameter: str, contrast: str = QUESTION) -> Area | None:
        """None where it could not be made."""
        for each in self.areas:
            if (each.contrast, each.row, each.parameter) == (contrast, row, parameter):
                return each
        return None


def findings(found: Found) -> list[str]:
    """In the order in which one asks."""
    said = [_patients(found)]
    if found.left_out:
        said.append(f"Left out: {'; '.join(f'{name} ({why})' for name, why in found.left_out.items())}.")
    said += [_ceiling(found)] if found.virtual else []
    said += [_difference(each) for each in found.differences if _is_answer(each)]
    said += [_winner(found), _chance(found), _best(found), _trivial(found), _refusals(found), _permuted(found)]
    return [each for each in said if each]


def _patients(found: Found) -> str:
    count = {grade: sum(each.label == grade for each in found.records) for grade in ("2", "3", "4")}
    kind = "virtual patients, their priors from the literature" if found.virtual else "patients"
    return (
        f"{len(found.records)} {kind}: {count['2']} of grade 2, {count['3']} of grade 3, {count['4']} of grade 4. "
        f"The answer is the {PRIMARY} over the tumour's solid part, higher called worse, both fixed beforehand; AUC "
        f"[95 %] of grade {QUESTION} unless another is named."
    )


def _ceiling(found: Found) -> str:
    known = [(each.parameter, each) for each in found.areas if each.row == TRUTH and each.contrast == QUESTION]
    if not known:
        return ""
    return "The true maps: " + ", ".join(f"{name} {_area(each)}" for name, each in known) + "."


def _is_answer(each: Difference) -> bool:
    return each.contrast == QUESTION and (each.first, each.second) == (POPULATION, AUTOMATIC)


def _difference(each: Difference) -> str:
    sure = "more than chance explains" if each.p < 0.05 else "no more than chance explains"
    return (
        f"{each.parameter}: {each.first} less {each.second} {each.difference:+.3f} "
        f"[{each.low:+.3f}, {each.high:+.3f}], p {each.p:.2g}: {sure}."
    )


def _winner(found: Found) -> str:
    """By parameter, p corrected for the number of parameters."""
    asked = [each for each in found.differences if _is_answer(each)]
    if not asked:
        return ""
    sure = [each for each, p in zip(asked, holm([each.p for each in asked]), strict=True) if p < 0.05]
    if not sure:
        return (
            "So, corrected for the number of parameters, neither estimator grades better than the other in any of them "
            "at this number of patients."
        )  # fmt: skip
    ahead: dict[bool, list[str]] = {True: [], False: []}
    for each in sure:
        ahead[each.difference > 0].append(each.parameter)
    names = {True: POPULATION, False: AUTOMATIC}
    parts = [f"{name} in {', '.join(ahead[first])}" for first, name in names.items() if ahead[first]]
    rest = [each.parameter for each in asked if each not in sure]
    return (
        f"So, corrected for the number of parameters, these grade better: {'; '.join(parts)}. In "
        f"{', '.join(rest) or 'nothing'} neither can be told ahead."
    )  # fmt: skip


def _chance(found: Found) -> str:
    some = [each for each in found.differences if _is_answer(each)]
    if not some:
        return ""
    shares = ", ".join(f"{each.parameter} {100 * each.by_chance:.0f} %" for each in some)
    needed = ", ".join(
        f"{each.parameter} {_whole(each.needed)}" for each in some
    )  # fmt: skip
    return (
        f"In random studies of {PUBLISHED_EACH} v {PUBLISHED_EACH} of these patients {POPULATION} is ahead by the "
        f"published {PUBLISHED_GAP:.3f} or more in: {shares}. To find such a gap in four of five studies takes, of "
        f"each class: {needed}."
    )


def _best(found: Found) -> str:
    some = [each for each in found.best if each.contrast == QUESTION]
    if not some:
        return ""
    parts = [
        f"{each.row} {each.auc:.3f} ({each.feature}; {each.out_of_bag:.3f} on patients who had no say)" for each in some
    ]  # fmt: skip
    null = max(each.null_best for each in some)
    return (
        f"The best of {some[0].features} statistics: {'; '.join(parts)}. Where nothing grades, the best of as many "
        f"passes {null:.2f} in 5 % of the deals."
    )


def _trivial(found: Found) -> str:
    known = [(name, found.area("no perfusion", name)) for name in TRIVIAL]
    parts = [f"{name} {_area(each)}" for name, each in known if each is not None]
    return f"Without perfusion: {', '.join(parts)}." if parts else ""


def _refusals(found: Found) -> str:
    parts = []
    for row in ROWS:
        count = sum(row in each.refused for each in found.records)
        if count:
            parts.append(f"{row} {count}")
    if not parts:
        return "No estimator refused a patient."
    said = f"Refused, of {len(found.records)}: {', '.join(parts)}"
    return f"{said}; the table gives areas without them and with them at the median."


def _permuted(found: Found) -> str:
    shares = {row: float(np.mean(np.asarray(p) < 0.05)) for row, p in found.permuted.items() if p}
    if not shares:
        return ""
    parts = ", ".join(f"{row} {100 * share:.0f} %" for row, share in shares.items())
    return f"With labels dealt anew p of Ktrans is below .05 in: {parts} (5 % where nothing leaks)."


def tables(found: Found) -> dict[str, Table]:
    """By subfolder."""
    return {
        "": Table(
            ("contrast", "row", "parameter", "AUC", "low", "high", "patients", "refused", "AUC, refused at the median"),
            [
                (e.contrast, e.row, e.parameter, _n(e.auc), _n(e.low), _n(e.high), str(e.patients), str(e.refused),
                 _n(e.at_median)) for e in found.areas
            ],
        ),
        "differences": Table(
            ("contrast", "first", "second", "parameter", "difference", "low", "high", "p", "patients",
             "15 v 15 ahead by .062", "15 v 15 apart by .062", "power for .062", "of each class for 80 %"),
            [
                (e.contrast, e.first, e.second, e.parameter, _n(e.difference), _n(e.low), _n(e.high), f"{e.p:.3g}",
                 str(e.patients), _n(e.by_chance), _n(e.either), _n(e.power),
                 _whole(e.needed)) for e in found.differences
            ],
        ),
        "best of many": Table(
            ("contrast", "row", "best", "AUC", "p, max-T", "null, 95 %", "out of bag", "statistics"),
            [
                (e.contrast, e.row, e.feature, _n(e.auc), f"{e.p_adjusted:.3g}", _n(e.null_best), _n(e.out_of_bag),
                 str(e.features)) for e in found.best
            ],
        ),
        "patients": Table(
            ("id", "label", "refused", "notes"),
            [
                (e.id, e.label, "; ".join(f"{row}: {why}" for row, why in e.refused.items()), "; ".join(e.notes))
                for e in found.records
            ] + [(name, "", f"left out: {why}", "") for name, why in found.left_out.items()],
        ),
    }  # fmt: skip


def summary(found: Found) -> dict[str, Any]:
    """Every number of the tables."""
    rows: dict[str, Sequence[Any]] = {
        "areas": found.areas, "differences": found.differences, "best of many": found.best,
    }  # fmt: skip
    return {
        "patients": len(found.records), "left out": found.left_out, "virtual": found.virtual,
        **{name: [each._asdict() for each in some] for name, some in rows.items()},
        "permuted": {row: float(np.mean(np.asarray(p) < 0.05)) for row, p in found.permuted.items() if p},
    }  # fmt: skip


def _area(each: Area) -> str:
    return f"{each.auc:.3f} [{each.low:.2f}, {each.high:.2f}]"


def _n(value: float) -> str:
    return f"{value:.3f}" if isfinite(value) else ""


def _whole(value: float) -> str:
    return f"{value:.0f}" if isfinite(value) else ""
