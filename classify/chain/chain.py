"""From measured frames to a logit in one differentiable way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from classify.chain.estimator import Estimator


@dataclass(frozen=True)
class Chain:
    """Frames (v, t) -> estimators -> maps (p, v) -> (features (k,) ->) logit.

    Attributes
    ----------
    estimators : tuple of Estimator
        Whose maps follow one another.
    decide : callable
        Of the features, or of the maps where there are none, to a number: a logit, or a log-hazard.
    features : callable, optional
        Of the maps, such as `RegionMeans`; None where a network reads the maps themselves.
    """

    estimators: tuple[Estimator, ...]
    decide: Callable[[Any], Any]
    features: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of all maps."""
        return tuple(name for each in self.estimators for name in each.names)

    def logit(self, maps: Any) -> Any:
        """What is decided of maps.

        Parameters
        ----------
        maps : (p, v) array
            By `names`.

        Returns
        -------
        number
            Logit, or log-hazard.
        """
        return self.decide(maps if self.features is None else self.features(maps))
