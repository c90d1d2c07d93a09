"""Closed forms, conservation, derivatives and bad input of flow in networks with loops (float64)."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from simulate.base.constants import PLASMA_VISCOSITY
from simulate.base.errors import InputError
from simulate.flow.blood import red_cell_share, relative_viscosity
from simulate.flow.graph import Network, conductance, network_of
from simulate.flow.network import solve_network
from simulate.vessels.domain import Domain
from simulate.vessels.network import grow_vessels

pytestmark = pytest.mark.x64

MU = 3e-3  # Pa s


def resistance(radius, length, viscosity=MU):
    return 8 * viscosity * length / (np.pi * radius**4)


def net_flow(network, flow):
    """What arrives at every node less what leaves it."""
    return np.bincount(network.head, flow, network.nodes) - np.bincount(network.tail, flow, network.nodes)


def throughput(network, flow):
    return np.bincount(network.head, abs(flow), network.nodes) + np.bincount(network.tail, abs(flow), network.nodes)


def direct_pressures(network, fixed, pressure, source):
    """A second opinion: the same Laplacian factorised."""
    g, n = np.asarray(conductance(network, MU)), network.nodes
    ends = np.concatenate([network.tail, network.head]), np.concatenate([network.head, network.tail])
    adjacent = coo_array((np.tile(g, 2), ends), shape=(n, n)).tocsc()
    laplacian = coo_array((adjacent.sum(0), (range(n), range(n))), shape=(n, n)).tocsc() - adjacent
    free = np.setdiff1d(np.arange(n), fixed)
    p = np.zeros(n)
    p[fixed] = pressure
    p[free] = spsolve(laplacian[free][:, free], source[free] - (laplacian @ p)[free])
    return p


@pytest.fixture(scope="module")
def random_network():
    """A random connected graph with many loops, three held nodes and sources: (network, conditions)."""
    rng = np.random.default_rng(3)
    tail = np.concatenate([np.arange(299), rng.integers(0, 300, 400)])
    head = np.concatenate([np.arange(1, 300), rng.integers(0, 300, 400)])
    network = Network(tail, head, 5e-3 * np.exp(0.3 * rng.standard_normal(699)), rng.uniform(0.05, 0.2, 699))
    return network, {
        "fixed": np.array([0, 150, 299]),
        "pressure": np.array([4000.0, 1200.0, 900.0]),
        "source": 1e-4 * rng.standard_normal(300),
    }


@pytest.fixture(scope="module")
def tree():
    demand = np.full((12, 12, 12), 0.01)
    vessels = grow_vessels(jax.random.key(4), Domain(demand, (1.0, 1.0, 1.0)), terminals=300, viscosity=MU)
    return vessels.arteries, vessels.terminal_flow / (1 - 0.42)


def honeycomb(rng, columns=12, rows=10):
    """Capillaries of random radius with bifurcations only (a brick wall), inlet nodes on the left, outlets right."""
    node = np.arange(rows * columns).reshape(rows, columns)
    row, column = np.indices(node[:-1].shape)
    upright = (row + column) % 2 == 0
    tail = np.concatenate([node[:, :-1].ravel(), node[:-1][upright]])
    head = np.concatenate([node[:, 1:].ravel(), node[1:][upright]])
    network = Network(tail, head, rng.uniform(3e-3, 6e-3, tail.size), rng.uniform(0.03, 0.08, tail.size))
    return network, {"fixed": np.concatenate([node[:, 0], node[:, -1]]), "pressure": np.repeat([4000.0, 1000.0], rows)}


def cubic_mesh(rng, side=7):
    """Capillaries of random radius on a cubic lattice, inlet at one face, outlet at the other."""
    node = np.arange(side**3).reshape(side, side, side)
    tail = np.concatenate([node[:-1].ravel(), node[:, :-1].ravel(), node[:, :, :-1].ravel()])
    head = np.concatenate([node[1:].ravel(), node[:, 1:].ravel(), node[:, :, 1:].ravel()])
    network = Network(tail, head, rng.uniform(3e-3, 6e-3, tail.size), np.full(tail.size, 0.06))
    faces = np.concatenate([node[0].ravel(), node[-1].ravel()])
    return network, {"fixed": faces, "pressure": np.repeat([4000.0, 1000.0], side**2)}


# -- closed forms --------------------------------------------------------------------------------------


def test_one_tube_obeys_poiseuille():
    tube = Network(np.array([0]), np.array([1]), np.array([0.05]), np.array([3.0]))
    flow = solve_network(tube, fixed=[0, 1], pressure=[3000.0, 1000.0], viscosity=MU).flow
    assert flow[0] == pytest.approx(np.pi * 0.1**4 * 2000 / (128 * MU * 3.0), rel=1e-12)


def test_one_tube_fed_by_a_source():
    tube = Network(np.array([1]), np.array([0]), np.array([0.05]), np.array([3.0]))
    found = solve_network(tube, fixed=[0], pressure=[500.0], source=np.array([0.0, 0.7]), viscosity=MU)
    assert found.flow[0] == pytest.approx(0.7, rel=1e-12)
    assert found.pressure[1] == pytest.approx(500 + 0.7 * resistance(0.05, 3.0), rel=1e-12)


def test_two_in_series_add_their_resistances():
    two = Network(np.array([0, 2]), np.array([1, 1]), np.array([0.05, 0.03]), np.array([3.0, 2.0]))
    flow = solve_network(two, fixed=[0, 2], pressure=[3000.0, 1000.0], viscosity=MU).flow
    exact = 2000 / (resistance(0.05, 3.0) + resistance(0.03, 2.0))
    np.testing.assert_allclose(flow, [exact, -exact], rtol=1e-12)


def test_two_in_parallel_add_their_conductances():
    two = Network(np.array([0, 0, 1]), np.array([1, 1, 2]), np.array([0.05, 0.03, 0.06]), np.array([3.0, 2.0, 1.0]))
    a, b, trunk = resistance(two.radius, two.length)
    flow = solve_network(two, fixed=[0, 2], pressure=[3000.0, 1000.0], viscosity=MU).flow
    both = a * b / (a + b)
    total = 2000 / (trunk + both)
    np.testing.assert_allclose(flow, [total * both / a, total * both / b, total], rtol=1e-12)


def test_viscosity_may_differ_between_vessels():
    two = Network(np.array([0, 1]), np.array([1, 2]), np.array([0.05, 0.05]), np.array([1.0, 1.0]))
    found = solve_network(two, fixed=[0, 2], pressure=[300.0, 0.0], viscosity=np.array([1e-3, 2e-3]))
    assert found.pressure[1] == pytest.approx(200.0, rel=1e-12)


# -- any network ---------------------------------------------------------------------------------------


def test_random_network_obeys_kirchhoff_and_agrees_with_a_direct_solve(random_network):
    network, conditions = random_network
    found = solve_network(network, viscosity=MU, **conditions)
    assert bool(found.converged)
    assert found.residual < 1e-10
    free = np.setdiff1d(np.arange(network.nodes), conditions["fixed"])
    balance = net_flow(network, found.flow) + conditions["source"]
    assert np.max(np.abs(balance[free])) < 1e-10 * np.mean(np.abs(found.flow))
    np.testing.assert_allclose(found.pressure, direct_pressures(network, **conditions), rtol=1e-10)


def test_flow_does_not_depend_on_the_level_of_pressure_nor_on_how_vessels_point(random_network):
    network, conditions = random_network
    turned = replace(network, tail=network.head, head=network.tail)
    found = solve_network(network, viscosity=MU, **conditions)
    other = solve_network(turned, viscosity=MU, **conditions | {"pressure": conditions["pressure"] + 1e4})
    np.testing.assert_allclose(other.flow, -found.flow, atol=1e-10 * np.max(np.abs(found.flow)))


def test_reciprocity_of_sources_and_pressures(random_network):
    """What a unit source at i does to the pressure at j, one at j does at i."""
    network, conditions = random_network
    held = {"fixed": conditions["fixed"], "pressure": np.zeros(3)}
    rise = [
        float(solve_network(network, source=1e-3 * np.eye(300)[i], viscosity=MU, **held).pressure[j])
        for i, j in ((40, 210), (210, 40))
    ]
    assert rise[0] == pytest.approx(rise[1], rel=1e-10)


# -- grown trees: an independent check of their radii --------------------------------------------------


def test_equal_terminal_pressures_give_a_grown_tree_the_flows_it_was_designed_for(tree):
    arteries, wanted = tree
    network = network_of(arteries)
    pressure = np.append(0.0, np.full(wanted.size, -3333.0))
    found = solve_network(network, fixed=np.append(0, arteries.terminals), pressure=pressure, viscosity=MU)
    into_terminals = found.flow[arteries.terminals - 1]
    np.testing.assert_allclose(into_terminals / into_terminals.sum(), wanted / wanted.sum(), rtol=1e-9)


def test_designed_flows_give_a_grown_tree_equal_terminal_pressures(tree):
    arteries, wanted = tree
    network = network_of(arteries)
    source = np.zeros(network.nodes)
    source[arteries.terminals] = -wanted
    found = solve_network(network, fixed=[0], pressure=[0.0], source=source, viscosity=MU)
    at_terminals = np.asarray(found.pressure)[arteries.terminals]
    assert np.ptp(at_terminals) < 1e-10 * abs(at_terminals.mean())
    direct = direct_pressures(network, [0], [0.0], source)
    np.testing.assert_allclose(direct[arteries.terminals], at_terminals, rtol=1e-10)


# -- derivatives ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def differentiated(random_network):
    """What three flows depend on, and these flows [1e-3 mm^3/s] with their forward and reverse derivatives."""
    network, conditions = random_network
    start = {"radius": network.radius, "length": network.length, "viscosity": np.full(699, MU)} | conditions
    fixed = start.pop("fixed")

    def flows(at):
        wired = replace(network, radius=at["radius"], length=at["length"])
        boundary = {name: at[name] for name in ("pressure", "source", "viscosity")}
        return solve_network(wired, fixed=fixed, **boundary).flow[jnp.array([5, 333, 600])] * 1e3

    forward = jax.jit(lambda direction: jax.jvp(flows, (start,), (direction,))[1])
    reverse = jax.jit(lambda weights: jax.vjp(flows, start)[1](weights)[0])
    return start, jax.jit(flows), forward, reverse


@pytest.mark.parametrize("name", ["radius", "length", "pressure", "source", "viscosity"])
def test_derivatives_agree_with_finite_differences(differentiated, name):
    start, flows, forward, reverse = differentiated
    direction = np.random.default_rng(0).standard_normal(start[name].shape) * np.abs(start[name])
    step = 1e-5
    above, below = (flows(start | {name: start[name] + sign * step * direction}) for sign in (1, -1))
    along = forward({key: np.zeros_like(value) for key, value in start.items()} | {name: direction})
    np.testing.assert_allclose(along, (above - below) / (2 * step), rtol=1e-6)
    weights = np.array([1.0, -0.3, 0.7])
    assert float(reverse(weights)[name] @ direction) == pytest.approx(float(weights @ along), rel=1e-9)


def test_derivative_of_one_flow_by_one_radius(differentiated):
    start, flows, _, reverse = differentiated
    step = 1e-8 * np.eye(699)[333]
    above, below = (flows(start | {"radius": start["radius"] + sign * step})[1] for sign in (1, -1))
    slope = reverse(np.array([0.0, 1.0, 0.0]))["radius"][333]
    assert float(slope) == pytest.approx(float(above - below) / 2e-8, rel=1e-6)


# -- red cells -----------------------------------------------------------------------------------------


def test_one_tube_of_blood_has_pries_viscosity():
    tube = Network(np.array([0]), np.array([1]), np.array([0.005]), np.array([0.5]))
    found = solve_network(tube, fixed=[0, 1], pressure=[1000.0, 0.0], haematocrit=0.45)
    exact = 1000 / resistance(0.005, 0.5, PLASMA_VISCOSITY * 5.87244)  # printed value for 10 micrometres
    assert found.flow[0] == pytest.approx(exact, rel=1e-5)
    assert found.haematocrit[0] == pytest.approx(0.45, rel=1e-12)


def test_red_cells_divide_at_a_bifurcation_by_pries_law_and_mix_at_a_confluence():
    """A loop: trunk, a wide and a narrow arm, and a vein in which the feed's haematocrit returns."""
    loop = Network(
        np.array([0, 1, 1, 2]), np.array([1, 2, 2, 3]), 1e-3 * np.array([6.0, 5.0, 3.0, 6.0]), np.full(4, 0.3)
    )
    found = solve_network(loop, fixed=[0, 3], pressure=[3000.0, 0.0], change=1e-12)
    share = red_cell_share(found.flow[1] / found.flow[0], 0.42, 12.0, 10.0, 6.0)
    assert found.red_cells[1] / found.red_cells[0] == pytest.approx(float(share), rel=1e-9)
    assert found.haematocrit[2] < 0.9 * 0.42
    assert found.haematocrit[3] == pytest.approx(0.42, rel=1e-12)
    mu = PLASMA_VISCOSITY * relative_viscosity(2000 * loop.radius, found.haematocrit)
    np.testing.assert_allclose(found.viscosity, mu, rtol=1e-9)


