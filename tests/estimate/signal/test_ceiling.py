"""The largest number that an image can store: found where signals were cut off at it, and nowhere else."""

import numpy as np
import pytest

from estimate.signal.ceiling import ceiling_of

RNG = np.random.default_rng(0)
CURVE = 400 + 3000 * np.exp(-(((np.arange(40) - 12) / 3.0) ** 2))
NOISY = CURVE * np.linspace(0.2, 1, 50)[:, None] + RNG.normal(0, 8, (50, 40))


@pytest.mark.parametrize("limit", [2047.3, 2500.0, 4095.0 / 2])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_noisy_signals_that_were_cut_off_are_found_whatever_the_limit(limit, kind):
    images = np.minimum(NOISY, limit).astype(kind)
    assert ceiling_of(images) == pytest.approx(limit)
    assert np.array_equal((images >= ceiling_of(images)).any(-1), (NOISY.astype(kind) >= kind(limit)).any(-1))


def test_whole_numbers_at_a_converter_s_limit():
    whole = np.round(np.minimum(NOISY * 1.6, 4095)).astype(np.int16)
    assert ceiling_of(whole) == 4095
    twice = np.full((1, 10), 7, np.int16)
    twice[0, 3:5] = 4095
    assert ceiling_of(twice) == 4095
    twice[0, 3:5] = 4000
    assert ceiling_of(twice) == np.inf


def test_what_was_not_cut_off_has_no_ceiling():
    assert ceiling_of(NOISY) == np.inf
    assert ceiling_of(np.round(NOISY)) == np.inf
    assert ceiling_of(np.zeros((4, 10))) == np.inf
    assert ceiling_of(np.full((4, 10), np.nan)) == np.inf


def test_a_plateau_without_noise_is_a_plateau_and_a_constant_marker_is_a_marker():
    smooth = np.where(np.arange(40) < 5, 100.0, np.minimum(100 + 50.0 * (np.arange(40) - 5), 600.0))
    marker = np.full(40, 3000.0)
    assert ceiling_of(np.stack([marker, NOISY[0]])) == np.inf
    assert ceiling_of(np.minimum(CURVE, 2000.25)[None]) == np.inf
    assert ceiling_of(np.stack([smooth])) == np.inf
    assert ceiling_of(np.round(NOISY[:1] / 100).astype(np.int16)) == np.inf  # noise below the step of whole numbers
    assert ceiling_of(np.full((40, 1), 255.0), repeated=True) == np.inf
    assert ceiling_of(np.stack([np.where(np.arange(40) < 30, 0.1, 0.73)])) == np.inf


def test_images_of_few_kinds_repeat_their_largest_value_by_themselves():
    """Controls without noise are alike; at a converter's limit they are cut off all the same."""
    pair = np.tile([1000.5, 950.0], 8)[None] * np.array([[0.5], [1.0]])
    assert ceiling_of(pair, repeated=True) == np.inf
    assert ceiling_of(np.minimum(pair * 4.2, 4095.0), repeated=True) == 4095.0
