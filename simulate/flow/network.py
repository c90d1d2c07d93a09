r"""Flow in any network of vessels, with loops or without: pressures at the nodes, flows, red cells.

Poiseuille's conductance g = \pi r^4/(8 \mu L) and Kirchhoff's law at every node whose pressure is not held,

    \sum_j g_ij (p_i - p_j) = s_i,

are a symmetric positive definite graph Laplacian once the held pressures are moved to the right-hand side. It is
solved by conjugate gradients with Jacobi's preconditioner; derivatives come from the adjoint system, which is the
same one. Products with the matrix only gather, from a padded table of neighbours: scattering is slow on a CPU. Cost
and memory grow with the nodes times the largest degree among those of free pressure.

With Pries' laws viscosity depends on the haematocrit, and this on the flow: a fixed point (Pries et al., Circ Res
67:826, 1990). Blood runs from high to low pressure, so that red cells are carried without a cycle.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from scipy.sparse import coo_array, csr_array, eye_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import spsolve_triangular

from simulate.base.constants import HAEMATOCRIT, PLASMA_VISCOSITY
from simulate.base.errors import InputError
from simulate.flow.blood import MICROMETRES, NARROWEST, red_cell_share, relative_viscosity
from simulate.flow.graph import Network, NetworkFlow, conductance

PACKED = 0.95
"""Largest haematocrit of a daughter (chosen); what would exceed it enters her sibling."""

RELAXATION = 0.7
"""Share of the found change of haematocrit that each sweep makes (chosen): at 0.85 large meshes begin to oscillate."""

STEPS = 20_000
"""Limit on the steps of conjugate gradients."""


class _Table(NamedTuple):
    """Neighbours of the f nodes of free pressure, padded to the largest degree d.

    free, fixed : (f,), (k,) nodes.      vessel : (f, d) that leads there, m where padded.
    neighbour : (f, d) place among `free`, or where `held` among `fixed`.
    """

    free: Any
    fixed: Any
    vessel: Any
    neighbour: Any
    held: Any


def solve_network(
    network: Network,
    *,
    fixed: Any,
    pressure: Any,
    source: Any = None,
    viscosity: Any = None,
    haematocrit: float = HAEMATOCRIT,
    tolerance: float | None = None,
    change: float | None = None,
    sweeps: int = 500,
) -> NetworkFlow:
    """Pressures and flows of a network of which some nodes are held at a pressure.

    By Poiseuille's conductances and Kirchhoff's law at every other node, see `simulate.flow.network`.

    With a given viscosity the result is differentiable, forward and in reverse, in radius, length, viscosity, pressure
    and source: `jax.grad(lambda r: solve_network(replace(network, radius=r), ...).flow[0])`. The wiring is never
    traced.

    Parameters
    ----------
    network : Network
        Of m vessels and n nodes.
    fixed : (k,) int array
        Nodes that are held at a pressure.
    pressure : (k,) array [Pa]
        At which each of them is held.
    source : (n,) array [mm^3/s]
        Blood that enters at each node, negative where it leaves; none by default. What enters at a node of fixed
        pressure does not matter.
    viscosity : float or (m,) array [Pa s]
        Red cells then follow the blood; by default Pries' laws of viscosity and, at bifurcations of degree three, of
        phase separation. Elsewhere red cells divide as the blood does.
    haematocrit : float [fraction]
        Discharge haematocrit of all blood that enters.
    tolerance : float
        Of the pressures, as relative residual in Jacobi's norm; by default 4 times the rounding error.
    change : float
        Tolerance of the fixed point under Pries' laws; 1e-6 by default, in float32 1e-4.
    sweeps : int
        The most sweeps of that. Large meshes of bifurcations converge slowly, by about a twentieth a sweep.

    Returns
    -------
    NetworkFlow
        Pressures [Pa], flows [mm^3/s] and haematocrits, and whether they converged.

    Raises
    ------
    InputError
        For radii or lengths that are not positive, no or unknown fixed nodes, nodes that are connected to no fixed
        node, a haematocrit outside 0 to 0.7, and under Pries' laws radii that are traced or that no red cell passes.
    """
    fixed = np.atleast_1d(np.asarray(fixed, int))
    _check_network(network, fixed)
    if not 0 <= haematocrit < 0.7:
        raise _error("haematocrit", f"is {haematocrit}", "give a fraction from 0 to below 0.7")
    source = jnp.zeros(network.nodes) if source is None else jnp.asarray(source)
    pressure = jnp.asarray(pressure) * 1.0
    if source.shape != (network.nodes,) or pressure.shape != fixed.shape:
        raise _error("source or pressure", f"have shapes {source.shape} and {pressure.shape}", "give (n,) and (k,)")
    table = _neighbours(network, fixed)
    rounding = float(jnp.finfo(pressure.dtype).eps)
    tolerance = 4 * rounding if tolerance is None else tolerance
    if viscosity is None:
        _check_radii(network)
        change = max(1e-6, 1e3 * rounding) if change is None else change
        return _with_red_cells(network, table, pressure, source, haematocrit, tolerance, change, sweeps)
    given = jnp.broadcast_to(jnp.asarray(viscosity), jnp.shape(network.radius)) * 1.0
    state = _blood_flow(network, table, given, pressure, source, jnp.full(network.nodes, pressure.mean()), tolerance)
    return NetworkFlow(
        state.pressure, state.flow, jnp.full_like(state.flow, haematocrit), given, state.residual, state.iterations,
        0, 0.0, state.iterations < STEPS,
    )  # fmt: skip


# -- pressures -----------------------------------------------------------------------------------------


class _BloodFlow(NamedTuple):
    """Pressures (n,), flows (m,), largest net flow at a free node over the mean flow, steps taken."""

    pressure: Array
    flow: Array
    residual: Array
    iterations: Array


@jax.jit
def _blood_flow(
    network: Network, table: _Table, viscosity: Any, pressure: Any, source: Any, start: Any, tolerance: Any
) -> _BloodFlow:
    """Solve Kirchhoff's law for given viscosities (m,) from pressures `start` (n,)."""
    g = conductance(network, viscosity)
    p, iterations = _pressures(table, g, pressure, source, start, tolerance)
    flow = g * (p[network.tail] - p[network.head])
    net = source.at[network.tail].add(-flow).at[network.head].add(flow)[table.free]
    residual = jnp.max(jnp.abs(net), initial=0.0) / jnp.maximum(jnp.mean(jnp.abs(flow)), jnp.finfo(flow.dtype).tiny)
    return _BloodFlow(p, flow, residual, iterations)


