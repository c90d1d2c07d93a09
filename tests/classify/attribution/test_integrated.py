"""Integrated gradients against their closed forms, and their nodes against the gap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.attribution.completeness import completeness_gap
from classify.attribution.integrated import integrated_gradients

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
X, B = RNG.standard_normal((2, 7))
A = RNG.standard_normal((7, 7))
A = A + A.T


def test_of_a_quadratic_form():
    """f = x'Ax/2: the gradient is linear along the path, a = (x-b) A (x+b)/2; from 0, x (A x)/2."""
    f = lambda x: x @ A @ x / 2  # noqa: E731
    found = integrated_gradients(f, X, B)
    np.testing.assert_allclose(found.attribution, (X - B) * (A @ (X + B)) / 2, atol=1e-12)
    assert found.delta == pytest.approx(f(X) - f(B), abs=1e-12)
    assert found.gap < 1e-12
    assert found.nodes == 16
    np.testing.assert_allclose(integrated_gradients(f, X, 0 * X).attribution, X * (A @ X) / 2, atol=1e-12)


def test_of_a_product_and_of_a_sum_of_functions():
    """x y from 0 is shared by half; parts of a sum are the sums of each one's own, f_i(x_i) - f_i(b_i)."""
    found = integrated_gradients(lambda x: x["a"] * x["b"], {"a": 3.0, "b": 5.0}, {"a": 0.0, "b": 0.0})
    assert [float(found.attribution[k]) for k in "ab"] == pytest.approx([7.5, 7.5])
    found = integrated_gradients(lambda x: jnp.sum(jnp.exp(x)), X, B)
    np.testing.assert_allclose(found.attribution, np.exp(X) - np.exp(B), atol=1e-12)


def test_two_ways_to_write_a_function_have_the_same_parts():
    one = integrated_gradients(lambda x: jnp.sum(x) ** 2, X, B)
    other = integrated_gradients(lambda x: jnp.sum(x[:, None] * x[None, :]), X, B)
    np.testing.assert_allclose(one.attribution, other.attribution, atol=1e-12)


def kinked(x):
    """A rectifier that opens at 0.3 of the path from 0 to a point of sum 1."""
    return jax.nn.relu(jnp.sum(x) - 0.3)


def test_nodes_are_taken_until_the_gap_is_small():
    x = np.array([0.5, 0.25, 0.25])
    coarse, fine = (integrated_gradients(kinked, x, 0 * x, tolerance=t) for t in (0.05, 0.002))
    assert coarse.nodes < fine.nodes
    assert coarse.gap <= 0.05
    assert fine.gap <= 0.002
    np.testing.assert_allclose(fine.attribution, 0.7 * x, rtol=0.002)


def test_a_tolerance_out_of_reach_is_told_by_the_gap():
    x = np.array([0.5, 0.5])
    found = integrated_gradients(kinked, x, 0 * x, tolerance=0.0, nodes=(2, 3))
    assert found.nodes == 3  # Gauss-Legendre: .11, .5, .89 with 5, 8, 5 of 18; the rectifier is open at the last two
    assert found.gap == pytest.approx((13 / 18 - 0.7) / 0.7, abs=1e-12)


def test_parts_that_cancel_have_a_gap_of_their_own_size():
    assert completeness_gap({"a": np.array([3.0, -3.0]), "b": np.array(0.1)}, 0.0) == pytest.approx(0.1 / 0.61)
    assert completeness_gap(np.zeros(3), 0.0) == 0


def test_memory_does_not_grow_with_the_nodes():
    x = RNG.standard_normal(1000)
    held = []

    def look(what, done, total):
        held.append(sum(each.nbytes for each in jax.live_arrays()))

    integrated_gradients(lambda x: jnp.sum(jnp.abs(x - 0.5)), x, 0 * x, tolerance=0.0, nodes=(200,), progress=look)
    assert len(held) == 200
    assert max(held[3:]) <= held[3]
