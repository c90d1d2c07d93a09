"""Blocks of an image: all of it, in order, and every block is told of."""

import jax.numpy as jnp
import numpy as np
import pytest

from estimate.least_squares.blocks import BLOCK, FEWEST, map_blocks


@pytest.mark.parametrize("voxels", [3, 64, 2 * BLOCK + 5])
def test_every_voxel_comes_back_in_order_and_progress_ends_with_the_last(voxels):
    steps = []
    result = map_blocks(
        lambda x, count: jnp.sum(x, axis=1), np.ones((voxels, 2)) * np.arange(voxels)[:, None], traced=False,
        progress=lambda *step: steps.append(step),
    )  # fmt: skip
    np.testing.assert_array_equal(result, 2 * np.arange(voxels))
    assert {what for what, _, _ in steps} == {"fitting"}
    assert max(steps) == ("fitting", voxels, voxels)
    assert len(steps) == -(-voxels // BLOCK)


@pytest.mark.parametrize(("voxels", "blocks"), [(5, 1), (FEWEST + 1, 2), (3 * FEWEST, 3), (3 * BLOCK, 3)])
def test_an_image_is_dealt_out_to_what_runs_side_by_side(voxels, blocks):
    counts = []

    def fit(x, count):
        counts.append(count)
        return jnp.sum(x, axis=1)

    result = map_blocks(fit, np.ones((voxels, 2)) * np.arange(voxels)[:, None], traced=False, at_once=3)
    np.testing.assert_array_equal(result, 2 * np.arange(voxels))
    assert sum(counts) == voxels
    assert len(counts) == blocks
