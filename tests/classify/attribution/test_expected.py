"""Expected gradients: exact where nothing is drawn, and within their stated error where it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial

from classify.attribution.expected import expected_gradients
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((2, 6))
BASELINES = RNG.standard_normal((5, 6))


def linear(w, x):
    return jnp.sum(w * x)


def bent(w, x):
    return jnp.tanh(jnp.sum(w * x)) + jnp.sum(x**2)


def test_one_baseline_and_a_linear_function_leave_nothing_to_chance():
    found = expected_gradients(Partial(linear, W), X, BASELINES[:1], key=jax.random.key(0), samples=3)
    np.testing.assert_allclose(found.attribution, W * (X - BASELINES[0]), atol=1e-13)
    np.testing.assert_allclose(found.stderr, 0, atol=1e-13)
    assert found.gap < 1e-12
    assert found.gap_stderr < 1e-12


def test_a_linear_function_is_explained_against_the_mean_baseline():
    found = expected_gradients(Partial(linear, W), X, BASELINES, key=jax.random.key(1), samples=400)
    expected = W * (X - BASELINES.mean(axis=0))
    np.testing.assert_array_less(np.abs(found.attribution - expected), 4 * found.stderr)
    assert found.delta == pytest.approx(expected.sum(), abs=1e-12)
    assert found.gap < 4 * found.gap_stderr


def test_of_a_sum_of_functions_each_part_is_its_own_difference():
    """a_i = e^x_i - e^b_i, whose gradient is not linear along the path."""
    for k, baseline in enumerate(BASELINES):
        found = expected_gradients(lambda x: jnp.sum(jnp.exp(x)), X, baseline[None], key=jax.random.key(k), samples=100)
        expected = np.exp(X) - np.exp(baseline)
        np.testing.assert_array_less(np.abs(found.attribution - expected), 4 * found.stderr)
        assert np.max(found.stderr / np.abs(expected)) < 0.1


def test_the_gap_has_the_error_that_is_stated():
    """Of 60 runs about 95 % lie within two standard errors: 51 to 60 but once in ten thousand."""
    f = Partial(bent, W)
    runs = [expected_gradients(f, X, BASELINES, key=jax.random.key(k), samples=50) for k in range(60)]
    assert sum(run.gap < 2 * run.gap_stderr for run in runs) >= 51
    assert sum(run.gap > 0.3 * run.gap_stderr for run in runs) >= 30  # 76 % of a normal distribution: not overstated


def test_four_times_the_samples_halve_the_error():
    f = Partial(bent, W)
    few, many = (expected_gradients(f, X, BASELINES, key=jax.random.key(3), samples=n) for n in (100, 1600))
    ratio = np.sqrt(np.mean(np.square(few.stderr)) / np.mean(np.square(many.stderr)))
    assert ratio == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("baselines", [BASELINES[:, :3], X, BASELINES[:0]])
def test_baselines_of_another_shape_are_refused(baselines):
    with pytest.raises(InputError, match=r"baselines: have shape .*, and x has \(6,\); stack the baselines"):
        expected_gradients(Partial(linear, W), X, baselines, key=jax.random.key(0))
