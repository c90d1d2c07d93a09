r"""Where to begin: the best of many non-negative combinations of tabulated curves, in closed form.

For a candidate set of columns (two rates, or a rate and the input, ...) orthonormalised once into q_1..q_k,
the residual falls by \sum (q_i . y)^2, and back substitution gives the amplitudes. All candidates of all
voxels are two matrix products and a maximum; only candidates with positive amplitudes compete.
"""

from dataclasses import dataclass
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from estimate.kinetics.model import FitModel
from estimate.kinetics.table import ExponentialTable, read_exponential
from simulate.kinetics.compartments import COMPARTMENT_MODELS, Terms


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Candidates:
    """Sets of k columns: orthonormal vectors (k, n, r), triangular factors (n, k, k), rates (n, e), delay (n,), and
    whether that is within the bounds (n,)."""

    directions: Array
    factors: Array
    rates: Array
    delays: Array
    within: Array


def _column_sets(model: FitModel) -> list[tuple[int, bool, bool]]:
    """(number of exchange terms, uptake?, plasma?) of the full model and of its simpler faces."""
    terms = COMPARTMENT_MODELS[model.name].terms(*[0.1] * len(COMPARTMENT_MODELS[model.name].parameters))
    exchange, uptake = len(terms.exchange), terms.uptake is not None
    plasma = terms.plasma is not None
    sets = [(exchange, uptake, plasma or model.arterial_volume)]
    if exchange == 2:  # one pool, or blood itself
        sets.append((1, False, False))
    if exchange and (uptake or plasma):
        sets.append((exchange, False, False))
    if model.arterial_volume and not plasma:
        sets.append((exchange, uptake, False))
    return sets


def _candidates(model: FitModel, table: ExponentialTable, shape: tuple[int, bool, bool]) -> _Candidates:
    exchange, uptake, plasma = shape
    count = 10 if model.fit_delay else 24
    low, step = table.log_rate
    nodes = table.curves.shape[1]
    high = low + step * (nodes - 1)
    # from a third of 1/duration to about three per frame: beyond, curves no longer differ
    log_rates = jnp.linspace(low + np.log(30.0), high - np.log(6.0), count)
    sets = list(combinations(range(count), exchange))
    chosen = np.array(sets, dtype=int).reshape(len(sets), exchange)[:, ::-1]  # the faster rate first

    def at_delay(index):
        delay = jnp.full(count, table.delay[0] + index * table.delay[1]) if table.fits_delay else None
        curves = read_exponential(table, log_rates, delay)[0]
        columns = [curves[chosen[:, j]] for j in range(exchange)]
        fixed = table.fixed[index]
        columns += [jnp.broadcast_to(fixed[1], (len(chosen), table.rank))] if uptake else []
        columns += [jnp.broadcast_to(fixed[0], (len(chosen), table.rank))] if plasma else []
        return jnp.stack(columns, axis=1)

    indices = jnp.arange(0, table.curves.shape[0], 3)  # about a second apart; the one there is without delay
    columns = jax.vmap(at_delay)(indices)
    columns = columns.reshape(-1, *columns.shape[2:])  # (n, k, r)
    q, factors = jnp.linalg.qr(jnp.swapaxes(columns, 1, 2))
    sign = jnp.sign(jnp.diagonal(factors, axis1=1, axis2=2))
    delays = table.delay[0] + indices * table.delay[1]
    return _Candidates(
        directions=jnp.moveaxis(q * sign[:, None], 2, 0),
        factors=factors * sign[:, :, None],
        rates=jnp.tile(jnp.exp(log_rates)[chosen], (len(indices), 1)),
        delays=jnp.repeat(delays, len(chosen)),
        within=jnp.repeat(indices < table.needed, len(chosen)),
    )


def _amplitudes(projections: list[Array], factor: Array) -> list[Array]:
    """Back substitution: amplitudes of the k columns; `factor` (..., k, k) is upper triangular."""
    k = len(projections)
    amplitudes: list[Array] = [projections[0]] * k
    for i in reversed(range(k)):
        known = sum((factor[..., i, j] * amplitudes[j] for j in range(i + 1, k)), jnp.zeros(()))
        amplitudes[i] = (projections[i] - known) / factor[..., i, i]
    return amplitudes


def _best(candidates: _Candidates, y: Array) -> tuple[Array, Array]:
    """Score (v,) and index (v,) of the best candidate with positive amplitudes; score -1 where there is none."""
    p = [direction @ y.T for direction in candidates.directions]  # k of (n, v)
    amplitudes = _amplitudes(p, candidates.factors[:, None])
    positive = jnp.stack([a > 0 for a in amplitudes]).all(axis=0) & candidates.within[:, None]
    score = jax.lax.optimization_barrier(jnp.where(positive, sum(x * x for x in p), -1.0))
    best = jax.lax.optimization_barrier(score.max(axis=0))
    # two plain maxima are far quicker than one argmax on a CPU
    rank = jnp.arange(score.shape[0], dtype=jnp.int32)[:, None]
    return best, jnp.where(score == best, rank, -1).max(axis=0)


Candidates = list[tuple[tuple[int, bool, bool], _Candidates]]
"""Kind of columns (see `_column_sets`), and all sets of that kind."""


def candidates_of(model: FitModel, table: ExponentialTable) -> Candidates:
    """All that is tried, made once for all voxels."""
    return [(shape, _candidates(model, table, shape)) for shape in _column_sets(model)]


def coarse_start(
    model: FitModel, table: ExponentialTable, tried: Candidates, y: Array
) -> tuple[dict[str, Array], Array]:
    """Parameters (v,) by name to start from, and whether any candidate fitted (v,)."""
    found = jnp.full(y.shape[0], -1.0, y.dtype)
    start = {name: jnp.zeros_like(found) for name in model.parameters}
    for shape, candidates in tried:
        score, index = _best(candidates, y)
        values = _parameters(model, table, shape, candidates, y, index)
        better = score > found
        start = {name: jnp.where(better, values[name], start[name]) for name in start}
        found = jnp.where(better, score, found)
    return start, found > 0


def _parameters(
    model: FitModel, table: ExponentialTable, shape: tuple[int, bool, bool], candidates: _Candidates,
    y: Array, index: Array,
) -> dict[str, Array]:  # fmt: skip
    """Physical parameters of one candidate per voxel."""
    exchange, uptake, plasma = shape
    projections = [jnp.sum(direction[index] * y, axis=1) for direction in candidates.directions]
    amplitudes = _amplitudes(projections, candidates.factors[index])
    rates = candidates.rates[index]
    own = COMPARTMENT_MODELS[model.name]
    full = own.terms(*[0.1] * len(own.parameters))
    small = 1e-3 * sum(jnp.abs(a) for a in amplitudes)  # stands for a term that this candidate leaves out
    flows = [(amplitudes[j] * (rates[:, j] + table.kappa), rates[:, j]) for j in range(exchange)]
    for _ in range(len(full.exchange) - exchange):
        slow = rates[:, 0] / 20
        flows.append((small * (slow + table.kappa), slow))
    rest = iter(amplitudes[exchange:])
    uptake_flow = next(rest) * table.kappa if uptake else small * table.kappa
    held = next(rest) if plasma else small
    terms = Terms(
        exchange=tuple(flows),
        uptake=None if full.uptake is None else uptake_flow,
        plasma=None if full.plasma is None else held,
    )
    values = dict(zip(own.parameters, own.from_terms(terms), strict=True))
    if model.arterial_volume:
        values["va"] = held
    if model.fit_delay:
        values["delay"] = candidates.delays[index]
    return values
