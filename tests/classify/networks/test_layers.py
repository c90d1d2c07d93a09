"""Layers against their definitions: other libraries' layers, moments, limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from classify.networks.aslnet import ASLNetArchitecture
from classify.networks.film import GATE, WIDEST, Modulation, Standardised
from classify.networks.layers import GroupNorm, dropout, max_pool
from simulate.base.errors import InputError


def volumes(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.x64
def test_group_norm_is_flaxs_own_in_value_and_gradient():
    x = 3 + 2 * volumes(2, 5, 4, 3, 8)
    ours, theirs = GroupNorm(8, 2), nnx.GroupNorm(8, num_groups=2, epsilon=1e-5, rngs=nnx.Rngs(0))
    for norm in (ours, theirs):
        norm.scale.set_value(volumes(8, seed=1))
        norm.bias.set_value(volumes(8, seed=2))
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-9)
    one, other = (jax.grad(lambda x, norm=norm: jnp.sum(jnp.sin(norm(x))))(x) for norm in (ours, theirs))
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_group_norm_keeps_its_digits_far_from_zero():
    """A variance as difference of mean squares would lose them all."""
    x = volumes(1, 6, 6, 6, 4).astype(jnp.float32)
    np.testing.assert_allclose(GroupNorm(4, 2)(x + 1000), GroupNorm(4, 2)(x), atol=2e-3)


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(InputError, match=r"groups: 3: does not divide 8 channels; give a divisor"):
        GroupNorm(8, 3)


@pytest.mark.parametrize("edge", [7, 8])
def test_max_pool_is_xlas_window_in_value_and_gradient(edge):
    x = volumes(2, edge, edge + 1, edge, 3)
    sides = ((0, 0), *((1, 1),) * 3, (0, 0))

    def window(x):
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 3, 1), (1, 2, 2, 2, 1), sides)

    np.testing.assert_array_equal(max_pool(x), window(x))
    one, other = (jax.grad(lambda x, pool=pool: jnp.sum(jnp.sin(pool(x))))(x) for pool in (max_pool, window))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_dropout_leaves_out_whole_channels_and_keeps_the_mean():
    x, rate = 1 + 0 * volumes(400, 2, 2, 2, 50), 0.3
    left = dropout(x, rate, jax.random.key(0))
    channels = np.asarray(left).reshape(400, 8, 50)
    assert (channels == channels[:, :1]).all()
    share = (channels[:, 0] == 0).mean()
    assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / 20_000)
    np.testing.assert_allclose(np.unique(channels), [0, 1 / (1 - rate)], rtol=1e-6)
    np.testing.assert_array_equal(dropout(x, rate, None), x)


def test_standardised_numbers_have_the_given_mean_and_deviation():
    given = np.array([[50.0, 0.0], [70.0, 1.0], [60.0, 1.0]])
    standardised = Standardised(2, given.mean(0), given.std(0))(jnp.asarray(given))
    np.testing.assert_allclose(standardised.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(0), 1, atol=1e-6)
    with pytest.raises(InputError, match=r"mean: has the shape \(3,\), not \(2,\)"):
        Standardised(2, np.zeros(3))


def test_a_new_survival_network_is_the_one_without_the_numbers():
    network = ASLNetArchitecture(channels=2, outputs=1, tabular=3, width=8).build(seed=3)
    x = volumes(2, 16, 16, 16, 2)
    patients = [volumes(2, 3, seed=seed) for seed in (1, 2)]
    one, other = jax.jit(lambda x: [network(x, tabular) for tabular in patients])(x)
    np.testing.assert_array_equal(one, other)
    for stage in network.stages:
        for block in stage:
            if block.modulation is not None:
                block.modulation.scale.kernel.set_value(volumes(64, block.modulation.scale.out_features))
    one, other = jax.jit(lambda x: [network(x, tabular) for tabular in patients])(x)
    assert np.abs(one - other).max() > 1e-3


def test_a_modulation_moves_features_by_no_more_than_its_gate():
    x, condition = volumes(1, 2, 2, 2, 4), volumes(1, 128)
    modulation = Modulation(4, rngs=nnx.Rngs(0))
    modulation.shift.bias.set_value(jnp.full(4, 100.0))  # tanh is 1
    np.testing.assert_allclose(modulation(x, condition) - x, GATE, rtol=1e-5)
    modulation.shift_gate.set_value(jnp.asarray(3.0))
    np.testing.assert_allclose(modulation(x, condition) - x, WIDEST, rtol=1e-5)
