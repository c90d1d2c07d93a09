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

from collections.abc import Callable
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from scipy.special import stdtrit

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


def uncertainty(
    linear: Linear, residual: Array, errors: CurveErrors | None, *, frames: ArrayLike | None = None
) -> Uncertainty:
    """Of the solver's coordinates.

    residual : (t, v).      errors : None where the noise is that of the curve itself.
    frames : how many there are, where others that hold nothing but zeros come after them.
    """
    count = residual.shape[0] if frames is None else frames
    if errors is not None:
        return _of_signal(linear, residual, errors, count)
    w = linear.w
    rho, variance = _noise(residual, _lag(linear), float(w.shape[0]), count)
    if linear.directions is None:
        gram = _autoregressive_gram(lambda start, size: jax.lax.dynamic_slice_in_dim(w, start, size, 1), rho, w, count)
    else:
        gram = _gram_between(w, linear.directions.correlated, rho)
    K = variance * (gram + _undetermined(w))
    return Uncertainty(_solve_factor(linear.R, cholesky(K)), rho)


def _of_signal(linear: Linear, residual: Array, errors: CurveErrors, count: ArrayLike) -> Uncertainty:
    """Where the concentration was made of a signal: see the module's equations."""
    w, before = linear.w, errors.before
    a, b, q = (each.T for each in errors[:3])
    common = _projected(linear, b)
    left = b - _curve_of(linear, common)  # what the fit leaves of an error of S0 is not noise
    share = jnp.sum(left * residual, axis=0) / jnp.maximum(jnp.sum(left**2, axis=0), _tiny(left))
    noise = (residual - share * left) / jnp.where(a == 0, 1.0, a)
    rho, variance = _noise(noise, _lag(linear), w.shape[0] + 1.0, count)

    def moved(start: Array, size: int) -> Array:
        """(p, size, v) by how much noise of these frames moves the parameters."""
        at = partial(jax.lax.dynamic_slice_in_dim, start_index=start, slice_size=size)
        rows = at(w, axis=1) if linear.directions is None else _rows(w, at(linear.directions.basis, axis=1))
        return rows * at(a, axis=0) + common[:, None] * at(before, axis=0)[:, None]

    gram = _autoregressive_gram(moved, rho, w, count, jnp.size(before))
    of_t10 = _projected(linear, q)
    K = variance * (gram + _undetermined(w) * jnp.sum(a**2, axis=0) / count) + of_t10[:, None] * of_t10[None]
    return Uncertainty(_solve_factor(linear.R, cholesky(K)), rho)


def _rows(w: Array, basis: Array) -> Array:
    """(p, t, v) W = w B."""
    return jnp.einsum("irv,rt->itv", w, basis)


def _projected(linear: Linear, curves: Array) -> Array:
    """(p, v) sum_t W c of curves (t, v)."""
    within = curves if linear.directions is None else linear.directions.basis @ curves
    return jnp.sum(linear.w * within, axis=1)


def _curve_of(linear: Linear, amounts: Array) -> Array:
    """(t, v) sum_i a_i W_i of amounts (p, v)."""
    within = jnp.sum(linear.w * amounts[:, None], axis=0)
    return within if linear.directions is None else linear.directions.basis.T @ within


def _lag(linear: Linear) -> Array:
    """(v,) the mean correlation of neighbouring frames in the model's directions."""
    w = linear.w
    if linear.directions is None:
        moved = w[:, 1:] * w[:, :-1]
    else:
        moved = w * jnp.einsum("rs,isv->irv", linear.directions.neighbours, w)
    return jnp.clip(jnp.sum(moved, axis=(0, 1)) / w.shape[0], -1.0, 1.0)


def _noise(residual: Array, lag: Array, taken: float, frames: ArrayLike) -> tuple[Array, Array]:
    """The noise's correlation and variance (v,) from residuals (t, v) that `taken` directions were taken from."""
    frames = jnp.asarray(frames, residual.dtype)
    energy = jnp.sum(residual**2, axis=0)
    raw = jnp.sum(residual[1:] * residual[:-1], axis=0) / jnp.maximum(energy, _tiny(energy)) * frames / (frames - 1)
    rho = _correlation(raw, lag, taken, frames)
    return rho, energy / jnp.maximum(frames - taken * _share(rho, lag), 1.0)


def _undetermined(w: Array) -> Array:
    """(p, p, v) What the curve does not determine is not certain."""
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
    return float(stdtrit(freedom, 0.95) / NormalDist().inv_cdf(0.95)) if freedom else 1.0


def _share(rho: Array, lag: Array) -> Array:
    return (1 - rho**2) / (1 - 2 * rho * lag + rho**2)


def _correlation(raw: Array, lag: Array, taken: float, frames: Array) -> Array:
    """rho of the noise from that of the residuals: E[raw] (t - k s) = t rho - k d s, by a few fixed points."""
    rho = jnp.clip(raw, 0.0, MOST_CORRELATED)
    for _ in range(8):
        lost = taken * _share(rho, lag)
        rho = jnp.clip((raw * (frames - lost) + lag * lost) / frames, 0.0, MOST_CORRELATED)
    return rho


_STRIDE = 8
"""Frames that are worked on at a time."""


def _autoregressive_gram(
    rows: Callable[[Array, int], Array], rho: Array, w: Array, count: ArrayLike, frames: int | None = None
) -> Array:
    """Y R_rho Y^T (p, p, v), R_rho the matrix of rho^|t-s|, by the recursion u_t = rho u_{t-1} + Y_t.

    rows : (first frame, how many) -> Y (p, size, v) of these.      frames : those that there are rows of, by default as
    many as `w` (p, t, v) has; only the first `count` count.
    """
    p, v = w.shape[0], w.shape[2]
    whole = w.shape[1] if frames is None else frames
    stride = min(_STRIDE, whole)
    pairs = [(i, j) for i in range(p) for j in range(i + 1)]
    first, second = (jnp.asarray(k) for k in zip(*pairs, strict=True))

    def advance(k: Array, carried: tuple[Array, Array]) -> tuple[Array, Array]:
        past, total = carried
        start = jnp.minimum(k * stride, whole - stride)  # the last stride may reach back into the one before
        some = rows(start, stride)
        for i in range(stride):
            now, kept = some[:, i], rho
            if whole % stride:
                new = start + i >= k * stride
                now, kept = jnp.where(new, now, 0.0), jnp.where(new, rho, 1.0)
            before = kept * past
            # now.now, and now with all that came before, both ways
            total = total + now[first] * (now[second] + before[second]) + before[first] * now[second]
            past = before + now
        return past, total

    nothing = (jnp.zeros((p, v), w.dtype), jnp.zeros((len(pairs), v), w.dtype))
    strides = -(-jnp.asarray(count, jnp.int32) // stride)
    _, total = jax.lax.fori_loop(0, strides, advance, nothing)
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
