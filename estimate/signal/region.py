"""Which voxels a region covers: a mask, a drawn artery, one label of a segmentation."""

from typing import Any

import numpy as np

from simulate.base.errors import InputError

INSIDE = 0.5
"""Share of a voxel from which on it belongs to a region: resampling leaves parts of voxels at an edge."""


def region_of(values: Any, where: object, what: str, *, labels: tuple[int, ...] | None = None) -> np.ndarray:
    """Boolean (*space) of a region.

    values : booleans; shares of voxels, of which those above `INSIDE` count (NaN, which some programs write outside a
    region, does not); or labels.      labels : of which voxels the region is.

    Raises InputError where no voxel is inside, or labels are asked for of an image that has none of them.
    """
    given = np.nan_to_num(np.asarray(values, float), nan=0.0, posinf=0.0, neginf=0.0)
    if labels is None:
        top = float(given.max(initial=0.0))
        if top > 1 + INSIDE / 10 and not labels_in(given):
            problem = f"holds parts of up to {top:g}, and 1 is a whole voxel"
            raise InputError(where, what, problem, "give shares from 0 to 1, or a label of a segmentation")
        inside = given > INSIDE
    else:
        present = labels_in(given)
        missing = [label for label in labels if label not in present]
        if missing:
            held = ", ".join(map(str, present)) or "none"
            raise InputError(where, what, f"has no voxel of label {missing[0]}", f"choose among its labels: {held}")
        inside = np.isin(given, labels)
    if not inside.any():
        most = f", its largest value is {given.max():g}" if given.size and given.max() > 0 else ""
        raise InputError(where, what, f"holds no voxel{most}", "give one that covers the voxels meant, with 1 inside")
    return np.asarray(inside)


def labels_in(values: Any) -> list[int]:
    """Whole numbers above zero that an image holds; none where it holds other numbers as well."""
    found = np.unique(np.nan_to_num(np.asarray(values, float)))
    return [] if np.any(found != np.round(found)) else [int(v) for v in found if v > 0]


def region_words(values: Any, where: object) -> str:
    """What of an image makes the region, for the report."""
    labels = labels_in(values)
    if len(labels) > 1:
        return f"{where}, labels {', '.join(map(str, labels))}"
    return f"{where}, voxels above {INSIDE:g}"


def one_label(values: Any, where: object, what: str) -> None:
    """Refuse a segmentation of several labels where a region of one meaning is wanted."""
    labels = labels_in(values)
    if len(labels) > 1:
        raise InputError(
            where, what, f"holds the labels {', '.join(map(str, labels))}",
            f"say which is meant, as in {where}:{labels[0]}",
        )  # fmt: skip
