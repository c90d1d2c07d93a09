"""A network comes back from its file as it was, and nothing else is taken for it."""

import jax.numpy as jnp
import numpy as np
import pytest

from classify.networks.aslnet import ASLNetArchitecture
from classify.networks.files import load_network, network_facts, save_network
from classify.networks.mlp import MLPArchitecture
from classify.networks.small import SmallCNNArchitecture
from estimate.networks.tree_file import save_tree
from estimate.networks.weights import weights_digest
from simulate.base.errors import InputError

ARCHITECTURES = [
    ASLNetArchitecture(channels=1, outputs=1, tabular=2, width=8),
    SmallCNNArchitecture(widths=(8,)),
    MLPArchitecture(channels=3),
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: type(a).__name__)
def test_a_network_survives_its_file_to_the_bit(tmp_path, architecture):
    network = architecture.build(seed=5)
    save_network(tmp_path / "a.safetensors", network, {"trained on": "nothing"})
    again = load_network(tmp_path / "a.safetensors", architecture)
    assert again.architecture == architecture
    assert weights_digest(again) == weights_digest(network) != weights_digest(architecture.build(seed=6))
    assert network_facts(tmp_path / "a.safetensors") == {"trained on": "nothing"}


def test_statistics_are_in_the_file(tmp_path):
    network = MLPArchitecture(channels=2).build(mean=np.array([1.0, 2.0]), deviation=np.array([3.0, 4.0]))
    save_network(tmp_path / "a.safetensors", network)
    x = jnp.array([[4.0, 6.0]])
    np.testing.assert_array_equal(load_network(tmp_path / "a.safetensors")(x), network(x))


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_network(path, MLPArchitecture(channels=3).build())
    found, asked = r"MLPArchitecture\(channels=3.*\)", r"MLPArchitecture\(channels=4.*\)"
    with pytest.raises(InputError, match=rf"a.safetensors: architecture: is {found}, not {asked}; give the weights"):
        load_network(path, MLPArchitecture(channels=4))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="no such file"):
        load_network(path)
    save_tree(path, {"weights": np.zeros(3)}, {"format": "qtmnet 3"})
    with pytest.raises(InputError, match=r"format: is 'qtmnet 3'; give weights of the format 'classifier 1'"):
        network_facts(path)
    save_tree(path, {"weights": np.zeros(3)}, {"format": "classifier 1", "architecture": {"kind": "oracle"}})
    with pytest.raises(InputError, match="architecture: cannot be understood"):
        load_network(path)
    described = {"kind": "mlp", "channels": 3, "outputs": 2, "hidden": [4], "dropout": 0.0}
    save_tree(path, {"weights": np.zeros(3)}, {"format": "classifier 1", "architecture": described})
    with pytest.raises(InputError, match="cannot be read as weights of this network"):
        load_network(path)
