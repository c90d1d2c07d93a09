"""Gradients, plain and averaged over noise, of functions whose derivative is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.attribution.gradient import input_x_gradient, saliency
from classify.attribution.smoothed import smooth_grad
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((2, 4, 3))


def test_of_a_linear_function_the_gradient_is_its_weights_and_times_x_it_is_complete():
    found = saliency(lambda x: jnp.sum(W * x) + 2.0, X)
    np.testing.assert_allclose(found, W, atol=1e-14)
    parts = input_x_gradient(lambda x: jnp.sum(W * x) + 2.0, X)
    np.testing.assert_allclose(parts, W * X, atol=1e-14)


def test_a_tree_is_answered_by_a_tree_and_integers_are_numbers():
    found = saliency(lambda x: jnp.sum(x["image"] ** 3) * x["age"], {"image": X, "age": 60})
    np.testing.assert_allclose(found["image"], 180 * X**2, rtol=1e-12)
    assert float(found["age"]) == pytest.approx(np.sum(X**3))


def test_noise_changes_no_linear_function():
    found = smooth_grad(lambda x: jnp.sum(W * x), X, key=jax.random.key(0), sigma=3.0, n=5)
    np.testing.assert_allclose(found.mean, W, atol=1e-14)
    np.testing.assert_allclose(found.squared, W**2, atol=1e-14)
    np.testing.assert_allclose(found.variance, 0, atol=1e-14)


def test_moments_of_a_sines_derivative_have_their_closed_form():
    """E cos(x + s z) = cos(x) e^{-s²/2},  E cos² = (1 + cos(2x) e^{-2s²}) / 2."""
    s, n = 0.7, 3000
    found = smooth_grad(lambda x: jnp.sum(jnp.sin(x)), X, key=jax.random.key(1), sigma=s, n=n)
    mean, squared = np.cos(X) * np.exp(-(s**2) / 2), (1 + np.cos(2 * X) * np.exp(-2 * s**2)) / 2
    np.testing.assert_array_less(np.abs(found.mean - mean), 4 * found.stderr)
    np.testing.assert_allclose(found.squared, squared, atol=4 * np.sqrt(0.125 / n))  # cos² varies by 1/8 at the most
    np.testing.assert_allclose(found.variance, found.stderr**2 * n, rtol=1e-12)
    np.testing.assert_allclose(found.variance, squared - mean**2, atol=0.05)


def test_the_variance_of_few_samples_is_not_too_small():
    """The gradient of x²/2 is x + s z; of two samples of 20,000 elements the mean variance is s², to 1 % of it."""
    x = np.zeros(20_000)
    found = smooth_grad(lambda x: jnp.sum(x**2) / 2, x, key=jax.random.key(4), sigma=0.5, n=2)
    assert np.mean(found.variance) == pytest.approx(0.25, rel=0.04)


def test_each_leaf_has_its_own_noise():
    x = {"still": X, "moved": X}
    found = smooth_grad(
        lambda x: jnp.sum(x["still"] ** 2 + x["moved"] ** 2), x,
        key=jax.random.key(2), sigma={"still": 0.0, "moved": 0.5}, n=200,
    )  # fmt: skip
    np.testing.assert_allclose(found.variance["still"], 0, atol=1e-20)
    assert np.mean(found.variance["moved"]) == pytest.approx(1.0, rel=0.15)  # (2 s)²


def test_one_sample_tells_no_spread():
    with pytest.raises(InputError, match="n: is 1; take 2"):
        smooth_grad(jnp.sum, X, key=jax.random.key(0), sigma=1.0, n=1)


def test_noise_on_another_grid_is_refused():
    with pytest.raises(InputError, match=r"sigma: has shape \(3,\), and x has \(4, 3\); give it on the grid"):
        smooth_grad(jnp.sum, X, key=jax.random.key(0), sigma=np.ones(3))
