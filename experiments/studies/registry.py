"""All studies by the name that the command line knows them by. A study's modules are imported when it is asked for."""

from importlib import import_module
from typing import Any, NamedTuple

from experiments.studies.study import Study
from simulate.base.errors import InputError


class Registered(NamedTuple):
    """question : what it asks.      takes : about how long, on two cores.      module : where its `STUDY` is."""

    question: str
    takes: str
    module: str


STUDIES = {
    "model-mismatch": Registered(
        "What do plug-flow capillaries and a dispersed input cost a 2CXM fit?", "half a minute",
        "experiments.studies.model_mismatch",
    ),
    "phantom-recovery": Registered(
        "How well does 2CXM with the exact global input recover whole phantoms?", "two minutes",
        "experiments.studies.phantom_recovery",
    ),
    "core-filling": Registered(
        "How does a necrotic core fill by diffusion from its rim?", "half a minute",
        "experiments.studies.core_filling",
    ),
    "qtmnet-vs-2cxm": Registered(
        "When does estimation without an arterial input win?",
        "five minutes; with --config paper two hours or so, and a killed run goes on where it stopped",
        "experiments.studies.comparison.study",
    ),
    "joint-dce-asl": Registered(
        "What does spin labelling's absolute scale do for QTMnet, on one blood flow?",
        "a minute; with --config paper four, and a killed run goes on where it stopped",
        "experiments.studies.joint_dce_asl.study",
    ),
    "network-calibration": Registered(
        "Does what both networks state of their errors hold, at several levels?",
        "three minutes; a killed run goes on where it stopped",
        "experiments.studies.calibration.study",
    ),
    "qtmnet-grading": Registered(
        "Does estimation without an arterial input grade gliomas better than a fit with one?",
        "twenty minutes; with --config paper two hours, and a killed run goes on where it stopped",
        "experiments.studies.grading.study",
    ),
    "chain-attribution": Registered(
        "Does an attribution down to the raw frames find the voxels that a label was made of?",
        "twenty minutes; with --config paper an hour and a half, and a killed run goes on where it stopped",
        "experiments.studies.attribution.study",
    ),
}  # fmt: skip
"""By name: what each asks, about how long it takes, and where it is."""


def load(name: str) -> Study[Any, Any]:
    """The study of this name. Raises InputError where there is none."""
    if name not in STUDIES:
        raise InputError("experiment", name, "is no study", f"choose from {', '.join(STUDIES)}")
    return import_module(STUDIES[name].module).STUDY