def _pressures(table: _Table, g: Array, pressure: Any, source: Any, start: Any, tolerance: Any) -> tuple[Array, Array]:
    """Pressures (n,) and steps taken. Unknowns are relative to the mean held pressure, which then costs no digits."""
    around = jnp.append(g, 0.0)[table.vessel]
    to_free, to_fixed = jnp.where(table.held, 0.0, around), jnp.where(table.held, around, 0.0)
    leak, diagonal = to_fixed.sum(1), around.sum(1)
    among_free, among_fixed = jnp.where(table.held, 0, table.neighbour), jnp.where(table.held, table.neighbour, 0)
    level = pressure.mean()

    def net_flow(x):
        return leak * x + jnp.sum(to_free * (x[:, None] - x[among_free]), axis=1)

    def solve(matrix, b):
        return _conjugate_gradients(matrix, b, diagonal, start[table.free] - level, tolerance)

    enters = source[table.free] + jnp.sum(to_fixed * (pressure - level)[among_fixed], axis=1)
    solution: Any = jax.lax.custom_linear_solve(net_flow, enters, solve, symmetric=True, has_aux=True)
    x, iterations = solution
    return jnp.zeros_like(start).at[table.free].set(x + level).at[table.fixed].set(pressure), iterations


def _conjugate_gradients(matrix: Any, b: Array, diagonal: Array, x: Array, tolerance: Any) -> tuple[Array, Array]:
    """Solve matrix(x) = b from `x` until sqrt(r D^-1 r) <= tolerance sqrt(b D^-1 b), with the steps taken."""
    goal = tolerance**2 * jnp.vdot(b, b / diagonal)

    def step(state):
        x, r, direction, square, count = state
        image = matrix(direction)
        along = square / jnp.vdot(direction, image)
        x, r = x + along * direction, r - along * image
        z = r / diagonal
        new = jnp.vdot(r, z)
        return x, r, z + (new / square) * direction, new, count + 1

    def unfinished(state):
        return (state[3] > goal) & (state[4] < STEPS)

    def descend(x, count):
        r = b - matrix(x)
        z = r / diagonal
        x, *_, count = jax.lax.while_loop(unfinished, step, (x, r, z, jnp.vdot(r, z), count))
        return x, count

    # twice: the residual of the recursion drifts from the true one, from which the second descent starts
    return descend(*descend(x, jnp.zeros((), int)))


