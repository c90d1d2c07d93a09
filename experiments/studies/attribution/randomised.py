"""What is left of a network's attribution when its weights are destroyed (Adebayo et al., NeurIPS 2018)."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.tree_util import Partial

from classify.attribution.gradient import input_x_gradient, saliency
from classify.attribution.integrated import integrated_gradients
from classify.attribution.judges.weights import weight_randomisation
from experiments.studies.attribution.heads import NetworkHead

Attribute = Callable[[Partial, Any], Any]

ATTRIBUTIONS: dict[str, Attribute] = {
    "gradient": saliency,
    "gradient x input": input_x_gradient,
    "integrated gradients": lambda f, x: integrated_gradients(f, x, np.zeros_like(x)).attribution,
}
"""Of the maps as the network is told them, which have no units; the first does not multiply by the input."""


def left_of_it(head: NetworkHead, maps: np.ndarray, inside: np.ndarray) -> dict[str, Any]:
    """By attribution: mean |Spearman| over layers destroyed from the output on, with all of them destroyed, with the
    input itself, and what chance does.

    inside (v,) : the voxels that are compared.
    """
    volume = np.asarray(head.volume(maps))
    found = {}
    for name, attribute in ATTRIBUTIONS.items():
        judged = weight_randomisation(
            lambda weights, by=attribute: by(Partial(head.of_volume, weights), volume)[0], head.weights,
            layers=layers(head), control=volume[0], key=jax.random.key(0),
            inside=inside.reshape(volume.shape[1:4]),
        )  # fmt: skip
        found[name] = {
            "mean": float(np.abs(judged.cascade).mean()), "all destroyed": float(judged.cascade[-1]),
            "input": float(judged.control), "chance": float(judged.chance),
        }  # fmt: skip
    return found


def layers(head: NetworkHead) -> list[str]:
    """From the output to the input."""
    convolutions = sum(name.startswith("convolution") for name in head.network.layers)
    return ["dense", *(f"convolutions/{i}" for i in reversed(range(convolutions)))]
