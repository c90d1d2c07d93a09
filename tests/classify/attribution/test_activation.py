"""Class activation maps: networks whose weights are known, cells whose place is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy.spatial.transform import Rotation

from classify.attribution.activation import grad_cam, grad_cam_plus_plus
from simulate.base.errors import InputError

pytestmark = pytest.mark.x64
RNG = np.random.default_rng(0)
SHAPE = (12, 8, 6)
X = RNG.standard_normal(SHAPE)
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix() @ np.diag([1.0, 1.5, 2.0])
OBLIQUE[:3, 3] = [-40, 12, 7]


def itself(x):
    return jnp.stack([x, -2 * x], axis=-1)


def pooled(x):
    """Means of cells of 4 x 4 x 2 voxels, rectified, one channel."""
    return jax.nn.relu(x.reshape(3, 4, 2, 4, 3, 2).mean((1, 3, 5)))[..., None]


def test_activations_that_are_the_image_itself():
    """y = sum_ck W_ck A_ck: the weight of a channel is the mean of its W, and the map is the image times a number."""
    weights = RNG.standard_normal((*SHAPE, 2))
    found = grad_cam(itself, lambda a: jnp.sum(weights * a), X, shape=SHAPE, affine=OBLIQUE)
    factor = weights[..., 0].mean() - 2 * weights[..., 1].mean()
    np.testing.assert_allclose(found.map, np.maximum(factor * X, 0), atol=1e-12)
    np.testing.assert_allclose(found.cells, found.map, atol=1e-12)
    np.testing.assert_allclose(found.cell_size, [1.0, 1.5, 2.0], rtol=1e-12)


def test_cells_under_mean_pooling_and_a_linear_head_add_up_to_the_logit():
    """Class activation mapping (Zhou et al., CVPR 2016), which Grad-CAM generalises."""
    x, w = np.abs(X), np.array([0.7, 0.2])
    head = lambda a: jnp.sum(w * jnp.mean(a, axis=(0, 1, 2)))  # noqa: E731
    two = lambda x: jnp.stack([x, x**2], axis=-1)  # noqa: E731
    found = grad_cam(two, head, x, shape=SHAPE, affine=OBLIQUE)
    assert found.cells.sum() == pytest.approx(float(head(two(x))), rel=1e-12)


def test_each_class_has_its_own_map():
    weights = RNG.standard_normal(4)
    heads = [lambda a, k=k: weights[k] * jnp.sum(a[..., 0]) for k in range(4)]
    for k, head in enumerate(heads):
        found = grad_cam(itself, head, X, shape=SHAPE, affine=OBLIQUE)
        np.testing.assert_allclose(found.map, np.maximum(weights[k] * X, 0), atol=1e-12)


def test_the_weights_of_plus_plus_are_those_of_the_exponentials_derivatives():
    """alpha = Y'' / (2 Y'' + sum_c A_c Y''') with Y = exp(y), derivatives along one cell (eq. 19 of the paper)."""
    w = np.array([0.3, -0.2])
    a = np.abs(RNG.standard_normal((2, 3, 1, 2)))
    head = lambda a: jnp.sum(w * jnp.mean(a, axis=(0, 1, 2)))  # noqa: E731
    weights = np.zeros(2)
    for place in np.ndindex(a.shape):
        along = lambda t, place=place: jnp.exp(head(jnp.asarray(a).at[place].add(t)))  # noqa: E731
        first = jax.grad(along)
        second = jax.grad(first)
        slopes = [float(d(0.0)) for d in (first, second, jax.grad(second))]
        alpha = slopes[1] / (2 * slopes[1] + a[..., place[-1]].sum() * slopes[2])
        weights[place[-1]] += alpha * max(slopes[0], 0) / float(jnp.exp(head(a)))
    found = grad_cam_plus_plus(lambda x: x, head, a, shape=(2, 3, 1), affine=np.eye(4))
    np.testing.assert_allclose(found.cells, np.maximum(a @ weights, 0), rtol=1e-10)


def test_cells_have_their_size_and_place_in_mm():
    found = grad_cam(pooled, lambda a: jnp.sum(a), X, shape=SHAPE, affine=OBLIQUE)
    np.testing.assert_allclose(found.cell_size, [4 * 1.0, 4 * 1.5, 2 * 2.0], rtol=1e-12)
    voxels = np.stack(np.meshgrid(range(4, 8), range(4), range(2, 4), indexing="ij"), axis=-1)  # of cell 1, 0, 1
    centre = apply_affine(OBLIQUE, voxels.reshape(-1, 3)).mean(axis=0)
    np.testing.assert_allclose(apply_affine(found.affine, [1, 0, 1]), centre, atol=1e-12)


def test_between_cells_the_map_is_linear_in_space():
    towards = np.array([0.3, -0.8, 0.5])
    height = lambda shape: apply_affine(OBLIQUE, np.stack(np.indices(shape), axis=-1)) @ towards + 200  # noqa: E731
    found = grad_cam(pooled, jnp.sum, height(SHAPE), shape=SHAPE, affine=OBLIQUE)
    inner = (slice(2, -2), slice(2, -2), slice(1, -1))  # between the centres of the border's cells
    assert found.map[inner].size > 50
    np.testing.assert_allclose(found.map[inner], height(SHAPE)[inner], rtol=1e-12)
    assert np.isfinite(found.map).all()
    assert found.map.min() == pytest.approx(found.cells.min(), rel=1e-12)  # nothing is extrapolated
    assert found.map.max() == pytest.approx(found.cells.max(), rel=1e-12)


def test_a_flat_image_has_flat_cells():
    found = grad_cam(lambda x: x[..., None], jnp.sum, X[..., 0], shape=SHAPE[:2], affine=np.diag([0.5, 0.5, 1.0]))
    np.testing.assert_allclose(found.cell_size, [0.5, 0.5])
    np.testing.assert_allclose(found.map, np.maximum(X[..., 0], 0), atol=1e-12)


def test_bad_layers_are_refused():
    with pytest.raises(InputError, match=r"features: activations: have shape \(12, 8, 6\); give \(\*cells, channels\)"):
        grad_cam(lambda x: x, jnp.sum, X, shape=SHAPE, affine=OBLIQUE)
    with pytest.raises(InputError, match=r"f: gives no real number but something of shape \(2,\)"):
        grad_cam(itself, lambda a: a.mean((0, 1, 2)), X, shape=SHAPE, affine=OBLIQUE)
    with pytest.raises(InputError, match=r"affine: has shape \(3, 3\) for an image of 3 axes"):
        grad_cam(itself, jnp.sum, X, shape=SHAPE, affine=np.eye(3))
    with pytest.raises(InputError, match="activations: gradient of f: is not finite in 1 of"):
        grad_cam(itself, lambda a: jnp.sqrt(a[0, 0, 0, 0] * 0), X, shape=SHAPE, affine=OBLIQUE)
    with pytest.raises(InputError, match="are negative and leave 576 weights without a value; take the layer after"):
        grad_cam_plus_plus(lambda x: -jnp.abs(x)[..., None], jnp.sum, X, shape=SHAPE, affine=OBLIQUE)
