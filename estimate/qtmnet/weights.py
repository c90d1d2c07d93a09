"""A trained QTMnet on disk: weights with all that is needed to use and to judge them."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from estimate.qtmnet.familiarity import Cloud, Familiarity
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.training.checkpoint import load_tree, read_facts, save_tree
from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath

SHIPPED = Path(__file__).parent / "shipped" / "qtmnet" / "qtmnet.safetensors"
"""Trained by `tracerflow train qtmnet`; configuration, seed and log lie beside it."""

SHIPPED_ASL = Path(__file__).parent / "shipped" / "qtmnet-asl" / "qtmnet-asl.safetensors"
"""Likewise, by `tracerflow train qtmnet-asl`."""

FORMAT = "qtmnet 3"

WITH_WEIGHTS = ("qtmnet 2", FORMAT)
"""Formats whose weights are the same; the older lacks what calibration says now."""

_NUMBERS = ("spread_factor", "common_error", "limits")
"""What of the calibration are numbers by name, kept beside the arrays."""

_FIRST_NAMES = {"widening": "spread_factor", "told": "aif_given"}
"""Names that the shipped files were written with, and what stands for them now: the files' checksums are on record."""


class Calibration(NamedTuple):
    """What a network is told about itself, to be kept in the file of its weights.

    spread_factor : by quantity, the factor on its standard deviation that makes 90 % intervals true (already times
    1.645).
    common_error : by quantity, root mean square over scans of what all of a scan's voxels are off by together.
    familiarity : what is known, and the limits.      limits : what each limit does to calibration's own scans, see
    `estimate.qtmnet.learning.limits`.
    """

    spread_factor: dict[str, float]
    common_error: dict[str, float]
    familiarity: Familiarity
    limits: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Trained:
    """A network ready to use.

    Attributes
    ----------
    network : QTMnet
        With its weights.
    uses_branch : bool
        Whether the neighbourhood's branch was trained.
    calibration : Calibration
        How far to trust it.
    facts : dict
        Configuration, seed, versions, training.
    """

    network: QTMnet
    uses_branch: bool
    calibration: Calibration
    facts: dict[str, Any]

    @property
    def spread_factor(self) -> dict[str, float]:
        """See `Calibration`."""
        return self.calibration.spread_factor

    @property
    def familiarity(self) -> Familiarity:
        """See `Calibration`."""
        return self.calibration.familiarity


def save_trained(path: AnyPath, trained: Trained) -> None:
    """Write a network, whole or not at all."""
    _, weights = nnx.split(trained.network)
    tree = {"weights": nnx.to_pure_dict(weights), "familiarity": _plain(trained.familiarity)}
    facts = {
        "format": FORMAT,
        "architecture": asdict(trained.network.shape),
        "uses_branch": trained.uses_branch,
        **{name: getattr(trained.calibration, name) for name in _NUMBERS},
        **trained.facts,
    }
    save_tree(path, tree, facts)


def load_trained(path: AnyPath = SHIPPED, *, tracer: str = "contrast") -> Trained:
    """Read a trained network, for this tracer.

    Parameters
    ----------
    path : path
        What `estimate.qtmnet.weights.save_trained` wrote, such as `SHIPPED` or `SHIPPED_ASL`.
    tracer : str
        "contrast" or "water".

    Returns
    -------
    Trained
        The network with its calibration.

    Raises
    ------
    InputError
        For any other file.
    """
    facts = _facts(path, tracer, (FORMAT,))
    shape = Architecture.of(facts["architecture"])
    unknown = Familiarity.empty(shape.sees.nodes, shape.context)
    clouds = load_tree(path, {"familiarity": _plain(unknown)})["familiarity"]
    return Trained(
        network=_network(path, shape),
        uses_branch=facts["uses_branch"],
        calibration=Calibration(
            familiarity=Familiarity(**{name: Cloud(**cloud) for name, cloud in clouds.items()}),
            **{name: facts[name] for name in _NUMBERS},
        ),
        facts=facts,
    )


def load_uncalibrated(path: AnyPath, *, tracer: str = "contrast") -> tuple[QTMnet, bool, dict[str, Any]]:
    """(network, whether its branch was trained, facts) to calibrate it again; files of `WITH_WEIGHTS` hold that much.

    Raises InputError for any other file.
    """
    facts = _facts(path, tracer, WITH_WEIGHTS)
    return _network(path, Architecture.of(facts["architecture"])), facts["uses_branch"], facts


def _facts(path: AnyPath, tracer: str, formats: tuple[str, ...]) -> dict[str, Any]:
    facts = _todays_names(read_facts(path))
    command, kind = ("qtmnet", "ASL") if tracer == "contrast" else ("qtmnet-asl", "DCE")
    if facts.get("format") not in formats:
        cure = f"give weights of the format {FORMAT!r}"
        if facts.get("format") in WITH_WEIGHTS:
            cure = f"calibrate them again: tracerflow train {command} --calibrate {path} --out DIR"
        raise InputError(path, "format", f"is {facts.get('format')!r}", cure)
    if Architecture.of(facts["architecture"]).tracer != tracer:
        raise InputError(path, "tracer", f"is not {tracer}: these weights are for {kind}", f"give those of {command}")
    return facts


def _todays_names(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a file, whose names may be those that its format had at first."""
    return {
        _FIRST_NAMES.get(name, name): _todays_names(value) if isinstance(value, dict) else value
        for name, value in facts.items()
    }


def _network(path: AnyPath, shape: Architecture) -> QTMnet:
    graph, weights = nnx.split(nnx.eval_shape(lambda: QTMnet(shape, rngs=nnx.Rngs(0))))
    tree = load_tree(path, {"weights": nnx.to_pure_dict(weights)})
    nnx.replace_by_pure_dict(weights, jax.tree.map(jnp.asarray, tree["weights"]))
    return nnx.merge(graph, weights)


def weights_digest(network: QTMnet) -> str:
    """SHA-256 of the weights alone, whatever else lies in their file."""
    total = hashlib.sha256()
    for where, leaf in jax.tree_util.tree_leaves_with_path(nnx.to_pure_dict(nnx.split(network)[1])):
        array = np.asarray(leaf, order="C")
        total.update(f"{jax.tree_util.keystr(where)} {array.dtype} {array.shape}\n".encode() + array.tobytes())
    return total.hexdigest()


def _plain(known: Familiarity) -> dict[str, dict[str, Any]]:
    return {name: cloud._asdict() for name, cloud in known._asdict().items()}
