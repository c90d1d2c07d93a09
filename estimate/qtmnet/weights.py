"""A trained QTMnet on disk: weights with all that is needed to use and to judge them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from flax import nnx

from estimate.networks.tree_file import load_tree, read_facts, save_tree
from estimate.networks.weights import as_tree, read_network
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.qtmnet.out_of_distribution import Gaussian, TrainingDistribution
from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath

SHIPPED = Path(__file__).parent / "shipped" / "qtmnet" / "qtmnet.safetensors"
"""Trained by `tracerflow train qtmnet`; configuration, seed and log lie beside it."""

SHIPPED_ASL = Path(__file__).parent / "shipped" / "qtmnet-asl" / "qtmnet-asl.safetensors"
"""Likewise, by `tracerflow train qtmnet-asl`."""

FORMAT = "qtmnet 3"

WITH_WEIGHTS = ("qtmnet 2", FORMAT)
"""Formats whose weights are the same; the older lacks what calibration says now."""

_IN_FILE = {"aif_given": "told", "calibration_factor": "widening", "training_distribution": "familiarity"}
"""What files of this format call by another name: renamed here alone, since the checksums of the files that ship are
part of the committed results."""

_HERE = {theirs: ours for ours, theirs in _IN_FILE.items()}

_NUMBERS = ("calibration_factor", "common_error", "limits")
"""What of the calibration are numbers by name, kept beside the arrays."""


class Calibration(NamedTuple):
    """What is known of a trained network, to be kept in the file of its weights.

    calibration_factor : by quantity, the factor on its standard deviation that makes 90 % intervals true (already times
    1.645).
    common_error : by quantity, root mean square over scans of what all of a scan's voxels are off by together.
    training_distribution : of curves and of scans, with the limits.
    limits : what each limit does to calibration's own scans, see `estimate.qtmnet.learning.limits`.
    """

    calibration_factor: dict[str, float]
    common_error: dict[str, float]
    training_distribution: TrainingDistribution
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
    def calibration_factor(self) -> dict[str, float]:
        """See `Calibration`."""
        return self.calibration.calibration_factor

    @property
    def training_distribution(self) -> TrainingDistribution:
        """See `Calibration`."""
        return self.calibration.training_distribution


def save_trained(path: AnyPath, trained: Trained) -> None:
    """Write a network, whole or not at all."""
    tree = as_tree(trained.network) | {"training_distribution": _plain(trained.training_distribution)}
    facts = {
        "format": FORMAT,
        "architecture": asdict(trained.network.shape),
        "uses_branch": trained.uses_branch,
        **{name: getattr(trained.calibration, name) for name in _NUMBERS},
        **trained.facts,
    }
    save_tree(path, _renamed(tree, _IN_FILE), _renamed(facts, _IN_FILE))


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
    shape = _architecture(facts)
    unknown = TrainingDistribution.empty(shape.sees.nodes, shape.context)
    like = _renamed({"training_distribution": _plain(unknown)}, _IN_FILE)
    learnt = _renamed(load_tree(path, like), _HERE)["training_distribution"]
    return Trained(
        network=read_network(path, lambda: QTMnet(shape, rngs=nnx.Rngs(0))),
        uses_branch=facts["uses_branch"],
        calibration=Calibration(
            training_distribution=TrainingDistribution(**{name: Gaussian(**arrays) for name, arrays in learnt.items()}),
            **{name: facts[name] for name in _NUMBERS},
        ),
        facts=facts,
    )


def load_uncalibrated(path: AnyPath, *, tracer: str = "contrast") -> tuple[QTMnet, bool, dict[str, Any]]:
    """(network, whether its branch was trained, facts) to calibrate it again; files of `WITH_WEIGHTS` hold that much.

    Raises InputError for any other file.
    """
    facts = _facts(path, tracer, WITH_WEIGHTS)
    network = read_network(path, lambda: QTMnet(_architecture(facts), rngs=nnx.Rngs(0)))
    return network, facts["uses_branch"], facts


def _facts(path: AnyPath, tracer: str, formats: tuple[str, ...]) -> dict[str, Any]:
    facts = _renamed(read_facts(path), _HERE)
    command, kind = ("qtmnet", "ASL") if tracer == "contrast" else ("qtmnet-asl", "DCE")
    if facts.get("format") not in formats:
        cure = f"give weights of the format {FORMAT!r}"
        if facts.get("format") in WITH_WEIGHTS:
            cure = f"calibrate them again: tracerflow train {command} --calibrate {path} --out DIR"
        raise InputError(path, "format", f"is {facts.get('format')!r}", cure)
    if _architecture(facts).tracer != tracer:
        raise InputError(path, "tracer", f"is not {tracer}: these weights are for {kind}", f"give those of {command}")
    return facts


def _architecture(facts: dict[str, Any]) -> Architecture:
    described = facts["architecture"]
    return Architecture(**{**described, "branch": tuple(described["branch"])})


def _renamed(tree: Any, names: dict[str, str]) -> Any:
    """With these names in the place of others, at every level."""
    if not isinstance(tree, dict):
        return tree
    return {names.get(name, name): _renamed(value, names) for name, value in tree.items()}


def _plain(known: TrainingDistribution) -> dict[str, dict[str, Any]]:
    return {name: points._asdict() for name, points in known._asdict().items()}
