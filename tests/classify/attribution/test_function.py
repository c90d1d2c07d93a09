"""What is refused of a caller's function and its input, and how often it is compiled."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from classify.attribution.function import in_batches
from classify.attribution.gradient import saliency
from classify.attribution.integrated import integrated_gradients
from simulate.base.errors import InputError


def test_several_numbers_are_no_logit():
    with pytest.raises(InputError, match=r"f: gives no real number but something of shape \(3,\); let it return one"):
        saliency(lambda x: x[:3], np.ones(5))
    with pytest.raises(InputError, match="something a tuple"):
        saliency(lambda x: (x[0], x[1]), np.ones(5))


def test_a_gradient_that_is_not_finite_is_named_and_counted():
    x = {"image": np.array([0.0, 1.0, 0.0, 4.0]), "age": np.array(50.0)}
    with pytest.raises(InputError, match=r"x\['image'\]: gradient of f: is not finite in 2 of 4 elements; mend"):
        saliency(lambda x: jnp.sum(jnp.sqrt(x["image"])) + x["age"], x)


def test_values_that_are_not_finite_are_named_and_counted():
    x = np.array([1.0, np.nan, np.inf])
    with pytest.raises(InputError, match="x: is not finite in 2 of 3 elements; replace"):
        saliency(jnp.sum, x)
    with pytest.raises(InputError, match="baseline: is not finite in 1 of 2"):
        integrated_gradients(jnp.sum, np.ones(2), np.array([0.0, np.nan]))
    with pytest.raises(InputError, match="f: value at x and baseline: is not finite in 1 of 2"):
        integrated_gradients(lambda x: jnp.sum(jnp.log(x)), np.ones(2), np.zeros(2))


@pytest.mark.parametrize("baseline", [np.zeros(3), np.zeros((2, 1)), [np.zeros((2, 3))]])
def test_a_baseline_of_another_shape_is_refused(baseline):
    with pytest.raises(InputError, match=r"baseline: has shape .*, and x has \(2, 3\); give a baseline for every"):
        integrated_gradients(jnp.sum, np.ones((2, 3)), baseline)


def test_a_step_is_compiled_once_whatever_the_nodes_and_for_all_parameters_of_a_partial():
    x, traces = np.arange(3.0), []

    def network(w, x):
        traces.append(0)
        return jnp.sum(w * x**2)

    few = integrated_gradients(Partial(network, np.ones(3)), x, 0 * x, nodes=(16,))
    first = len(traces)
    many = integrated_gradients(Partial(network, np.ones(3)), x, 0 * x, nodes=(128,))
    doubled = integrated_gradients(Partial(network, 2 * np.ones(3)), x, 0 * x)
    assert len(traces) == first
    np.testing.assert_allclose(many.attribution, few.attribution, rtol=1e-5)
    np.testing.assert_allclose(doubled.attribution, 2 * np.asarray(few.attribution), rtol=1e-5)


def test_batches_have_one_shape_whatever_is_left():
    seen = []

    def program(rows):
        seen.append(rows.shape)
        return rows[:, 0] ** 2

    rows = np.arange(14.0).reshape(7, 2)
    np.testing.assert_array_equal(in_batches(program, rows, 3), rows[:, 0] ** 2)
    assert seen == [(3, 2)] * 3
    np.testing.assert_array_equal(in_batches(program, rows, 100), rows[:, 0] ** 2)
    assert seen[3:] == [(7, 2)]


def test_a_network_that_has_learned_since_is_not_mistaken_for_what_it_was():
    holder = {"w": 1.0}

    def f(x):
        return holder["w"] * jnp.sum(x)

    before = saliency(f, np.ones(2))
    holder["w"] = 3.0
    np.testing.assert_allclose(saliency(f, np.ones(2)), 3 * np.asarray(before))
