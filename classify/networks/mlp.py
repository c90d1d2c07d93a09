"""A network of numbers, such as those of regions in perfusion maps."""

import jax
from flax import nnx
from jax import Array
from jaxtyping import ArrayLike, Float

from classify.networks.architecture import Architecture, Count, Share
from classify.networks.film import Standardised
from classify.networks.layers import dropout
from classify.networks.staged import Layer, Staged


class MLPArchitecture(Architecture, frozen=True, tag="mlp"):
    """Linear layers with relu and dropout between them, over standardised numbers.

    Attributes
    ----------
    channels : int
        Numbers of an example.
    outputs : int
        Logits.
    hidden : tuple of int
        Widths of the hidden layers; without any it is a logistic regression.
    dropout : float
        Share of hidden numbers left out in training.
    """

    hidden: tuple[Count, ...] = (32,)
    dropout: Share = 0.0

    def build(self, seed: int = 0, *, mean: ArrayLike | None = None, deviation: ArrayLike | None = None) -> "MLP":
        """A network with weights drawn at random.

        Parameters
        ----------
        seed : int
            Of the draw.
        mean : (c,) array
            Of the numbers in the training's examples: kept, not learnt. 0 if left out.
        deviation : (c,) array
            Their standard deviation there. 1 if left out.

        Returns
        -------
        MLP
            Ready to be trained.

        Raises
        ------
        InputError
            For other numbers of them than of channels.
        """
        return MLP(self, Standardised(self.channels, mean, deviation), rngs=nnx.Rngs(seed))


class MLP(Staged):
    """Standardised numbers through linear layers."""

    def __init__(self, architecture: MLPArchitecture, standardised: Standardised, *, rngs: nnx.Rngs):
        self.architecture, self.rate = architecture, architecture.dropout
        self.standardised = standardised
        widths = (architecture.channels, *architecture.hidden, architecture.outputs)
        self.linear = nnx.List(
            [nnx.Linear(widths[i], widths[i + 1], rngs=rngs) for i in range(len(widths) - 1)]
        )  # fmt: skip

    def steps(self) -> dict[str, Layer]:
        def hidden(layer: nnx.Linear) -> Layer:
            return lambda x, condition, key: dropout(jax.nn.relu(layer(x)), self.rate, key)

        *before, last = self.linear
        layers = {f"hidden{i}": hidden(layer) for i, layer in enumerate(before, 1)}
        return {"standardised": self._standardise, **layers, "logits": lambda x, condition, key: last(x)}

    def _standardise(self, x: Float[Array, "b c"], condition: Array | None, key: Array | None) -> Float[Array, "b c"]:
        return self.standardised(x)
