"""Losses against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from classify.learning.losses import binary_cross_entropy, class_weights, cross_entropy
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64

LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])
LABELS = np.array([0, 2])


def test_class_weights_make_classes_count_alike_with_mean_1():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    weights = class_weights(labels, 3)
    np.testing.assert_allclose(weights, [8 / 15, 8 / 6, 8 / 3])
    np.testing.assert_allclose([weights[labels][labels == k].sum() for k in range(3)], 8 / 3)
    np.testing.assert_allclose(weights[labels].mean(), 1)


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(InputError, match="labels: class 1: has no example; leave the class out"):
        class_weights(np.array([0, 2, 0]), 3)
    for wrong in (np.array([0, 3]), np.array([0.5, 1]), np.array([[0, 1]])):
        with pytest.raises(InputError, match="labels: are not all whole numbers from 0 to 2"):
            class_weights(wrong, 3)


def test_cross_entropy_is_the_mean_of_minus_log_p():
    p = log_softmax(LOGITS, axis=-1)
    np.testing.assert_allclose(cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS)), -(p[0, 0] + p[1, 2]) / 2)
    weights = jnp.array([3.0, 1.0, 0.5])
    expected = -(3 * p[0, 0] + 0.5 * p[1, 2]) / 2
    np.testing.assert_allclose(cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS), weights=weights), expected)


def test_label_smoothing_is_a_mixture_with_the_uniform_label():
    smooth = cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS), smoothing=0.2)
    everywhere = np.mean([cross_entropy(jnp.asarray(LOGITS), jnp.full(2, k)) for k in range(3)])
    np.testing.assert_allclose(smooth, 0.8 * cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS)) + 0.2 * everywhere)


def test_smoothing_puts_the_minimum_at_the_smoothed_probabilities():
    """The gradient vanishes at p = (1 - s) q + s/K."""
    logits = jnp.log(jnp.array([[0.1, 0.8, 0.1]]))
    slope = jax.grad(lambda x: cross_entropy(x, jnp.array([1]), smoothing=0.3))(logits)
    np.testing.assert_allclose(slope, 0, atol=1e-15)


def test_binary_cross_entropy_is_that_of_the_logistic_function():
    logits, labels, weights = jnp.array([[1.3], [-0.4]]), jnp.array([1.0, 0.0]), jnp.array([0.5, 2.0])
    p = 1 / (1 + np.exp(-np.asarray(logits[:, 0])))
    expected = -(2 * np.log(p[0]) + 0.5 * np.log(1 - p[1])) / 2
    np.testing.assert_allclose(binary_cross_entropy(logits, labels, weights=weights), expected)
    assert np.isfinite(binary_cross_entropy(jnp.array([[-800.0]]), jnp.array([1])))
