"""jaxopt, here and nowhere else: the bounded reference solver, slow and independent of our own.

jaxopt is no longer maintained, but its L-BFGS-B works on the JAX versions we allow and says so at import.
Its `implicit_diff` gives reverse-mode derivatives of the result.
"""

import warnings
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from estimate.kinetics.bounds import TYPICAL
from estimate.kinetics.compressed import BlockFit, block_result
from estimate.kinetics.derivative import predict
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.model import FitModel, to_coordinates
from estimate.least_squares.levenberg_marquardt import Solution
from estimate.least_squares.standard_errors import CurveErrors, Linear, scaled_cholesky, solve_lower, uncertainty

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="jaxopt")
    warnings.filterwarnings("ignore", message="JAXopt is no longer maintained")
    import jaxopt


@partial(jax.jit, static_argnames="model")
def lbfgsb_fit(
    model: FitModel, curves: Array, errors: CurveErrors | None, given: FitInput, lower: Array, upper: Array
) -> BlockFit:
    """Fit (v, t) curves one by one from typical tissue; standard errors by Gauss-Newton at the end."""
    start = {name: jnp.asarray(TYPICAL[name], curves.dtype) for name in model.parameters}
    u0 = jnp.clip(jnp.stack(to_coordinates(model.parameters, start)), lower[:, 0], upper[:, 0])

    def objective(u, curve, given):  # all arrays are arguments: jaxopt's derivative knows no closures
        residual = curve - predict(model, u, given)
        return jnp.sum(residual**2) / jnp.maximum(jnp.sum(curve**2), jnp.finfo(curve.dtype).tiny)

    solver = jaxopt.LBFGSB(objective, maxiter=500, tol=1e-10, implicit_diff=True)

    def one(curve):
        found = solver.run(u0, (lower[:, 0], upper[:, 0]), curve, given)
        u = found.params
        J = jax.jacfwd(lambda x: predict(model, x, given))(u)
        return u, predict(model, u, given), J, found.state.error

    finite = jnp.all(jnp.isfinite(curves), axis=1)
    signal = jnp.any(curves > 0, axis=1)
    curves = jnp.where(finite[:, None], curves, 0.0)
    u, fitted, J, error = jax.lax.map(one, curves, batch_size=64)
    rss = jnp.sum((curves - fitted) ** 2, axis=1)
    solution = Solution(u.T, rss, error < 1e-4, jnp.einsum("vtp,vtq->pqv", J, J))
    R = scaled_cholesky(solution.matrix)
    linear = Linear(fitted.T, R, solve_lower(R, jnp.moveaxis(J, (0, 1, 2), (2, 1, 0))))
    spread = uncertainty(linear, (curves - fitted).T, errors)
    return block_result(model, solution, rss, jnp.sum(curves**2, axis=1), spread, lower, upper, finite, signal)
