"""cohort.csv: one row for each examination, with its images, label, outcome and clinical variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from classify.datasets.references import Reference, is_reference, reference
from simulate.base.errors import InputError
from simulate.files.tables import cells, read_lines

FIXED = ("id", "group", "timepoint", "label", "time", "event")
"""Columns that mean the same in every table; all but id may be missing."""

UNKNOWN = ("", "na", "nan", "n/a", "unknown", "not available", "not applicable")
"""What a cell says, in any case, where nothing is known."""


@dataclass(frozen=True)
class Subject:
    """One row.

    Attributes
    ----------
    id : str
        Of the examination.
    group : str
        Of the patient; where the table has none, the id.
    timepoint : str
        Of the examination; "0" where the table has none.
    images : dict of Reference
        By column, those that this row has.
    label : str
        What is to be found; empty where it is not known.
    time : float
        Days to the event or the end of the follow-up; NaN where it is not known.
    event : bool or None
        Whether it was the event.
    clinical : dict of str
        All other columns as they stand, "" where nothing is known.
    """

    id: str
    group: str
    timepoint: str
    images: Mapping[str, Reference]
    label: str
    time: float
    event: bool | None
    clinical: Mapping[str, str]

    def number(self, column: str) -> float:
        """A clinical variable as a number; NaN where it is not known.

        Parameters
        ----------
        column : str
            Of the table.

        Returns
        -------
        float
            In the unit of the column.

        Raises
        ------
        InputError
            Where it is no number.
        """
        text = self.clinical.get(column, "")
        try:
            return float(text) if text else float("nan")
        except ValueError as error:
            raise InputError(f"cohort: {self.id}", column, f"is {text!r}", "give a number") from error


@dataclass(frozen=True)
class Cohort:
    """A table that was read.

    Attributes
    ----------
    path : path
        Of the table.
    subjects : tuple of Subject
        In the order of its rows.
    """

    path: Path
    subjects: tuple[Subject, ...]

    def with_images(self, *columns: str) -> tuple[Subject, ...]:
        """Those who have all of these images.

        Parameters
        ----------
        columns : str
            Of the images.

        Returns
        -------
        tuple of Subject
            In the order of the table.

        Raises
        ------
        InputError
            Where nobody has.
        """
        found = tuple(each for each in self.subjects if all(column in each.images for column in columns))
        if not found:
            known = sorted({column for each in self.subjects for column in each.images})
            raise InputError(
                self.path, ", ".join(columns), "is an image of no row",
                f"name images in a column of this name; there are {', '.join(known) or 'none'}",
            )  # fmt: skip
        return found

    def survival(self) -> tuple[np.ndarray, np.ndarray, tuple[Subject, ...]]:
        """Times and events of those who have both, and who they are.

        Returns
        -------
        tuple
            (n,) times [days], (n,) events, and the subjects.

        Raises
        ------
        InputError
            Where the table has no column of events: whether a time is one is never assumed.
        """
        known = tuple(each for each in self.subjects if each.event is not None and np.isfinite(each.time))
        if not known:
            problem = "is not there, or empty in every row that has a time"
            raise InputError(self.path, "event", problem, "add a column event of 1 (died) and 0 (alive when last seen)")
        return np.asarray([each.time for each in known]), np.asarray([each.event for each in known], bool), known


def read_cohort(path: Path, *, need: Sequence[str] = ()) -> Cohort:
    """Read and check a table.

    Parameters
    ----------
    path : path
        Of the CSV file, UTF-8; paths in it are relative to its folder.
    need : sequence of str
        Columns that have to be there.

    Returns
    -------
    Cohort
        Of all rows.

    Raises
    ------
    InputError
        For no file, no table, a missing column, an id that stands twice, an image that is not there, a time or an event
        that is none, an event without a time.
    """
    try:
        lines = [line for line in read_lines(path) if line.strip()]
    except OSError as error:
        raise InputError(path, "", f"cannot be read ({error.strerror})", "check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(path, "", "is no text in UTF-8", "save the table as CSV in UTF-8") from error
    mark = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    columns = cells(lines[0], mark) if lines else []
    for name in ("id", *need):
        if name not in columns:
            raise InputError(path, name, f"is no column; there are {', '.join(columns) or 'none'}", "add it")
    rows = [
        dict(zip_longest(columns, map(_known, cells(line, mark)[: len(columns)]), fillvalue="")) for line in lines[1:]
    ]
    if not rows:
        raise InputError(path, "", "has no rows", "give one for each examination")
    subjects = tuple(_subject(path, number, row) for number, row in enumerate(rows, 2))
    _check_ids(path, subjects)
    return Cohort(path, subjects)


def numbers_of(subjects: Sequence[Subject], column: str) -> np.ndarray:
    """(n,) a clinical variable of several; NaN where it is not known."""
    return np.asarray([each.number(column) for each in subjects])


def _known(text: str) -> str:
    return "" if text.lower() in UNKNOWN else text


def _subject(path: Path, number: int, row: Mapping[str, str]) -> Subject:
    where = f"{path}, row {number}"
    if not row.get("id"):
        raise InputError(where, "id", "is empty", "name every examination")
    images = {
        column: reference(text, path.parent, where, column) for column, text in row.items() if is_reference(text)
    }  # fmt: skip
    time, event = _time(where, row.get("time", "")), _event(where, row.get("event", ""))
    if event and not np.isfinite(time):
        raise InputError(where, "time", "is empty, and event is 1", "give the days to the event")
    others = {name: text for name, text in row.items() if name not in FIXED and name not in images}
    return Subject(
        row["id"], row.get("group") or row["id"], row.get("timepoint") or "0", images, row.get("label", ""), time,
        event, others,
    )  # fmt: skip


def _time(where: str, text: str) -> float:
    try:
        time = float(text) if text else float("nan")
    except ValueError:
        time = -1.0
    if time < 0:
        raise InputError(where, "time", f"is {text!r}", "give days, 0 or more")
    return time


def _event(where: str, text: str) -> bool | None:
    if text in ("0", "0.0", "1", "1.0"):
        return text[0] == "1"
    if text:
        raise InputError(where, "event", f"is {text!r}", "give 1 for the event, 0 for a censored time")
    return None


def _check_ids(path: Path, subjects: Sequence[Subject]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for number, each in enumerate(subjects, 2):
        key = (each.id, each.timepoint)
        if key in seen:
            problem = f"{each.id} at timepoint {each.timepoint} stands in rows {seen[key]} and {number}"
            raise InputError(path, "id", problem, "name every examination once")
        seen[key] = number


def classes_of(subjects: Sequence[Subject], of: Mapping[str, Any], where: Path) -> np.ndarray:
    """(n,) what each label stands for.

    Raises InputError for a label that stands for nothing.
    """
    for each in subjects:
        if each.label not in of:
            raise InputError(where, "label", f"is {each.label!r} for {each.id}", f"choose among {', '.join(of)}")
    return np.asarray([of[each.label] for each in subjects])
