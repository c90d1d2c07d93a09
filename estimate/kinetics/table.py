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
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from estimate.kinetics.measurement import FitInput, Sampling, sampling
from estimate.least_squares.standard_errors import Directions, directions
from simulate.base.runtime import is_traced
from simulate.kinetics.convolution import exponential_convolution, interpolate


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ExponentialTable:
    """Compressed curves of one arterial input on one time grid.

    directions : (r, T) orthonormal rows B and how they feel correlated noise; zero in frames that were added.
    curves : (d, n, m, r) normalised exponentials (K+kappa) E in the basis, with their derivatives per
        table step: m = 2 (value, d/dlogK) without delay, 4 (and d/dd, d2/dlogK dd) with it.
    fixed : (d, m, r) the input itself, kappa times its integral, and, where frames last, the input's derivative by
        delay per table step.
    log_rate : first log K and step;  delay : first delay and step [s], `needed` of them within the bounds.
    kappa : 1/duration [1/s].
    """

    directions: Directions
    curves: Array
    fixed: Array
    log_rate: tuple[Array, Array]
    delay: tuple[Array, Array]
    needed: Array
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

_DELAYS = 82
"""Delays in a table, or a multiple of them: those of the default bounds, so that other bounds are other data."""


class TableSize(NamedTuple):
    """rank : directions kept.      rates, delays : nodes; the error falls with the 4th power of the rates', and one
    delay is none."""

    rank: int
    rates: int
    delays: int = 1


def delays_needed(bounds: tuple[float, float]) -> int:
    """Number of delays within these bounds [s], for the largest step that `_delay_grid` takes."""
    return int(np.ceil((bounds[1] - bounds[0]) / _DELAY_STEP)) + 2


