"""Shapley values by hand, by their axioms, and by sampling within its error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.attribution.coalitions import sampled_shapley, shapley
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
W = RNG.standard_normal(6)
C = np.triu(RNG.standard_normal((6, 6)), 1)
ONE_EACH = np.arange(6)


def both(f, x, baseline, groups, pairs=4):
    yield shapley(f, x, baseline, groups)
    yield sampled_shapley(f, x, baseline, groups, key=jax.random.key(0), pairs=pairs)


def test_of_an_additive_game_they_are_the_parts():
    x, baseline, groups = RNG.standard_normal(6), RNG.standard_normal(6), np.array([0, 0, 1, 2, 1, 0])
    expected = [(W * (x - baseline))[groups == g].sum() for g in range(3)]
    for found in both(lambda x: W @ x + 3, x, baseline, groups):
        np.testing.assert_allclose(found.values, expected, atol=1e-12)
        np.testing.assert_allclose(found.stderr, 0, atol=1e-12)
        assert found.delta == pytest.approx(np.sum(expected))


def test_what_pairs_do_together_is_shared_by_half():
    """v(S) = sum of a_i + sum of c_ij over pairs in S: phi_i = a_i + sum_j c_ij / 2, by reverse orders exactly so."""
    expected = W + (C + C.T).sum(axis=1) / 2
    for found in both(lambda x: W @ x + x @ C @ x, np.ones(6), np.zeros(6), ONE_EACH):
        np.testing.assert_allclose(found.values, expected, atol=1e-12)
        np.testing.assert_allclose(found.stderr, 0, atol=1e-12)


def test_the_glove_game():
    """One left glove, two right ones, a pair is worth 1: 2/3, 1/6, 1/6 (Shapley 1953)."""
    found = shapley(lambda x: x[0] * jnp.maximum(x[1], x[2]), np.ones(3), np.zeros(3), np.arange(3))
    np.testing.assert_allclose(found.values, [2 / 3, 1 / 6, 1 / 6], atol=1e-12)


def many_together(x):
    return jnp.tanh(W @ x) * jnp.prod(1 + 0.5 * x[:4]) + x[5] * jnp.maximum(x[0], x[3])


def test_samples_lie_within_their_error_of_the_enumeration():
    exact = shapley(many_together, np.ones(6), np.zeros(6), ONE_EACH)
    assert exact.values.sum() == pytest.approx(exact.delta, abs=1e-12)
    runs = [
        sampled_shapley(many_together, np.ones(6), np.zeros(6), ONE_EACH, key=jax.random.key(k), pairs=60)
        for k in range(12)
    ]
    z = np.array([(run.values - exact.values) / run.stderr for run in runs])
    assert np.abs(z).max() < 4.5
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.5  # neither understated nor overstated
    assert all(run.values.sum() == pytest.approx(run.delta, abs=1e-12) for run in runs)


def test_modalities_are_groups_and_a_region_has_all_its_channels():
    x = {"T1": np.full((2, 2), 2.0), "FLAIR": np.full((2, 2), 3.0)}
    zero = jax.tree.map(np.zeros_like, x)
    found = shapley(lambda x: jnp.sum(x["T1"] * x["FLAIR"]), x, zero, {"T1": 0, "FLAIR": 1})
    np.testing.assert_allclose(found.values, [12, 12])
    image = RNG.standard_normal((2, 2, 3))
    found = shapley(jnp.sum, image, 0 * image, np.array([[0, 0], [0, 1]]))
    np.testing.assert_allclose(found.values[1], image[1, 1].sum())


def test_groups_that_make_no_sense_are_refused():
    many = np.arange(20)
    with pytest.raises(InputError, match="groups: are 20, of 1,048,576 coalitions; merge them to 16, or sample"):
        shapley(jnp.sum, np.ones(20), np.zeros(20), many)
    found = sampled_shapley(jnp.sum, np.ones(20), np.zeros(20), many, key=jax.random.key(0), pairs=2)
    np.testing.assert_allclose(found.values, 1)
    with pytest.raises(InputError, match=r"groups: are numbered \[1, 2\]; number them 0, 1, 2"):
        shapley(jnp.sum, np.ones(3), np.zeros(3), np.array([1, 2, 2]))
    with pytest.raises(InputError, match=r"groups: has shape \(2,\), and x has \(3,\)"):
        shapley(jnp.sum, np.ones(3), np.zeros(3), np.array([0, 1]))
    with pytest.raises(InputError, match="pairs: is 1"):
        sampled_shapley(jnp.sum, np.ones(3), np.zeros(3), np.arange(3), key=jax.random.key(0), pairs=1)
    with pytest.raises(InputError, match="f: value of coalitions: is not finite in 2 of 4"):
        shapley(lambda x: jnp.log(x[0]) + x[1], np.ones(2), np.zeros(2), np.arange(2))
