"""Labelled water through a bed: the general kinetic model where it must come out, one flow for both tracers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.banks.water import label_matrix, label_responses
from simulate.base.types import Tissue
from simulate.bed.assembly import make_bed
from simulate.examinations.asl import simulate_asl
from simulate.examinations.perfused import vascularise
from simulate.flow.trees import solve_flow
from simulate.labelling.difference import asl_difference
from simulate.labelling.series import asl_protocol
from simulate.phantoms.tumour import tumour_phantom
from simulate.spectral.residence import plug
from simulate.vessels.domain import Domain
from simulate.vessels.network import grow_vessels
from simulate.vessels.tree import sum_along_paths
from simulate.water import transport as asl_transport
from simulate.water.transport import WATER, blood_supply, difference_from, label_curves, label_readout, label_transfer

SHAPE, CELL, TERMINALS = (5, 5, 5), (2.0, 2.0, 2.0), 12
LINE = jnp.asarray(0.3 + 2j * np.pi * np.geomspace(1e-3, 3.0, 30))
FOREVER = WATER._replace(t1_blood=1e15, t1_tissue=1e15)


def build(vp=0.03, mixing=1.0, shunt=0.0, **supply):
    rng = np.random.default_rng(0)
    Fp = np.exp(rng.uniform(np.log(0.003), np.log(0.012), SHAPE))
    tissue = Tissue(Fp, np.full(SHAPE, 1e-3), np.full(SHAPE, vp), np.full(SHAPE, 0.2))
    vessels = grow_vessels(jax.random.key(0), Domain(tissue.Fp, CELL), terminals=TERMINALS)
    vessels = replace(vessels, shunt=np.where(np.arange(TERMINALS) % 5 == 0, shunt, 0.0))
    return make_bed(vessels, solve_flow(vessels), tissue, mixing=mixing, **supply)


def sharp(s, transit, radius, length):
    """Plug flow in every vessel."""
    return plug(s, transit)


def way(bed):
    """Time of blood from the inlet to every cell [s] (c,)."""
    tree = bed.vessels.arteries
    along = sum_along_paths(tree, jnp.asarray(bed.flow.arteries.blood_transit_time(tree)).at[0].set(0.0))
    return np.asarray(along)[tree.terminals][bed.owner] + bed.local_delay + bed.supply_delay[bed.owner]


@pytest.mark.x64
def test_a_stirred_cell_of_water_is_the_general_kinetic_model_in_the_s_domain():
    bed = build(vp=0.0, supply_delay=np.full(TERMINALS, 0.4))
    water = WATER._replace(exchange=jnp.inf)
    contents, _ = label_transfer(bed, LINE, water, residence=sharp)
    F, _ = blood_supply(bed)
    volume = water.partition_coefficient * water.density
    F = np.asarray(F)[:, None]
    arrived = np.exp(-(np.asarray(LINE) + 1 / water.t1_blood) * way(bed)[:, None])
    expected = F / (np.asarray(LINE) + 1 / water.t1_tissue + F / volume) * arrived
    np.testing.assert_allclose(contents.units, expected, rtol=1e-10)


@pytest.mark.parametrize("labelling", ["pcasl", "pasl"])
def test_and_its_curves_are(labelling):
    """To 1e-3 of the peak at 513 frequencies, and nearer with more: the error falls with about their number."""
    bed = build(vp=0.0)
    water = WATER._replace(exchange=jnp.inf, t1_tissue=1.2)
    times, tau = jnp.asarray([1.0, 1.9, 2.6, 3.3, 4.5]), 1.5
    F, _ = blood_supply(bed)
    cbf = np.asarray(F) / water.density * 6000
    expected = np.asarray(
        asl_difference(
            cbf, way(bed) + 0.6, times, labelling=labelling, label_duration=tau, label_efficiency=0.85, t1_tissue=1.2,
            m0=100.0,
        )
    )  # fmt: skip
    errors = []
    for frequencies in (513, 2049):
        out = label_readout(
            times, tau, labelling=labelling, inlet_delay=0.6, t1_blood=water.t1_blood, frequencies=frequencies
        )
        contents = _contents_with_plug(bed, out, water)
        found = np.asarray(difference_from(contents, m0=100.0, label_efficiency=0.85, water=water))
        errors.append(np.abs(found - expected).max() / expected.max())
    assert errors[0] < 1e-3
    assert errors[1] < errors[0] / 2.5


def _contents_with_plug(bed, out, water):
    transfers = label_transfer(bed, out.s, water, residence=sharp)[0].units
    return jnp.real(transfers @ out.matrix)


def lost_share():
    """Of the label that enters and does not relax: what has neither left nor is there."""
    bed = build(mixing=np.random.default_rng(3).choice([0.0, 0.5, 1.0], SHAPE), shunt=0.4)
    bed = replace(bed, local_delay=0 * bed.local_delay)  # what is on its way from terminal to cell is in no content
    now = jax.jit(lambda *given: label_transfer.__wrapped__(*given))  # as the functions are now, mistakes included
    contents, leaving = now(bed, LINE, FOREVER)
    tree_volumes = [np.pi * t.radius**2 * t.length for t in (bed.vessels.arteries, bed.vessels.veins)]
    held = bed.cell_volume * contents.units.sum(0)
    held = held + tree_volumes[0] @ contents.arteries + tree_volumes[1] @ contents.veins
    return np.max(np.abs(np.asarray(leaving + LINE * held) / float(bed.flow.arteries.blood[0]) - 1))


@pytest.mark.x64
def test_nothing_is_lost_but_by_relaxation():
    assert lost_share() < 1e-10


def wrong_tissue_volume(monkeypatch):
    label = asl_transport.tissue_label

    def mistaken(*args):
        beside, crossing = label(*args)
        return 1.01 * beside, crossing

    monkeypatch.setattr(asl_transport, "tissue_label", mistaken)


def wrong_exchange(monkeypatch):
    label = asl_transport.tissue_label
    monkeypatch.setattr(
        asl_transport, "tissue_label", lambda PSw, vt, rate: (label(PSw, vt, rate)[0], label(PSw, 0.99 * vt, rate)[1])
    )


def lost_venous_outflow(monkeypatch):
    collect = asl_transport.collect_to_root
    monkeypatch.setattr(
        asl_transport, "collect_to_root", lambda tree, h, entering: collect(tree, h, entering.at[3].set(0.0))
    )


def dropped_vessel(monkeypatch):
    filters = asl_transport.filters  # of the veins

    def without_one(tree, *args):
        h, phi = filters(tree, *args)
        return h, phi.at[tree.nodes // 2].set(0.0)

    monkeypatch.setattr(asl_transport, "filters", without_one)


@pytest.mark.x64
@pytest.mark.parametrize("mistake", [wrong_tissue_volume, wrong_exchange, lost_venous_outflow, dropped_vessel])
def test_and_a_mistake_shows(monkeypatch, mistake):
    mistake(monkeypatch)
    assert lost_share() > 1e-5


def test_water_that_stays_in_capillaries_knows_no_tissue():
    bed = build()
    shut = [
        label_transfer(bed, LINE, WATER._replace(exchange=0.0, t1_tissue=t))[0].units for t in (0.5, 4.0)
    ]  # fmt: skip
    np.testing.assert_allclose(shut[0], shut[1], rtol=1e-12)
    _, vb = (np.asarray(a)[:, None] for a in blood_supply(bed))
    slow = label_transfer(bed, jnp.asarray([1e-9 + 0j]), FOREVER._replace(exchange=0.0))[0].units
    np.testing.assert_allclose(np.real(slow), vb, rtol=1e-6)  # in the long run it fills the blood volume, and no more
    nearly = label_transfer(bed, LINE, WATER._replace(exchange=1e-12))[0].units
    np.testing.assert_allclose(nearly, label_transfer(bed, LINE, WATER._replace(exchange=0.0))[0].units, rtol=1e-6)


@pytest.mark.x64
def test_one_blood_flow_for_both_tracers():
    """CBF = sum of Fp_i / ((1 - HD_i) rho), HD_i each terminal's: with phase separation no systemic one will do."""
    bed = build(shunt=0.4)
    F, _ = blood_supply(bed)
    flow = bed.flow.arteries
    ends = bed.vessels.arteries.terminals
    perfusing = np.asarray(flow.blood)[ends] / (1 + bed.vessels.shunt)
    assert float(jnp.sum(F) * bed.cell_volume) == pytest.approx(float(perfusing.sum()), rel=1e-10)
    assert float(flow.blood[0]) == pytest.approx(float(np.asarray(flow.blood)[ends].sum()), rel=1e-10)
    assert np.std(np.asarray(flow.haematocrit)[ends]) > 1e-3


