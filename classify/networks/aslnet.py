"""ASLNet's residual network for a glioma's grade and, with clinical numbers, for survival.

ASLNet: An Explainable Deep Learning Framework for Glioma Grading and Survival Prediction, Front Oncol 2026,
10.3389/fonc.2026.1818663.
"""

from typing import Annotated

import jax
from flax import nnx
from jax import Array
from jaxtyping import ArrayLike, Float
from msgspec import Meta

from classify.networks.architecture import Architecture, Count, Share
from classify.networks.blocks import NormalisedConvolution, Residual, basic
from classify.networks.film import Condition, Standardised
from classify.networks.layers import GroupNorm, Volume, dropout, global_mean
from classify.networks.residual import ResidualNetwork, stages
from simulate.base.errors import InputError

BLOCKS = (2, 2, 2, 2)
"""Of each stage."""

MODULATED = (2, 3)
"""Stages whose blocks the clinical numbers modulate: the last two."""


class ASLNetArchitecture(Architecture, frozen=True, tag="aslnet"):
    """ASLNet, with tabular inputs its survival network.

    With 4 channels and 3 outputs it has 8,331,587 weights, the published number, and 8,332,099 with `final_norm`. With
    1 output and 3 tabular inputs it has 8,480,969.

    Attributes
    ----------
    channels : int
        Of the volumes: four versions of the one ASL volume in the paper.
    outputs : int
        Logits: 3 grades in the paper, or 1 for survival.
    tabular : int
        Numbers beside the volume: age, sex, extent of resection in the paper; 0 for none.
    width : int
        Channels of the first stage, 32 in the paper; every further one has twice as many.
    groups : int
        Of channels in every norm (the paper does not say; chosen: 8).
    final_norm : bool
        A norm after the last block.
    spatial_dropout : float
        Share of channels left out before the mean over space.
    dropout : float
        Share of its numbers left out after it.
    """

    tabular: Annotated[int, Meta(ge=0, le=4096)] = 0
    width: Count = 32
    groups: Count = 8
    final_norm: bool = False
    spatial_dropout: Share = 0.3
    dropout: Share = 0.3

    def build(self, seed: int = 0, *, mean: ArrayLike | None = None, deviation: ArrayLike | None = None) -> "ASLNet":
        """A network with weights drawn at random.

        Parameters
        ----------
        seed : int
            Of the draw.
        mean : (t,) array
            Of the tabular inputs in the training's examples: kept, not learnt. 0 if left out.
        deviation : (t,) array
            Their standard deviation there. 1 if left out.

        Returns
        -------
        ASLNet
            Ready to be trained.

        Raises
        ------
        InputError
            For other numbers of them than of tabular inputs.
        """
        return ASLNet(self, Standardised(self.tabular, mean, deviation), rngs=nnx.Rngs(seed))


class ASLNet(ResidualNetwork):
    """Stem of 7^3 and a pool, four stages of two blocks, mean over space with dropout before and after it, linear."""

    def __init__(self, architecture: ASLNetArchitecture, standardised: Standardised, *, rngs: nnx.Rngs):
        width, groups, modulated = architecture.width, architecture.groups, architecture.tabular > 0
        last = width * 2 ** (len(BLOCKS) - 1)

        def make(channels: int, stage: int, strides: int) -> Residual:
            here = modulated and stage in MODULATED
            return basic(channels, width * 2**stage, groups, strides, modulated=here, rngs=rngs)

        super().__init__(
            architecture,
            NormalisedConvolution(architecture.channels, width, groups, taps=7, strides=2, rngs=rngs),
            stages(width, BLOCKS, make),
            nnx.Linear(last, architecture.outputs, rngs=rngs),
        )
        self.rates = architecture.spatial_dropout, architecture.dropout
        self.final_norm = GroupNorm(last, groups) if architecture.final_norm else None
        self.conditioned = Condition(standardised, rngs=rngs) if modulated else None

    def condition(self, tabular: Array | None) -> Array | None:
        if self.conditioned is None:
            return super().condition(tabular)
        count = self.conditioned.count
        if tabular is None or tabular.shape[-1] != count:
            found = "is missing" if tabular is None else f"has {tabular.shape[-1]} numbers for an example"
            raise InputError("tabular", "", found, f"give the {count} of the architecture")
        return self.conditioned(tabular)

    def _logits(self, x: Volume, condition: Array | None, key: Array | None) -> Float[Array, "b o"]:
        before, after = (None, None) if key is None else jax.random.split(key)
        x = x if self.final_norm is None else self.final_norm(x)
        pooled = global_mean(dropout(x, self.rates[0], before))
        return self.dense(dropout(pooled, self.rates[1], after))
