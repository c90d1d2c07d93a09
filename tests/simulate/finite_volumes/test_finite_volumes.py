"""The finite-volume engine: mass, order of convergence, diffusion, and agreement with the spectral engine (float64)."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import distance_transform_cdt
from scipy.special import erfc

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.bed.assembly import Bed, make_bed
from simulate.finite_volumes import bed as interstitium_bed
from simulate.finite_volumes.bed import march_bed
from simulate.finite_volumes.capillary_units import add_diffusion, add_units
from simulate.finite_volumes.compartments import OUTSIDE, CompartmentNetwork
from simulate.finite_volumes.diffusion import neighbour_conductance
from simulate.finite_volumes.march import march
from simulate.flow.trees import solve_flow
from simulate.kinetics.tissue import tissue_concentration
from simulate.spectral.engine import cell_concentration, transport
from simulate.spectral.readout import readout
from simulate.spectral.residence import plug
from simulate.vessels.domain import Domain
from simulate.vessels.network import grow_vessels

pytestmark = pytest.mark.x64  # laws to ten digits

D_EES = 2e-4
"""Of a gadolinium chelate in the EES [mm^2/s]."""

KNOTS = np.arange(0.0, 121.0, 1.0)
AIF = 3 * np.exp(-(((KNOTS - 20) / 6) ** 2)) + np.where(KNOTS > 0, 1 + np.tanh((KNOTS - 25) / 8), 0.0)
TIMES = np.arange(0.0, 80.0, 2.0)


def relative(a, b):
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))) / np.max(np.abs(np.asarray(b))))


def order(errors):
    """Mean order of convergence when the resolution is doubled again and again."""
    return np.log2(errors[0] / errors[-1]) / (len(errors) - 1)


def imbalance(ledger):
    """Largest relative error of mass at any step."""
    error = ledger.inflow - ledger.outflow - ledger.content
    return np.max(np.abs(error[1:]) / np.maximum(ledger.inflow[1:], 1e-300))


# -- a bed that both engines can compute -----------------------------------------------------------------


@pytest.fixture(scope="module")
def bed() -> Bed:
    """200 terminals with shunts, late and dispersed supply; one third of the cells each of 1, 2 and 3 tanks."""
    rng = np.random.default_rng(0)
    shape, cell = (8, 8, 8), (0.6, 0.6, 0.6)
    Fp = np.exp(rng.normal(np.log(60 / 6000), 0.3, shape))
    tissue = Tissue(
        Fp=Fp, PS=Fp * rng.uniform(0.1, 0.6, shape), vp=Fp * rng.uniform(3, 8, shape), ve=rng.uniform(0.1, 0.4, shape)
    )
    vessels = grow_vessels(jax.random.key(1), Domain(Fp, cell), terminals=200)
    vessels = replace(vessels, shunt=np.where(rng.uniform(size=200) < 0.2, 0.5, 0.0))
    return make_bed(
        vessels, solve_flow(vessels), tissue, mixing=1 / rng.integers(1, 4, shape),
        supply_delay=rng.uniform(0, 2, 200), supply_dispersion=rng.uniform(0, 1, 200) * (rng.uniform(size=200) < 0.5),
    )  # fmt: skip


@pytest.fixture(scope="module")
def spectral(bed):
    """Contents and ledger of the spectral engine at TIMES, with plug flow in all vessels."""
    out = readout(AIF, KNOTS, TIMES, frequencies=1024)
    return transport(bed, out, residence=lambda s, transit, radius, length: plug(s, transit))


@pytest.fixture(scope="module")
def resolutions(bed):
    """The same by 4 and 8 finite volumes along every vessel and every delay."""
    return [march_bed(bed, AIF, KNOTS, TIMES, step=0.125, volumes=m) for m in (4, 8)]


def test_the_two_engines_agree_at_first_order_in_the_volumes(spectral, resolutions):
    exact, _ = spectral
    for name, bound in (("units", 3e-3), ("arteries", 3e-3), ("veins", 9e-3)):
        errors = [relative(getattr(r, name), getattr(exact, name)) for r in resolutions]
        assert order(errors) == pytest.approx(1.0, abs=0.1)
        assert errors[-1] < bound


def test_the_two_engines_agree_better_when_their_first_order_is_extrapolated_away(spectral, resolutions):
    coarse, fine = resolutions
    assert relative(2 * fine.units - coarse.units, spectral[0].units) < 5e-4


def test_the_two_engines_hold_the_same_amounts(bed, spectral, resolutions):
    _, exact = spectral
    everything = exact.arteries + exact.supply + exact.units + exact.veins

    def amounts(name):
        return [np.interp(TIMES, r.ledger.times, getattr(r.ledger, name)) for r in resolutions]

    for name, theirs in (("content", everything), ("outflow", exact.outflow), ("supply", exact.supply)):
        errors = [np.max(np.abs(np.asarray(ours - theirs))) for ours in amounts(name)]
        assert order(errors) == pytest.approx(1.0, abs=0.1)
        assert errors[-1] < 2e-3 * float(jnp.max(everything))
    # ours is exact; the inverse transform brings 1e-5 of an integral's end back to its beginning
    assert relative(exact.inflow, amounts("inflow")[-1]) < 1e-4
    # and curves hold what the ledger says
    held = bed.cell_volume * resolutions[-1].units.sum(axis=0)
    assert relative(held, amounts("units")[-1]) < 1e-4


def test_the_engines_serve_the_same_readers(bed, spectral, resolutions):
    """Cells with the vessels that cross them."""
    ours, theirs = (cell_concentration(bed, contents) for contents in (
        spectral[0]._replace(**{n: jnp.asarray(getattr(resolutions[-1], n)) for n in ("units", "arteries", "veins")}),
        spectral[0],
    ))  # fmt: skip
    assert relative(ours, theirs) < 5e-3


# -- mass and sign ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [0.5, 0.8, 1.0])
def test_mass_is_kept_at_every_step_with_diffusion_on(bed, theta):
    found = march_bed(bed, AIF, KNOTS, TIMES, step=0.25, theta=theta, volumes=4, diffusivity=D_EES)
    assert imbalance(found.ledger) < 1e-12
    assert found.ledger.outflow[-1] > 0.5 * found.ledger.inflow[-1]


def test_the_ledger_is_what_the_curves_hold(bed):
    """Concentrations times the bed's own volumes, at the ends of implicit Euler's steps, where both are read."""
    times = 0.5 * np.arange(1, 80)
    found = march_bed(bed, AIF, KNOTS, times, step=0.5, theta=1.0, volumes=4)
    at = np.searchsorted(found.ledger.times, times - 1e-9)
    np.testing.assert_allclose(bed.cell_volume * found.units.sum(0), found.ledger.units[at], rtol=1e-10)
    for tree, flow, curves, part in (
        (bed.vessels.arteries, bed.flow.arteries, found.arteries, found.ledger.arteries),
        (bed.vessels.veins, bed.flow.veins, found.veins, found.ledger.veins),
    ):
        np.testing.assert_allclose(np.asarray(flow.plasma_volume(tree)) @ curves, part[at], rtol=1e-10)


def lost_outflow(compartments, parts):
    """What the draining vein carries away is not counted."""
    return replace(compartments, outlet=np.where(compartments.outlet > 0, 0.99 * compartments.outlet, 0.0)), parts


def dropped_vessel(compartments, parts):
    """The ledger forgets one vessel of four volumes, in the middle of the arteries."""
    middle = parts[0].stop // 8 * 4
    return compartments, [slice(0, middle), slice(middle + 4, parts[1].stop), *parts[2:]]


def broken_pipe(compartments, parts):
    """A flow leaves one volume and arrives nowhere."""
    matrix = compartments.matrix.tolil()
    matrix[np.flatnonzero(matrix[:, [40]].toarray().ravel() > 0)[0], 40] = 0.0
    return replace(compartments, matrix=matrix.tocsr()), parts


@pytest.mark.parametrize("mistake", [lost_outflow, dropped_vessel, broken_pipe])
def test_the_ledger_shows_a_mistake(bed, monkeypatch, mistake):
    discretise = interstitium_bed._discretise

    def mistaken(*args):
        compartments, readers, parts = discretise(*args)
        compartments, parts = mistake(compartments, parts)
        return compartments, readers, parts

    monkeypatch.setattr(interstitium_bed, "_discretise", mistaken)
    assert imbalance(march_bed(bed, AIF, KNOTS, TIMES, step=0.5, volumes=4).ledger) > 1e-6


def test_inflow_is_the_flow_times_the_integral_of_the_input(bed):
    ledger = march_bed(bed, AIF, KNOTS, KNOTS[-1:], step=0.7, volumes=1).ledger
    until = np.searchsorted(ledger.times, KNOTS[-1])
    exact = np.interp(ledger.times[until - 1], KNOTS, np.append(0, np.cumsum((AIF[1:] + AIF[:-1]) / 2)))
    assert ledger.inflow[until - 1] == pytest.approx(float(bed.flow.arteries.plasma[0]) * exact, rel=1e-3)


def test_implicit_euler_is_positive_and_bounded_by_its_input(bed):
    """A block of tracer in steps a hundred times longer than the finest volumes last: never below 0, never above."""
    found = march_bed(
        bed, np.array([4.0, 4.0, 0.0, 0.0]), np.array([0.0, 5.0, 5.001, 6.0]), TIMES,
        step=1.0, theta=1.0, volumes=8, diffusivity=D_EES,
    )  # fmt: skip
    for curves in (found.arteries, found.veins, found.ees, found.units):
        assert curves.min() >= 0
        assert curves.max() <= 4.0 * (1 + 1e-9)


def test_diffusion_of_what_is_even_changes_nothing(bed):
    """In the steady state under a constant input all concentrations are equal, so nothing diffuses."""
    even = [
        march_bed(bed, np.ones(2), np.array([0.0, 1.0]), np.array([0.0, 2e4]), step=50.0, theta=1.0, volumes=1,
                  diffusivity=d).ees[:, -1]
        for d in (0.0, D_EES)
    ]  # fmt: skip
    np.testing.assert_allclose(even, 1.0, rtol=1e-6)


# -- vessels and units alone -------------------------------------------------------------------------------


def test_plug_flow_delays_its_input_at_first_order_in_the_volumes():
    """c_out(t) = c_in(t - V/Q)."""
    volume, flow = 6.0, 0.5
    knots = np.arange(0.0, 80.0, 0.1)

    def pulse(t):
        return np.exp(-(((t - 25) / 6) ** 2))

    errors = []
    for parts in (50, 100, 200):
        network = CompartmentNetwork()
        vessel = network.chain([volume], [flow], parts)
        network.carry(OUTSIDE, vessel[:, 0], flow)
        network.carry(vessel[:, -1], OUTSIDE, flow)
        found = march(network.assemble(), pulse(knots), knots, knots, step=0.1)
        errors.append(relative(found.curves[-1], pulse(knots - volume / flow)))
    assert np.log2(errors[1] / errors[2]) == pytest.approx(1.0, abs=0.05)
    assert errors[-1] < 0.02


TUMOUR = Tissue(Fp=30 / 6000, PS=8 / 6000, vp=0.06, ve=0.25)


def unit_curve(tanks, step, theta):
    """C(t) of one cell that is supplied directly."""
    network = CompartmentNetwork()
    units = add_units(
        network, Tissue(*(np.array([v]) for v in (TUMOUR.Fp, TUMOUR.PS, TUMOUR.vp, TUMOUR.ve))), tanks, 2.0
    )
    network.carry(OUTSIDE, units.plasma, 2.0 * TUMOUR.Fp)
    network.carry(units.outlet, OUTSIDE, 2.0 * TUMOUR.Fp)
    reader = units.concentration(network.size)
    return march(network.assemble(), AIF, KNOTS, TIMES, step=step, theta=theta, observe=reader).curves[0]


@pytest.mark.parametrize(("tanks", "model"), [(1, "2cxm"), (3, "tanks-3")])
@pytest.mark.parametrize(("theta", "expected", "bound"), [(0.5, 2.0, 2e-4), (1.0, 1.0, 1e-2)])
def test_stirred_tanks_converge_to_their_closed_form(tanks, model, theta, expected, bound):
    """Second order in the step by the midpoint rule, first by implicit Euler."""
    exact = tissue_concentration(TUMOUR, AIF, TIMES, model=model, aif_times=KNOTS)
    errors = [relative(unit_curve(tanks, step, theta), exact) for step in (1.0, 0.5, 0.25)]
    assert order(errors) == pytest.approx(expected, abs=0.15)
    assert errors[-1] < bound


def test_many_tanks_tend_to_plug_flow_at_first_order():
    exact = tissue_concentration(TUMOUR, AIF, TIMES, model="dp", aif_times=KNOTS)
    errors = [relative(unit_curve(tanks, 0.125, 0.5), exact) for tanks in (16, 32, 64)]
    assert order(errors) == pytest.approx(1.0, abs=0.1)


def test_plug_flow_cells_of_a_bed_have_the_stated_number_of_tanks(bed):
    options = {"step": 0.5, "volumes": 2, "diffusivity": D_EES}
    plugs = march_bed(replace(bed, mixing=np.zeros(512)), AIF, KNOTS, TIMES, plug_tanks=3, **options)
    tanks = march_bed(replace(bed, mixing=np.full(512, 1 / 3)), AIF, KNOTS, TIMES, **options)
    np.testing.assert_array_equal(plugs.units, tanks.units)


def test_cells_without_plasma_or_interstitium_are_left_out():
    network = CompartmentNetwork()
    tissue = Tissue(Fp=np.array([0.01, 0, 0]), PS=np.full(3, 0.01), vp=np.array([0.05, 0, 0]), ve=np.array([0, 0.3, 0]))
    units = add_units(network, tissue, 2, 1.0)
    assert network.size == 4
    reader = units.concentration(4) @ np.ones(4)
    np.testing.assert_allclose(reader, [0.05, 0.3, 0.0], rtol=1e-14)


# -- diffusion ----------------------------------------------------------------------------------------------


def filled_slab(cells, time=200.0, thickness=2.0, ve=0.3):
    """Depth [mm] and EES concentration of a slab without flow, its surface held at 1 mmol/L for `time` [s]."""
    edge = thickness / cells
    network = CompartmentNetwork()
    slab = network.split(np.full(cells, ve * edge), 1)[:, 0]  # 1 mm^2 across
    network.exchange(*neighbour_conductance(np.full((cells, 1, 1), ve), (edge, 1.0, 1.0), D_EES))
    network.exchange(OUTSIDE, slab[0], D_EES * ve / (edge / 2))
    found = march(network.assemble(), np.ones(2), np.array([0.0, 1.0]), np.array([time]), step=20 / cells)
    return (np.arange(cells) + 0.5) * edge, found.curves[:, 0], found


def test_necrotic_slab_fills_by_the_error_function_at_second_order():
    """C0 erfc(x / (2 sqrt(D t))): 0.2 mm of diffusion length in 2 mm, so that the far end is not felt."""
    errors = []
    for cells in (25, 50, 100):
        depth, filled, found = filled_slab(cells)
        errors.append(np.max(np.abs(filled - erfc(depth / (2 * np.sqrt(D_EES * 200))))))
        mass = found.inflow - found.outflow - found.held[0]
        assert np.max(np.abs(mass[1:]) / found.inflow[1:]) < 1e-12
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.15)
    assert errors[-1] < 5e-4


def test_uptake_of_a_necrotic_slab_grows_with_the_square_root_of_time():
    """M(t) = 2 ve C0 sqrt(D t/pi) per surface, at the end of every step."""
    *_, found = filled_slab(200)
    late = found.steps > 20
    np.testing.assert_allclose(found.held[0, late], 0.3 * 2 * np.sqrt(D_EES * found.steps[late] / np.pi), rtol=2e-3)


def test_steady_diffusion_through_layers_is_that_of_resistances_in_series():
    """Where ve jumps the harmonic mean gives the exact flux, C0 / sum h/(D ve)."""
    ve = np.repeat([0.5, 0.05, 0.2], 4)
    edge = 0.1
    network = CompartmentNetwork()
    slab = network.split(ve * edge, 1)[:, 0]
    network.exchange(*neighbour_conductance(ve.reshape(-1, 1, 1), (edge, 1.0, 1.0), D_EES))
    network.exchange(OUTSIDE, slab[0], D_EES * ve[0] / (edge / 2))
    network.carry(slab[-1], OUTSIDE, D_EES * ve[-1] / (edge / 2))  # to where there is none
    found = march(
        network.assemble(), np.ones(2), np.array([0.0, 1.0]), np.array([4e6]), step=1e4, theta=1.0,
    )  # fmt: skip
    through = D_EES * ve[-1] / (edge / 2) * found.curves[-1, 0]
    assert through == pytest.approx(1 / np.sum(edge / (D_EES * ve)), rel=1e-9)


@pytest.mark.parametrize("tanks", [np.full(6, 3), np.array([1, 2, 3, 1, 3, 2])])
def test_diffusion_without_flow_does_not_see_how_many_tanks_a_cell_has(tanks):
    """Tank lies beside tank by its length, so a slab of tanks fills as one of whole cells."""

    def fill(tanks):
        network, nothing = CompartmentNetwork(), np.zeros(6)
        units = add_units(network, Tissue(Fp=nothing, PS=nothing, vp=nothing, ve=np.full(6, 0.3)), tanks, 1e-3)
        one, other, conductance = neighbour_conductance(np.full((6, 1, 1), 0.3), (0.1, 0.1, 0.1), D_EES)
        add_diffusion(network, units, one, other, conductance)
        surface = units.ees[0] + np.arange(tanks[0])
        network.exchange(OUTSIDE, surface, 2 * conductance[0] / tanks[0])
        reader = units.ees_concentration(network.size)
        return march(network.assemble(), AIF, KNOTS, TIMES, step=1.0, observe=reader).curves

    np.testing.assert_allclose(fill(tanks), fill(np.ones(6, int)), rtol=1e-9, atol=1e-15)


def test_diffusion_is_the_same_along_every_axis():
    ve = np.random.default_rng(0).uniform(0.1, 0.5, (3, 4, 5))
    cell = (0.1, 0.2, 0.3)
    for axes in ((1, 0, 2), (2, 1, 0)):
        turned = neighbour_conductance(ve.transpose(axes), tuple(cell[a] for a in axes), D_EES)[2]
        np.testing.assert_allclose(np.sort(turned), np.sort(neighbour_conductance(ve, cell, D_EES)[2]), rtol=1e-13)


class NecroticTumour(NamedTuple):
    bed: Bed
    depth: np.ndarray


@pytest.fixture(scope="module")
def necrotic_tumour() -> NecroticTumour:
    """A perfused rim of two cells around a core of 0.7 mm without flow; depth of every core cell below the rim."""
    core = np.zeros((11, 11, 11), bool)
    core[2:-2, 2:-2, 2:-2] = True
    Fp = np.where(core, 0.0, 40 / 6000)
    tissue = Tissue(Fp=Fp, PS=np.where(core, 0.0, 20 / 6000), vp=np.where(core, 0.0, 0.06), ve=np.where(core, 0.5, 0.3))
    vessels = grow_vessels(jax.random.key(0), Domain(Fp, (0.1, 0.1, 0.1)), terminals=40)
    bed = make_bed(vessels, solve_flow(vessels, viscosity=3e-3), tissue)
    return NecroticTumour(bed, distance_transform_cdt(core, "chessboard").ravel())


def test_a_necrotic_core_fills_from_its_rim(necrotic_tumour):
    """Concentration falls with depth at every time, and half of the last value is reached later the deeper."""
    bed, depth = necrotic_tumour
    times = np.arange(0.0, 301.0, 10.0)
    rising = np.minimum(KNOTS / 10, 2.0)
    found = march_bed(bed, rising, KNOTS, times, step=0.5, volumes=2, diffusivity=D_EES)
    shells = np.array([found.ees[depth == d].mean(axis=0) for d in range(depth.max() + 1)])
    assert (np.diff(shells[:, 1:], axis=0) < 0).all()
    assert shells[-1, -1] > 0.1 * shells[0, -1]
    core = found.ees[depth > 0].mean(axis=0)
    half = [np.interp(0.5, c / c[-1], times) for c in (shells[0], core, shells[-1])]
    assert half[0] + 20 < half[1] < half[2]
    assert imbalance(found.ledger) < 1e-12


def test_a_necrotic_core_stays_empty_without_diffusion(necrotic_tumour):
    bed, depth = necrotic_tumour
    found = march_bed(bed, AIF, KNOTS, TIMES, step=1.0, volumes=1)
    assert (found.units[depth > 0] == 0).all()


# -- what the user can mend ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theta": 0.3}, "theta: is 0.3"),
        ({"step": 0.0}, "step: is 0.0 s"),
        ({"volumes": 10**6}, "volumes: .* are more than"),
        ({"step": 1e-9}, "steps: .* are more than"),
        ({"plug_tanks": 0}, "plug_tanks"),
        ({"diffusivity": -1.0}, "diffusivity"),
    ],
)
def test_what_cannot_be_marched_is_named(bed, options, message):
    with pytest.raises(InputError, match=message):
        march_bed(bed, AIF, KNOTS, TIMES, **options)


def test_a_mixing_between_whole_tanks_is_refused(bed):
    with pytest.raises(InputError, match=r"0\.4 is not 1/N"):
        march_bed(replace(bed, mixing=np.full(512, 0.4)), AIF, KNOTS, TIMES)


def test_a_demand_that_the_vessels_do_not_carry_is_refused(bed):
    richer = replace(bed, tissue=replace(bed.tissue, Fp=1.1 * bed.tissue.Fp))
    with pytest.raises(InputError, match="not the demand"):
        march_bed(richer, AIF, KNOTS, TIMES)


def test_times_that_do_not_ascend_are_refused(bed):
    with pytest.raises(InputError, match="times: are none or do not ascend"):
        march_bed(bed, AIF, KNOTS, TIMES[::-1])
