"""A small convolutional network of volumes, for few examples and small images."""

from typing import Annotated

import jax
from flax import nnx
from jax import Array
from jaxtyping import Float
from msgspec import Meta

from classify.networks.architecture import Architecture, Count, Share
from classify.networks.blocks import NormalisedConvolution, same
from classify.networks.layers import Volume, dropout, global_mean
from classify.networks.staged import Layer, Staged
from estimate.networks.convolution import Convolution


class SmallCNNArchitecture(Architecture, frozen=True, tag="small-cnn"):
    """Convolutions of 3^3, each of stride 2, after a first one of stride 1.

    Attributes
    ----------
    channels : int
        Of the volumes.
    outputs : int
        Logits.
    widths : tuple of int
        Channels of the convolutions.
    groups : int
        Of channels in every norm; 0 for none. A norm takes the size of its input away: where that size is the cause, as
        with maps of perfusion, it says nothing of it, and it has no slope where the maps are 0.
    dropout : float
        Share of the channels' means left out in training.
    """

    widths: Annotated[tuple[Count, ...], Meta(min_length=1)] = (16, 32, 64)
    groups: Annotated[int, Meta(ge=0, le=4096)] = 8
    dropout: Share = 0.0

    def build(self, seed: int = 0) -> "SmallCNN":
        """A network with weights drawn at random.

        Parameters
        ----------
        seed : int
            Of the draw.

        Returns
        -------
        SmallCNN
            Ready to be trained.
        """
        return SmallCNN(self, rngs=nnx.Rngs(seed))


class SmallCNN(Staged):
    """Convolution, norm where there is one, and relu at every width, mean over space, linear."""

    def __init__(self, architecture: SmallCNNArchitecture, *, rngs: nnx.Rngs):
        self.architecture, self.rate = architecture, architecture.dropout
        widths = (architecture.channels, *architecture.widths)
        self.convolutions = nnx.List(
            [
                _convolution(widths[i], widths[i + 1], architecture.groups, 2 if i else 1, rngs)
                for i in range(len(widths) - 1)
            ]
        )
        self.dense = nnx.Linear(widths[-1], architecture.outputs, rngs=rngs)

    def steps(self) -> dict[str, Layer]:
        def rectified(layer: NormalisedConvolution | Convolution) -> Layer:
            return lambda x, condition, key: jax.nn.relu(layer(x))

        layers = {f"convolution{i}": rectified(layer) for i, layer in enumerate(self.convolutions, 1)}
        return {**layers, "logits": self._logits}

    def _logits(self, x: Volume, condition: Array | None, key: Array | None) -> Float[Array, "b o"]:
        return self.dense(dropout(global_mean(x), self.rate, key))


def _convolution(
    channels: int, out: int, groups: int, strides: int, rngs: nnx.Rngs
) -> NormalisedConvolution | Convolution:
    if groups:
        return NormalisedConvolution(channels, out, groups, strides=strides, rngs=rngs)
    return Convolution(channels, out, strides=strides, padding=same(3), bias=True, rngs=rngs)