@pytest.mark.parametrize("make", [honeycomb, cubic_mesh])
def test_looped_capillaries_conserve_red_cells_and_plasma(make):
    network, conditions = make(np.random.default_rng(1))
    found = solve_network(network, change=1e-9, **conditions)
    assert found.converged
    assert found.change < 1e-9
    free = np.setdiff1d(np.arange(network.nodes), conditions["fixed"])
    for flow in (found.red_cells, found.plasma):
        assert np.max(np.abs(net_flow(network, flow) / throughput(network, flow))[free]) < 1e-10
    assert np.min(found.haematocrit) >= 0
    assert np.max(found.haematocrit) < 1
    if make is honeycomb:
        assert np.ptp(found.haematocrit) > 0.3  # bifurcations do separate red cells from plasma
    else:
        np.testing.assert_allclose(found.haematocrit, 0.42, rtol=1e-12)  # of degree six: they follow the blood


def test_fixed_point_that_did_not_converge_says_so_and_still_obeys_kirchhoff():
    network, conditions = honeycomb(np.random.default_rng(1))
    found = solve_network(network, sweeps=3, **conditions)
    assert not found.converged
    assert found.sweeps == 3
    assert found.change > 1e-6
    assert found.residual < 1e-10


def test_solution_does_not_depend_on_the_numbering_of_nodes():
    network, conditions = honeycomb(np.random.default_rng(1))
    order = np.random.default_rng(2).permutation(network.nodes)
    other = replace(network, tail=order[network.tail], head=order[network.head])
    found = solve_network(network, change=1e-10, **conditions)
    renamed = solve_network(other, change=1e-10, **conditions | {"fixed": order[conditions["fixed"]]})
    np.testing.assert_allclose(renamed.red_cells, found.red_cells, atol=1e-7 * float(np.max(np.abs(found.flow))))


