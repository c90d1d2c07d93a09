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

Where all curves of a model lie in few directions, W = w B with orthonormal rows B common to all voxels, and the noise
is that of the curve itself (a = 1, b = q = 0), no voxel needs W: Y R_\rho Y^T = w (B R_\rho B^T) w^T.
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
    """What errors of the measurement do to concentrations, (v, t) each; see `estimate.signal.errors`.

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


class Directions(NamedTuple):
    """What the curves of a model are made of, and how it feels noise that is correlated along the frames.

    basis : (r, t) orthonormal rows B.      neighbours : (r, r) B N B^T, where N takes the mean of the frames on either
    side.      correlated : (n, r, r) B R_rho B^T at rho = 0 ... MOST_CORRELATED, equally spaced.
    """

    basis: Array
    neighbours: Array
    correlated: Array


class Linear(NamedTuple):
    """A model about its optimum.

    curve : (t, v).      R : (p, p) as lists, and w (p, r, v) with J = R w B, orthonormal rows in w.      directions :
    B and what belongs to it; None is B = 1, w (p, t, v).
    """

    curve: Array
    R: list[list[Array]]
    w: Array
    directions: Directions | None = None


def uncertainty(linear: Linear, residual: Array, errors: CurveErrors | None) -> Uncertainty:
    """Of the solver's coordinates. residual (t, v); errors None: noise of the curve itself."""
    if errors is not None:
        return _of_signal(linear, residual, errors)
    w = linear.w
    lag = _lag(w, None if linear.directions is None else linear.directions.neighbours)
    rho, variance = _noise(residual, lag, float(w.shape[0]))
    if linear.directions is None:
        gram = _autoregressive_gram(w, rho)
    else:
        gram = _gram_between(w, linear.directions.correlated, rho)
    K = variance * (gram + _unfelt(w))
    return Uncertainty(_solve_factor(linear.R, cholesky(K)), rho)


def _of_signal(linear: Linear, residual: Array, errors: CurveErrors) -> Uncertainty:
    """Where the concentration was made of a signal: see the module's equations."""
    W = linear.w if linear.directions is None else jnp.einsum("irv,rt->itv", linear.w, linear.directions.basis)
    a, b, q = (each.T for each in errors[:3])
    common = jnp.sum(W * b, axis=1)
    left = b - jnp.sum(common[:, None] * W, axis=0)  # what the fit leaves of an error of S0 is not noise
    share = jnp.sum(left * residual, axis=0) / jnp.maximum(jnp.sum(left**2, axis=0), _tiny(left))
    noise = (residual - share * left) / jnp.where(a == 0, 1.0, a)
    rho, variance = _noise(noise, _lag(W, None), W.shape[0] + 1.0)
    gram = _autoregressive_gram(W * a + common[:, None] * errors.before[:, None], rho)
    of_t10 = jnp.sum(W * q, axis=1)
    K = variance * (gram + _unfelt(W) * jnp.mean(a**2, axis=0)) + of_t10[:, None] * of_t10[None]
    return Uncertainty(_solve_factor(linear.R, cholesky(K)), rho)


def _lag(w: Array, neighbours: Array | None) -> Array:
    """(v,) the mean correlation of neighbouring frames in the directions w (p, r, v)."""
    moved = w[:, 1:] * w[:, :-1] if neighbours is None else w * jnp.einsum("rs,isv->irv", neighbours, w)
    return jnp.clip(jnp.sum(moved, axis=(0, 1)) / w.shape[0], -1.0, 1.0)


def _noise(residual: Array, lag: Array, taken: float) -> tuple[Array, Array]:
    """The noise's correlation and variance (v,) from residuals (t, v) that `taken` directions were taken from."""
    frames = residual.shape[0]
    energy = jnp.sum(residual**2, axis=0)
    raw = jnp.sum(residual[1:] * residual[:-1], axis=0) / jnp.maximum(energy, _tiny(energy)) * frames / (frames - 1)
    rho = _correlation(raw, lag, taken, frames)
    return rho, energy / jnp.maximum(frames - taken * _share(rho, lag), 1.0)


def _unfelt(w: Array) -> Array:
    """(p, p, v) What the curve does not feel is not certain."""
    lost = jnp.maximum(1 - jnp.sum(w**2, axis=1), 0.0)
    return lost[:, None] * jnp.eye(w.shape[0], dtype=w.dtype)[..., None]


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


def directions(basis: Array) -> Directions:
    """Of orthonormal rows (r, t)."""
    frames = basis.shape[1]
    apart = np.abs(np.arange(frames)[:, None] - np.arange(frames))
    rho = jnp.linspace(0.0, MOST_CORRELATED, _CORRELATIONS, dtype=basis.dtype)
    correlated = jax.lax.map(lambda one: basis @ one**apart @ basis.T, rho)
    return Directions(basis, basis @ jnp.where(apart == 1, 0.5, 0.0).astype(basis.dtype) @ basis.T, correlated)


_CORRELATIONS = 39


def _gram_between(w: Array, correlated: Array, rho: Array) -> Array:
    """w (B R_rho B^T) w^T (p, p, v), between two nodes linear in rho/(1 - rho): as a slow direction's variance is."""
    step = MOST_CORRELATED / (_CORRELATIONS - 1)
    index = jnp.clip(jnp.floor(rho / step).astype(jnp.int32), 0, _CORRELATIONS - 2)
    low, high = index * step, (index + 1) * step
    share = jnp.clip((rho - low) * (1 - high) / ((1 - rho) * step), 0.0, 1.0)[:, None, None]
    between = correlated[index] * (1 - share) + correlated[index + 1] * share
    rows = jnp.moveaxis(w, -1, 0)
    return jnp.moveaxis(rows @ between @ jnp.swapaxes(rows, 1, 2), 0, -1)


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
