"""What a QTMnet for contrast and one for labelled water do not share."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array

from estimate.qtmnet.contrast import features as contrast_features
from estimate.qtmnet.contrast import targets as contrast_targets
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.prediction import Prediction
from estimate.qtmnet.water import features as water_features
from estimate.qtmnet.water import targets as water_targets


class Tracer(NamedTuple):
    """voxel_channels, scan_channels : what is said of a voxel and of the scan; the first `nodes` of a voxel's are the
    shape of its curve.      outputs : numbers that the network gives.      scored : quantities made of them.
    predicted : outputs -> values and their spread.
    gram : features -> P^T P, P the projection of the curve on the nodes. How it is trained: `learning.tasks`.
    """

    nodes: int
    voxel_channels: int
    scan_channels: int
    outputs: int
    scored: tuple[str, ...]
    predicted: Callable[[Array], Prediction]
    gram: Callable[[Any], Array]


TRACERS = {
    "contrast": Tracer(
        nodes=len(NODES),
        voxel_channels=contrast_features.VOXEL_CHANNELS,
        scan_channels=contrast_features.SCAN_CHANNELS,
        outputs=contrast_targets.OUTPUTS,
        scored=contrast_targets.SCORED,
        predicted=contrast_targets.predicted,
        gram=contrast_features.gram,
    ),
    "water": Tracer(
        nodes=len(water_features.NODES),
        voxel_channels=water_features.VOXEL_CHANNELS,
        scan_channels=water_features.SCAN_CHANNELS,
        outputs=water_targets.OUTPUTS,
        scored=water_targets.SCORED,
        predicted=water_targets.predicted,
        gram=water_features.gram,
    ),
}
