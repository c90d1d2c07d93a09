"""The proof that nothing of a test patient was learned from, in a form that can be printed and checked again."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from classify.splits.folds import Split
from simulate.base.errors import InputError


@dataclass(frozen=True)
class DisjointnessProof:
    """Who is on which side of each split, by hash, so that it can be published.

    Attributes
    ----------
    train : tuple of tuple of str
        Hashes of the training patients of each split, in order.
    test : tuple of tuple of str
        Hashes of the test patients of each split, in order.
    follow_ups : tuple of int
        Rows of each split beyond the first of their patient: they are with their patient.
    images : int
        Number of different images compared by checksum; 0 where no checksums were given.
    """

    train: tuple[tuple[str, ...], ...]
    test: tuple[tuple[str, ...], ...]
    follow_ups: tuple[int, ...]
    images: int

    def __str__(self) -> str:
        """One line per split, for a report."""
        images = f"{self.images} images by checksum" if self.images else "images not compared"
        lines = [
            f"split {number}: {len(train)} patients to learn from, {len(test)} to judge by, 0 in both; "
            f"{extra} follow-ups with their patient; sha256 {_digest('|'.join(train))} / {_digest('|'.join(test))}"
            for number, (train, test, extra) in enumerate(zip(self.train, self.test, self.follow_ups, strict=True), 1)
        ]
        return "\n".join([*lines, images])


def prove_disjoint(splits: Sequence[Split], groups: Any, *, checksums: Any = None) -> DisjointnessProof:
    """Check that no patient and no image is on both sides of any split, and say who is where.

    Parameters
    ----------
    splits : sequence of Split
        Outer or inner.
    groups : (n,) array
        Patient of each row; follow-ups have that of their patient.
    checksums : (n,) array, optional
        Of each row's images: the same image under two patients is found by it.

    Returns
    -------
    DisjointnessProof
        With hashes of the patients' names (sha256, 12 digits).

    Raises
    ------
    InputError
        A patient (named), a row or an image on both sides of a split; no split.
    """
    where = "prove_disjoint"
    patients = np.asarray(groups).astype(str)
    if not splits:
        raise InputError(where, "splits", "are none", "give at least one")
    if checksums is not None and np.shape(checksums) != patients.shape:
        raise InputError(where, "checksums", f"have the shape {np.shape(checksums)}", "give one per row, (n,)")
    for number, split in enumerate(splits, 1):
        _refuse_common(where, f"split {number}", "patient", patients, split)
        if checksums is not None:
            _refuse_common(where, f"split {number}", "image", np.asarray(checksums).astype(str), split)
    sides = [[np.unique(patients[rows]) for rows in split] for split in splits]
    return DisjointnessProof(
        tuple(tuple(sorted(map(_digest, train))) for train, _ in sides),
        tuple(tuple(sorted(map(_digest, test))) for _, test in sides),
        tuple(sum(map(len, split)) - sum(map(len, side)) for split, side in zip(splits, sides, strict=True)),
        0 if checksums is None else len(np.unique(np.asarray(checksums))),
    )


def _refuse_common(where: str, split: str, kind: str, values: np.ndarray, rows: Split) -> None:
    common = np.intersect1d(values[rows.train], values[rows.test])
    if len(common):
        raise InputError(
            where, split, f"{kind} {common[0]} is on both sides ({len(common)} in all)",
            "make splits with grouped_folds, with the patient of every row as its group",
        )  # fmt: skip


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
