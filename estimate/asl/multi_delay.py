r"""CBF and arterial transit time from differences at several delays or label durations, voxel by voxel.

Bounded least squares of `simulate.labelling.difference.label_difference`. In CBF the curve is (nearly) a straight line,
in ATT it has corners and several minima, so first every ATT of a fine grid is tried with the best CBF in closed form,
for all voxels at once by one matrix product, and from the best of them Levenberg-Marquardt goes on.

With `arterial`, label in arteries is fitted too (aBV, aBAT: Woods et al., MRM 2024 92:469). Between two measured times
its arrival changes nothing that aBV cannot make up for, so aBAT is one of a few: the middle of its interval.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Int

from estimate.asl.spread import Curves, spread
from estimate.kinetics.fit import IDENTIFIABLE
from estimate.least_squares.levenberg_marquardt import bounded_least_squares, solve_cholesky
from estimate.least_squares.standard_errors import for_few
from simulate.base.constants import ASL_BLOOD_T1, ASL_TISSUE_T1, LABEL_EFFICIENCY, PARTITION_COEFFICIENT
from simulate.base.errors import InputError
from simulate.base.status import Status, at_bound
from simulate.base.units import from_clinical, to_clinical
from simulate.labelling.difference import check_labelling, label_difference

GRID = 256
"""ATTs that are tried, from 0 to the last time."""

LARGEST_CBF, LARGEST_ABV = from_clinical("CBF", 600.0), 0.5  # mL/g/s, fraction

UNSURE = 0.5
"""s: an ATT with a larger standard error is not determined."""

_UNITS = {"CBF": from_clinical("CBF", 30.0), "ATT": 1.0, "aBV": 0.01}
"""Parameters are fitted in these, so that all are of the order of one."""

_CORNER = 1e-3
"""s from a corner of the curve in ATT within which a minimum lies on it."""

_CHUNK = 8192

_RESOLVED = 2.0
"""Steps of the grid of ATTs that a spread over it has to have to be believed: a narrower one is that of the best's
curvature."""


class ASLFit(NamedTuple):
    """Result of `fit_asl`. What a user reads is in clinical units: cbf, att, abv, abat, and stderr by name.

    Attributes
    ----------
    values : dict of (...) arrays
        By name, in internal units: CBF [mL/g/s], ATT [s], and aBV (fraction) and aBAT [s] where fitted; else 0 and NaN.
    errors : dict of (...) arrays
        Standard errors of CBF, ATT (and aBV), likewise, see `estimate.asl.spread`; M0's own noise, a share of
        (difference/M0)^2 of the variance, is not in them.
    rss : (...) array
        Of weighted residuals, in the unit of the differences squared.
    status : (...) int array
        Bits of `Status`.
    """

    values: dict[str, Array]
    errors: dict[str, Array]
    rss: Array
    status: Int[np.ndarray, "*s"]

    @property
    def cbf(self) -> Array:
        """(...) array: cerebral blood flow [mL/100 g/min]."""
        return to_clinical("CBF", self.values["CBF"])

    @property
    def att(self) -> Array:
        """(...) array: arterial transit time [s]."""
        return self.values["ATT"]

    @property
    def abv(self) -> Array:
        """(...) array: arterial blood volume [fraction]."""
        return self.values["aBV"]

    @property
    def abat(self) -> Array:
        """(...) array: arterial arrival [s]."""
        return self.values["aBAT"]

    @property
    def stderr(self) -> dict[str, Array]:
        """Standard errors by name, in clinical units."""
        return {name: to_clinical(name, error) for name, error in self.errors.items()}


class _Setting(NamedTuple):
    """What is the same for all voxels: times, label durations and roots of weights (g,), constants."""

    times: Array
    duration: Array
    weight: Array
    t1_blood: Array
    t1_tissue: Array
    partition: Array


def fit_asl(
    difference: Float[ArrayLike, "*s g"],
    times: Float[ArrayLike, " g"],
    *,
    m0: ArrayLike,
    labelling: str = "pcasl",
    label_duration: ArrayLike = 1.8,
    label_efficiency: float | None = None,
    partition_coefficient: float = PARTITION_COEFFICIENT,
    t1_blood: float = ASL_BLOOD_T1[3.0],
    t1_tissue: float = ASL_TISSUE_T1,
    model: str = "recommended",
    arterial: bool = False,
    repeats: ArrayLike = 1,
    sigma: ArrayLike | None = None,
    sigma_freedom: int | None = None,
) -> ASLFit:
    """Fit CBF and ATT, and with `arterial` aBV and aBAT, to control minus label, voxel by voxel.

    Parameters
    ----------
    difference : (..., g) array
        Control minus label, in the unit of m0.
    times : (g,) array [s]
        Since the START of labelling.
    m0 : float or (...) array
        Equilibrium magnetisation of tissue.
    labelling : str
        See `asl_difference`.
    label_duration : float or (g,) array [s]
        See `asl_difference`.
    label_efficiency : float
        See `asl_difference`.
    partition_coefficient : float [mL/g]
        See `asl_difference`.
    t1_blood : float [s]
        See `asl_difference`.
    t1_tissue : float [s]
        See `asl_difference`.
    model : str
        See `asl_difference`.
    arterial : bool
        Fit label in arteries too.
    repeats : int or (g,) array
        How many pairs are behind each difference, its weight.
    sigma : float or (...) array
        Standard deviation of a difference of ONE pair, from its repeats; from the residuals by default, where there are
        more differences than parameters.
    sigma_freedom : int
        Degrees of freedom of `sigma`; None where it is known exactly. Standard errors from few are widened
        (`estimate.least_squares.standard_errors.for_few`), so that 90 % intervals cover 90 %.

    Returns
    -------
    ASLFit
        What is wrong with single voxels is in `status`.

    Raises
    ------
    InputError
        For an unknown labelling or model, and for fewer differences than parameters.
    """
    check_labelling(labelling)
    difference = np.asarray(difference, float)
    shape, count = difference.shape[:-1], difference.shape[-1]
    names = ("CBF", "ATT", "aBV") if arterial else ("CBF", "ATT")
    if count < len(names) + arterial:
        cure = "give more delays" + (" or leave out the arterial component" if arterial else "")
        raise InputError("fit_asl", "difference", f"has {count} delays for {len(names) + arterial} parameters", cure)
    alpha = LABEL_EFFICIENCY[labelling] if label_efficiency is None else label_efficiency
    dtype = jnp.result_type(float)
    setting = _Setting(
        jnp.asarray(times, dtype),
        jnp.broadcast_to(jnp.asarray(label_duration, dtype), (count,)),
        jnp.sqrt(jnp.broadcast_to(jnp.asarray(repeats, dtype), (count,))),
        *(jnp.asarray(a, dtype) for a in (t1_blood, t1_tissue, partition_coefficient)),
    )
    m0 = np.broadcast_to(np.asarray(m0, float), shape).ravel()
    finite = np.isfinite(difference).all(-1).ravel()
    usable = finite & np.isfinite(m0) & (m0 > 0)
    scale = np.where(usable, 2 * alpha * m0, 1.0)
    scaled = np.where(usable[:, None], difference.reshape(-1, count), 0.0) / scale[:, None]
    chunks = _chunks(scaled.astype(dtype))
    parts = [_fit_chunk(part, setting, labelling, model, arterial) for part in chunks]
    u, rss, matrix, converged, abat = _joined(parts, len(scaled))
    values = {name: _UNITS[name] * u[k] for k, name in enumerate(names)}
    freedom = count - len(names) - arterial
    if sigma is not None:
        noise = (for_few(sigma_freedom) * np.broadcast_to(np.asarray(sigma, float), shape).ravel() / scale) ** 2
    else:
        # where no freedom is left, nothing tells the noise
        noise = for_few(freedom) ** 2 * rss / freedom if freedom else np.full_like(rss, np.nan)
    stderr = _standard_errors(names, matrix, noise)
    own = _chunks(np.column_stack([u.T, np.nan_to_num(abat), noise]).astype(dtype))
    wide = [_spread_chunk(*part, setting, labelling, model, arterial) for part in zip(chunks, own, strict=True)]
    whole = dict(zip(names, _joined(wide, len(scaled)), strict=True))
    seen = whole["ATT"] > _RESOLVED * float(np.max(np.asarray(setting.times))) / GRID
    stderr = {name: np.where(seen & np.isfinite(stderr[name]), whole[name], stderr[name]) for name in names}
    status = _status(values, stderr, float(np.max(np.asarray(setting.times))), converged)
    status = np.where(usable, status, np.where(finite, int(Status.NO_SIGNAL), int(Status.NOT_FINITE))).astype(np.int32)
    blank = np.where(usable, 1.0, np.nan)

    def image(x: Any) -> Array:
        return jnp.asarray((blank * x).reshape(shape))

    values = {"aBV": np.zeros_like(rss), **values, "aBAT": abat}
    return ASLFit(
        {name: image(x) for name, x in values.items()}, {name: image(x) for name, x in stderr.items()},
        image(rss * scale**2), status.reshape(shape),
    )  # fmt: skip


def _joined(parts: list[tuple], voxels: int) -> list[np.ndarray]:
    return [
        np.concatenate([np.asarray(one) for one in each], axis=-1)[..., :voxels] for each in zip(*parts, strict=True)
    ]


def _chunks(curves: np.ndarray) -> list[np.ndarray]:
    """Of one of three sizes, so that few programs are compiled."""
    size = next((n for n in (_CHUNK // 16, _CHUNK // 4) if len(curves) <= n), _CHUNK)
    padded = np.pad(curves, ((0, -len(curves) % size), (0, 0)))
    return [padded[k : k + size] for k in range(0, len(padded), size)]


def _standard_errors(names: tuple[str, ...], matrix: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
    """By the curvature: square roots of the diagonal of sigma^2 (J^T J)^-1; NaN where the data say nothing."""
    p = len(names)
    size = np.sqrt(np.maximum(np.stack([matrix[i, i] for i in range(p)]), np.finfo(float).tiny))
    correlation = matrix / (size[:, None] * size[None])
    eye = np.broadcast_to(np.eye(p)[..., None], correlation.shape)
    inverse = np.asarray(solve_cholesky(jnp.asarray(correlation), jnp.asarray(eye)))
    found = {}
    for k, name in enumerate(names):
        spread = np.sqrt(noise * inverse[k, k]) / size[k] * _UNITS[name]
        found[name] = np.where(np.isfinite(spread) & (spread < from_clinical(name, 1e6)), spread, np.nan)
    return found


def _status(
    values: dict[str, np.ndarray], stderr: dict[str, np.ndarray], longest: float, converged: np.ndarray
) -> np.ndarray:
    def bits(which: np.ndarray, *flags: Status) -> np.ndarray:
        return np.where(which, int(sum(flags)), 0)

    largest = {"CBF": LARGEST_CBF, "ATT": longest, "aBV": LARGEST_ABV}
    vague = ~(stderr["CBF"] <= IDENTIFIABLE * values["CBF"])
    unsure = ~(stderr["ATT"] <= UNSURE)
    status = bits(~converged, Status.NOT_CONVERGED)
    for name in ("CBF", "ATT"):
        status |= np.where((values[name] <= 0) | (values[name] >= largest[name]), at_bound(name), 0)
    status |= np.where(values.get("aBV", np.zeros_like(values["CBF"])) >= largest["aBV"], at_bound("aBV"), 0)
    status |= bits(vague, Status.NOT_IDENTIFIABLE, Status.CBF_NOT_IDENTIFIABLE)
    return status | bits(unsure, Status.NOT_IDENTIFIABLE, Status.ATT_NOT_IDENTIFIABLE)


# -- one chunk ------------------------------------------------------------------------------------------


@partial(jax.jit, static_argnames=("labelling", "model", "arterial"))
def _fit_chunk(curves: Array, setting: _Setting, labelling: str, model: str, arterial: bool) -> tuple:
    """u (p, v), rss (v,), J^T J (p, p, v), converged (v,), aBAT (v,) of scaled differences (v, g)."""
    curve = _curve(setting, labelling, model, arterial)
    weighted = curves * setting.weight
    longest = jnp.max(setting.times)
    start, abat = _coarse(curve, weighted, setting, longest, arterial)
    p = 3 if arterial else 2
    upper = jnp.asarray([[LARGEST_CBF / _UNITS["CBF"]], [0.0], [LARGEST_ABV / _UNITS["aBV"]]])[:p].at[1].set(longest)
    data = jnp.concatenate([weighted, abat[:, None]], axis=1)

    def normal(data: Array, u: Array) -> tuple[Array, Array, Array]:
        def one(u: Array) -> Array:
            return curve(u, data[:, -1])

        value = one(u)
        directions = jnp.eye(p, dtype=u.dtype)
        J = jnp.stack([jax.jvp(one, (u,), (jnp.broadcast_to(d[:, None], u.shape),))[1] for d in directions])
        residual = data[:, :-1] - value
        gradient = jnp.sum(J * residual, axis=-1)
        return jnp.sum(residual**2, axis=-1), gradient, jnp.sum(J[:, None] * J[None], axis=-1)

    energy = jnp.sum(weighted**2, axis=1)
    upper = upper.astype(start.dtype)
    end = bounded_least_squares(
        normal, data, jnp.clip(start, 0, upper), jnp.zeros((p, 1), start.dtype), upper,
        outside=jnp.zeros_like(energy), energy=energy, tolerance=1e-6, chunk=min(1024, len(curves)),
        passes=(6, 6, 12, 18),
    )  # fmt: skip
    # where a measured time is the first or the last of the label, the curve has a corner, and no step leaves a minimum
    corners = jnp.concatenate([setting.times, setting.times - setting.duration])
    at_corner = jnp.min(jnp.abs(_UNITS["ATT"] * end.u[1][:, None] - corners), axis=1) < _CORNER
    return end.u, end.rss, end.matrix, end.converged | at_corner, jnp.where(arterial, abat, jnp.nan)


def _curve(setting: _Setting, labelling: str, model: str, arterial: bool) -> Callable[[Array, Array], Array]:
    """u (p, *v) and aBAT (*v) to the weighted and scaled difference (*v, g)."""

    def curve(u: Array, abat: Array) -> Array:
        abv = _UNITS["aBV"] * u[2] if arterial else jnp.zeros(u.shape[1:], u.dtype)
        found = label_difference(
            _UNITS["CBF"] * u[0], _UNITS["ATT"] * u[1], setting.times, labelling=labelling,
            label_duration=setting.duration, m0=0.5, label_efficiency=1.0, partition_coefficient=setting.partition,
            t1_blood=setting.t1_blood, t1_tissue=setting.t1_tissue, model=model, abv=abv, abat=abat,
        )  # fmt: skip
        return found * setting.weight

    return curve


def _tissues(curve: Callable[[Array, Array], Array], longest: Array, arterial: bool) -> tuple[Array, Array]:
    """ATTs that are tried (a,), and the curves (a, g) of one unit of CBF that arrives then."""
    att = longest * jnp.arange(GRID) / GRID
    zero = jnp.zeros_like(att)
    return att, curve(jnp.stack([jnp.ones_like(att), att, zero][: 3 if arterial else 2]), zero)


@partial(jax.jit, static_argnames=("labelling", "model", "arterial"))
def _spread_chunk(
    curves: Array, found: Array, setting: _Setting, labelling: str, model: str, arterial: bool
) -> tuple[Array, ...]:
    """Standard errors (v,) of CBF, ATT (and aBV) over all ATTs; found (v, p + 2): u, aBAT and the noise's variance."""
    curve = _curve(setting, labelling, model, arterial)
    att, tissue = _tissues(curve, jnp.max(setting.times), arterial)
    *u, abat, noise = found.T
    zero, one = jnp.zeros_like(noise), jnp.ones_like(noise)
    through = curve(jnp.stack([zero, zero, one]), abat) if arterial else None
    of_att, amplitudes = spread(
        curves * setting.weight, Curves(att, tissue, through), noise, (u[1], u[0], *u[2:]), LARGEST_CBF / _UNITS["CBF"]
    )
    scaled = (amplitudes[0], of_att, *amplitudes[1:])
    return tuple(unit * each for unit, each in zip(_UNITS.values(), scaled, strict=False))


