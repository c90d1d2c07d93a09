"""Heads that read maps: linear on means of the image, linear on means of regions, and a small network on the maps.

All learn from the same patients, none of whom is explained. A head's label is whether the rule's parameter, as the
simulator knows it in the rim, is above the median of those patients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from classify.chain.features import RegionMeans
from classify.learning.augmentation import Augmentation
from classify.learning.config import LearningConfig
from classify.learning.examples import Examples
from classify.learning.training import WEIGHTS_FILE, train_classifier
from classify.networks.files import load_network
from classify.networks.small import SmallCNNArchitecture
from classify.networks.staged import Staged, pure, with_weights
from estimate.training.loop import CHECKPOINT
from experiments.studies.attribution.cohort import Case
from experiments.studies.attribution.measured import PARAMETERS, Measured
from simulate.base.errors import InputError
from simulate.base.progress import Progress
from simulate.phantoms.priors import Region

IMAGE, REGION, NETWORK = "linear, image means", "linear, region means", "CNN"
HEADS = (IMAGE, REGION, NETWORK)
LINEAR = (IMAGE, REGION)

LOWEST = -0.5
"""Of a map over its scale: between the nodes of a path maps are interpolated, and may miss 0 by a little."""

Regions = Callable[[np.ndarray], Mapping[str, np.ndarray]]

REGIONS: dict[str, Regions] = {
    IMAGE: lambda region: {"image": np.ones(region.shape, bool)},
    REGION: lambda region: {"rim": region == Region.RIM, "elsewhere": region != Region.RIM},
}
"""Of the linear heads: the first is told nothing of where the tumour is, the second its outline."""


def features_of(head: str, region: np.ndarray, weight: np.ndarray) -> RegionMeans:
    """Raises InputError where too few voxels of a region are believed."""
    return RegionMeans.of(PARAMETERS, REGIONS[head](region), weight)


@dataclass(frozen=True)
class LinearHead:
    """slope (k,), offset : of features in clinical units."""

    slope: np.ndarray
    offset: float

    @classmethod
    def fitted(cls, features: np.ndarray, labels: np.ndarray) -> "LinearHead":
        """Ridge-penalised logistic regression on standardised features (n, k)."""
        scaler = StandardScaler().fit(features)
        found = LogisticRegression(C=1.0).fit(scaler.transform(features), labels)
        slope = found.coef_[0] / scaler.scale_
        return cls(slope, float(found.intercept_[0] - slope @ scaler.mean_))

    def __call__(self, features: Any) -> Any:
        return jnp.asarray(self.slope) @ features + self.offset


class NetworkHead:
    """A network on the maps, whose size is told by `scale` (4,): log(1 + map/scale), so that 0 stays 0.

    weights : the network's own.      of_maps, of_volume : (weights, maps or volume) -> logit.
    """

    def __init__(self, network: Staged, scale: np.ndarray, side: int):
        self.network, self.scale, self.side = network, scale, side
        apply, self.weights = pure(network)
        self.of_volume: Callable[[Any, Any], Any] = lambda weights, volume: apply(weights, volume)[0, 0]
        self.of_maps: Callable[[Any, Any], Any] = lambda weights, maps: self.of_volume(weights, self.volume(maps))

    def volume(self, maps: Any) -> Any:
        """(1, d, h, w, 4) of maps (4, v)."""
        scaled = jnp.log1p(jnp.maximum(jnp.asarray(maps) / self.scale[:, None], LOWEST))
        return jnp.moveaxis(scaled.reshape(-1, *(self.side,) * 3), 0, -1)[None]

    def __call__(self, maps: Any) -> Any:
        return self.of_maps(self.weights, maps)

    def doubled(self) -> "NetworkHead":
        """With weights in float64, where that is switched on."""
        weights = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), self.weights)
        return NetworkHead(with_weights(self.network, weights), self.scale, self.side)

    @property
    def function(self) -> Partial:
        """The same, compiled once for all patients."""
        return Partial(self.of_maps, self.weights)


class Taught(NamedTuple):
    """A head, and how many patients it could not learn from since too few of their voxels are believed."""

    head: LinearHead | NetworkHead
    left_out: int

    def doubled(self) -> "Taught":
        """A network's weights in float64, in which attributions are taken; a linear head's are."""
        return self._replace(head=self.head.doubled()) if isinstance(self.head, NetworkHead) else self


def taught(
    name: str, cases: Sequence[Case], estimator: str, labels: np.ndarray, folder: Path, epochs: int, progress: Progress
) -> Taught:
    """A head of this name on an estimator's maps."""
    if name == NETWORK:
        learning = LearningConfig(
            epochs=epochs, batch=8, learning_rate=1e-3, augmentation=Augmentation(mirror=(0, 1, 2))
        )
        return Taught(
            _trained([case.maps[estimator] for case in cases], labels, cases[0].side, folder, learning, progress), 0
        )
    rows, kept = [], []
    for number, case in enumerate(cases):
        maps, weight = case.maps[estimator]
        try:
            rows.append(np.asarray(features_of(name, case.region, weight)(maps)))
        except InputError:
            continue
        kept.append(number)
    return Taught(LinearHead.fitted(np.stack(rows), labels[kept]), len(cases) - len(kept))


def _trained(
    measured: Sequence[Measured],
    labels: np.ndarray,
    side: int,
    folder: Path,
    config: LearningConfig,
    progress: Progress,
) -> NetworkHead:
    """Trained into the folder, or read from there where that was done before."""
    architecture, scale = SmallCNNArchitecture(channels=len(PARAMETERS), outputs=1, groups=0), _typical(measured)
    if (folder / WEIGHTS_FILE).exists():
        return NetworkHead(load_network(folder / WEIGHTS_FILE), scale, side)
    head = NetworkHead(architecture.build(config.seed), scale, side)
    volumes = np.stack([np.asarray(head.volume(each.maps), np.float32)[0] for each in measured])
    trained = train_classifier(
        head.network, Examples.of(volumes, labels), folder, config=config, progress=progress,
        resume=(folder / CHECKPOINT).exists(),
    )  # fmt: skip
    return NetworkHead(trained, scale, side)


def _typical(measured: Sequence[Measured]) -> np.ndarray:
    """(4,) mean of each map over all voxels where it is believed."""
    total, count = (np.sum([each.sum(axis=1) for each in arrays], axis=0) for arrays in zip(*measured, strict=True))
    return total / count
