"""What estimators are given of the arterial input."""

from collections.abc import Callable

import numpy as np

from estimate.arterial.averages import without_averages
from estimate.arterial.found import find_aif
from experiments.studies.comparison.scans import Examination
from simulate.base.constants import HAEMATOCRIT
from simulate.base.errors import InputError
from simulate.inputs.arterial_input import ArterialInput

Input = Callable[[Examination], ArterialInput | None]


def exact_input(exam: Examination) -> ArterialInput:
    """Where it was measured: that of the block, but for conditions that delay or disperse it."""
    return exam.aif


def automatic_input(exam: Examination) -> ArterialInput | None:
    """The picker's, from the block and the slices beside it; None where it finds none."""
    block = exam.curves.reshape(exam.side, exam.side, exam.side, -1)
    try:
        found = find_aif(np.concatenate([block, exam.artery], axis=2), exam.centres, haematocrit=HAEMATOCRIT)
    except InputError:
        return None
    return without_averages(found, exam.spacing) if np.isfinite(found.curve).all() else None
