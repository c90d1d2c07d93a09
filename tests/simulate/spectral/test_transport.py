"""The spectral engine: exact filters, mass, moments, limits, gradients, agreement with closed forms."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import exp1

from estimate import fit_kinetics
from simulate.base.types import Tissue
from simulate.bed.assembly import make_bed
from simulate.flow.trees import solve_flow
from simulate.inputs.population import parker_aif
from simulate.kinetics.capillaries import capillary_unit, distributed_parameter, unit_concentrations
from simulate.kinetics.compartments import two_compartment_exchange
from simulate.kinetics.tissue import tissue_concentration
from simulate.spectral import engine
from simulate.spectral.engine import cell_concentration, transfer, transport
from simulate.spectral.readout import readout
from simulate.spectral.residence import dispersed, parabolic, plug, vessel
from simulate.vessels.domain import Domain
from simulate.vessels.network import grow_vessels

pytestmark = pytest.mark.x64

SHAPE, CELL, TERMINALS = (8, 8, 8), (2.0, 2.0, 2.0), 24
CELLS = 512
KNOTS = np.arange(0.0, 240.1, 0.5)
AIF = np.asarray(parker_aif(KNOTS, haematocrit=0.42, onset=15.0), float)
TIMES = np.arange(0.0, 240.0, 2.0)
LINE = 0.02 + 2j * np.pi * np.geomspace(1e-4, 3.0, 40)


def tissue(seed=0):
    rng = np.random.default_rng(seed)
    Fp = np.exp(rng.uniform(np.log(0.002), np.log(0.015), SHAPE))
    PS = np.exp(rng.uniform(np.log(2e-4), np.log(4e-3), SHAPE))
    return Tissue(Fp, PS, rng.uniform(0.02, 0.1, SHAPE), rng.uniform(0.1, 0.4, SHAPE))


def build(mixing=1.0, **supply):
    parameters = tissue()
    vessels = grow_vessels(jax.random.key(0), Domain(parameters.Fp, CELL), terminals=TERMINALS)
    vessels = replace(vessels, shunt=np.where(np.arange(TERMINALS) % 7 == 0, 0.4, 0.0))
    return make_bed(vessels, solve_flow(vessels), parameters, mixing=mixing, **supply)


@pytest.fixture(scope="module")
def bed():
    rng = np.random.default_rng(1)
    supply = {"supply_delay": rng.uniform(0, 5, TERMINALS), "supply_dispersion": rng.uniform(0, 3, TERMINALS)}
    return build(mixing=rng.choice([0.0, 0.25, 0.5, 1.0], SHAPE), **supply)


# -- residence times ---------------------------------------------------------------------------------------


def test_parabolic_flow_is_twice_the_third_exponential_integral():
    z = np.geomspace(1e-3, 200, 60)[:, None] * np.exp(1j * np.linspace(-1.57, 1.57, 21))
    e2 = np.exp(-z) - z * exp1(z)
    expected = np.exp(-z) - z * e2  # 2 E_3
    h, phi = parabolic(jnp.asarray(z), 2.0)
    np.testing.assert_allclose(h, expected, atol=2e-11)  # SciPy's own E_1 loses digits at large |z|
    np.testing.assert_allclose(phi * 2 * z, 1 - expected, atol=2e-11)
    (_, _), (h_slope, phi_slope) = jax.jvp(lambda x: parabolic(x, 2.0), (jnp.asarray(z),), (jnp.ones_like(z),))
    np.testing.assert_allclose(h_slope, -2 * e2, atol=2e-9)  # E_3' = -E_2
    np.testing.assert_allclose(phi_slope * 2 * z**2, 2 * z * e2 - (1 - expected), atol=2e-9)


def test_parabolic_flow_against_its_density():
    """h(t) = tau^2/(2 t^3) from tau/2 on: the first plasma arrives at twice the mean speed."""
    tau, s = 1.7, 0.6 + 0.9j
    real, imaginary = (
        quad(lambda t, part=part: part(np.exp(-s * t)) * tau**2 / (2 * t**3), tau / 2, np.inf, limit=400)[0]
        for part in (np.real, np.imag)
    )
    assert complex(parabolic(jnp.asarray([[s]]), tau)[0][0, 0]) == pytest.approx(real + 1j * imaginary, abs=1e-9)


def test_dispersed_flow_has_the_mean_and_variance_of_taylor_and_aris():
    """Inverse-Gaussian residence: mean tau, variance 2 d tau^2; d -> 0 is plug flow."""
    tau, d = 3.0, 0.05
    log_h = lambda s: jnp.log(jnp.real(dispersed(s + 0j, tau, d)[0]))  # noqa: E731
    zero = jnp.asarray([[1e-9]])
    first = jax.grad(lambda s: log_h(s)[0, 0])
    second = jax.grad(lambda s: first(s)[0, 0])
    assert -float(first(zero)[0, 0]) == pytest.approx(tau, rel=1e-6)
    assert float(second(zero)[0, 0]) == pytest.approx(2 * d * tau**2, rel=1e-5)
    np.testing.assert_allclose(dispersed(LINE, tau, 1e-12)[0], plug(LINE, tau)[0], atol=1e-7)


def test_a_vessel_is_parabolic_when_wide_and_flat_when_narrow():
    tau, length = 0.5, 5.0
    np.testing.assert_allclose(vessel(LINE, tau, 3.0, length)[0], parabolic(LINE, tau)[0], atol=1e-4)
    np.testing.assert_allclose(vessel(LINE, tau, 1e-4, length)[0], plug(LINE, tau)[0], atol=1e-3)


@pytest.mark.parametrize("radius", [5e-4, 0.01, 0.05, 1.0])
def test_what_a_vessel_holds_is_its_mean_concentration(radius):
    """phi is the mean over the vessel of h up to each point for plug flow, and 1 - s tau/2 early for all."""
    tau = 0.8
    h, phi = vessel(LINE, tau, radius, 4.0)
    np.testing.assert_allclose(phi, (1 - h) / (LINE * tau), rtol=1e-9)
    along = np.linspace(0, 1, 20001)
    profile = np.exp(-LINE[:, None] * tau * along)
    np.testing.assert_allclose(plug(LINE, tau)[1], np.trapezoid(profile, along, axis=1), atol=1e-7)


# -- capillary units ---------------------------------------------------------------------------------------

UNIT = (0.006, 0.0015, 0.05, 0.22)


def test_one_tank_is_2cxm_and_no_mixing_is_plug_flow():
    Fp = UNIT[0]
    terms = two_compartment_exchange(*(jnp.asarray(v) for v in UNIT))
    impulse = sum(flow / (LINE + rate) for flow, rate in terms.exchange)  # transform of I(t)
    left = capillary_unit(LINE, *UNIT, 1.0)
    np.testing.assert_allclose((1 - left) * Fp / LINE, impulse, rtol=1e-10)
    np.testing.assert_allclose(capillary_unit(LINE, *UNIT, 0.0), distributed_parameter(LINE, *UNIT), rtol=1e-10)


@pytest.mark.parametrize("number", [1, 2, 4, 7])
def test_a_unit_holds_what_its_tanks_hold(number):
    """N tanks, one after the other: their mean concentrations, and the content that these make is Fp (1-H)/s."""
    Fp, PS, vp, ve = UNIT
    ke = PS / ve
    step = 1 / (1 + (vp * LINE + PS * LINE / (LINE + ke)) / (number * Fp))
    tanks = np.array([step ** (k + 1) for k in range(number)])
    plasma, ees = unit_concentrations(LINE, *UNIT, 1 / number)
    np.testing.assert_allclose(plasma, tanks.mean(0), rtol=1e-10)
    np.testing.assert_allclose(ees, (ke / (LINE + ke) * tanks).mean(0), rtol=1e-10)
    left = capillary_unit(LINE, *UNIT, 1 / number)
    np.testing.assert_allclose(left, tanks[-1], rtol=1e-10)
    np.testing.assert_allclose(Fp * (1 - left) / LINE, vp * plasma + ve * ees, rtol=1e-10)


def test_a_plug_holds_what_is_along_it():
    """The mean of e^{-x l} over the capillary's length, by quadrature."""
    Fp, PS, vp, ve = UNIT
    x = (vp * LINE + PS * LINE / (LINE + PS / ve)) / Fp
    nodes, weights = np.polynomial.legendre.leggauss(80)
    mean = np.exp(-x[:, None] * (nodes + 1) / 2) @ weights / 2
    near = np.abs(x) < 60
    np.testing.assert_allclose(unit_concentrations(LINE, *UNIT, 0.0)[0][near], mean[near], rtol=1e-9)


