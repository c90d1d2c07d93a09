"""Whether an attribution knows the network: what is left of it when the weights are destroyed."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path
from jaxtyping import ArrayLike, Float, PyTree

from classify.attribution.judges.correlation import chance_correlation, spearman
from classify.attribution.judges.inside import elements
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent


class WeightRandomisation(NamedTuple):
    """How much of an attribution outlives its network's weights.

    Attributes
    ----------
    layers : tuple of str
        From the output to the input.
    cascade : (k,) array
        Spearman correlation of magnitudes with those of the whole network, all layers down to this one destroyed.
    independent : (k,) array
        The same with this layer alone destroyed.
    control : float
        Spearman correlation of the magnitudes with the control's, abs(x - baseline): what an attribution has from the
        image alone.
    cascade_control : (k,) array
        The same with all layers down to this one destroyed.
    chance : float
        Standard deviation around 0 for unrelated maps, 1/sqrt(n-1); wider where they are smooth in space.
    """

    layers: tuple[str, ...]
    cascade: Float[np.ndarray, " k"]
    independent: Float[np.ndarray, " k"]
    control: float
    cascade_control: Float[np.ndarray, " k"]
    chance: float


def permuted(key: jax.Array, leaf: jax.Array) -> jax.Array:
    """The same numbers in another order: a layer keeps the distribution of its weights, and nothing that it learned."""
    return jax.random.permutation(key, leaf.ravel()).reshape(leaf.shape)


def weight_randomisation(
    attribute: Callable[[Any], PyTree[ArrayLike]],
    parameters: PyTree[ArrayLike],
    *,
    layers: Sequence[str],
    control: PyTree[ArrayLike],
    key: jax.Array,
    inside: ArrayLike | None = None,
    draw: Callable[[jax.Array, jax.Array], jax.Array] = permuted,
    progress: Progress = silent,
) -> WeightRandomisation:
    """Destroy a network's weights layer by layer and see whether its attribution notices.

    Adebayo et al., NeurIPS 2018. A correlation that stays high says that the map shows the image, not the network.

    Parameters
    ----------
    attribute : callable
        Of parameters to an attribution of one x.
    parameters : pytree of arrays
        Of the network.
    layers : sequence of str
        From the output to the input, each by the beginning of its parameters' names, "blocks/3" for
        parameters["blocks"][3]; those of no layer stay as they are.
    control : pytree of arrays like the attribution
        abs(x - baseline), or abs(x).
    key : JAX key
        Of the destruction.
    inside : bool array over the leading axes, optional
        Voxels to compare, such as the brain: zeros around it agree whatever the weights.
    draw : callable
        Of a key and a parameter to what replaces it; by default its own numbers in another order.
    progress : callable
        Told of every attribution.

    Returns
    -------
    WeightRandomisation
        Correlations by layer, beside control and chance.

    Raises
    ------
    InputError
        Where a layer has no parameters, shapes differ, an attribution is not finite, or fewer than two elements are
        inside.
    """
    named, structure = tree_flatten_with_path(parameters)
    names = [keystr(path, simple=True, separator="/") for path, _ in named]
    of_layer = [[_belongs(name, layer) for name in names] for layer in layers]
    if missing := [layer for layer, own in zip(layers, of_layer, strict=True) if not any(own)]:
        cure = f"take beginnings of {', '.join(sorted(names)[:8])}"
        raise InputError("layers", missing[0], "has no parameters", cure)
    leaves = [jnp.asarray(leaf) for _, leaf in named]
    drawn = [draw(own, leaf) for own, leaf in zip(jax.random.split(key, len(leaves)), leaves, strict=True)]

    def magnitudes(destroyed: Sequence[bool]) -> list[np.ndarray]:
        chosen = [new if gone else old for new, old, gone in zip(drawn, leaves, destroyed, strict=True)]
        found = elements(inside, attribution=attribute(structure.unflatten(chosen)), control=control)
        return [np.abs(each) for each in found]

    whole, image = magnitudes([False] * len(leaves))
    cascade, independent, beside = [], [], []
    for k, own in enumerate(of_layer):
        progress("layers destroyed", k, len(layers))
        down = magnitudes([any(flags) for flags in zip(*of_layer[: k + 1], strict=True)])[0]
        alone = down if k == 0 else magnitudes(own)[0]
        cascade.append(spearman(whole, down))
        independent.append(spearman(whole, alone))
        beside.append(spearman(down, image))
    return WeightRandomisation(
        tuple(layers), np.array(cascade), np.array(independent), spearman(whole, image), np.array(beside),
        chance_correlation(len(whole)),
    )  # fmt: skip


def _belongs(name: str, layer: str) -> bool:
    return name == layer or name.startswith(layer + "/")
