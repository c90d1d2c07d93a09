r"""How sure a least-squares fit is: the covariance of its parameters from that of its curve.

Of a curve c (t) with Jacobian J (p, t), a row for each parameter, unweighted least squares have the covariance

    (J J^T)^-1 J cov(c) J^T (J J^T)^-1.

cov(c) is not that of white noise. A concentration is made of a signal S by c_t = g(S_t/S_0; T_10) with S_0 the mean of
the n frames before contrast, and the noise of neighbouring frames may be correlated (filters, sharing of views,
physiology), corr(e_t, e_s) = \rho^{|t-s|}. To first order

    \delta c_t = a_t e_t + b_t \bar e_n + q_t,     a_t = dc_t/dS_t,   b_t = dc_t/dS_0,   q_t = dc_t/dT_10 \delta T_10,

so with orthonormal rows W and a lower triangular R, J = R W, all that is needed is

    Y_{it} = W_{it} a_t + [t <= n] (\sum_s W_{is} b_s)/n,     K = \sigma^2 Y R_\rho Y^T + (W q)(W q)^T,

with R_\rho the matrix of \rho^{|t-s|}, and the covariance is R^-T K R^-1. \sigma and \rho come from the
residuals, freed of what the fit has taken from them: a direction of lag-one correlation d takes the share
s = (1 - \rho^2)/(1 - 2 \rho d + \rho^2) of \sigma^2 (the spectral density of the AR(1) process there).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.stats import norm
from scipy.stats import t as student_t

MOST_CORRELATED = 0.95
"""Largest correlation of neighbouring frames that is told apart from a wrong model."""


class CurveErrors(NamedTuple):
    """What errors of the measurement do to concentrations, (v, t) each; see `estimate.signal_errors`.

    noise : a, mmol/L per unit of signal.      baseline : b, likewise; before : (t,) the weight of every frame in S_0,
    1/n of those before contrast.      t10 : q for one standard error of T10 [mmol/L].
    """

    noise: Array
    baseline: Array
    t10: Array
    before: Array


class Uncertainty(NamedTuple):
    """factor (p, p, v): F with cov(u) = F F^T.      correlation (v,): rho of neighbouring frames' noise."""

    factor: Array
    correlation: Array


class Linear(NamedTuple):
    """A model about its optimum: curve (t, v); R (p, p) as lists and W (p, t, v) with J = R W, W's rows orthonormal."""

    curve: Array
    R: list[list[Array]]
    W: Array


def uncertainty(linear: Linear, residual: Array, errors: CurveErrors | None) -> Uncertainty:
    """Of the solver's coordinates. residual (t, v); errors None: noise of the curve itself."""
    W = linear.W
    p, frames, _ = W.shape
    noise, taken = residual, float(p)
    Y, square = W, jnp.ones(())
    if errors is not None:
        a, b, q = (each.T for each in errors[:3])
        common = jnp.sum(W * b, axis=1)
        Y, square = W * a + common[:, None] * errors.before[:, None], jnp.mean(a**2, axis=0)
        left = b - jnp.sum(common[:, None] * W, axis=0)  # what the fit leaves of an error of S0 is not noise
        share = jnp.sum(left * residual, axis=0) / jnp.maximum(jnp.sum(left**2, axis=0), _tiny(left))
        noise, taken = (residual - share * left) / jnp.where(a == 0, 1.0, a), p + 1.0
    lag = jnp.clip(jnp.sum(W[:, 1:] * W[:, :-1], axis=(0, 1)) / p, -1.0, 1.0)
    energy = jnp.sum(noise**2, axis=0)
    raw = jnp.sum(noise[1:] * noise[:-1], axis=0) / jnp.maximum(energy, _tiny(energy)) * frames / (frames - 1)
    rho = _correlation(raw, lag, taken, frames)
    variance = energy / jnp.maximum(frames - taken * _share(rho, lag), 1.0)
    unfelt = jnp.maximum(1 - jnp.sum(W**2, axis=1), 0.0) * square  # what the curve does not feel is not certain
    K = variance * (_autoregressive_gram(Y, rho) + unfelt[:, None] * jnp.eye(p, dtype=W.dtype)[..., None])
    if errors is not None:
        common = jnp.sum(W * q, axis=1)
        K = K + common[:, None] * common[None]
    return Uncertainty(_solve_factor(linear.R, cholesky(K)), rho)


def standard_error(D: Array, factor: Array) -> Array:
    """(m, v) of quantities with derivatives D (p, m, v) by the coordinates."""
    spread = jnp.einsum("imv,ijv->jmv", D, factor)
    error = jnp.sqrt(jnp.sum(spread**2, axis=0))
    return jnp.where(jnp.isnan(error), jnp.inf, error)