def test_float32_solves_as_users_run_it():
    network, conditions = honeycomb(np.random.default_rng(1))
    found = solve_network(network, **conditions)
    assert found.converged
    assert found.residual < 1e-3


# -- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"radius": np.array([0.01, 0.0])}, {}, "radius"),
        ({"length": np.array([0.5, -1.0])}, {}, "length"),
        ({"head": np.array([1, 3]), "tail": np.array([0, 2])}, {}, "without a path"),
        ({}, {"fixed": [], "pressure": []}, "holds no node"),
        ({}, {"fixed": [0, 7]}, "outside 0..2"),
        ({}, {"fixed": [0, 0]}, "twice"),
        ({}, {"haematocrit": 0.7}, "haematocrit"),
        ({}, {"haematocrit": -0.1}, "haematocrit"),
        ({}, {"source": np.zeros(2)}, "source"),
        ({"radius": np.array([0.01, 0.001])}, {"viscosity": None}, "outside Pries' laws"),
    ],
)
def test_bad_input_is_refused_with_a_cure(change, options, message):
    network = replace(Network(np.array([0, 1]), np.array([1, 2]), np.full(2, 0.01), np.full(2, 0.5)), **change)
    conditions = {"fixed": [0, 2], "pressure": [100.0, 0.0], "viscosity": MU} | options
    if message == "without a path":
        conditions |= {"fixed": [0], "pressure": [0.0]}
    with pytest.raises(InputError, match=message):
        solve_network(network, **conditions)


def test_derivatives_through_pries_laws_are_refused():
    tube = Network(np.array([0]), np.array([1]), np.array([0.05]), np.array([3.0]))

    def flow(radius):
        return solve_network(replace(tube, radius=radius), fixed=[0, 1], pressure=[1.0, 0.0]).flow[0]

    with pytest.raises(InputError, match="no derivative"):
        jax.grad(flow)(jnp.array([0.05]))
