"""What a QTMnet for contrast and one for labelled water do not share."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jax import Array

from estimate.qtmnet.contrast import examinations as contrast
from estimate.qtmnet.contrast import features as contrast_features
from estimate.qtmnet.contrast import targets as contrast_targets
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.prediction import Prediction
from estimate.qtmnet.stream import Examination
from estimate.qtmnet.water import examinations as water
from estimate.qtmnet.water import features as water_features
from estimate.qtmnet.water import targets as water_targets


class Tracer(NamedTuple):
    """voxel_channels, scan_channels : what is said of a voxel and of the scan; the first `nodes` of a voxel's are the
    shape of its curve.      outputs : numbers that the network gives.      scored : quantities made of them.
    importance : of each in the loss, by default `REST`.      predicted : outputs -> values and their spread.
    examination : draws one to train on.      strange : one whose input or label none of the training is like.
    gram : features -> P^T P, P the projection of the curve on the nodes.
    """

    nodes: int
    voxel_channels: int
    scan_channels: int
    outputs: int
    scored: tuple[str, ...]
    importance: Mapping[str, float]
    predicted: Callable[[Array], Prediction]
    examination: Examination
    strange: Examination
    gram: Callable[[Any], Array]


REST = 0.25
"""Importance of a quantity that is not named."""

TRACERS = {
    "contrast": Tracer(
        nodes=len(NODES),
        voxel_channels=contrast_features.VOXEL_CHANNELS,
        scan_channels=contrast_features.SCAN_CHANNELS,
        outputs=contrast_targets.OUTPUTS,
        scored=contrast_targets.SCORED,
        importance={"Fp": 1.0, "PS": 1.0, "vp": 1.0, "ve": 1.0},
        predicted=contrast_targets.predicted,
        examination=contrast.examination,
        strange=contrast.slow_injection,
        gram=contrast_features.gram,
    ),
    "water": Tracer(
        nodes=len(water_features.NODES),
        voxel_channels=water_features.VOXEL_CHANNELS,
        scan_channels=water_features.SCAN_CHANNELS,
        outputs=water_targets.OUTPUTS,
        scored=water_targets.SCORED,
        importance={"CBF": 1.0, "ATT": 1.0},
        predicted=water_targets.predicted,
        examination=water.examination,
        strange=water.late_label,
        gram=water_features.gram,
    ),
}
