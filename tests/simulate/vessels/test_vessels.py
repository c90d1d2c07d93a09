"""Trees supply what tissue asks for, obey Murray's law and give every terminal the same pressure."""

import jax
import numpy as np
import pytest

from simulate.base.constants import MURRAY_EXPONENT
from simulate.base.errors import InputError
from simulate.flow.trees import solve_flow
from simulate.vessels.domain import Domain
from simulate.vessels.growth import Split, grow_tree
from simulate.vessels.network import grow_vessels, make_irregular
from simulate.vessels.radii import with_radii
from simulate.vessels.tree import collect_to_root, distances, level_slices, sum_along_paths, sum_to_root

CELL = (1.0, 1.0, 1.5)


def ball(n=20, radius=8.5):
    """A sphere of tissue whose one half wants four times the flow of the other."""
    centre = (n - 1) / 2
    x, y, z = np.indices((n, n, n)) - centre
    demand = np.where(x > 0, 0.008, 0.002)
    return Domain(np.where(x**2 + y**2 + z**2 < radius**2, demand, 0.0), CELL)


@pytest.fixture(scope="module")
def vessels():
    return grow_vessels(jax.random.key(3), ball(), terminals=300)


def bifurcations(tree):
    branch = np.flatnonzero(tree.children[:, 1] >= 0)
    return branch, *tree.children[branch].T


def test_a_tree_of_t_terminals_has_one_vessel_above_every_other_node(vessels):
    for tree in (vessels.arteries, vessels.veins):
        assert tree.nodes == 2 * 300
        assert len(bifurcations(tree)[0]) == 299
        children = tree.children[tree.children >= 0]
        np.testing.assert_array_equal(np.sort(children), np.arange(1, tree.nodes))
        np.testing.assert_array_equal(tree.children[tree.terminals], -1)
        assert np.all(tree.parent[1:] < np.arange(1, tree.nodes))
        assert sum(s.stop - s.start for s in level_slices(tree.parent)) == tree.nodes - 1


def test_terminals_lie_in_the_mask_and_are_as_dense_as_the_demand():
    domain = ball()
    tree = grow_vessels(jax.random.key(0), domain, terminals=400).arteries
    at = tree.position[tree.terminals]
    assert domain.mask[tuple((at / CELL).astype(int).T)].all()
    rich = np.mean(at[:, 0] > 10 * CELL[0])
    assert rich == pytest.approx(0.8, abs=0.02), "four fifths of the flow go to one half"


def test_every_cell_is_supplied_and_flow_closes(vessels):
    domain = ball()
    np.testing.assert_array_equal(vessels.territory >= 0, domain.mask)
    assert np.sum(vessels.terminal_flow) == pytest.approx(np.sum(domain.demand) * np.prod(CELL), rel=1e-13)
    assert np.min(vessels.terminal_flow) > 0


def test_a_territory_is_what_is_nearest_to_its_terminal(vessels):
    cells = np.argwhere(vessels.territory >= 0)
    centres = (cells + 0.5) * CELL
    ends = vessels.arteries.position[vessels.arteries.terminals]
    away = np.linalg.norm(centres[:, None] - ends, axis=2)
    own = away[np.arange(len(cells)), vessels.territory[tuple(cells.T)]]
    beaten = own > away.min(axis=1) + 1e-9
    # only a cell with a terminal inside may belong to one that is not the nearest to its centre
    inside = {tuple(c) for c in (ends / CELL).astype(int)}
    assert all(tuple(c) in inside for c in cells[beaten])


@pytest.mark.x64
def test_murray_and_equal_terminal_pressure_at_every_bifurcation(vessels):
    """With one viscosity, to rounding; the pressures come from the flow, not from the radii's recursion."""
    flow = solve_flow(vessels, viscosity=3.0e-3)
    for tree, solved, drop in ((vessels.arteries, flow.arteries, -15), (vessels.veins, flow.veins, 5)):
        branch, left, right = bifurcations(tree)
        power = tree.radius**MURRAY_EXPONENT
        np.testing.assert_allclose(power[left] + power[right], power[branch], rtol=1e-12)
        ends = np.asarray(solved.pressure)[tree.terminals]
        np.testing.assert_allclose(ends, drop * 133.322, rtol=1e-12)


def test_irregular_vessels_break_both_laws_and_keep_the_flow(vessels):
    bent = make_irregular(jax.random.key(1), vessels, np.ones((20, 20, 20)), shunt_share=0.2)
    ends = np.asarray(solve_flow(bent).arteries.pressure)[bent.arteries.terminals]
    assert np.std(ends) / abs(np.mean(ends)) > 0.05
    assert np.mean(bent.arteries.length[1:] / vessels.arteries.length[1:]) == pytest.approx(1.6, abs=0.1)
    assert np.mean(bent.shunt > 0) == pytest.approx(0.2, abs=0.08)
    np.testing.assert_array_equal(bent.terminal_flow, vessels.terminal_flow)
    straight = make_irregular(jax.random.key(1), vessels, np.zeros((20, 20, 20)))
    np.testing.assert_array_equal(straight.arteries.radius, vessels.arteries.radius)


def test_the_same_key_grows_the_same_vessels_and_another_does_not(vessels):
    again = grow_vessels(jax.random.key(3), ball(), terminals=300)
    assert jax.tree.all(jax.tree.map(np.array_equal, again, vessels))
    other = grow_vessels(jax.random.key(4), ball(), terminals=300)
    assert not np.array_equal(other.arteries.parent, vessels.arteries.parent)


