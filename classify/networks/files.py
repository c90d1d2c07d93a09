"""A classifier's network in a file: its weights with the description of what they belong to."""

from typing import Any

import msgspec

from classify.networks.aslnet import ASLNetArchitecture
from classify.networks.mlp import MLPArchitecture
from classify.networks.resnet import ResNetArchitecture
from classify.networks.small import SmallCNNArchitecture
from classify.networks.staged import Staged
from estimate.networks.tree_file import read_facts, save_tree
from estimate.networks.weights import as_tree, read_network
from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath

FORMAT = "classifier 1"

AnyArchitecture = ResNetArchitecture | ASLNetArchitecture | SmallCNNArchitecture | MLPArchitecture
"""Told apart in JSON by the field "kind"."""


def save_network(path: AnyPath, network: Staged, facts: dict[str, Any] | None = None) -> None:
    """Write a network as safetensors, whole or not at all.

    Parameters
    ----------
    path : path
        Of the file.
    network : Staged
        Any of those that have an architecture here.
    facts : dict
        What else is to be kept, as JSON: how it was trained.
    """
    described = msgspec.to_builtins(network.architecture)
    save_tree(path, as_tree(network), {"format": FORMAT, "architecture": described, "facts": facts or {}})


def load_network(path: AnyPath, architecture: AnyArchitecture | None = None) -> Staged:
    """Read a network.

    Parameters
    ----------
    path : path
        What `save_network` wrote.
    architecture : architecture
        Which it has to have; any if left out.

    Returns
    -------
    Staged
        With its weights and the statistics that it was given.

    Raises
    ------
    InputError
        For another file, and for weights of another architecture.
    """
    found = _described(path)
    if architecture is not None and found != architecture:
        raise InputError(
            path, "architecture", f"is {found}, not {architecture}", "give the weights of that, or ask for none"
        )
    return read_network(path, found.build)


def network_facts(path: AnyPath) -> dict[str, Any]:
    """What `save_network` was told beside the network.

    Parameters
    ----------
    path : path
        What it wrote.

    Returns
    -------
    dict
        As it was given.

    Raises
    ------
    InputError
        For another file.
    """
    _described(path)
    return read_facts(path)["facts"]


def _described(path: AnyPath) -> AnyArchitecture:
    facts = read_facts(path)
    if facts.get("format") != FORMAT:
        raise InputError(path, "format", f"is {facts.get('format')!r}", f"give weights of the format {FORMAT!r}")
    try:
        return msgspec.convert(facts["architecture"], AnyArchitecture)
    except msgspec.ValidationError as error:
        cure = "give weights of this version of the program"
        raise InputError(path, "architecture", f"cannot be understood ({error})", cure) from error