def test_mixing_goes_smoothly_from_tanks_to_plug_flow():
    slow = LINE[:25]  # up to 0.06 Hz, where the exponent is of order one
    units = np.stack([np.asarray(capillary_unit(slow, *UNIT, m)) for m in (0.0, 1e-6, 1e-4, 1e-3)])
    away = np.abs(units[1:] - units[0]).max(1)
    np.testing.assert_allclose(away / away[-1], [1e-3, 1e-1, 1.0], rtol=0.05)


def test_renkin_crone_first_pass_and_its_tank_form():
    """What has not crossed at s -> infinity on the scale of the EES: e^{-PS/F}, or (1 + PS/(NF))^{-N}."""
    Fp, PS, vp, _ = UNIT
    no_return = 1e18  # ve so large that nothing comes back
    s = jnp.asarray(1e-9 + 0j)
    assert float(jnp.real(capillary_unit(s, Fp, PS, vp, no_return, 0.0))) == pytest.approx(np.exp(-PS / Fp), rel=1e-6)
    expected = (1 + PS / (3 * Fp)) ** -3
    assert float(jnp.real(capillary_unit(s, Fp, PS, vp, no_return, 1 / 3))) == pytest.approx(expected, rel=1e-6)


def test_without_ees_or_barrier_there_is_only_plasma():
    for PS, ve in ((0.0, 0.2), (0.001, 0.0), (0.0, 0.0)):
        np.testing.assert_allclose(
            capillary_unit(LINE, 0.006, PS, 0.05, ve, 0.0), np.exp(-LINE * 0.05 / 0.006), rtol=1e-12
        )


