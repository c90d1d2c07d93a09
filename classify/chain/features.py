"""Numbers of regions: weighted means of maps, with the weights of voxels frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simulate.base.errors import InputError

FEWEST = 20
"""Reliable voxels that a region has to have (chosen): the mean of fewer hangs on single voxels, and jumps with them."""


@partial(jax.tree_util.register_dataclass, data_fields=["maps", "inside", "weight"], meta_fields=["names"])
@dataclass(frozen=True)
class RegionMeans:
    """Means of maps over regions.

    Attributes
    ----------
    names : tuple of str
        Of the k features.
    maps : (k,) int array
        Which map each takes.
    inside : (k, v) bool array
        Region of each.
    weight : (k, v) array
        Of the weighted voxels: 1 over the sum of a region's weights within it, 0 outside.
    """

    names: tuple[str, ...]
    maps: Any
    inside: Any
    weight: Any

    @classmethod
    def of(
        cls, map_names: Sequence[str], regions: Mapping[str, np.ndarray], weight: np.ndarray, *, fewest: int = FEWEST
    ) -> "RegionMeans":
        """One feature for every map in every region.

        Parameters
        ----------
        map_names : sequence of str
            Of the estimators' maps.
        regions : mapping of str to (v,) bool array
            By name.
        weight : (p, v) array
            Of every voxel in each map, such as an estimator's.
        fewest : int
            Voxels that a region has to have by weight.

        Returns
        -------
        RegionMeans
            Features in the order of regions, then of maps.

        Raises
        ------
        InputError
            For a feature that fewer reliable voxels carry, by its name.
        """
        names, maps, insides, weights = [], [], [], []
        for region, inside in regions.items():
            for k, name in enumerate(map_names):
                feature, total = f"{name}, {region}", float(np.sum(np.asarray(weight[k], float) * inside))
                if total < fewest:
                    raise InputError(
                        "features", feature, f"rests on {total:.0f} reliable voxels of {int(np.sum(inside))}",
                        f"take a larger region, leave the map out, or fit a simpler model ({fewest} are needed)",
                    )  # fmt: skip
                names.append(feature)
                maps.append(k)
                insides.append(np.asarray(inside, bool))
                weights.append(insides[-1] / total)
        return cls(tuple(names), np.asarray(maps), np.stack(insides), np.stack(weights))

    def reweighted(self, weight: np.ndarray) -> "RegionMeans":
        """The same means with other weights of the voxels.

        Parameters
        ----------
        weight : (p, v) array
            Of every voxel in each map.

        Returns
        -------
        RegionMeans
            0 where a region is left without any weight.
        """
        total = np.sum(np.asarray(weight, float)[self.maps] * self.inside, axis=1, keepdims=True)
        return replace(self, weight=np.where(self.inside & (total > 0), 1 / np.where(total > 0, total, 1.0), 0.0))

    def __call__(self, maps: Any) -> Any:
        """(k,) of maps (p, v) times their weight, as estimators give them."""
        return jnp.sum(jnp.asarray(maps)[self.maps] * self.weight, axis=1)
