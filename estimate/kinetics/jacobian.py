r"""By how much the fitted parameters of every voxel move with its own curve, all voxels at once.

The implicit function theorem of `estimate.kinetics.derivative` in the compressed space of the fit's own table: with
y = B C the compressed curve, J = dm/du and the full Hessian H of |y - m(u)|^2/2 along the coordinates off their bounds,

    du/dC = H^{-1} J^T B,

since what of C is orthogonal to every model curve moves nothing. H is the derivative of the gradient that the fit's own
solver computes. What the table's interpolation adds is far below a standard error: its curvature enters H times the
residual alone.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from estimate.kinetics.bounds import box
from estimate.kinetics.compressed import table_size
from estimate.kinetics.derivative import free_solution, inside_box, physical
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel, compressed_normal_equations, linearised_curve
from estimate.kinetics.table import ExponentialTable, exponential_table

JACOBIAN_SIZES = (64, 1024)
"""Voxels to which a block is padded, so that few programs are compiled; the last is the largest block: a voxel costs a
hundred times what it does in a fit, and so what is padded counts more than a call."""


def curve_jacobian(model: FitModel, given: FitInput, limits: dict) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function of curves (v, t) and fitted values (p, v) -> (v, p, t), v at most the last of `JACOBIAN_SIZES`;
    0 where a curve or a value is not finite."""
    dtype = given.times.dtype
    table = exponential_table(given, table_size(model, limits, dtype), delay_bounds=limits["delay"])
    bounds = box(model, limits, dtype)

    def jacobian(curves: np.ndarray, values: np.ndarray) -> np.ndarray:
        sound = np.asarray(np.isfinite(curves).all(axis=1) & np.isfinite(values).all(axis=0))
        count = len(curves)
        size = next(each for each in JACOBIAN_SIZES if each >= count)
        C, x = np.zeros((size, curves.shape[1]), dtype), np.full((len(values), size), 0.1, dtype)
        C[:count], x[:, :count] = np.where(sound[:, None], curves, 0.0), np.where(sound, values, 0.1)
        found = np.asarray(_jacobian(model, table, *bounds, C, x))[:count]
        return np.where(sound[:, None, None], found, 0.0)

    return jacobian


@partial(jax.jit, static_argnums=0)
def _jacobian(
    model: FitModel, table: ExponentialTable, lower: Array, upper: Array, curves: Array, values: Array
) -> Array:
    u, inside = inside_box(model, lower, upper, values)

    def one_voxel(args: tuple[Array, Array, Array]) -> Array:
        u_one, free, curve = args
        y, along = (table.basis @ curve)[None], u_one[:, None]

        def gradient(x: Array) -> Array:
            return -compressed_normal_equations(model, table, y, x)[1][:, 0]

        hessian = jax.jacfwd(gradient)(along)[..., 0]
        moves = linearised_curve(model, table, along)[:, 0]  # (p, r)
        du = free_solution(hessian, free, jnp.sum(curve**2), moves)
        return jax.jacfwd(partial(physical, model))(u_one) @ du

    compressed = jax.lax.map(one_voxel, (u.T, inside.T, curves), batch_size=512)
    return compressed @ table.basis
