"""What survival analysis takes, checked once: times of 0 and more, events of 0 and 1."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from simulate.base.errors import InputError


def followed(where: str, time: Any, event: Any) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Times in float64, and events as True (seen) and False (censored)."""
    t, e = np.asarray(time, np.float64), np.asarray(event)
    if t.ndim != 1 or t.shape != e.shape or not t.size:
        raise InputError(
            where, "time, event", f"have the shapes {t.shape}, {e.shape}", "give one of each per subject, (n,)"
        )
    if not np.isfinite(t).all():
        raise InputError(
            where, "time", f"is not finite in {int((~np.isfinite(t)).sum())} of {len(t)} subjects",
            "leave out subjects that were never followed, and report how many",
        )  # fmt: skip
    if t.min() < 0:
        raise InputError(where, "time", f"is negative ({t.min():g})", "give times since the start, 0 and more")
    known = np.isin(e, (0, 1))
    if not known.all():
        raise InputError(
            where, "event", f"holds {', '.join(map(str, np.unique(e[~known].astype(str))[:3]))}",
            "give 1 (the event was seen) or 0 (censored)",
        )  # fmt: skip
    return t, e == 1


def with_events(where: str, time: Any, event: Any) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The same where at least one event is needed."""
    t, e = followed(where, time, event)
    if not e.any():
        raise InputError(
            where, "event", "is 0 in all subjects", "give data with events: without one nothing is learned"
        )
    return t, e


def of_subjects(where: str, field: str, values: Any, subjects: int) -> Float[np.ndarray, " n"]:
    """One finite number per subject."""
    given = np.asarray(values, np.float64)
    if given.shape != (subjects,):
        raise InputError(where, field, f"has the shape {given.shape}", f"give one number per subject, ({subjects},)")
    if not np.isfinite(given).all():
        count = int((~np.isfinite(given)).sum())
        raise InputError(
            where,
            field,
            f"is not finite in {count} of {subjects} subjects",
            "leave those subjects out and report how many",
        )
    return given


def positive(where: str, field: str, value: float) -> float:
    """A finite number above 0."""
    if not 0 < value < np.inf:
        raise InputError(where, field, f"is {value}", "give a finite time above 0, in the units of the times")
    return float(value)
