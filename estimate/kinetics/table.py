r"""The arterial input's own exponential table, compressed: what makes a batch of fits fast.

Every compartmental curve is a sum of E(K, d)(t) = \int ca(s-d) e^{-K (t-s)} ds over few rates K. The
table of E over all rates (and delays d) spans only a few directions of the t-dimensional space of
curves; their orthonormal basis B (rank, t) is found by an SVD. A measured curve C is then as good as its
projection y = B C: what is lost is orthogonal to every model curve, so least squares is unchanged.
In between its nodes the table is read by cubic Hermite interpolation in log K and in d (with exact
derivatives at the nodes; relative error < 1e-6), at the cost of a few row gathers per voxel.

Where frames last, every curve is its mean over them, exactly. That is linear, so it belongs into the table, once per
scan, and costs no voxel anything.

Amplitudes are normalised: the table holds (K + kappa) E with kappa = 1/duration, which tends to ca for
K -> infinity and to kappa times the running integral for K -> 0, and stays constant beyond its ends.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from estimate.least_squares.standard_errors import Directions, directions
from simulate.kinetics.convolution import exponential_convolution, interpolate


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExponentialTable:
    """Compressed curves of one arterial input on one time grid.

    directions : (r, t) orthonormal rows B and how they feel correlated noise.
    curves : (d, n, m, r) normalised exponentials (K+kappa) E in the basis, with their derivatives per
        table step: m = 2 (value, d/dlogK) without delay, 4 (and d/dd, d2/dlogK dd) with it.
    fixed : (d, m, r) the input itself, kappa times its integral, and, where frames last, the input's derivative by
        delay per table step.
    log_rate : first log K and step;  delay : first delay and step [s].    kappa : 1/duration [1/s].
    """

    directions: Directions
    curves: Array
    fixed: Array
    log_rate: tuple[Array, Array]
    delay: tuple[Array, Array]
    kappa: Array
    fits_delay: bool = field(metadata={"static": True})
    averages: bool = field(default=False, metadata={"static": True})

    @property
    def basis(self) -> Array:
        return self.directions.basis

    @property
    def rank(self) -> int:
        return self.basis.shape[0]


_INSTANT = 1e-3  # s, the width over which the slope at a frame without duration is taken

_DELAY_STEP = 0.25  # s, at least; bolus curves are smooth on this scale


def delay_nodes(delay_bounds: tuple[float, float] | None) -> int:
    """Number of delays in the table, a static number; enough for the largest step that `_delay_grid` takes."""
    return 1 if delay_bounds is None else int(np.ceil((delay_bounds[1] - delay_bounds[0]) / _DELAY_STEP)) + 2


def _delay_grid(delay_bounds: tuple[float, float] | None, times: Array) -> tuple[Array, Array]:
    """Delays (d,) and their step [s], such that the kinks of a uniformly sampled input fall on nodes.

    A piecewise-linear input shifted by d has kinks at the frames where d is a multiple of the spacing; between
    nodes everything is then smooth and Hermite interpolation is of fourth order.
    """
    if delay_bounds is None:
        return jnp.zeros(1, times.dtype), jnp.ones((), times.dtype)
    spacing = jnp.min(jnp.diff(times))
    parts = jnp.maximum(jnp.floor(spacing / _DELAY_STEP), 1.0)
    step = jnp.where(spacing < 2 * _DELAY_STEP, _DELAY_STEP, spacing / parts)
    first = jnp.floor(delay_bounds[0] / step) * step
    return first + step * jnp.arange(delay_nodes(delay_bounds), dtype=times.dtype), step


def exponential_table(
    aif: Array, aif_times: Array, times: Array, *, duration: Array | None = None,
    delay_bounds: tuple[float, float] | None, rank: int, rate_nodes: int,
) -> ExponentialTable:  # fmt: skip
    """Tabulate and compress all exponentials of the input.

    Parameters
    ----------
    aif, aif_times : (k,) plasma concentration [mmol/L] and its sample times [s].
    times : (t,) sample times of the tissue curves, or the centres of their frames [s].
    duration : (t,) of the frames [s]; None samples.
    delay_bounds : range of delays [s] to tabulate, or None for no delay.
    rank : number of directions kept (at most t).      rate_nodes : table size; the error falls as its 4th power.
    """
    first, last = times[0], times[-1]
    kappa = 1 / (last - jnp.minimum(first, aif_times[0]))
    shortest = jnp.min(jnp.diff(times))
    low, high = jnp.log(1e-2 * kappa), jnp.log(20 / shortest)
    log_rates = jnp.linspace(low, high, rate_nodes)
    rate_step = (high - low) / (rate_nodes - 1)
    delays, delay_step = _delay_grid(delay_bounds, times)

    window = 0.0 if duration is None else duration

    def exponential(log_rate, delay):
        rate = jnp.exp(log_rate)
        return (rate + kappa)[:, None] * exponential_convolution(aif, aif_times, rate, times - delay, duration=window)

    def fixed_curves(delay):
        at = times - delay
        integral = exponential_convolution(aif, aif_times, jnp.zeros((), times.dtype), at, duration=window)
        rows = [interpolate(aif, aif_times, at, window), kappa * integral]
        if duration is not None and delay_bounds is not None:  # a mean moves by what enters and leaves its window
            width = jnp.maximum(duration, _INSTANT)
            enters, leaves = (interpolate(aif, aif_times, at + side * width / 2) for side in (-1, 1))
            rows.append((enters - leaves) / width * delay_step)
        return jnp.stack(rows)

    def sample(delay):
        return jnp.concatenate([exponential(log_rates[:: rate_nodes // 40], delay), fixed_curves(delay)[:2]])

    spread = sample(delays[0])[None] if delay_bounds is None else jax.lax.map(sample, delays[::4])
    curves = spread.reshape(-1, times.size)
    basis = jnp.linalg.svd(curves, full_matrices=False)[2][: min(rank, times.size)]

    def at_delay(delay):
        """Rows (n, m, r) at one delay; dE/dd = K E - ca(t - d) spares a second forward derivative."""
        value, slope = jax.jvp(lambda x: exponential(x, delay), (log_rates,), (jnp.ones_like(log_rates),))
        rows, fixed = [value, slope * rate_step], fixed_curves(delay)
        if delay_bounds is not None:
            rate, shifted = jnp.exp(log_rates)[:, None], fixed[0]
            moved = rate * value - (rate + kappa) * shifted
            mixed = rate * (value + slope - shifted)
            rows += [moved * delay_step, mixed * (delay_step * rate_step)]
        return jnp.stack(rows, axis=1) @ basis.T, fixed @ basis.T

    tabulated, fixed = jax.lax.map(at_delay, delays)
    return ExponentialTable(
        directions=directions(basis),
        curves=tabulated,
        fixed=fixed,
        log_rate=(low, rate_step),
        delay=(delays[0], delay_step),
        kappa=kappa,
        fits_delay=delay_bounds is not None,
        averages=duration is not None,
    )


def _hermite(f: Array) -> tuple[Array, Array]:
    """Weights (v, 4) of (left, left slope, right, right slope) at fraction f (v,), and their derivatives."""
    g = 1 - f
    rise = f * f * (3 - 2 * f)
    value = jnp.stack([1 - rise, f * g * g, rise, -f * f * g], -1)
    steep = 6 * f * g
    slope = jnp.stack([-steep, g * (1 - 3 * f), steep, f * (3 * f - 2)], -1)
    return value, slope


def _weighted(weights: Array, corners: tuple[Array, ...]) -> Array:
    """Sum of the corners (v, r), each with its weight (v,)."""
    first, *rest = [weights[:, k, None] * corner for k, corner in enumerate(corners)]
    return sum(rest, first)


def _cell(x: Array, first: Array, step: Array, nodes: int) -> tuple[Array, Array, Array]:
    """Index of the table cell, fraction within it, and 1/step (0 outside, where the table is constant)."""
    z = (x - first) / step
    inside = (z > 0) & (z < nodes - 1)
    z = jnp.clip(z, 0, (nodes - 1) * (1 - 1e-6))
    index = jnp.floor(z).astype(jnp.int32)
    return index, z - index, jnp.where(inside, 1 / step, 0.0)


def read_exponential(table: ExponentialTable, log_rate: Array, delay: Array | None) -> list[Array]:
    """Compressed (K+kappa) E(K, d) for every voxel, and its derivatives in log K (and d).

    log_rate, delay : (v,).  Returns [value, d/dlogK] or [value, d/dlogK, d/dd], each (v, r).
    """
    nodes = table.curves.shape[1]
    i, f, per_rate = _cell(log_rate, *table.log_rate, nodes)
    value, slope = _hermite(f)
    slope = slope * per_rate[:, None]
    if delay is None:
        rows = table.curves[0].reshape(nodes, -1)
        left, right = rows[i], rows[i + 1]
        r = table.rank
        corners = (left[:, :r], left[:, r:], right[:, :r], right[:, r:])
        return [_weighted(w, corners) for w in (value, slope)]
    j, g, per_delay = _cell(delay, *table.delay, table.curves.shape[0])
    across, across_slope = _hermite(g)
    across_slope = across_slope * per_delay[:, None]
    corner = (j[:, None] + jnp.array([0, 0, 1, 1])) * nodes + i[:, None] + jnp.array([0, 1, 0, 1])
    rows = table.curves.reshape(-1, 4, table.rank)[corner]  # (v, 4 corners, E E_x E_d E_xd, r)
    rows = rows.reshape(-1, 16, table.rank)
    # weights of the 16 rows: (delay side, rate end, delay derivative, rate derivative)
    pairs = ((across, value), (across, slope), (across_slope, value))
    products = [a.reshape(-1, 2, 1, 2, 1) * x.reshape(-1, 1, 2, 1, 2) for a, x in pairs]
    weights = jnp.stack(products, axis=1).reshape(-1, 3, 16)
    read = jnp.einsum("vkw,vwr->vkr", weights, rows)
    return [read[:, 0], read[:, 1], read[:, 2]]


def read_fixed(table: ExponentialTable, which: int, delay: Array | None, voxels: int) -> list[Array]:
    """Compressed input (which=0) or kappa times its integral (1): [value] or [value, d/dd], each (v, r)."""
    if delay is None:
        return [jnp.broadcast_to(table.fixed[0, which], (voxels, table.rank))]
    j, g, per_delay = _cell(delay, *table.delay, table.fixed.shape[0])
    left, right = table.fixed[j, which], table.fixed[j + 1, which]
    if which == 0 and not table.averages:  # the input has kinks: read it linearly, as it is defined
        return [left + (right - left) * g[:, None], (right - left) * per_delay[:, None]]
    value, slope = _hermite(g)
    slope = slope * per_delay[:, None]
    # the integral up to t - d falls with d as the input itself
    slopes, per_step = (0, -table.kappa * table.delay[1]) if which else (2, 1.0)
    corners = (left, per_step * table.fixed[j, slopes], right, per_step * table.fixed[j + 1, slopes])
    return [_weighted(w, corners) for w in (value, slope)]
