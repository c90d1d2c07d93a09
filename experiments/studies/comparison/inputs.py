"""What estimators are told of the arterial input."""

from collections.abc import Callable

import numpy as np

from estimate.arterial.averages import without_averages
from estimate.arterial.found import find_aif
from experiments.studies.comparison.scans import Examination
from simulate.base.constants import HAEMATOCRIT
from simulate.base.errors import InputError
from simulate.inputs.arterial_input import ArterialInput

Input = Callable[[Examination], tuple[np.ndarray, np.ndarray]]


def exact_input(exam: Examination) -> tuple[np.ndarray, np.ndarray]:
    """Where it was measured: that of the block, but for conditions that delay or disperse it."""
    return exam.aif_times, exam.aif


def automatic_input(exam: Examination) -> tuple[np.ndarray, np.ndarray]:
    """The picker's, from the block and the slices beside it; NaN where it finds none."""
    found = picked(exam)
    if found is None:
        return exam.centres, np.full(exam.centres.shape, np.nan)
    return np.asarray(found.times), np.asarray(found.curve)


def picked(exam: Examination) -> ArterialInput | None:
    block = exam.curves.reshape(exam.side, exam.side, exam.side, -1)
    try:
        found = find_aif(np.concatenate([block, exam.artery], axis=2), exam.centres, haematocrit=HAEMATOCRIT)
        return without_averages(found, exam.spacing)
    except InputError:
        return None