def _coarse(curve: Any, weighted: Array, setting: _Setting, longest: Array, arterial: bool) -> tuple[Array, Array]:
    """The best of all ATTs (and aBATs) with amplitudes in closed form: u (p, v), aBAT (v,)."""
    att, tissue = _tissues(curve, longest, arterial)
    own = jnp.maximum(jnp.sum(tissue**2, axis=1), jnp.finfo(tissue.dtype).tiny)
    fit = weighted @ tissue.T  # (v, a)
    alone = jnp.maximum(fit, 0.0) ** 2 / own
    if not arterial:
        best = jnp.argmax(alone, axis=1)
        rows = jnp.arange(len(best))
        height = jnp.maximum(fit[rows, best] / own[best], 1e-3)
        return jnp.stack([height, att[best]]), jnp.zeros_like(height)
    return _with_arteries(curve, weighted, setting, att, tissue, own, fit, alone)


def _with_arteries(
    curve: Any, weighted: Array, setting: _Setting, att: Array, tissue: Array, own: Array, fit: Array, alone: Array
) -> tuple[Array, Array]:
    """Every ATT with every interval of aBAT before it; two amplitudes, none negative."""
    edges = jnp.sort(jnp.concatenate([jnp.zeros(1), setting.times, jnp.maximum(setting.times - setting.duration, 0.0)]))
    abats = (edges[1:] + edges[:-1]) / 2
    zero = jnp.zeros_like(abats)
    through = curve(jnp.stack([zero, zero, jnp.ones_like(abats)]), abats)  # (b, g) of aBV 1 %
    tiny = jnp.finfo(through.dtype).tiny
    power = jnp.maximum(jnp.sum(through**2, axis=1), tiny)
    both = tissue @ through.T  # (a, b)
    determinant = jnp.maximum(own[:, None] * power - both**2, 1e-6 * own[:, None] * power)
    fit_b = weighted @ through.T  # (v, b)

    def one(k: Array) -> tuple[Array, Array, Array, Array]:
        """For one aBAT: gain and amplitudes over all ATTs (v, a)."""
        c = (fit * power[k] - fit_b[:, k, None] * both[:, k]) / determinant[:, k]
        a = (fit_b[:, k, None] * own - fit * both[:, k]) / determinant[:, k]
        inside = (c > 0) & (a > 0) & (abats[k] <= att)
        gain = jnp.where(inside, c * fit + a * fit_b[:, k, None], alone)
        best = jnp.argmax(gain, axis=1)
        rows = jnp.arange(len(best))
        joint = inside[rows, best]
        height = jnp.where(joint, c[rows, best], jnp.maximum(fit[rows, best], 0.0) / own[best])
        return gain[rows, best], att[best], height, jnp.where(joint, a[rows, best], 0.0)

    gain, arrival, height, volume = jax.lax.map(one, jnp.arange(len(abats)))
    best, rows = jnp.argmax(gain, axis=0), jnp.arange(len(weighted))
    chosen = jnp.stack([jnp.maximum(height[best, rows], 1e-3), arrival[best, rows], volume[best, rows]])
    return chosen, abats[best]