def test_label_reaches_every_cell_through_dispersing_vessels():
    """Beside the same bed in plug flow: later at first, more in the tail, and nowhere negative."""
    bed = build(supply_dispersion=np.full(TERMINALS, 1.0))
    times = jnp.asarray([1.0, 2.0, 3.0, 4.0, 5.0])
    out = label_readout(times, 1.8, labelling="pcasl", inlet_delay=0.8, t1_blood=1.65)
    spread = np.asarray(label_curves(bed, out))
    sharp = np.asarray(label_curves(build(), out))
    assert np.all(spread > -2e-3 * spread.max())
    assert spread[:, 1].mean() < sharp[:, 1].mean()
    assert spread[:, 4].mean() > sharp[:, 4].mean()


@pytest.mark.x64
def test_gradients_against_differences():
    bed = build()
    out = label_readout(jnp.asarray([2.0, 3.5]), 1.8, labelling="pcasl", inlet_delay=0.7, t1_blood=1.65, frequencies=64)

    def total(x):
        scaled = replace(bed, tissue=replace(bed.tissue, vp=x[0] * jnp.asarray(bed.tissue.vp)))
        return jnp.sum(label_curves(scaled, out, WATER._replace(exchange=x[1], t1_tissue=x[2])), axis=0)

    x = jnp.asarray([1.0, 0.025, 1.3])
    forward = jax.jacfwd(total)(x)
    for i in range(3):
        h = 1e-5 * x[i]
        step = jnp.zeros(3).at[i].set(h)
        np.testing.assert_allclose(forward[:, i], (total(x + step) - total(x - step)) / (2 * h), rtol=1e-5)


