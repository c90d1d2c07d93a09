"""A trained QTMnet on disk: weights with all that is needed to use and to judge them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.familiarity import Cloud, Familiarity
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.training.checkpoint import load_tree, read_facts, save_tree
from simulate.base.errors import InputError
from simulate.base.files import AnyPath

SHIPPED = Path(__file__).parent / "shipped" / "qtmnet" / "qtmnet.safetensors"
"""Trained by `tracerflow train qtmnet`; configuration, seed and log lie beside it."""

SHIPPED_ASL = Path(__file__).parent / "shipped" / "qtmnet-asl" / "qtmnet-asl.safetensors"
"""Likewise, by `tracerflow train qtmnet-asl`."""

FORMAT = "qtmnet 2"


@dataclass(frozen=True)
class Trained:
    """A network ready to use.

    uses_branch : whether the neighbourhood's branch was trained.      widening : by quantity, the factor on the
    standard deviation that makes 90 % intervals cover 90 % on the calibration phantoms (already times 1.645).
    familiarity : what curves and scans of the training looked like.
    facts : configuration, seed, versions, training.
    """

    network: QTMnet
    uses_branch: bool
    widening: dict[str, float]
    familiarity: Familiarity
    facts: dict[str, Any]


def save_trained(path: AnyPath, trained: Trained) -> None:
    """Write a network, whole or not at all."""
    _, weights = nnx.split(trained.network)
    tree = {"weights": nnx.to_pure_dict(weights), "familiarity": _plain(trained.familiarity)}
    facts = {
        "format": FORMAT,
        "architecture": asdict(trained.network.shape),
        "uses_branch": trained.uses_branch,
        "widening": trained.widening,
        **trained.facts,
    }
    save_tree(path, tree, facts)


def load_trained(path: AnyPath = SHIPPED, *, tracer: str = "contrast") -> Trained:
    """Read a network that `save_trained` wrote, for this tracer.

    Raises InputError for any other file.
    """
    facts = read_facts(path)
    if facts.get("format") != FORMAT:
        raise InputError(path, "format", f"is {facts.get('format')!r}", f"give weights of the format {FORMAT!r}")
    shape = Architecture.of(facts["architecture"])
    if shape.tracer != tracer:
        kind, cure = ("ASL", "qtmnet") if tracer == "contrast" else ("DCE", "qtmnet-asl")
        raise InputError(path, "tracer", f"is {shape.tracer}: these weights are for {kind}", f"give those of {cure}")
    graph, weights = nnx.split(nnx.eval_shape(lambda: QTMnet(shape, rngs=nnx.Rngs(0))))
    unknown = Familiarity.empty(shape.sees.nodes, shape.context)
    like = {"weights": nnx.to_pure_dict(weights), "familiarity": _plain(unknown)}
    tree = jax.tree.map(jnp.asarray, load_tree(path, like))
    nnx.replace_by_pure_dict(weights, tree["weights"])
    return Trained(
        network=nnx.merge(graph, weights),
        uses_branch=facts["uses_branch"],
        widening=facts["widening"],
        familiarity=Familiarity(
            **{
                name: Cloud(**{k: np.asarray(v) for k, v in cloud.items()})
                for name, cloud in tree["familiarity"].items()
            }
        ),
        facts=facts,
    )


def _plain(known: Familiarity) -> dict[str, dict[str, Any]]:
    return {name: cloud._asdict() for name, cloud in known._asdict().items()}