# -- the bed -----------------------------------------------------------------------------------------------


def test_mass_closes_in_the_s_domain(bed):
    """Inflow - outflow = content, with the content from the concentrations in every part."""
    _, ledger = transfer(bed, jnp.asarray(LINE))
    assert np.max(np.abs(ledger.imbalance / ledger.inflow)) < 1e-10
    parts = [
        np.abs(part / ledger.inflow).max() for part in (ledger.arteries, ledger.supply, ledger.units, ledger.veins)
    ]
    assert min(parts) > 1e-3, "every part takes part"


def wrong_plasma_volume(bed, monkeypatch):
    concentrations = engine.unit_concentrations
    monkeypatch.setattr(
        engine, "unit_concentrations", lambda s, Fp, PS, vp, *rest: concentrations(s, Fp, PS, 1.01 * vp, *rest)
    )


def wrong_tissue_volume(bed, monkeypatch):
    """A nonsense distribution volume: an EES that the exchange does not know of."""
    concentrations = engine.unit_concentrations

    def mistaken(*args):
        plasma, ees = concentrations(*args)
        return plasma, 1.01 * ees

    monkeypatch.setattr(engine, "unit_concentrations", mistaken)


def dropped_vessel(bed, monkeypatch):
    """One artery that lets everything through and holds nothing in the ledger."""
    filters = engine.filters

    def without_one(tree, *args):
        h, phi = filters(tree, *args)
        return h, phi.at[tree.nodes // 2].set(0.0) if tree is bed.vessels.arteries else phi

    monkeypatch.setattr(engine, "filters", without_one)


def lost_venous_outflow(bed, monkeypatch):
    """What one terminal drains never reaches the veins."""
    collect = engine.collect_to_root
    monkeypatch.setattr(engine, "collect_to_root", lambda tree, h, entering: collect(tree, h, entering.at[3].set(0.0)))


def forgotten_supply(bed, monkeypatch):
    """Tracer on its way from a terminal to its cells."""
    monkeypatch.setattr(engine, "mean_of_decay", lambda x: 0.0 * x)


@pytest.mark.parametrize(
    "mistake", [wrong_plasma_volume, wrong_tissue_volume, dropped_vessel, lost_venous_outflow, forgotten_supply]
)
def test_the_ledger_shows_a_mistake(bed, monkeypatch, mistake):
    """Mutations: each leaves an imbalance that the test above would see a million times over."""
    mistake(bed, monkeypatch)
    _, ledger = transfer.__wrapped__(bed, jnp.asarray(LINE))  # a program that is compiled would make no mistake
    assert np.max(np.abs(ledger.imbalance / ledger.inflow)) > 1e-4


def test_mass_closes_in_every_frame(bed):
    _, ledger = transport(bed, readout(AIF, KNOTS, TIMES, 2.0))
    assert np.max(np.abs(ledger.imbalance)) < 1e-10 * np.max(np.abs(ledger.inflow))


def test_the_area_under_the_curve_is_the_same_everywhere_and_is_dose_over_flow(bed):
    """s -> 0: every node's plasma transfer function is 1, and all that came in leaves."""
    s = jnp.asarray([1e-9 + 0j])
    contents, ledger = transfer(bed, s)
    np.testing.assert_allclose(np.real(contents.arteries[1:]), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.real(contents.veins[1:]), 1.0, atol=1e-6)
    assert float(jnp.real(ledger.outflow / ledger.inflow)[0]) == pytest.approx(1.0, abs=1e-6)


def test_central_volume_theorem(bed):
    """Mean transit time from inlet to outlet = everything that holds tracer / plasma flow, flow-weighted."""
    s = 1e-7
    _, ledger = transfer(bed, jnp.asarray([s + 0j]))
    out = float(jnp.real(ledger.outflow / ledger.inflow)[0])
    vessels, flow, parts = bed.vessels, bed.flow, bed.tissue
    volume = bed.cell_volume * np.sum(parts.vp + parts.ve)
    for tree, solved in ((vessels.arteries, flow.arteries), (vessels.veins, flow.veins)):
        volume += float(jnp.sum(solved.plasma_volume(tree)))
    volume += np.sum(vessels.terminal_flow * (bed.supply_delay + bed.supply_dispersion))
    volume += bed.cell_volume * np.sum(parts.Fp * bed.local_delay)
    assert (1 - out) / s == pytest.approx(volume / float(flow.arteries.plasma[0]), rel=1e-4)


def plug_flow(s, transit, radius, length):
    return plug(s, transit)


def test_plug_flow_delays_by_volume_over_flow():
    """In the arteries, with plug flow: c(t) = c_in(t - sum V/Q), for every node."""
    plain = build()
    contents, _ = transfer(plain, jnp.asarray(LINE), residence=plug_flow)
    tree, transit = plain.vessels.arteries, np.asarray(plain.flow.arteries.transit_time(plain.vessels.arteries))
    node = int(tree.terminals[17])
    path, delay = node, 0.0
    while path != 0:
        delay += transit[path]
        path = int(tree.parent[path])
    begin, own = delay - transit[node], transit[node]
    mean = np.exp(-LINE * begin) * -np.expm1(-LINE * own) / (LINE * own)
    np.testing.assert_allclose(contents.arteries[node], mean, rtol=1e-10)


def direct(bed, cell, model, times=TIMES):
    """The closed-form curve of one cell for its own local input, linear on fine knots."""
    parts = bed.tissue
    one = Tissue(*(jnp.asarray(getattr(parts, n)[cell]) for n in ("Fp", "PS", "vp", "ve")))
    return np.asarray(tissue_concentration(one, AIF, times, model=model, aif_times=KNOTS))


def at_once(s, transit, radius, length):
    return plug(s, 0.0 * transit)


@pytest.mark.parametrize(
    ("mixing", "model"),
    [(1.0, "2cxm"), pytest.param(0.25, "tanks-4", marks=pytest.mark.slow), (0.0, "dp")],
)
def test_time_curves_of_cells_against_closed_forms(mixing, model):
    """Without delay on the way: 1e-4 of the peak at the default number of frequencies, 1e-5 at a finer one."""
    plain = replace(build(mixing), local_delay=np.zeros(np.prod(SHAPE)))
    errors = []
    for frequencies in (512, 2048):
        out = readout(AIF, KNOTS, TIMES, frequencies=frequencies)
        units = np.asarray(transport(plain, out, residence=at_once)[0].units)
        worst = 0.0
        for cell in (5, 100, 300, 500):
            expected = direct(plain, cell, model)
            worst = max(worst, np.abs(units[cell] - expected).max() / expected.max())
        errors.append(worst)
    assert errors[0] < 1e-4
    assert errors[1] < 1e-5


def test_frames_are_means_over_their_duration(bed):
    """Frame averages are the averages of many samples."""
    frames = readout(AIF, KNOTS, TIMES[:15], 2.0, frequencies=1024)
    fine = np.arange(0, 30, 0.02) + 0.01
    samples = readout(AIF, KNOTS, fine, frequencies=1024)
    # the same line for both: the last knot rules
    a = np.asarray(transport(bed, frames)[0].units)
    b = np.asarray(transport(bed, samples)[0].units).reshape(a.shape[0], 15, 100).mean(2)
    np.testing.assert_allclose(a, b, atol=1e-5 * a.max())


def test_linear_in_the_input_and_invariant_in_time(bed):
    out = readout(AIF, KNOTS, TIMES, 2.0)
    whole = transport(bed, out)[0].units
    parts = [transport(bed, readout(curve, KNOTS, TIMES, 2.0))[0].units for curve in (0.3 * AIF, 0.7 * AIF)]
    np.testing.assert_allclose(parts[0] + parts[1], whole, atol=1e-12)
    later = transport(bed, readout(AIF, KNOTS + 7.0, TIMES + 7.0, 2.0))[0].units
    np.testing.assert_allclose(later, whole, atol=1e-10)


def test_scale_law(bed):
    """ca -> a ca, (Fp, PS, vp, ve) -> (.)/a of every unit leaves its curve as it was."""
    a = 1.7
    parts = bed.tissue
    smaller = replace(bed, tissue=Tissue(parts.Fp / a, parts.PS / a, parts.vp / a, parts.ve / a))
    one = transport(bed, readout(AIF, KNOTS, TIMES, 2.0))[0].units
    other = transport(smaller, readout(a * AIF, KNOTS, TIMES, 2.0))[0].units
    np.testing.assert_allclose(other, one, atol=1e-12)


def test_vessels_add_their_plasma_to_the_cells_that_they_cross(bed):
    """All tracer of the vessels is found again on the grid."""
    contents, ledger = transport(bed, readout(AIF, KNOTS, TIMES, 2.0))
    cells = cell_concentration(bed, contents)
    total = bed.cell_volume * np.asarray(cells).sum(0)
    np.testing.assert_allclose(total, ledger.units + ledger.arteries + ledger.veins, rtol=1e-10, atol=1e-8)


def test_gradients_against_finite_differences(bed):
    """Of voxels' curves with respect to PS, vp, ve of one cell and a vessel's radius, forward and reverse.

    A cell without flow is among them: it must not make a NaN of the rest.
    """
    cell, empty = 300, 100
    bed = replace(bed, tissue=replace(bed.tissue, Fp=np.where(np.arange(CELLS) == empty, 0.0, bed.tissue.Fp)))
    out = readout(AIF, KNOTS, TIMES[::10], 2.0, frequencies=64)
    names = ("PS", "vp", "ve")
    wide = int(np.argmax(bed.vessels.arteries.radius[2:])) + 2  # the trunk's first branch

    @jax.jit
    def curves(x):
        values = {n: jnp.asarray(getattr(bed.tissue, n)).at[cell].mul(x[i]) for i, n in enumerate(names)}
        arteries = replace(bed.vessels.arteries, radius=jnp.asarray(bed.vessels.arteries.radius).at[wide].mul(x[3]))
        vessels = replace(bed.vessels, arteries=arteries)
        changed = replace(bed, vessels=vessels, flow=solve_flow(vessels), tissue=replace(bed.tissue, **values))
        units = transport(changed, out)[0].units
        return jnp.stack([units[cell], jnp.mean(units, axis=0)])

    one, h = jnp.ones(4), 1e-3
    forward = np.asarray(jax.jacfwd(curves)(one))
    size = np.abs(np.asarray(curves(one))).max(axis=1)
    for i in range(4):
        ends = [curves(one.at[i].add(k * h)) for k in (-2, -1, 1, 2)]
        difference = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * h)
        assert np.abs(forward[..., i]).max() > 1e-4 * size.min(), "each of them matters"
        for row in range(2):
            np.testing.assert_allclose(forward[row, :, i], difference[row], atol=1e-8 * size[row])
    weights = np.random.default_rng(0).standard_normal(forward.shape[:2])
    reverse = jax.grad(lambda x: jnp.sum(weights * curves(x)))(one)
    np.testing.assert_allclose(reverse, np.einsum("ij,ijk->k", weights, forward), rtol=1e-8)


