"""Pries' laws against published values; conservation of plasma and red cells in a tree."""

import jax
import numpy as np
import pytest

from simulate.base.constants import PLASMA_VISCOSITY
from simulate.base.errors import InputError
from simulate.flow.blood import red_cell_share, relative_viscosity, tube_haematocrit
from simulate.flow.trees import solve_flow
from simulate.vessels.domain import Domain
from simulate.vessels.network import grow_vessels


@pytest.mark.parametrize(
    ("haematocrit", "diameter", "expected"),
    [
        (0.45, 5.0, 12.620), (0.45, 10.0, 5.87244), (0.45, 50.0, 2.28161), (0.45, 100.0, 2.53154),
        (0.30, 5.0, 8.95672), (0.30, 10.0, 3.65504), (0.30, 100.0, 1.83490),
    ],
)  # fmt: skip
def test_viscosity_in_vivo_has_the_values_of_pries_1994(haematocrit, diameter, expected):
    assert float(relative_viscosity(diameter, haematocrit)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.x64
def test_plasma_without_cells_is_only_as_viscous_as_its_film():
    """H = 0: what is left is the film at the wall, k = (D/(D-1.1))^2, which vanishes in wide vessels."""
    D = np.array([5.0, 20.0, 1000.0])
    np.testing.assert_allclose(relative_viscosity(D, 0.0), (D / (D - 1.1)) ** 2, rtol=1e-12)


def test_viscosity_is_smooth_where_the_exponent_passes_zero():
    D = np.linspace(5.0, 30.0, 2001)
    mu = np.asarray(relative_viscosity(D, 0.45))
    assert np.isfinite(mu).all()
    assert np.abs(np.diff(mu, 2)).max() < 1e-3


def test_red_cells_run_ahead_of_plasma_in_narrow_tubes():
    D = np.array([16.0, 30.0, 100.0, 1000.0])
    ratio = np.asarray(tube_haematocrit(D, 0.45)) / 0.45
    assert np.all(np.diff(ratio) > 0)
    assert np.all(ratio <= 1)
    assert ratio[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.x64
def test_daughters_share_all_red_cells():
    rng = np.random.default_rng(0)
    n = 1000
    share, H = rng.uniform(0, 1, n), rng.uniform(0.1, 0.6, n)
    parent, a, b = rng.uniform(6, 200, (3, n))
    both = red_cell_share(share, H, parent, a, b) + red_cell_share(1 - share, H, parent, b, a)
    np.testing.assert_allclose(both, 1.0, rtol=1e-12)


def test_the_faster_daughter_takes_more_than_its_share_of_cells():
    """Plasma skimming: the slow branch gets fewer cells; none below the threshold; no effect in wide vessels."""
    fast = float(red_cell_share(0.8, 0.45, 10.0, 8.0, 8.0))
    assert fast > 0.8
    assert float(red_cell_share(0.03, 0.45, 10.0, 8.0, 8.0)) == 0.0
    assert float(red_cell_share(0.98, 0.45, 10.0, 8.0, 8.0)) == 1.0
    assert float(red_cell_share(0.8, 0.45, 1e5, 8e4, 8e4)) == pytest.approx(0.8, abs=1e-4)


@pytest.fixture(scope="module")
def vessels():
    return grow_vessels(jax.random.key(0), Domain(np.full((16, 16, 16), 0.005), (2.0, 2.0, 2.0)), terminals=400)


@pytest.mark.x64
def test_red_cells_and_plasma_are_conserved_at_every_node(vessels):
    flow = solve_flow(vessels, haematocrit=0.45)
    for tree, solved in ((vessels.arteries, flow.arteries), (vessels.veins, flow.veins)):
        branch = np.flatnonzero(tree.children[:, 1] >= 0)
        for quantity in (np.asarray(solved.plasma), np.asarray(solved.red_cells)):
            into = quantity[tree.children[branch]].sum(1)
            np.testing.assert_allclose(into, quantity[branch], rtol=1e-10)
    a, v = flow.arteries, flow.veins
    assert float(a.red_cells[1]) == pytest.approx(float(v.red_cells[1]), rel=1e-10)
    assert float(a.haematocrit[1]) == pytest.approx(0.45, rel=1e-12)
    assert flow.converged
    assert float(flow.change) < 1e-10


def test_capillaries_get_unequal_haematocrits_around_the_systemic_one(vessels):
    H = np.asarray(solve_flow(vessels, haematocrit=0.45).arteries.haematocrit)[vessels.arteries.terminals]
    assert 0.002 < np.std(H) < 0.1
    assert np.mean(H) == pytest.approx(0.45, abs=0.02)


@pytest.mark.x64
def test_the_red_cell_fixed_point_holds(vessels):
    """The shares that the law gives for the converged flows are the shares of the converged flows."""
    tree, flow = vessels.arteries, solve_flow(vessels).arteries
    blood, H, D = np.asarray(flow.blood), np.asarray(flow.haematocrit), 2000 * tree.radius
    branch = np.flatnonzero(tree.children[:, 1] >= 0)
    left, right = tree.children[branch].T
    law = red_cell_share(blood[left] / blood[branch], H[branch], D[branch], D[left], D[right])
    np.testing.assert_allclose(law, np.asarray(flow.red_cells)[left] / np.asarray(flow.red_cells)[branch], rtol=1e-9)


def test_design_figures_lie_where_vessels_of_the_brain_do(vessels, capsys):
    """A table: precapillary arteries, wall shear, pressure drop, capillary transit and speed (PHYSICS ranges)."""
    flow, tree = solve_flow(vessels), vessels.arteries
    ends = np.asarray(tree.terminals)
    blood, radius = np.asarray(flow.arteries.blood), tree.radius
    viscosity = PLASMA_VISCOSITY * np.asarray(relative_viscosity(2000 * radius[1:], flow.arteries.haematocrit[1:]))
    shear = 4 * viscosity * blood[1:] / (np.pi * radius[1:] ** 3)  # Pa
    drop = -np.asarray(flow.arteries.pressure)[ends] / 133.322
    # capillaries of grey matter by anatomy: 3.1 micrometres, 450 mm/mm^3, tube haematocrit .3, path .8 mm
    held = np.pi * 0.0031**2 * 450 * (1 - 0.3)
    transit = held / (40 / 6000)
    rows = {
        "terminal radius [mm]": (np.median(radius[ends]), 0.01, 0.15),
        "wall shear [Pa]": (np.median(shear), 0.5, 10.0),
        "arterial pressure drop [mmHg]": (np.median(drop), 10.0, 40.0),
        "capillary transit [s]": (transit, 0.7, 1.5),
        "capillary speed [mm/s]": (0.8 / transit, 0.5, 2.0),
    }
    with capsys.disabled():
        for name, (value, low, high) in rows.items():
            print(f"\n  {name:32} {value:8.3g}   ({low:g} to {high:g})", end="")
        print()
    for name, (value, low, high) in rows.items():
        assert low < value < high, name


def test_impossible_blood_is_refused(vessels):
    with pytest.raises(InputError, match="haematocrit"):
        solve_flow(vessels, haematocrit=0.8)
    tiny = grow_vessels(
        jax.random.key(0), Domain(np.full((8, 8, 8), 1e-6), (0.1, 0.1, 0.1)), terminals=200, arterial_drop=1e5
    )
    with pytest.raises(InputError, match="micrometres"):
        solve_flow(tiny)
