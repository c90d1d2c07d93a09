"""Occlusion of linear functions is the sum of their parts in the window."""

import jax.numpy as jnp
import numpy as np
import pytest

from classify.attribution.windows import occlusion
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((2, 7, 5, 2))
F = lambda x: jnp.sum(W * x) + 1.0  # noqa: E731


def test_a_window_is_worth_the_weights_in_it():
    found = occlusion(F, X, window=(3, 2), stride=(2, 1), value=0.5)
    parts = (W * (X - 0.5)).sum(axis=-1)
    assert len(found.starts) == 3 * 4
    for start, difference in zip(found.starts, found.differences, strict=True):
        inside = tuple(slice(a, a + n) for a, n in zip(start, (3, 2), strict=True))
        assert difference == pytest.approx(parts[inside].sum(), abs=1e-12)
    over = np.all((found.starts <= 3) & (found.starts + np.array([3, 2]) > 3), axis=1)
    assert found.map[3, 3] == pytest.approx(found.differences[over].mean(), abs=1e-12)


def test_windows_of_one_voxel_are_gradient_times_difference_whatever_the_batch():
    for batch in (1, 4, 100):
        found = occlusion(F, X, window=(1, 1), stride=(1, 1), value=X * 0.25, batch=batch)
        np.testing.assert_allclose(found.map, (W * X * 0.75).sum(axis=-1), atol=1e-12)


def test_the_last_window_ends_with_the_image():
    found = occlusion(F, X, window=(4, 5), stride=(4, 5), value=0.0)
    np.testing.assert_array_equal(found.starts, [[0, 0], [3, 0]])
    assert np.isfinite(found.map).all()


def test_a_window_covers_all_images_on_its_grid():
    x = {"T1": X[..., 0], "FLAIR": X}
    f = lambda x: jnp.sum(x["T1"]) + jnp.sum(x["FLAIR"] * W)  # noqa: E731
    found = occlusion(f, x, window=(7, 5), stride=(7, 5), value=0)
    assert found.differences == pytest.approx([X[..., 0].sum() + (X * W).sum()])
    found = occlusion(f, x, window=(7, 5), stride=(7, 5), value={"T1": X[..., 0], "FLAIR": 0.0})
    assert found.differences == pytest.approx([(X * W).sum()])


@pytest.mark.parametrize(
    ("window", "stride", "said"),
    [
        ((8, 1), (1, 1), "window: axis 0: is 8 of 7 voxels; take 1 to 7"),
        ((0, 1), (1, 1), "window: axis 0: is 0 of 7"),
        ((2, 2), (2, 3), "stride: axis 1: is 3 for a window of 2; take 1 to 2"),
        ((2, 2), (0, 1), "stride: axis 0: is 0"),
        ((2, 2), (1,), "stride: has 1 axes, and the window 2"),
        ((2, 2, 2, 2), (1, 1, 1, 1), "window: has 4 axes"),
    ],
)
def test_windows_and_strides_that_do_not_fit_are_refused(window, stride, said):
    with pytest.raises(InputError, match=said):
        occlusion(F, X, window=window, stride=stride, value=0.0)


def test_replacements_and_values_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match=r"value: has shape \(3,\)"):
        occlusion(F, X, window=(1, 1), stride=(1, 1), value=np.zeros(3))
    with pytest.raises(InputError, match="f: value at x and under the windows: is not finite in 1 of 36"):
        occlusion(lambda x: jnp.log(x[0, 0, 0] ** 2), X, window=(1, 1), stride=(1, 1), value=0.0)