def for_few(freedom: int | None) -> float:
    """Factor on a standard error whose noise was told from few degrees of freedom: that of Student's t at 90 %.

    1 where the noise is known (None), or nothing tells it (0).
    """
    return float(student_t.ppf(0.95, freedom) / norm.ppf(0.95)) if freedom else 1.0


def _share(rho: Array, lag: Array) -> Array:
    return (1 - rho**2) / (1 - 2 * rho * lag + rho**2)


def _correlation(raw: Array, lag: Array, taken: float, frames: int) -> Array:
    """rho of the noise from that of the residuals: E[raw] (t - k s) = t rho - k d s, by a few fixed points."""
    rho = jnp.clip(raw, 0.0, MOST_CORRELATED)
    for _ in range(8):
        lost = taken * _share(rho, lag)
        rho = jnp.clip((raw * (frames - lost) + lag * lost) / frames, 0.0, MOST_CORRELATED)
    return rho


def _autoregressive_gram(Y: Array, rho: Array) -> Array:
    """Y R_rho Y^T (p, p, v) of Y (p, t, v), R_rho the matrix of rho^|t-s|, by the recursion u_t = rho u_{t-1} + Y_t."""
    p, _, v = Y.shape
    pairs = [(i, j) for i in range(p) for j in range(i + 1)]
    first, second = (jnp.asarray(k) for k in zip(*pairs, strict=True))

    def advance(carried: tuple[Array, Array], now: Array) -> tuple[tuple[Array, Array], None]:
        past, total = carried
        before = rho * past
        # now.now, and now with all that came before, both ways
        new = now[first] * (now[second] + before[second]) + before[first] * now[second]
        return (before + now, total + new), None

    nothing = (jnp.zeros((p, v), Y.dtype), jnp.zeros((len(pairs), v), Y.dtype))
    (_, total), _ = jax.lax.scan(advance, nothing, jnp.moveaxis(Y, 1, 0), unroll=5)
    place = np.zeros((p, p), int)
    for k, (i, j) in enumerate(pairs):
        place[i, j] = place[j, i] = k
    return total[place]


def scaled_cholesky(matrix: Array) -> list[list[Array]]:
    """R of J J^T = `matrix` (p, p, v), at unit length of every row for its digits."""
    p = matrix.shape[0]
    length = jnp.sqrt(jnp.maximum(jnp.stack([matrix[i, i] for i in range(p)]), _tiny(matrix)))
    L = cholesky(matrix / (length[:, None] * length[None]))
    floor = 4 * jnp.finfo(matrix.dtype).eps
    return [
        [length[i] * (jnp.maximum(L[i][j], floor) if i == j else L[i][j]) for j in range(i + 1)] for i in range(p)
    ]  # fmt: skip


def solve_lower(R: list[list[Array]], J: Array) -> Array:
    """W (p, n, v) of R W = J."""
    rows: list[Array] = []
    for i, each in enumerate(R):
        rest = J[i] - sum((each[k] * rows[k] for k in range(i)), jnp.zeros(()))
        rows.append(rest / each[i])
    return jnp.stack(rows)


def cholesky(K: Array) -> list[list[Array]]:
    """Lower triangular factor of (p, p, v), as lists; a direction without any variance stays without."""
    L: list[list[Array]] = []
    for i in range(K.shape[0]):
        row: list[Array] = []
        L.append(row)
        for j in range(i + 1):
            rest = K[i, j] - sum((row[k] * L[j][k] for k in range(j)), jnp.zeros(()))
            if i == j:
                row.append(jnp.sqrt(jnp.maximum(rest, 0.0)))
            else:
                row.append(jnp.where(L[j][j] > 0, rest / jnp.maximum(L[j][j], _tiny(rest)), 0.0))
    return L


def _solve_factor(R: list[list[Array]], L: list[list[Array]]) -> Array:
    """F = R^-T L (p, p, v), solving R^T F = L."""
    p = len(R)
    F: list[list[Array]] = [[jnp.zeros(())] * p for _ in range(p)]
    for j in range(p):
        for i in reversed(range(p)):
            right = L[i][j] if j <= i else jnp.zeros_like(L[0][0])
            known = sum((R[k][i] * F[k][j] for k in range(i + 1, p)), jnp.zeros(()))
            F[i][j] = (right - known) / R[i][i]
    return jnp.stack([jnp.stack(row) for row in F])


def _tiny(like: Array) -> float:
    return float(jnp.finfo(like.dtype).tiny) * 1e6
