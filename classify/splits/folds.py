"""Folds in which all rows of a patient stay together and the classes keep their shares.

Early stopping, thresholds, temperatures and the choice of a model see inner folds alone (`inner_split`,
`nested_folds`): a fold that is reported picks nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from simulate.base.errors import InputError


class Split(NamedTuple):
    """Numbers of rows, in order.

    Attributes
    ----------
    train : (a,) array
        To learn from.
    test : (b,) array
        To judge by.
    """

    train: Int[np.ndarray, " a"]
    test: Int[np.ndarray, " b"]


class NestedSplit(NamedTuple):
    """An outer split, and splits of its training rows.

    Attributes
    ----------
    outer : Split
        What is reported.
    inner : tuple of Split
        Of the outer training rows alone, numbered as all rows are.
    """

    outer: Split
    inner: tuple[Split, ...]


def grouped_folds(labels: Any, groups: Any, *, folds: int, seed: int) -> tuple[Split, ...]:
    """Folds by patient, with the classes in about the same shares (scikit-learn's StratifiedGroupKFold).

    Parameters
    ----------
    labels : (n,) array
        Classes; for survival the event, or the event by quartile of time.
    groups : (n,) array
        Patient of each row; follow-ups have that of their patient.
    folds : int
        Number of folds, 2 and more.
    seed : int
        Of the shuffling.

    Returns
    -------
    tuple of Split
        Every row is tested once.

    Raises
    ------
    InputError
        Fewer than two folds, or a class with fewer patients than folds.
    """
    return tuple(_stratified("grouped_folds", *_rows("grouped_folds", labels, groups), folds, seed))


def nested_folds(labels: Any, groups: Any, *, outer: int, inner: int, seed: int) -> tuple[NestedSplit, ...]:
    """Outer folds to report, each with inner folds of its training rows to choose by.

    Parameters
    ----------
    labels : (n,) array
        Classes.
    groups : (n,) array
        Patient of each row.
    outer : int
        Number of outer folds.
    inner : int
        Number of inner folds of each.
    seed : int
        Of the shuffling.

    Returns
    -------
    tuple of NestedSplit
        `outer` and its `inner` splits, all with numbers of the rows given.

    Raises
    ------
    InputError
        Fewer than two folds, or a class with fewer patients than folds, outer or inner.
    """
    y, patients = _rows("nested_folds", labels, groups)
    return tuple(
        NestedSplit(
            split, tuple(_within(split.train, each) for each in _stratified(
                "nested_folds", y[split.train], patients[split.train], inner, seed + 1 + number
            ))
        )
        for number, split in enumerate(_stratified("nested_folds", y, patients, outer, seed))
    )  # fmt: skip


def inner_split(split: Split, labels: Any, groups: Any, *, parts: int = 5, seed: int) -> Split:
    """Part of the training rows to learn from, and part to stop early by, choose a threshold or a temperature.

    Parameters
    ----------
    split : Split
        Whose training rows are divided; its test rows are not touched.
    labels : (n,) array
        Classes of all rows.
    groups : (n,) array
        Patient of each row.
    parts : int
        One of so many parts is held back.
    seed : int
        Of the shuffling.

    Returns
    -------
    Split
        With numbers of the rows given.

    Raises
    ------
    InputError
        A class with fewer patients among the training rows than parts.
    """
    y, patients = _rows("inner_split", labels, groups)
    first = _stratified("inner_split", y[split.train], patients[split.train], parts, seed)[0]
    return _within(split.train, first)


def given_folds(fold: Any, groups: Any) -> tuple[Split, ...]:
    """Folds as a table states them.

    Parameters
    ----------
    fold : (n,) array
        Name or number of the fold in which each row is tested.
    groups : (n,) array
        Patient of each row.

    Returns
    -------
    tuple of Split
        One for each fold, in the order of their names.

    Raises
    ------
    InputError
        One fold only, or a patient whose rows are in two (named).
    """
    named, patients = _rows("given_folds", fold, groups, "fold")
    _refuse_divided(
        "given_folds", patients, named, "folds", "put all rows of a patient into one fold, or let grouped_folds"
    )
    names = np.unique(named)
    if len(names) < 2:
        raise InputError("given_folds", "fold", f"is {names[0]} in all rows", "give two folds and more")
    return tuple(Split(np.flatnonzero(named != each), np.flatnonzero(named == each)) for each in names)


def external_split(sites: Any, groups: Any, *, held_out: Any) -> Split:
    """One site (or several) to judge by, all others to learn from.

    Parameters
    ----------
    sites : (n,) array
        Site of each row.
    groups : (n,) array
        Patient of each row.
    held_out : value or sequence of values
        Of the sites that are tested.

    Returns
    -------
    Split
        Of all rows.

    Raises
    ------
    InputError
        A site that does not occur, none left to learn from, a patient at sites of both sides (named).
    """
    where = "external_split"
    at, patients = _rows(where, sites, groups, "sites")
    wanted = np.atleast_1d(np.asarray(held_out))
    missing = np.setdiff1d(wanted, at)
    if len(missing):
        raise InputError(
            where, "held_out", f"{missing[0]} is no site", f"give one of {', '.join(map(str, np.unique(at)))}"
        )
    outside = np.isin(at, wanted)
    if outside.all():
        raise InputError(where, "held_out", "holds every site", "leave at least one to learn from")
    _refuse_divided(where, patients, outside, "sites on both sides", "leave one of the patient's sites out")
    return Split(np.flatnonzero(~outside), np.flatnonzero(outside))


def _rows(where: str, labels: Any, groups: Any, field: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    y, patients = np.asarray(labels), np.asarray(groups)
    if y.ndim != 1 or y.shape != patients.shape or not y.size:
        raise InputError(
            where, f"{field}, groups", f"have the shapes {y.shape}, {patients.shape}", "give one of each per row, (n,)"
        )
    for name, values in ((field, y), ("groups", patients)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(where, name, "are not known in some rows", "leave those rows out and report how many")
    return y, patients


def _stratified(where: str, y: np.ndarray, patients: np.ndarray, folds: int, seed: int) -> list[Split]:
    if folds < 2:
        raise InputError(where, "folds", f"are {folds}", "give two and more")
    for each in np.unique(y):
        having = len(np.unique(patients[y == each]))
        if having < folds:
            raise InputError(
                where, "labels", f"have {having} patients of class {each} for {folds} folds",
                "take fewer folds, or join classes",
            )  # fmt: skip
    from sklearn.model_selection import StratifiedGroupKFold  # a second to import

    made = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return [Split(*pair) for pair in made.split(np.zeros(len(y)), y, patients)]


def _within(rows: np.ndarray, split: Split) -> Split:
    return Split(rows[split.train], rows[split.test])


def _refuse_divided(where: str, patients: np.ndarray, part: np.ndarray, parts: str, cure: str) -> None:
    for each in np.unique(patients):
        if len(np.unique(part[patients == each])) > 1:
            raise InputError(where, "groups", f"patient {each} is in two {parts}", cure)