def test_relaxation_only_ever_lowers_the_volume():
    """The relaxation's own objective, sum of q^(2/gamma) l, falls with every step and settles."""
    rng = np.random.default_rng(0)
    at, flow = rng.uniform(0, 1, (200, 3)), np.exp(0.4 * rng.standard_normal(200))

    def cost(steps):
        tree = grow_tree(np.random.default_rng(1), at, flow, np.array([0.5, 0.5, 0.0]), relaxation=steps)
        carried = np.asarray(sum_to_root(tree, jax.numpy.asarray(flow)))
        return np.sum(carried ** (2 / MURRAY_EXPONENT) * distances(tree.position, tree.parent))

    costs = [cost(k) for k in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)]
    assert np.all(np.diff(costs) < 0)
    assert costs[-2] / costs[-1] - 1 < 0.01
    assert costs[0] / costs[-1] > 1.05


def test_three_points_meet_at_the_fermat_point():
    """Two equal terminals and a root: the classical Steiner problem, with branches of weight 1, 1 and w at angles
    where the weights are in balance."""
    at = np.array([[-1.0, 2.0, 0.0], [1.0, 2.0, 0.0]])
    tree = grow_tree(np.random.default_rng(0), at, np.ones(2), np.array([0.0, 0.0, 0.0]), relaxation=3000)
    weight = 2 ** (2 / MURRAY_EXPONENT)
    angle = np.arccos(weight / 2)  # of each branch to the trunk's direction: 2 cos(angle) = weight
    expected = 2.0 - 1.0 / np.tan(angle)
    np.testing.assert_allclose(tree.position[1], [0.0, expected, 0.0], atol=1e-4)


def test_an_uneven_split_makes_a_deeper_tree():
    rng = np.random.default_rng(0)
    at, flow, root = rng.uniform(0, 1, (512, 3)), np.ones(512), np.array([0.5, 0.5, 0.0])
    even, uneven = (
        len(level_slices(grow_tree(np.random.default_rng(2), at, flow, root, split=split, relaxation=0).parent))
        for split in (Split(spread=0.0), Split(spread=0.3, least=0.05))
    )
    assert even == 10  # trunk and 2^9 terminals
    assert uneven > 13


@pytest.mark.x64
def test_sums_along_paths_and_to_the_root_are_adjoint(vessels):
    tree = vessels.arteries
    rng = np.random.default_rng(0)
    along, ends = rng.standard_normal(tree.nodes), rng.standard_normal(300)
    along[0] = 0.0
    paths = np.asarray(sum_along_paths(tree, jax.numpy.asarray(along)))[tree.terminals]
    sums = np.asarray(sum_to_root(tree, jax.numpy.asarray(ends)))
    assert paths @ ends == pytest.approx(along[1:] @ sums[1:], rel=1e-12)


@pytest.mark.x64
def test_what_is_collected_is_that_of_the_children_weakened(vessels):
    """Node by node, and where the product along a path is far below the smallest number."""
    tree = vessels.veins
    rng = np.random.default_rng(1)
    weaken = rng.uniform(0.1, 1.0, tree.nodes) * np.exp(1j * rng.uniform(-3, 3, tree.nodes))
    ends = rng.standard_normal(len(tree.terminals))

    def node_by_node(weaken):
        total = np.zeros(tree.nodes, complex)
        total[tree.terminals] = ends
        for node in range(tree.nodes - 1, 0, -1):  # children come after their parents
            total[tree.parent[node]] += weaken[node] * total[node]
        return total

    found = collect_to_root(tree, jax.numpy.asarray(weaken), jax.numpy.asarray(ends.astype(complex)))
    np.testing.assert_allclose(found, node_by_node(weaken), rtol=1e-12, atol=1e-12)
    strong = (1e-12 * weaken).astype(np.complex64)
    found = collect_to_root(tree, jax.numpy.asarray(strong), jax.numpy.asarray(ends.astype(np.complex64)))
    assert np.isfinite(np.asarray(found)).all()
    leaf = np.asarray(tree.terminals)
    np.testing.assert_allclose(np.asarray(found)[leaf], ends, rtol=1e-6)


def test_a_narrower_pressure_drop_makes_wider_vessels():
    """r ~ (Delta P)^(-1/4) throughout, as Poiseuille demands."""
    rng = np.random.default_rng(0)
    tree = grow_tree(rng, rng.uniform(0, 1, (50, 3)), np.ones(50), np.array([0.5, 0.5, 0.0]))
    wide, narrow = (with_radii(tree, np.ones(50), pressure_drop=p, viscosity=3e-3).radius[1:] for p in (100.0, 1600.0))
    np.testing.assert_allclose(wide / narrow, 2.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("domain", "terminals", "words"),
    [
        (Domain(np.zeros((8, 8, 8)), CELL), 10, "is empty"),
        (Domain(-np.ones((8, 8, 8)), CELL), 10, "negative"),
        (Domain(np.full((8, 8, 8), np.nan), CELL), 10, "not finite"),
        (Domain(np.ones((8, 8)), CELL), 10, "axes"),
        (Domain(np.where(np.arange(8) % 4 == 0, 1.0, 0.0) * np.ones((8, 8, 8)), CELL), 10, "2 separate pieces"),
        (Domain(np.ones((3, 3, 3)), CELL), 28, "do not fit a mask of 27 cells"),
        (Domain(np.ones((3, 3, 3)), CELL), 1, "give 2 to 27"),
    ],
)
def test_what_no_vessels_can_supply_is_refused(domain, terminals, words):
    with pytest.raises(InputError, match=words):
        grow_vessels(jax.random.key(0), domain, terminals=terminals)


def test_a_terminal_in_every_cell_is_possible():
    vessels = grow_vessels(jax.random.key(0), Domain(np.ones((3, 3, 3)), CELL), terminals=27)
    np.testing.assert_allclose(vessels.terminal_flow, np.prod(CELL))
