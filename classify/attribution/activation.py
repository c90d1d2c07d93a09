r"""Class activation maps of any layer of any network: which of a layer's cells speak for a logit.

The network is given in two halves, `features(x)` -> activations A (*cells, channels) of one image, and `head(A)` ->
logit y, so that every layer is as good as another. With G = dy/dA and means over the n cells,

    Grad-CAM      w_k = mean_c G_ck
    Grad-CAM++    w_k = \sum_c a_ck relu(G_ck),     a_ck = G_ck^2 / (2 G_ck^2 + G_ck^3 \sum_c' A_c'k)
    map_c = relu(\sum_k w_k A_ck)

a being what the second and third derivatives of exp(y) come to where y is piecewise linear in A; the factor exp(y),
common to all, is left out.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PyTree

from classify.attribution.function import (
    Function,
    admitted,
    check_finite,
    check_gradient,
    compiled,
    gradient_of,
    reals,
    value_of,
)
from classify.attribution.grids import cell_size, cells_affine, resampled
from simulate.base.errors import InputError


class ClassActivation(NamedTuple):
    """How much the cells of a layer speak for a logit, on their own grid and on the image's.

    Attributes
    ----------
    map : (...) array
        On the image's grid, by linear interpolation between cells.
    cells : (...) array
        As the layer has them, 0 where they speak against it.
    affine : (d+1, d+1) array
        Of the cells to positions [mm].
    cell_size : (d,) array [mm]
        Edges of a cell: nothing smaller is told apart, however smooth the map looks.
    """

    map: Float[np.ndarray, "*space"]
    cells: Float[np.ndarray, "*cells"]
    affine: Float[np.ndarray, "d1 d1"]
    cell_size: Float[np.ndarray, " d"]


def grad_cam(
    features: Function, head: Function, x: PyTree[ArrayLike], *, shape: Sequence[int], affine: Any
) -> ClassActivation:
    """Class activation map by mean gradients.

    Selvaraju et al., ICCV 2017.

    Parameters
    ----------
    features : callable
        Of x to activations (..., channels), the network up to a layer; the cells share the image's field of view.
    head : callable
        Of the activations to a class's logit, the rest of the network.
    x : pytree of arrays
        One image, in whatever form the features read it.
    shape : (d,) int
        Of the image's grid.
    affine : (d+1, d+1) array
        Of the image's voxels to positions [mm].

    Returns
    -------
    ClassActivation
        In units of the logit: with a linear head over mean activations the cells, negative ones too, would sum to it.

    Raises
    ------
    InputError
        Where the head gives no number, the activations do not lie on d axes, or anything is not finite.
    """
    return _activation(_mean_gradient, features, head, x, shape, affine)


def grad_cam_plus_plus(
    features: Function, head: Function, x: PyTree[ArrayLike], *, shape: Sequence[int], affine: Any
) -> ClassActivation:
    """Class activation map with gradients weighted cell by cell, for several or small causes.

    Chattopadhay et al., WACV 2018.

    Parameters
    ----------
    features : callable
        Of x to activations (..., channels), after the layer's rectifier.
    head : callable
        Of the activations to a class's logit, the rest of the network.
    x : pytree of arrays
        One image.
    shape : (d,) int
        Of the image's grid.
    affine : (d+1, d+1) array
        Of the image's voxels to positions [mm].

    Returns
    -------
    ClassActivation
        Up to a positive factor.

    Raises
    ------
    InputError
        As `grad_cam`; where negative activations leave a weight without a value.
    """
    return _activation(_weighted_gradient, features, head, x, shape, affine)


def _activation(
    weights: Callable[[Any, Any], Any],
    features: Function,
    head: Function,
    x: PyTree[ArrayLike],
    shape: Sequence[int],
    affine: Any,
) -> ClassActivation:
    layer = compiled(value_of, features)(reals("x", x))
    if getattr(layer, "ndim", 0) != len(shape) + 1:
        given = getattr(layer, "shape", type(layer).__name__)
        cure = f"give (*cells, channels) over the {len(shape)} axes of one image"
        raise InputError("features", "activations", f"have shape {given}", cure)
    check_finite("features", "activations", layer, "mend the network there")
    gradient = compiled(gradient_of, head)(admitted(head, layer))
    check_gradient(gradient, "activations")
    cells = np.maximum(np.asarray(layer, float) @ np.asarray(weights(layer, gradient), float), 0.0)
    where = cells_affine(affine, shape, cells.shape)
    return ClassActivation(resampled(cells, where, shape, affine), cells, where, cell_size(where))


def _mean_gradient(layer: jax.Array, gradient: jax.Array) -> jax.Array:
    return gradient.mean(axis=tuple(range(layer.ndim - 1)))


def _weighted_gradient(layer: jax.Array, gradient: jax.Array) -> jax.Array:
    over = tuple(range(layer.ndim - 1))
    rising = jnp.maximum(gradient, 0.0)
    below = 2 + rising * layer.sum(axis=over)  # of a = 1 / below, the square of G taken out
    if bad := int(jnp.sum((rising > 0) & (below <= 0))):
        problem = f"are negative and leave {bad} weights without a value"
        raise InputError("features", "activations", problem, "take the layer after its rectifier, or use grad_cam")
    return (rising / below).sum(axis=over)
