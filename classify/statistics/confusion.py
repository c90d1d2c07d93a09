"""One table of counts, and every figure that a threshold makes from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from classify.statistics.inputs import class_numbers
from classify.statistics.intervals import Interval, proportion_interval
from simulate.base.errors import InputError


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts by true and by predicted class: all threshold figures of a report come from one of these.

    A figure of a class that does not occur (recall) or is never predicted (precision) is NaN; F1 of a class is 0 where
    it is predicted wrongly alone, NaN where it neither occurs nor is predicted. Means leave NaN out.

    Attributes
    ----------
    counts : (k, k) array
        Row: true class; column: predicted class.
    classes : tuple of str
        Names of the classes; of two, the second is the positive one.
    """

    counts: Int[np.ndarray, "k k"]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, labels: Any, predictions: Any, classes: tuple[str, ...]) -> "ConfusionMatrix":
        """Count labels and predictions.

        Parameters
        ----------
        labels : (n,) array
            True class, 0 to k - 1.
        predictions : (n,) array
            Predicted class, 0 to k - 1.
        classes : tuple of str
            Names of the classes.

        Returns
        -------
        ConfusionMatrix
            Of all rows.

        Raises
        ------
        InputError
            Numbers that name no class, or rows that do not match.
        """
        true = class_numbers("ConfusionMatrix", labels, len(classes))
        said = class_numbers("ConfusionMatrix", predictions, len(classes), "predictions")
        if len(true) != len(said):
            raise InputError(
                "ConfusionMatrix", "", f"{len(true)} labels, {len(said)} predictions", "give one of each per row"
            )
        counts = np.zeros((len(classes), len(classes)), int)
        np.add.at(counts, (true, said), 1)
        return cls(counts, tuple(classes))

    @property
    def total(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of rows that are right."""
        return float(np.trace(self.counts) / self.total)

    @property
    def recall(self) -> Float[np.ndarray, " k"]:
        """Share of each class that is found."""
        return _over(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def precision(self) -> Float[np.ndarray, " k"]:
        """Share of the predictions of each class that are right."""
        return _over(np.diag(self.counts), self.counts.sum(axis=0))

    @property
    def f1(self) -> Float[np.ndarray, " k"]:
        """Harmonic mean of recall and precision of each class, 2c/(rows + columns)."""
        return _over(2 * np.diag(self.counts), self.counts.sum(axis=0) + self.counts.sum(axis=1))

    @property
    def macro_f1(self) -> float:
        """Mean of F1 over the classes that occur or are predicted."""
        return float(np.nanmean(self.f1))

    @property
    def balanced_accuracy(self) -> float:
        """Mean of recall over the classes that occur."""
        return float(np.nanmean(self.recall))

    @property
    def sensitivity(self) -> Interval:
        """Share of the positives that are found, with its exact 95 % interval; two classes only."""
        return self._found(1)

    @property
    def specificity(self) -> Interval:
        """Share of the negatives that are found, with its exact 95 % interval; two classes only."""
        return self._found(0)

    def _found(self, which: int) -> Interval:
        if len(self.classes) != 2:
            raise InputError(
                "ConfusionMatrix", "sensitivity, specificity", f"are of two classes, these are {len(self.classes)}",
                "take recall, one number per class",
            )  # fmt: skip
        row = self.counts[which]
        if row.sum() == 0:
            raise InputError("ConfusionMatrix", self.classes[which], "does not occur", "give rows of both classes")
        return proportion_interval(int(row[which]), int(row.sum()))


def highest_macro_f1(correct: int, total: int, classes: int) -> float:
    """Highest macro-F1 that any table with this accuracy can have.

    Of two classes it is at most the accuracy: with e wrong, x/(2x + e) is concave, so that equal counts are best, where
    F1 of both is the accuracy. Of more, wrong rows do the least harm between two classes alone, of about equal counts,
    while every other class is one right row: below 1 - 2 (1 - accuracy)/classes. A paper that prints more has averaged
    over folds, or decides by another rule for each figure.

    Parameters
    ----------
    correct : int
        Number of rows that are right.
    total : int
        Number of rows.
    classes : int
        Number of classes, each of which occurs.

    Returns
    -------
    float
        The bound.

    Raises
    ------
    InputError
        More right rows than rows, or fewer than two classes.
    """
    if classes < 2 or not 0 <= correct <= total or total < classes:
        raise InputError(
            "highest_macro_f1", "", f"{correct} of {total} rows right in {classes} classes",
            "give two classes and more, and at least one row for each",
        )  # fmt: skip
    wrong = total - correct
    if wrong == 0:
        return 1.0
    perfect = np.arange(min(classes - 2, correct) + 1)
    one = (correct - perfect) // 2
    other = correct - perfect - one
    return float(((perfect + 2 * one / (2 * one + wrong) + 2 * other / (2 * other + wrong)) / classes).max())


def _over(counts: np.ndarray, of: np.ndarray) -> Float[np.ndarray, " k"]:
    return np.divide(counts, of, out=np.full(len(counts), np.nan), where=of > 0)
