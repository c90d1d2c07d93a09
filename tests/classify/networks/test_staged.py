"""Every network can be stopped at each of its layers and taken up again, and is a pure function of its weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.networks.aslnet import ASLNetArchitecture
from classify.networks.mlp import MLPArchitecture
from classify.networks.resnet import ResNetArchitecture
from classify.networks.small import SmallCNNArchitecture
from classify.networks.staged import pure, weight_count, with_weights
from simulate.base.errors import InputError

ARCHITECTURES = [
    ResNetArchitecture(channels=2, width=8),
    ASLNetArchitecture(channels=2, outputs=1, tabular=3, width=8, final_norm=True),
    SmallCNNArchitecture(channels=2, widths=(8, 16), dropout=0.5),
    SmallCNNArchitecture(channels=2, widths=(8, 16), groups=0),
    MLPArchitecture(channels=2, hidden=(6, 5), dropout=0.5),
]


def drawn(architecture):
    rng = np.random.default_rng(0)
    space = () if isinstance(architecture, MLPArchitecture) else (16, 16, 16)
    tabular = getattr(architecture, "tabular", 0)
    x = jnp.asarray(rng.standard_normal((2, *space, 2)), jnp.float32)
    return x, jnp.asarray(rng.standard_normal((2, tabular)), jnp.float32) if tabular else None


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(a, marks=pytest.mark.slow if isinstance(a, ASLNetArchitecture) else ()) for a in ARCHITECTURES],
    ids=lambda a: type(a).__name__,
)
def test_head_after_features_is_the_network(architecture):
    network, (x, tabular) = architecture.build(seed=1), drawn(architecture)
    whole = jax.jit(lambda x: network(x, tabular))(x)
    assert whole.shape == (2, architecture.outputs)
    assert np.isfinite(whole).all()
    name = network.layers[len(network.layers) // 2]
    features = jax.jit(lambda x: network.features(x, name, tabular))(x)
    logits = jax.jit(lambda h: network.head(h, name, tabular))(features)
    np.testing.assert_allclose(logits, whole, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES[2:], ids=lambda a: type(a).__name__)
def test_examples_of_a_batch_do_not_touch_each_other(architecture):
    network, (x, tabular) = architecture.build(seed=1), drawn(architecture)
    alone = jax.jit(network)(x[:1], None if tabular is None else tabular[:1])
    np.testing.assert_allclose(jax.jit(network)(x, tabular)[:1], alone, rtol=1e-4, atol=1e-5)


def test_a_network_is_a_function_of_its_weights_alone():
    architecture = ARCHITECTURES[2]
    apply, weights = pure(architecture.build(seed=1))
    other = architecture.build(seed=2)
    x, _ = drawn(architecture)
    assert np.abs(apply(weights, x) - other(x)).max() > 1e-3
    np.testing.assert_array_equal(apply(pure(other)[1], x), other(x))
    np.testing.assert_array_equal(with_weights(other, weights)(x), apply(weights, x))
    assert sum(leaf.size for leaf in jax.tree.leaves(weights)) == weight_count(other)


def test_dropout_needs_a_key_and_depends_on_it_alone():
    network, (x, _) = ARCHITECTURES[2].build(seed=1), drawn(ARCHITECTURES[2])
    one, again, other = (network(x, key=jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_array_equal(network(x), network(x))


def test_statistics_that_are_given_are_not_learnt():
    network = MLPArchitecture(channels=2).build(mean=np.array([1.0, 2.0]), deviation=np.array([3.0, 4.0]))
    assert weight_count(network) == 2 * 32 + 32 + 32 * 2 + 2
    np.testing.assert_allclose(network.features(jnp.array([[4.0, 6.0]]), "standardised"), 1)


def test_what_does_not_fit_is_refused():
    network = ARCHITECTURES[1].build()
    x, tabular = drawn(ARCHITECTURES[1])
    with pytest.raises(InputError, match="x: has 1 channels, not 2"):
        network(x[..., :1], tabular)
    with pytest.raises(InputError, match="tabular: is missing; give the 3"):
        network(x)
    with pytest.raises(InputError, match="tabular: has 2 numbers"):
        network(x, tabular[:, :2])
    with pytest.raises(InputError, match=r"layer: stage9: is not one of the network's; give one of stem, stage1"):
        network.features(x, "stage9", tabular)
    with pytest.raises(InputError, match="without tabular inputs"):
        ARCHITECTURES[0].build()(x, tabular)