@pytest.mark.x64
def test_an_examination_of_the_phantom_that_dce_sees():
    """Slices at their own time; CBF of truth is Fp/((1 - HD) rho); what is measured comes from the noise-free part."""
    phantom = tumour_phantom(jax.random.key(0), shape=(8, 8, 8), grade=4)
    perfused = vascularise(jax.random.key(1), phantom, terminals=60)
    late = 0.05 * np.arange(4)
    protocol = asl_protocol([0.6, 1.8], pairs=2, slice_times=late)
    found = simulate_asl(jax.random.key(2), perfused, protocol, coarsen=2, sigma=0.0, frequencies=256)
    kinds = np.asarray(protocol.volume_types)
    taken = found.data[..., kinds == "control"] - found.data[..., kinds == "label"]
    np.testing.assert_allclose(taken, found.difference[..., kinds == "label"], rtol=1e-9)
    whole = simulate_asl(
        jax.random.key(2), perfused, replace(protocol, slice_times=np.zeros(0)), coarsen=2, sigma=0.0, frequencies=256
    )
    np.testing.assert_allclose(found.difference[:, :, 0], whole.difference[:, :, 0], rtol=1e-2)
    assert np.any(np.abs(np.asarray(found.difference / whole.difference - 1))[:, :, 3, 1] > 0.01)
    HD = np.asarray(perfused.bed.flow.arteries.haematocrit)[perfused.bed.vessels.arteries.terminals]
    cells = np.asarray(perfused.tissue.Fp) / (1 - HD[perfused.bed.owner].reshape(8, 8, 8)) / 1.05
    expected = 6000 * cells.reshape(4, 2, 4, 2, 4, 2).mean((1, 3, 5))
    np.testing.assert_allclose(found.truth["CBF"], expected, rtol=1e-10)
    live = found.truth["CBF"] > 5
    assert np.nanmin(found.truth["ATT"][live]) > 0.7


@pytest.mark.slow  # responses to contrast always (inputs/test_random.py), by the same rule
def test_responses_to_lasting_label_make_every_series():
    """Switched on minus switched off later is transport's own answer, for any delay, duration and inlet delay."""
    phantom = tumour_phantom(jax.random.key(0), shape=(8, 8, 8), grade=4)
    perfused = vascularise(jax.random.key(1), phantom, terminals=60)
    kept = label_responses(perfused)
    protocol = asl_protocol([0.45, 1.3, 2.7], pairs=1, label_duration=1.55)
    exact = simulate_asl(jax.random.key(2), perfused, protocol, inlet_delay=0.83, sigma=0.0)
    labels = np.asarray(protocol.volume_types) == "label"
    matrix = label_matrix(protocol.times[labels], 1.55, 0.83)
    found = np.asarray((kept.shape.astype(float) * kept.peak[:, None]) @ matrix)
    found = np.asarray(difference_from(jnp.asarray(found), m0=1000.0, label_efficiency=0.85)).reshape(8, 8, 8, 3)
    expected = np.asarray(exact.difference[..., labels])
    scale = np.percentile(expected, 99)
    assert np.percentile(np.abs(found - expected), 99) < 0.01 * scale
    np.testing.assert_allclose(
        kept.truth[:, 1].reshape(8, 8, 8), np.nan_to_num(exact.truth["ATT"] - 0.83), rtol=1e-4, atol=1e-4
    )
