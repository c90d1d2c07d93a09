"""What a QTMnet for contrast and one for labelled water are trained on: examinations, and what counts in the loss."""

from collections.abc import Mapping
from typing import NamedTuple

from estimate.qtmnet.learning import contrast, water
from estimate.qtmnet.learning.stream import Examination

REST = 0.25
"""Importance of a quantity that is not named."""


class Task(NamedTuple):
    """importance : of each scored quantity in the loss, by default `REST`.      examination : draws one to train on.
    out_of_distribution : one whose input or label none of the training is like."""

    importance: Mapping[str, float]
    examination: Examination
    out_of_distribution: Examination


TASKS = {
    "contrast": Task({"Fp": 1.0, "PS": 1.0, "vp": 1.0, "ve": 1.0}, contrast.examination, contrast.slow_injection),
    "water": Task({"CBF": 1.0, "ATT": 1.0}, water.examination, water.late_label),
}
"""By the tracer's name, see `estimate.qtmnet.tracers`."""
