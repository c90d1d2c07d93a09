"""Bounded fits of models that are no sums of exponentials (dp, aath), on the whole curves.

The residual has several minima in the transit time, so the best curve of a dictionary (its amplitude in
closed form) is taken from each of a few bands of transit times as a start; then the same bounded
Levenberg-Marquardt as for compartments, with the Jacobian by forward differentiation, and the best end wins.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from estimate.kinetics.compressed import BlockFit, block_result, by_chunks
from estimate.kinetics.derivative import curve_of, predict
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel, to_coordinates
from estimate.least_squares.levenberg_marquardt import bounded_least_squares
from estimate.least_squares.standard_errors import CurveErrors, Linear, scaled_cholesky, solve_lower
from simulate.base.types import Tissue

CAPILLARY_MODELS = ("dp", "aath")

_TRANSIT = np.geomspace(0.5, 80.0, 16)  # Tc = vp/Fp [s]
_BANDS = 4  # of transit times; each gives one start
_LEAK = np.array([0.02, 0.1, 0.3, 0.8, 2.0])  # PS/Fp
_RETURN = np.geomspace(1e-3, 0.1, 5)  # PS/ve [1/s]


def capillary_fit(
    model: FitModel, given: FitInput, limits: dict, lower: Array, upper: Array
) -> Callable[[Array, CurveErrors | None, ArrayLike], BlockFit]:
    """The fit of one block of curves (v, t) to this input, its dictionary made once; the last is a count of voxels."""
    dtype = given.times.dtype
    low, high = limits["delay"]
    delays = np.arange(low, high + 1e-6, 2.0) if model.fit_delay else np.zeros(1)
    shapes = np.array(list(product(_TRANSIT, _LEAK, _RETURN, delays)))
    transit, leak, back, delay = (jnp.asarray(column, dtype) for column in shapes.T)
    unit = Tissue(
        Fp=jnp.ones(()), PS=leak, vp=transit, ve=leak / back, va=jnp.zeros(()), delay=delay
    )  # times Fp: the scale law
    shapes_of_tissue = jax.tree.map(lambda a: jnp.broadcast_to(jnp.asarray(a, dtype), delay.shape), unit)
    dictionary = _dictionary(model.name, shapes_of_tissue, given)
    # product() runs through the transit times slowest: equal parts are bands

    def fit(curves: Array, errors: CurveErrors | None, voxels: ArrayLike) -> BlockFit:
        return _fit_block(model, unit, dictionary, jax.lax.stop_gradient(curves), errors, given, lower, upper, voxels)

    return fit


@partial(jax.jit, static_argnames="name")
def _dictionary(name: str, tissue: Tissue, given: FitInput) -> Array:
    """(d, t) curves of these tissues."""
    return jax.lax.map(lambda one: curve_of(name, one, given), tissue, batch_size=256)


@partial(jax.jit, static_argnames="model")
def _fit_block(
    model: FitModel, unit: Tissue, dictionary: Array, curves: Array, errors: CurveErrors | None, given: FitInput,
    lower: Array, upper: Array, voxels: ArrayLike,
) -> BlockFit:  # fmt: skip
    finite = jnp.all(jnp.isfinite(curves), axis=1)
    curves = jnp.where(finite[:, None], curves, 0.0)
    starts = [_dictionary_start(model, unit, dictionary, curves, band) for band in range(_BANDS)]
    found = jnp.stack([positive for _, positive in starts]).any(axis=0)

    def twice(x):
        value = predict(model, x, given)
        return value, value  # jacfwd hands the second through: the curve comes with its derivatives

    def normal(data, coordinates):
        def one(curve, x):
            J, value = jax.jacfwd(twice, has_aux=True)(x)
            residual = curve - value
            return jnp.sum(residual**2), J.T @ residual, J.T @ J

        return jax.vmap(one, in_axes=(0, 1), out_axes=-1)(data, coordinates)

    energy = jnp.sum(curves**2, axis=1)
    ends = bounded_least_squares(
        normal, jnp.tile(curves, (_BANDS, 1)), jnp.clip(jnp.concatenate([u for u, _ in starts], axis=1), lower, upper),
        lower, upper, outside=jnp.zeros(_BANDS * energy.size, energy.dtype), energy=jnp.tile(energy, _BANDS),
        tolerance=1e-6, chunk=256,
    )  # fmt: skip
    ends = jax.tree.map(lambda a: a.reshape(*a.shape[:-1], _BANDS, -1), ends)
    best = jnp.argmin(ends.rss, axis=0)

    def of_best(a):
        where = jnp.broadcast_to(best, (*a.shape[:-2], 1, best.size))
        return jnp.take_along_axis(a, where, axis=-2)[..., 0, :]

    def linearise(matrix, u):
        J, curve = jax.vmap(jax.jacfwd(twice, has_aux=True), in_axes=1, out_axes=-1)(u)
        R = scaled_cholesky(matrix)
        return Linear(curve, R, solve_lower(R, jnp.swapaxes(J, 0, 1)))

    solution = jax.tree.map(of_best, ends)
    spread = by_chunks(linearise, solution, curves, finite, errors, frames=curves.shape[1], voxels=voxels)
    return block_result(model, solution, solution.rss, energy, spread, lower, upper, finite, found)


def _dictionary_start(
    model: FitModel, unit: Tissue, dictionary: Array, curves: Array, band: int
) -> tuple[Array, Array]:
    """Coordinates (p, v) of the best curve in a band of transit times, and whether its amplitude is positive."""
    size = dictionary.shape[0] // _BANDS
    part = slice(band * size, (band + 1) * size)
    dictionary, unit = dictionary[part], jax.tree.map(lambda a: a[part] if a.ndim else a, unit)
    norm = jnp.sqrt(jnp.sum(dictionary**2, axis=1))
    score = curves @ (dictionary / norm[:, None]).T
    best = jnp.argmax(score, axis=1)
    height = jnp.take_along_axis(score, best[:, None], axis=1)[:, 0]
    Fp = jnp.maximum(height / norm[best], 1e-6)
    values = {
        "Fp": Fp,
        "PS": unit.PS[best] * Fp,
        "vp": jnp.clip(unit.vp[best] * Fp, 1e-4, 0.9),
        "ve": jnp.clip(unit.ve[best] * Fp, 1e-3, 0.9),
        "va": jnp.full_like(Fp, 1e-3),
        "delay": unit.delay[best],
    }
    values["ve"] = jnp.minimum(values["ve"], 0.99 * (1 - values["vp"]))
    return jnp.stack(to_coordinates(model.parameters, {n: values[n] for n in model.parameters})), height > 0
