"""Fits that know each voxel's local arterial input: what no measurement tells, and so the floor of all estimators."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from estimate.kinetics.bounds import box, resolve_bounds
from estimate.kinetics.derivative import predict
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel, to_coordinates, to_physical
from estimate.least_squares.levenberg_marquardt import bounded_least_squares
from simulate.base.types import Tissue


def local_fit(
    model: FitModel, curves: Any, centres: Any, frame: float, inputs: Any, knots: Any, start: Tissue
) -> dict[str, np.ndarray]:
    """Parameters (v,) by name, internal units, of curves (v, t) with an input (v, k) each, from a start (the truth).

    centres, frame : of the frames, and how long they are [s].
    """
    lower, upper = box(model, resolve_bounds(None), np.float32)
    begin = {n: np.maximum(np.asarray(getattr(start, n), float), 1e-6) for n in ("Fp", "PS", "vp", "ve")}
    begin["va"] = np.full_like(begin["Fp"], 1e-3)
    begin["ve"] = np.minimum(begin["ve"], 0.95 * (1 - begin["vp"]))
    named = {n: jnp.asarray(begin[n], jnp.float32) for n in model.parameters}
    u = jnp.clip(jnp.stack(to_coordinates(model.parameters, named)), lower, upper)
    durations = np.broadcast_to(frame, np.shape(centres))
    arrays = (jnp.asarray(a, jnp.float32) for a in (curves, centres, durations, inputs, knots))
    found = _solve(model, *arrays, u, lower, upper)
    values = to_physical(model.parameters, tuple(found))
    out = {n: np.asarray(values[n], float) for n in model.parameters}
    return out | {"Ktrans": np.asarray(model.transfer_constant(values), float)}


@partial(jax.jit, static_argnames="model")
def _solve(
    model: FitModel, curves: Array, times: Array, durations: Array, inputs: Array, knots: Array, u: Array,
    lower: Array, upper: Array,
) -> Array:  # fmt: skip
    def normal(data: Array, at: Array) -> tuple[Array, Array, Array]:
        def one(both: Array, x: Array) -> tuple[Array, Array, Array]:
            curve, aif = both[: times.size], both[times.size :]

            def modelled(y: Array) -> Array:
                return predict(model, y, FitInput(times, aif, knots, durations))

            residual, J = curve - modelled(x), jax.jacfwd(modelled)(x)
            return jnp.sum(residual**2), J.T @ residual, J.T @ J

        return jax.vmap(one, in_axes=(0, 1), out_axes=-1)(data, at)

    energy = jnp.sum(curves**2, axis=1)
    return bounded_least_squares(
        normal, jnp.concatenate([curves, inputs], axis=1), u, lower, upper, outside=jnp.zeros_like(energy),
        energy=energy, tolerance=1e-6, chunk=min(256, len(curves)),
    ).u  # fmt: skip
