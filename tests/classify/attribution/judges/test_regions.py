"""Attributions against masks: scores counted by hand, and what chance reaches."""

import numpy as np
import pytest

from classify.attribution.judges.regions import localisation
from simulate.base.errors import InputError

MASK = np.array([1, 1, 0, 0, 0, 0], bool)


def test_scores_counted_by_hand():
    """Magnitudes 3 1 | 2 1 0 0: of the 8 pairs 3 wins 4; 1 loses to 2, ties with 1, wins 2."""
    found = localisation(np.array([-3.0, 1, 2, -1, 0, 0]), MASK)
    assert found.pointing == 1
    assert found.energy == pytest.approx(4 / 7)
    assert found.auc == pytest.approx((4 + 0.5 + 2) / 8)
    assert found.chance == pytest.approx(1 / 3)


def test_the_auc_is_the_share_of_pairs_with_ties_by_half():
    rng = np.random.default_rng(0)
    scores, mask = rng.integers(0, 6, (8, 9)).astype(float), rng.random((8, 9)) < 0.3
    pairs = scores[mask][:, None] - scores[~mask][None, :]
    found = localisation(scores, mask)
    assert found.auc == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)), abs=1e-12)


def test_maps_that_know_nothing_reach_chance():
    rng = np.random.default_rng(1)
    mask = np.zeros((10, 10), bool)
    mask[:4, :5] = True
    runs = [localisation(rng.standard_normal((10, 10)), mask) for _ in range(300)]
    for score, chance, spread in (("pointing", 0.2, 0.4), ("energy", 0.2, 0.03), ("auc", 0.5, 0.08)):
        assert np.mean([getattr(run, score) for run in runs]) == pytest.approx(chance, abs=4 * spread / np.sqrt(300))
    flat = localisation(np.ones((10, 10)), mask)
    assert (flat.pointing, flat.energy, flat.auc) == pytest.approx((0.2, 0.2, 0.5))
    assert (flat.chance, flat.chance_auc) == (0.2, 0.5)


def test_chance_is_that_of_the_voxels_compared():
    inside = np.array([1, 1, 1, 0, 0, 0], bool)
    found = localisation(np.array([1.0, 1, 1, 9, 9, 9]), MASK, inside=inside)
    assert (found.pointing, found.energy, found.chance) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


@pytest.mark.parametrize("mask", [np.zeros(6, bool), np.ones(6, bool)])
def test_a_mask_of_no_or_of_all_voxels_is_refused(mask):
    with pytest.raises(InputError, match=r"mask: holds [06] of 6 voxels; give one with voxels inside and outside"):
        localisation(np.arange(6.0), mask)


def test_other_grids_and_empty_attributions_are_refused():
    with pytest.raises(InputError, match=r"mask: grid: has shape \(6,\), and the attribution \(2, 3\); resample one"):
        localisation(np.ones((2, 3)), MASK)
    elsewhere = np.diag([2.0, 1.0])
    with pytest.raises(InputError, match="mask: grid: lies elsewhere"):
        localisation(np.ones(6), MASK, affine=np.eye(2), mask_affine=elsewhere)
    with pytest.raises(InputError, match="attribution: is 0 in all voxels compared"):
        localisation(np.zeros(6), MASK)
    with pytest.raises(InputError, match="attribution: is not finite in 1 of 6"):
        localisation(np.array([0, 1, np.nan, 0, 0, 0]), MASK)
