"""Insertion and deletion curves and sensitivity-n of linear functions, whose answers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.attribution.judges.perturbation import insertion_deletion
from classify.attribution.judges.subsets import sensitivity_n
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
X, B, W = RNG.standard_normal((3, 40))
PARTS = W * (X - B)
F = lambda x: jnp.sum(W * x)  # noqa: E731
KEY = jax.random.key(0)


def test_curves_of_a_linear_function_are_sums_of_its_sorted_parts():
    found = insertion_deletion(F, X, B, PARTS, key=KEY, steps=40)
    start, end = F(B), F(X)
    falling = np.append(0.0, np.cumsum(np.sort(PARTS)[::-1]))
    np.testing.assert_allclose(found.share, np.arange(41) / 40)
    np.testing.assert_allclose(found.insertion, start + falling, atol=1e-12)
    np.testing.assert_allclose(found.deletion, end - falling, atol=1e-12)
    assert found.insertion_auc == pytest.approx(np.trapezoid(start + falling, found.share))
    assert found.deletion_auc < found.chance - 4 * found.chance_spread
    assert found.insertion_auc > found.chance + 4 * found.chance_spread


def test_random_orders_lead_straight_from_end_to_end():
    found = insertion_deletion(F, X, B, RNG.standard_normal(40), key=KEY, orders=60)
    assert found.chance == pytest.approx((F(X) + F(B)) / 2, abs=4 * found.chance_spread / np.sqrt(60))
    assert abs(found.insertion_auc - found.chance) < 4 * found.chance_spread


@pytest.mark.parametrize(("count", "steps"), [(40, 7), (5, 2)])
def test_equal_parts_cannot_be_ordered(count, steps):
    found = insertion_deletion(jnp.sum, np.ones(count), np.zeros(count), np.ones(count), key=KEY, steps=steps)
    assert (found.insertion_auc, found.deletion_auc, found.chance) == pytest.approx([count / 2] * 3)
    assert found.chance_spread == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.insertion, count * found.share)
    np.testing.assert_allclose(found.deletion, count * (1 - found.share))


def test_voxels_are_put_in_with_all_their_channels_and_trees_element_by_element():
    image, weights = RNG.standard_normal((2, 3, 4, 2))
    by_voxel = (image * weights).sum(axis=-1)
    found = insertion_deletion(lambda x: jnp.sum(weights * x), image, 0 * image, by_voxel, key=KEY, steps=12)
    np.testing.assert_allclose(found.insertion, np.append(0, np.cumsum(np.sort(by_voxel.ravel())[::-1])), atol=1e-12)
    tree = {"a": image, "b": weights}
    zero = jax.tree.map(np.zeros_like, tree)
    both = insertion_deletion(
        lambda x: jnp.sum(x["a"]) - jnp.sum(x["b"]), tree, zero, {"a": image, "b": -weights}, key=KEY
    )
    assert both.insertion.max() == pytest.approx(np.maximum(image, 0).sum() - np.minimum(weights, 0).sum(), rel=0.05)


def test_sensitivity_n_of_a_linear_function_is_one():
    found = sensitivity_n(F, X, B, PARTS, sizes=[1, 5, 20, 39], key=KEY)
    np.testing.assert_allclose(found.correlation, 1, atol=1e-12)
    np.testing.assert_array_equal(found.sizes, [1, 5, 20, 39])


def test_of_a_wrong_sign_minus_one_and_of_one_that_knows_nothing_chance():
    np.testing.assert_allclose(sensitivity_n(F, X, B, -PARTS, sizes=[7], key=KEY).correlation, -1, atol=1e-12)
    flat = sensitivity_n(F, X, B, np.ones(40), sizes=[7], key=KEY)
    assert flat.correlation == pytest.approx(0)  # all sums are the same
    runs = [
        sensitivity_n(F, X, B, RNG.standard_normal(40), sizes=[10], key=jax.random.key(k), subsets=50)
        for k in range(25)
    ]
    unrelated = np.array([run.correlation[0] for run in runs])
    about = np.sqrt(runs[0].chance ** 2 + 1 / 39)  # of the subsets, and of 40 parts that are unrelated by chance alone
    assert np.sqrt(np.mean(unrelated**2)) == pytest.approx(about, rel=0.6)


def test_an_interaction_is_missed_by_gradients_and_the_correlation_says_so():
    f = lambda x: x[0] * x[1]  # noqa: E731
    found = sensitivity_n(f, np.ones(4), np.zeros(4), np.array([1.0, 1, 0, 0]), sizes=[1, 2], key=KEY, subsets=600)
    # n = 1: taking either out takes all: the parts say so. n = 2: of the 6 pairs 5 take all, with parts 2 1 1 1 1 0.
    assert found.correlation[0] == pytest.approx(1)
    exact = np.corrcoef([2, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0])[0, 1]
    assert found.correlation[1] == pytest.approx(exact, abs=0.08)


@pytest.mark.parametrize("sizes", [[0], [40], []])
def test_sizes_out_of_range_are_refused(sizes):
    with pytest.raises(InputError, match=r"sizes: are .* of 40 elements; take numbers from 1 to 39"):
        sensitivity_n(F, X, B, PARTS, sizes=sizes, key=KEY)


def test_too_few_subsets_and_other_grids_are_refused():
    with pytest.raises(InputError, match="subsets: is 2; take 3"):
        sensitivity_n(F, X, B, PARTS, sizes=[3], key=KEY, subsets=2)
    for judge in (
        lambda parts: sensitivity_n(F, X, B, parts, sizes=[1], key=KEY),
        lambda parts: insertion_deletion(F, X, B, parts, key=KEY),
    ):
        with pytest.raises(InputError, match=r"attribution: has shape \(5, 8\), and x has \(40,\)"):
            judge(PARTS.reshape(5, 8))
        with pytest.raises(InputError, match="attribution: is not finite in 1 of 40"):
            judge(np.where(np.arange(40) == 3, np.nan, PARTS))
    with pytest.raises(InputError, match="orders: is 1"):
        insertion_deletion(F, X, B, PARTS, key=KEY, orders=1)