def delays_tabulated(bounds: tuple[float, float]) -> int:
    """The number that a table holds for them, one of few."""
    return _DELAYS * -(-delays_needed(bounds) // _DELAYS)


def exponential_table(
    given: FitInput, size: TableSize, *, delay_bounds: tuple[float, float] = (0.0, 0.0), padded: bool = False
) -> ExponentialTable:
    """Tabulate and compress all exponentials of an input, at the frames of a measurement.

    delay_bounds : range of delays [s] to tabulate, where `size` has more than one.
    padded : the basis has as many frames as `sampling` pads the measurement to, and is zero in those added.
    """
    wide = sampling(given, padded=padded)
    lowest = np.asarray(delay_bounds[0], wide.given.times.dtype)
    curves = _spread(wide, lowest, size)
    if is_traced(curves):
        basis = jnp.linalg.svd(curves, full_matrices=False)[2][: size.rank]
    else:  # by LAPACK outside of JAX: nothing to compile, and no direction leaks into the frames added
        basis = np.linalg.svd(np.asarray(curves)[:, : wide.frames], full_matrices=False)[2][: size.rank]
        basis = np.pad(basis, ((0, size.rank - len(basis)), (0, wide.given.times.size - wide.frames)))
    needed = np.asarray(delays_needed(delay_bounds) if size.delays > 1 else 1, np.int32)
    return _tabulated(wide, lowest, basis if isinstance(basis, Array) else jax.device_put(basis), needed, size)


class _Nodes(NamedTuple):
    """log_rates (n,) from `low` in steps of `rate_step`; delays (d,) [s], `delay_step` apart."""

    log_rates: Array
    low: Array
    rate_step: Array
    delays: Array
    delay_step: Array


def _nodes(wide: Sampling, lowest: Array, size: TableSize) -> _Nodes:
    low, high = jnp.log(1e-2 * wide.kappa), jnp.log(20 / wide.shortest)
    rate_step = (high - low) / (size.rates - 1)
    return _Nodes(jnp.linspace(low, high, size.rates), low, rate_step, *_delay_grid(wide.shortest, lowest, size.delays))


def _delay_grid(shortest: Array, lowest: Array, count: int) -> tuple[Array, Array]:
    """Delays (d,) and their step [s], such that the kinks of a uniformly sampled input fall on nodes.

    A piecewise-linear input shifted by d has kinks at the frames where d is a multiple of the spacing; between
    nodes everything is then smooth and Hermite interpolation is of fourth order.
    """
    dtype = jnp.result_type(shortest)
    if count == 1:
        return jnp.zeros(1, dtype), jnp.ones((), dtype)
    parts = jnp.maximum(jnp.floor(shortest / _DELAY_STEP), 1.0)
    step = jnp.where(shortest < 2 * _DELAY_STEP, _DELAY_STEP, shortest / parts)
    first = jnp.floor(lowest / step) * step
    return first + step * jnp.arange(count, dtype=dtype), step


def _exponential(wide: Sampling, log_rate: Array, delay: Array) -> Array:
    """(n, T) normalised exponentials of the input at these rates, of curves that are `delay` late."""
    given, rate = wide.given, jnp.exp(log_rate)
    window = 0.0 if given.duration is None else given.duration
    found = exponential_convolution(given.aif, given.aif_times, rate, given.times - delay, duration=window)
    return (rate + wide.kappa)[:, None] * found


def _fixed(wide: Sampling, delay: Array, delay_step: Array | None) -> Array:
    """(m, T) the input, kappa times its integral and, with a step, the input's change per step of the delay."""
    given, at = wide.given, wide.given.times - delay
    window = 0.0 if given.duration is None else given.duration
    zero = jnp.zeros((), at.dtype)
    integral = exponential_convolution(given.aif, given.aif_times, zero, at, duration=window)
    rows = [interpolate(given.aif, given.aif_times, at, window), wide.kappa * integral]
    if given.duration is not None and delay_step is not None:  # a mean moves by what enters and leaves its window
        width = jnp.maximum(given.duration, _INSTANT)
        enters, leaves = (interpolate(given.aif, given.aif_times, at + side * width / 2) for side in (-1, 1))
        rows.append((enters - leaves) / width * delay_step)
    return jnp.stack(rows)


@partial(jax.jit, static_argnames="size")
def _spread(wide: Sampling, lowest: Array, size: TableSize) -> Array:
    """(n, T) curves of all kinds that the table holds, of which its directions are made."""
    nodes = _nodes(wide, lowest, size)
    few = nodes.log_rates[:: size.rates // 40]

    def sample(delay: Array) -> Array:
        return jnp.concatenate([_exponential(wide, few, delay), _fixed(wide, delay, None)])

    spread = sample(nodes.delays[0])[None] if size.delays == 1 else jax.lax.map(sample, nodes.delays[::4])
    return spread.reshape(-1, spread.shape[-1])


@partial(jax.jit, static_argnames="size")
def _tabulated(wide: Sampling, lowest: Array, basis: Array, needed: Array, size: TableSize) -> ExponentialTable:
    nodes, fits_delay = _nodes(wide, lowest, size), size.delays > 1

    def at_delay(delay: Array) -> tuple[Array, Array]:
        """Rows (n, m, r) at one delay; dE/dd = K E - ca(t - d) spares a second forward derivative."""
        log_rates = nodes.log_rates
        value, slope = jax.jvp(lambda x: _exponential(wide, x, delay), (log_rates,), (jnp.ones_like(log_rates),))
        fixed = _fixed(wide, delay, nodes.delay_step if fits_delay else None)
        rows = [value, slope * nodes.rate_step]
        if fits_delay:
            rate, shifted = jnp.exp(log_rates)[:, None], fixed[0]
            moved = rate * value - (rate + wide.kappa) * shifted
            mixed = rate * (value + slope - shifted)
            rows += [moved * nodes.delay_step, mixed * (nodes.delay_step * nodes.rate_step)]
        return jnp.stack(rows, axis=1) @ basis.T, fixed @ basis.T

    tabulated, fixed = jax.lax.map(at_delay, nodes.delays)
    return ExponentialTable(
        directions=directions(basis),
        curves=tabulated,
        fixed=fixed,
        log_rate=(nodes.low, nodes.rate_step),
        delay=(nodes.delays[0], nodes.delay_step),
        needed=needed,
        kappa=jnp.asarray(wide.kappa, basis.dtype),
        fits_delay=fits_delay,
        averages=wide.given.duration is not None,
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
