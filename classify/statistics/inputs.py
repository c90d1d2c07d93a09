"""What the statistics take, checked once: labels of two classes, finite scores, one row a subject."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from simulate.base.errors import InputError


def two_classes(where: str, labels: Any) -> Bool[np.ndarray, " n"]:
    """Labels as True (case) and False (control); both must occur."""
    given = np.asarray(labels)
    if given.ndim != 1:
        raise InputError(where, "labels", f"have the shape {given.shape}", "give one label per row, (n,)")
    if not np.isin(given, (0, 1)).all():
        raise InputError(
            where, "labels", f"hold {_some(given, ~np.isin(given, (0, 1)))}", "give 1 (case) or 0 (control)"
        )
    cases = given == 1
    if cases.all() or not cases.any():
        raise InputError(
            where, "labels", f"are of one class only ({int(cases.sum())} cases, {int((~cases).sum())} controls)",
            "give rows of both classes",
        )  # fmt: skip
    return cases


def finite_scores(where: str, scores: Any, rows: int, field: str = "scores") -> Float[np.ndarray, "n k"]:
    """Scores (n,) or (n, k) as (n, k) in float64."""
    given = np.asarray(scores, np.float64)
    if given.ndim not in (1, 2) or len(given) != rows or given.size == 0:
        raise InputError(
            where, field, f"have the shape {given.shape}", f"give one row per label, ({rows},) or ({rows}, k)"
        )
    if not np.isfinite(given).all():
        count = int((~np.isfinite(given.reshape(rows, -1)).all(axis=1)).sum())
        raise InputError(
            where, field, f"are not finite in {count} of {rows} rows",
            "leave those rows out and report how many they are, or give them a score",
        )  # fmt: skip
    return given.reshape(rows, -1)


def probabilities(where: str, probability: Any, rows: int) -> Float[np.ndarray, " n"]:
    """Of class 1, (n,), between 0 and 1."""
    given = finite_scores(where, probability, rows, "probability")
    if given.shape[1] != 1 or given.min() < 0 or given.max() > 1:
        raise InputError(
            where, "probability", f"has the shape {given.shape} and lies from {given.min():g} to {given.max():g}",
            "give one probability of class 1 per row, between 0 and 1",
        )  # fmt: skip
    return given[:, 0]


def class_numbers(where: str, labels: Any, classes: int, field: str = "labels") -> Int[np.ndarray, " n"]:
    """Labels as whole numbers from 0 to classes - 1."""
    given = np.asarray(labels)
    known = np.isin(given, np.arange(classes))
    if given.ndim != 1 or not given.size or not known.all():
        raise InputError(
            where, field, f"have the shape {given.shape} and hold {_some(given, ~known)}",
            f"give one number from 0 to {classes - 1} per row",
        )  # fmt: skip
    return given.astype(int)


def patients_of(where: str, groups: Any, rows: int) -> tuple[np.ndarray, Int[np.ndarray, " n"]]:
    """The patients, and the number among them of each row's; every row its own patient where `groups` is None."""
    if groups is None:
        return np.arange(rows), np.arange(rows)
    given = np.asarray(groups)
    if given.shape != (rows,):
        raise InputError(where, "groups", f"have the shape {given.shape}", f"give one patient per row, ({rows},)")
    return np.unique(given, return_inverse=True)


def per_patient(where: str, values: np.ndarray, member: np.ndarray, what: str) -> np.ndarray:
    """What a patient's rows have in common; refused where they differ."""
    first = np.unique(member, return_index=True)[1]
    common = values[first]
    if (common[member] != values).any():
        raise InputError(where, what, "differ between rows of one patient", "give every row of a patient the same")
    return common


def share(where: str, field: str, value: float) -> float:
    """A number between 0 and 1, both excluded."""
    if not 0 < value < 1:
        raise InputError(where, field, f"is {value}", "give a number between 0 and 1, both excluded")
    return float(value)


def _some(values: np.ndarray, wrong: np.ndarray) -> str:
    return ", ".join(map(str, np.unique(values[wrong].astype(str))[:3])) or "nothing"
