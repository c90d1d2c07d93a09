"""What every network here offers: named layers, between which it can be stopped and taken up again."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax import Array
from jaxtyping import Float, Key

from classify.networks.architecture import Architecture
from simulate.base.errors import InputError

Layer = Callable[[Array, Array | None, Key[Array, ""] | None], Array]
"""(features of the layer before, condition or None, key or None) -> features; dropout is drawn only with a key."""


class Frozen(nnx.Variable):
    """Numbers that belong to a network and are in its file, but are not learnt."""


class Staged(nnx.Module):
    """A chain of named layers over a batch.

    A network is a pure function of its weights by `pure`; it has no hidden state, and draws dropout from a key alone.
    """

    architecture: Architecture
    """What it was built from."""

    def steps(self) -> Mapping[str, Layer]:
        """The layers by name, in their order.

        Returns
        -------
        mapping of str to callable
            (features of the layer before, condition or None, key or None) -> features.
        """
        raise NotImplementedError

    def condition(self, tabular: Array | None) -> Array | None:
        """What the layers are told of the numbers beside the volume: nothing, unless a network says otherwise.

        Parameters
        ----------
        tabular : (b, t) array or None
            The numbers.

        Returns
        -------
        (b, f) array or None
            What every layer is given.

        Raises
        ------
        InputError
            For numbers that the network does not take.
        """
        if tabular is not None:
            raise InputError("tabular", "", "is given to a network without tabular inputs", "leave it out")
        return None

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, in their order."""
        return tuple(self.steps())

    def __call__(
        self, x: Float[Array, "b *s c"], tabular: Float[Array, "b t"] | None = None, *,
        key: Key[Array, ""] | None = None,
    ) -> Float[Array, "b o"]:  # fmt: skip
        """Logits of a batch.

        Parameters
        ----------
        x : (b, d, h, w, c) array
            Volumes, channels last; or (b, c) numbers for a network of those.
        tabular : (b, t) array
            Numbers beside the volumes, for a network that takes them.
        key : key
            Draws dropout, in training; without it there is none.

        Returns
        -------
        (b, o) array
            Logits.

        Raises
        ------
        InputError
            For other numbers of channels or tabular inputs than the architecture's.
        """
        return self.features(x, self.layers[-1], tabular, key=key)

    def features(
        self, x: Float[Array, "b *s c"], upto: str, tabular: Float[Array, "b t"] | None = None, *,
        key: Key[Array, ""] | None = None,
    ) -> Float[Array, "b *z f"]:  # fmt: skip
        """What a layer gives.

        Parameters
        ----------
        x : (b, d, h, w, c) array
            Volumes, channels last; or (b, c) numbers for a network of those.
        upto : str
            The layer, one of `layers`.
        tabular : (b, t) array
            Numbers beside the volumes, for a network that takes them.
        key : key
            Draws dropout.

        Returns
        -------
        (b, e, f, g, o) or (b, o) array
            Channels last; of a layer of volumes with fewer voxels than x.

        Raises
        ------
        InputError
            For a layer that the network does not have, other channels or other tabular inputs.
        """
        channels = self.architecture.channels
        if x.shape[-1] != channels:
            raise InputError("x", "", f"has {x.shape[-1]} channels, not {channels}", "give those of the architecture")
        return self._run(x, 0, self._after(upto), tabular, key)

    def head(
        self, features: Float[Array, "b *z f"], after: str, tabular: Float[Array, "b t"] | None = None, *,
        key: Key[Array, ""] | None = None,
    ) -> Float[Array, "b o"]:  # fmt: skip
        """Logits from what a layer gave: head(features(x, n), n) is the call itself, at every layer n.

        Parameters
        ----------
        features : array
            What `features` gives.
        after : str
            The layer that gave them.
        tabular : (b, t) array
            Numbers beside the volumes, for a network that takes them.
        key : key
            Draws dropout.

        Returns
        -------
        (b, o) array
            Logits.

        Raises
        ------
        InputError
            For a layer that the network does not have, or other tabular inputs.
        """
        return self._run(features, self._after(after), len(self.layers), tabular, key)

    def _after(self, name: str) -> int:
        if name not in self.layers:
            raise InputError("layer", name, "is not one of the network's", f"give one of {', '.join(self.layers)}")
        return self.layers.index(name) + 1

    def _run(self, h: Array, first: int, end: int, tabular: Array | None, key: Array | None) -> Array:
        condition = self.condition(tabular)
        for number, layer in list(enumerate(self.steps().values()))[first:end]:
            h = layer(h, condition, None if key is None else jax.random.fold_in(key, number))
        return h


Apply = Callable[..., Array]
"""(weights, x, tabular or None, key=None) -> logits."""


def pure(network: Staged) -> tuple[Apply, Any]:
    """A network as a function of its learnt weights, and these.

    Parameters
    ----------
    network : Staged
        Any of them.

    Returns
    -------
    apply : callable
        (weights, x, tabular or None, key=None) -> logits; nothing else enters.
    weights : PyTree
        Of arrays, those that are learnt.
    """
    graph, learnt, rest = nnx.split(network, nnx.Param, ...)

    def apply(weights: Any, x: Array, tabular: Array | None = None, *, key: Array | None = None) -> Array:
        return nnx.merge(graph, weights, rest)(x, tabular, key=key)

    return apply, learnt


def with_weights(network: Staged, weights: Any) -> Staged:
    """The network with other learnt weights, of the form that `pure` gives."""
    graph, _, rest = nnx.split(network, nnx.Param, ...)
    return nnx.merge(graph, weights, rest)


def weight_count(network: Staged) -> int:
    """How many numbers of a network are learnt.

    Parameters
    ----------
    network : Staged
        Any of them.

    Returns
    -------
    int
        All weights, biases, scales and shifts; statistics that are given do not count.
    """
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(nnx.state(network, nnx.Param)))