def _neighbours(network: Network, fixed: np.ndarray) -> _Table:
    tail, head, n = np.asarray(network.tail), np.asarray(network.head), network.nodes
    held = np.zeros(n, bool)
    held[fixed] = True
    free = np.flatnonzero(~held)
    place = np.zeros(n, np.int32)
    place[free], place[fixed] = np.arange(free.size), np.arange(fixed.size)
    node, other = np.concatenate([tail, head]), np.concatenate([head, tail])
    vessel = np.tile(np.arange(tail.size), 2)
    ends = np.flatnonzero(~held[node])
    ends = ends[np.argsort(node[ends], kind="stable")]
    node, other, vessel = place[node[ends]], other[ends], vessel[ends]
    degree = np.bincount(node, minlength=free.size)
    slot = np.arange(ends.size) - np.repeat(np.cumsum(degree) - degree, degree)
    shape = free.size, int(degree.max(initial=1))
    vessels, neighbours, holds = np.full(shape, tail.size, np.int32), np.zeros(shape, np.int32), np.zeros(shape, bool)
    vessels[node, slot], neighbours[node, slot], holds[node, slot] = vessel, place[other], held[other]
    return _Table(free, fixed, vessels, neighbours, holds)


# -- red cells -----------------------------------------------------------------------------------------


def _with_red_cells(
    network: Network, table: _Table, pressure: Any, source: Any, entering: float, tolerance: float, goal: float,
    sweeps: int,
) -> NetworkFlow:  # fmt: skip
    """Fixed point viscosity -> pressures -> flows -> haematocrit, under-relaxed.

    Pressures are solved as exactly as the haematocrit is known. The red cells returned are those of the flows
    returned; the viscosity is off by the last change.
    """
    haematocrit, change, exact = np.full(np.shape(network.radius), entering), 1.0, False
    start, iterations, sweep = jnp.full(network.nodes, pressure.mean()), 0, 0
    while sweep < max(sweeps, 1) and not (exact and change < goal):
        exact = change < 10 * goal or sweep >= sweeps - 1
        mu = _viscosity(network, haematocrit)
        state = _blood_flow(network, table, mu, pressure, source, start, tolerance if exact else 1e-4 * change)
        found = _carried_haematocrit(network, table, state, np.asarray(source, float), haematocrit, entering)
        size = np.abs(np.asarray(state.flow))
        change = float(np.max(np.abs(found - haematocrit) * size) / max(np.mean(size), np.finfo(float).tiny))
        haematocrit = haematocrit + RELAXATION * (found - haematocrit)
        start, sweep, iterations = state.pressure, sweep + 1, iterations + int(state.iterations)
    converged = exact and change < goal and int(state.iterations) < STEPS
    return NetworkFlow(state.pressure, state.flow, found, mu, state.residual, iterations, sweep, change, converged)


@jax.jit
def _viscosity(network: Network, haematocrit: Any) -> Array:
    """Of every vessel (m,) [Pa s]."""
    return PLASMA_VISCOSITY * relative_viscosity(MICROMETRES * network.radius, jnp.minimum(haematocrit, PACKED))


