"""Trained networks in the comparison. A network has no absolute scale of its own: it is given one."""

from collections.abc import Sequence

import numpy as np

from estimate.arterial.scale import InputScale, population_scale, vessel_scale
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.contrast.maps import parameters, unphysical, with_scale_error
from estimate.qtmnet.weights import Trained
from experiments.studies.comparison.found import Found, nothing
from experiments.studies.comparison.inputs import automatic_input
from experiments.studies.comparison.scans import Examination

SCALES = ("known", "vessels", "population")
"""Where QTMnet's input area may come from: the true one, of the picker's vessels, the population's."""


def scales_of(name: str) -> Sequence[str]:
    """QTMnet is asked at all of them; other networks, as ablations, where the input's area is known."""
    return SCALES if name == "QTMnet" else SCALES[:1]


def qtmnet(trained: Trained, exam: Examination, *, scales: Sequence[str] = ("known",)) -> dict[str, Found]:
    """The network's one prediction, at each of the scales, with errors that hold the scale's; `unfamiliar` among it are
    the voxels that it warns of.

    A network that takes the arterial input as well gets the exact one.
    """
    if not exam.view.size:
        return {scale: nothing(exam) | {"unfamiliar": np.zeros(len(exam.scored), bool)} for scale in scales}
    shape = (exam.side,) * 3
    where = np.unravel_index(exam.view, shape)
    aif = (np.asarray(exam.aif.times), np.asarray(exam.aif.curve), exam.area)
    found = predict_scan(trained, exam.curves[exam.view], exam.start, exam.spacing, where=where, shape=shape, aif=aif)
    row = np.zeros(len(exam.curves), int)  # what is scored and not shown does not count: any will do
    row[exam.view] = np.arange(len(exam.view))
    named = {}
    for scale in scales:
        chosen = _input_scale(scale, exam)
        if chosen is None:
            named[scale] = nothing(exam)
            continue
        values = with_scale_error(parameters(found, chosen, trained.calibration_factor), chosen)
        values["unfamiliar"] = found.out_of_distribution | unphysical(values)
        named[scale] = {name: value[row[exam.scored]] for name, value in values.items()}
    return named


def _input_scale(scale: str, exam: Examination) -> InputScale | None:
    """None where the picker finds no vessel."""
    if scale == "known":
        return InputScale(exam.area, 0.0, "known")
    if scale == "population":
        return population_scale()
    found = automatic_input(exam)
    return None if found is None else vessel_scale(found)