@pytest.mark.slow  # that such curves are the closed forms is tested always, and that a fit of these finds them
def test_the_fit_with_its_own_local_input_finds_what_was_drawn():
    """N = 1 cells without resolved vessels: Fp, PS, vp to 1 % in 99 % of cells, ve where PS > 1 mL/100 mL/min."""
    plain = replace(build(), local_delay=np.zeros(np.prod(SHAPE)))
    knots = np.arange(0.0, 240.1, 0.5)
    out = readout(AIF, KNOTS, knots, frequencies=2048)
    contents, _ = transport(plain, out)
    # the local input itself: what a terminal delivers, read from a unit that holds nothing back
    probe = replace(plain, tissue=replace(plain.tissue, vp=plain.tissue.Fp * 1e-6, PS=0 * plain.tissue.PS))
    inputs = np.asarray(transport(probe, out)[0].units) / (1e-6 * plain.tissue.Fp)[:, None]
    found = {name: np.empty(plain.owner.size) for name in ("Fp", "PS", "vp", "ve")}
    curves = np.asarray(contents.units)
    for terminal in range(TERMINALS):
        mine = np.flatnonzero(plain.owner == terminal)
        fit = fit_kinetics(curves[mine], knots, inputs[mine[0]])
        for name, values in found.items():
            values[mine] = np.asarray(getattr(fit.tissue, name))
    leaky = np.asarray(plain.tissue.PS) > 1 / 6000
    for name, values in found.items():
        good = np.abs(values / np.asarray(getattr(plain.tissue, name)) - 1) < 0.01
        assert np.mean(good[leaky] if name == "ve" else good) > 0.99, name
