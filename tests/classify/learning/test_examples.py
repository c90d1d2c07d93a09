"""Which examples a step takes, and how they come to lie side by side."""

import numpy as np
import pytest

from classify.learning.examples import Example, Examples, drawn
from simulate.base.errors import InputError


def examples(count, targets=None):
    images = np.arange(count, dtype=np.float32)[:, None, None, None, None] * np.ones((2, 2, 2, 1), np.float32)
    return Examples.of(images, np.arange(count) % 2 if targets is None else targets)


def test_every_epoch_takes_each_example_once_in_another_order():
    given = examples(12)
    epochs = [np.concatenate([drawn(given, 3 * e + k, 4, seed=5) for k in range(3)]) for e in range(3)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(12))
    assert any((epochs[0] != epoch).any() for epoch in epochs[1:])
    np.testing.assert_array_equal(drawn(given, 7, 4, seed=5), drawn(given, 7, 4, seed=5))
    assert (drawn(given, 0, 12, seed=5) != drawn(given, 0, 12, seed=6)).any()


def test_balanced_steps_draw_rare_classes_as_often_as_frequent_ones():
    targets = np.array([0] * 90 + [1] * 10)
    taken = np.concatenate([drawn(examples(100, targets), k, 10, seed=1, balanced=True) for k in range(200)])
    assert abs(targets[taken].mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)


def test_a_batch_holds_examples_and_targets_of_the_same_numbers():
    images, tabular = np.random.default_rng(0).standard_normal((5, 2, 2, 2, 1)), np.arange(10.0).reshape(5, 2)
    masks = images[..., 0] > 0
    batch = Examples.of(images, np.arange(5), tabular=tabular, masks=masks).some([4, 0, 2]).batch([2, 0])
    for part, array in zip(batch, (images, tabular, masks, np.arange(5)), strict=True):
        np.testing.assert_array_equal(part, array[[2, 4]])


def test_examples_may_come_from_a_function():
    called = []

    def load(number):
        called.append(number)
        return Example(np.full((2, 2, 2, 1), number))

    batch = Examples(np.array([0, 1, 1]), load).batch([2, 0])
    assert called == [2, 0]
    assert batch.tabular is None
    np.testing.assert_array_equal(batch.image[:, 0, 0, 0, 0], [2, 0])
    np.testing.assert_array_equal(batch.target, [1, 0])


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(InputError, match=r"examples: are not of one length \(3 images, 2 targets\)"):
        Examples.of(np.zeros((3, 4)), np.zeros(2))