def _carried_haematocrit(
    network: Network, table: _Table, state: _BloodFlow, source: np.ndarray, haematocrit: np.ndarray, entering: float
) -> np.ndarray:
    """Haematocrit (m,) of the vessels when every node mixes what reaches it and passes it on.

    The mixture at the nodes obeys c_i = (entering_i + sum over vessels from j to i of q_ji x_ji c_j)/(all that reaches
    i), x the enrichment of a daughter over her parent: a triangular system in the order of falling pressure.
    """
    flow, n = np.asarray(state.flow, float), network.nodes
    upper, lower = np.where(flow >= 0, (network.tail, network.head), (network.head, network.tail))
    size = np.abs(flow)
    leaving, arriving = np.bincount(upper, size, n), np.bincount(lower, size, n)
    source = source.copy()
    source[table.fixed] = (leaving - arriving)[table.fixed]
    enriched = _enrichment(network, size, upper, lower, source, haematocrit)
    rank = np.empty(n, int)
    rank[np.argsort(-np.asarray(state.pressure), kind="stable")] = np.arange(n)
    moving = rank[upper] < rank[lower]  # all but vessels between equal pressures, where nothing flows
    reaching = arriving + np.maximum(source, 0)
    still = reaching == 0
    reaching[still] = 1.0
    passed = (size * enriched / reaching[lower])[moving]
    passed = csr_array((passed, (rank[lower[moving]], rank[upper[moving]])), shape=(n, n))
    enters = np.empty(n)
    enters[rank] = entering * np.where(still, 1.0, np.maximum(source, 0) / reaching)
    mixed = spsolve_triangular(eye_array(n, format="csr") - passed, enters, unit_diagonal=True)
    return enriched * mixed[rank[upper]]


def _enrichment(
    network: Network, size: np.ndarray, upper: np.ndarray, lower: np.ndarray, source: np.ndarray,
    haematocrit: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Haematocrit (m,) over that at the upper node: Pries' law where one vessel divides in two, elsewhere 1."""
    n, vessel = source.size, np.arange(size.size)
    leaving = np.bincount(upper, size, n)
    splits = (np.bincount(upper, minlength=n) == 2) & (np.bincount(lower, minlength=n) == 1) & (source == 0)
    splits = (splits & (leaving > 0))[upper] & (size > 0)
    parent = np.zeros(n, int)
    parent[lower] = vessel
    parent = parent[upper]
    sibling = np.where(splits, np.bincount(upper, vessel, n)[upper].astype(int) - vessel, 0)
    flow_share = np.where(splits, size / np.where(splits, leaving[upper], 1.0), 0.5)
    share = _shares(network.radius, flow_share, haematocrit[parent], parent, sibling)
    return np.where(splits, share / flow_share, 1.0)


@jax.jit
def _shares(radius: Any, flow_share: Any, haematocrit: Any, parent: Any, sibling: Any) -> Array:
    """Pries' share (m,) of the parent's red cells, such that neither daughter exceeds PACKED."""
    diameter = MICROMETRES * jnp.asarray(radius)
    share = red_cell_share(flow_share, haematocrit, diameter[parent], diameter, diameter[sibling])
    room = PACKED / jnp.clip(haematocrit, 1e-6, PACKED)
    return jnp.clip(share, 1 - room * (1 - flow_share), room * flow_share)


# -- checks --------------------------------------------------------------------------------------------


def _error(field: str, problem: str, cure: str) -> InputError:
    return InputError("solve_network", field, problem, cure)


def _check_network(network: Network, fixed: np.ndarray) -> None:
    for name in ("radius", "length"):
        values = getattr(network, name)
        if not isinstance(values, Tracer) and not (np.asarray(values) > 0).all():
            raise _error(name, f"is {np.min(values)} mm in some vessel", "give every vessel a positive one")
    n = network.nodes
    if fixed.size == 0:
        raise _error("fixed", "holds no node: pressures have no level", "hold at least one node at a pressure")
    if fixed.min() < 0 or fixed.max() >= n or np.unique(fixed).size < fixed.size:
        raise _error("fixed", f"names a node twice, or one outside 0..{n - 1}", "name every node of the network once")
    ends = np.asarray(network.tail), np.asarray(network.head)
    label = connected_components(coo_array((np.ones(ends[0].size), ends), shape=(n, n)), directed=False)[1]
    alone = np.flatnonzero(~np.isin(label, label[fixed]))
    if alone.size:
        raise _error(
            "network", f"has {alone.size} nodes without a path to a fixed one, the first is node {alone[0]}",
            "hold a node at a pressure in every part, or leave the part out",
        )  # fmt: skip


def _check_radii(network: Network) -> None:
    if any(isinstance(values, Tracer) for values in (network.radius, network.length)):
        raise _error("viscosity", "by Pries' laws has no derivative here", "give that of an earlier solution")
    least = float(np.min(np.asarray(network.radius)))
    if least < NARROWEST:
        raise _error(
            "radius", f"is {1000 * least:.2g} micrometres in some vessel, outside Pries' laws",
            "widen it, leave it out, or give a viscosity",
        )  # fmt: skip
