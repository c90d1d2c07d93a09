"""Destroyed weights, and the agreement of two maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.attribution.gradient import input_x_gradient, saliency
from classify.attribution.judges.correlation import agreement
from classify.attribution.judges.weights import weight_randomisation
from simulate.base.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.standard_normal(400)
PARAMETERS = {
    "first": {"w": RNG.standard_normal((30, 400)).astype("f"), "b": np.zeros(30, "f")},
    "second": {"w": RNG.standard_normal(30).astype("f")},
    "unused": [np.arange(3.0, dtype="f")],
}
KEY = jax.random.key(0)


def network(parameters, x):
    hidden = jnp.tanh(parameters["first"]["w"] @ x / 20 + parameters["first"]["b"])
    return parameters["second"]["w"] @ hidden


def judged(attribute, layers=("second", "first"), **options):
    return weight_randomisation(attribute, PARAMETERS, layers=layers, control=np.abs(X), key=KEY, **options)


def test_an_attribution_that_ignores_the_weights_is_found_out():
    found = judged(lambda parameters: X**2)
    np.testing.assert_allclose(found.cascade, 1)
    np.testing.assert_allclose(found.independent, 1)
    assert found.control == pytest.approx(1)
    np.testing.assert_allclose(found.cascade_control, 1)


def test_a_gradient_does_not_outlive_its_weights():
    found = judged(lambda parameters: saliency(jax.tree_util.Partial(network, parameters), X))
    assert found.layers == ("second", "first")
    assert np.abs(found.cascade).max() < 4 * found.chance
    assert abs(found.independent[1]) < 4 * found.chance
    assert abs(found.control) < 4 * found.chance
    assert found.chance == pytest.approx(1 / np.sqrt(399))


def test_the_control_is_compared_with_the_same_maps():
    def attribute(parameters):
        return saliency(jax.tree_util.Partial(network, parameters), X)

    found = weight_randomisation(
        attribute, PARAMETERS, layers=["second", "first"], control=np.abs(attribute(PARAMETERS)), key=KEY
    )
    assert found.control == pytest.approx(1)
    np.testing.assert_allclose(found.cascade_control, found.cascade)


def test_a_layer_is_not_another_whose_name_begins_alike():
    parameters = {"a": np.arange(50.0), "ab": np.arange(50.0)}
    found = weight_randomisation(lambda p: p["ab"], parameters, layers=["a", "ab"], control=np.arange(50.0), key=KEY)
    assert found.cascade[0] == pytest.approx(1)
    assert abs(found.cascade[1]) < 4 * found.chance


def test_what_comes_from_the_image_shows_in_the_control():
    """Times the input, maps stay alike whatever the weights: the control has the same height."""
    found = judged(lambda parameters: input_x_gradient(jax.tree_util.Partial(network, parameters), X))
    assert found.cascade[-1] > 0.25
    assert found.cascade_control[-1] > found.cascade[-1]


def test_layers_are_destroyed_one_after_the_other_or_alone():
    def attribute(parameters):
        return np.array([np.abs(np.ravel(leaf)).sum() + k for leaf in jax.tree.leaves(parameters) for k in range(2)])

    seen = []

    def look(parameters):
        seen.append({k: any(
            not np.array_equal(a, b)
            for a, b in zip(jax.tree.leaves(parameters[k]), jax.tree.leaves(PARAMETERS[k]), strict=True)
        ) for k in parameters})  # fmt: skip
        return attribute(parameters)

    weight_randomisation(look, PARAMETERS, layers=["unused", "second", "first"], control=np.arange(8.0), key=KEY)
    gone = [{k for k, changed in each.items() if changed} for each in seen]
    assert gone == [set(), {"unused"}, {"unused", "second"}, {"second"}, {"unused", "second", "first"}, {"first"}]


def test_destroyed_weights_keep_their_distribution_and_can_be_drawn_anew():
    kept = []
    judged(lambda parameters: kept.append(parameters["second"]["w"]) or X, layers=["second/w"])
    assert not np.array_equal(kept[0], kept[1])
    np.testing.assert_array_equal(np.sort(kept[0]), np.sort(kept[1]))
    judged(lambda parameters: kept.append(parameters["second"]["w"]) or X, layers=["second"], draw=lambda k, w: 0 * w)
    np.testing.assert_array_equal(kept[-1], 0)


def test_zeros_around_the_brain_are_left_out():
    inside = np.arange(400) < 50
    weights = lambda p: np.where(inside, p["first"]["w"][0], 0.0)  # noqa: E731
    assert judged(weights).cascade[-1] > 0.8
    found = judged(weights, inside=inside)
    assert abs(found.cascade[-1]) < 4 * found.chance


def test_bad_layers_masks_and_controls_are_refused():
    with pytest.raises(InputError, match="layers: third: has no parameters; take beginnings of first/b, first/w"):
        judged(lambda parameters: X, layers=["third"])
    with pytest.raises(InputError, match="inside: holds 0 elements"):
        judged(lambda parameters: X, inside=np.zeros(400, bool))
    with pytest.raises(InputError, match=r"control: has shape \(400,\), and attribution has \(3,\)"):
        judged(lambda parameters: X[:3])
    with pytest.raises(InputError, match="attribution: is not finite in 400 of 400"):
        judged(lambda parameters: X * np.nan)


def test_agreement_of_maps():
    image = RNG.standard_normal((5, 6))
    found = agreement(image, np.exp(image))
    assert found.spearman == pytest.approx(1)
    assert found.cosine < 0.95
    found = agreement(image, -3 * image)
    assert (found.spearman, found.cosine) == pytest.approx((-1, -1))
    assert agreement(image, np.ones((5, 6))).spearman == 0
    assert agreement(image, 0 * image).cosine == 0


def test_unrelated_maps_agree_by_chance():
    runs = [agreement(*RNG.standard_normal((2, 50))) for _ in range(150)]
    for score in ("spearman", "cosine"):
        found = np.array([getattr(run, score) for run in runs])
        assert np.sqrt(np.mean(found**2)) == pytest.approx(runs[0].chance, rel=0.2)


def test_ties_have_midranks():
    """Ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, variances 1.5 and 2."""
    assert agreement(np.array([1.0, 1, 2]), np.array([1.0, 2, 3])).spearman == pytest.approx(1.5 / np.sqrt(3))


def test_maps_on_other_grids_are_refused():
    with pytest.raises(InputError, match=r"other: has shape \(4,\), and attribution has \(3,\)"):
        agreement(np.ones(3), np.ones(4))
    with pytest.raises(InputError, match=r"inside: has shape \(2,\), and attribution has \(3,\)"):
        agreement(np.ones(3), np.ones(3), inside=np.ones(2, bool))
