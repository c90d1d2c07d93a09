"""A whole examination: truth, mass, voxels, noise, reproducibility."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol
from simulate.examinations.dce import simulate_dce
from simulate.examinations.perfused import vascularise
from simulate.examinations.truth import truth_maps
from simulate.inputs.population import parker_aif
from simulate.phantoms.tumour import tumour_phantom
from simulate.scanner.spgr import spgr_signal
from simulate.spectral.engine import cell_concentration, transfer

pytestmark = pytest.mark.x64  # laws to ten digits

SHAPE = (16, 16, 16)
PROTOCOL = DCEProtocol(
    times=4.0 * np.arange(30), repetition_time=0.004, flip_angle=20.0, relaxivity=5.0, baseline=3, frame_duration=4.0
)
KNOTS = np.arange(0, 128.1, 0.5)
AIF = parker_aif(KNOTS, haematocrit=0.42, onset=14.0)


@pytest.fixture(scope="module")
def perfused():
    return vascularise(jax.random.key(1), tumour_phantom(jax.random.key(0), shape=SHAPE), terminals=400)


def simulate(phantom, seed=2, **options):
    return simulate_dce(jax.random.key(seed), phantom, PROTOCOL, AIF, aif_times=KNOTS, frequencies=128, **options)


@pytest.fixture(scope="module")
def fine(perfused):
    return simulate(perfused)


def test_vessels_and_tissue_share_the_voxel(perfused):
    """Fp, PS, vp and ve are what was drawn, times the share that resolved vessels leave; never more blood than room."""
    for name in ("Fp", "PS", "vp", "ve"):
        drawn = getattr(perfused.phantom.tissue, name)
        np.testing.assert_allclose(getattr(perfused.tissue, name), drawn * (1 - perfused.blood), rtol=1e-12)
    assert 0.2 < perfused.blood.max() <= 0.95
    assert 0.001 < perfused.blood.mean() < 0.05


def test_vessels_carry_what_the_tissue_beside_them_wants(perfused):
    wanted = np.sum(perfused.tissue.Fp) * np.prod(perfused.phantom.cell)
    shunts = np.sum(perfused.bed.vessels.terminal_flow * perfused.bed.vessels.shunt)
    assert float(perfused.bed.flow.arteries.plasma[1]) == pytest.approx(wanted + shunts, rel=1e-12)


def test_mass_is_found_in_the_voxels(fine):
    """What the ledger holds in units and vessels is what the 4-D concentration holds."""
    held = np.asarray(fine.concentration).sum((0, 1, 2)) * np.prod(fine.perfused.phantom.cell)
    ledger = fine.ledger
    np.testing.assert_allclose(held, ledger.units + ledger.arteries + ledger.veins, rtol=1e-10, atol=1e-9)
    assert np.max(np.abs(ledger.imbalance)) < 1e-10 * np.max(ledger.inflow)


def test_coarser_voxels_are_means_of_fine_ones(perfused, fine):
    """Concentration and noise-free signal alike; the truth keeps its totals."""
    coarse = simulate(perfused, coarsen=2)
    blocks = np.asarray(fine.concentration).reshape(8, 2, 8, 2, 8, 2, -1).mean((1, 3, 5))
    np.testing.assert_allclose(coarse.concentration, blocks, rtol=1e-12, atol=1e-15)
    assert coarse.series.affine[0, 0] == 2 * fine.series.affine[0, 0]
    for name in ("Fp", "PS", "vp", "ve", "vp_vessels", "vp_total", "Ktrans"):
        assert np.mean(coarse.truth[name]) == pytest.approx(np.mean(fine.truth[name]), rel=1e-12)
    # through-flow depends on the voxel's size: fewer faces, less of it
    assert np.mean(coarse.truth["through_flow"]) < np.mean(fine.truth["through_flow"])


def test_three_flows_are_three_things(fine):
    truth = fine.truth
    vessel = truth["vp_vessels"] > 0.05
    assert np.median(truth["through_flow"][vessel] / np.maximum(truth["Fp"][vessel], 1)) > 10
    quiet = (truth["vp_vessels"] == 0) & (truth["Fp"] > 5)
    assert np.all(truth["speed"][quiet] < 2.0), "capillaries creep"
    assert np.max(truth["speed"]) > 20
    velocity = np.sqrt(sum(truth[f"velocity_{a}"] ** 2 for a in "xyz"))
    assert np.all(velocity <= truth["speed"] * (1 + 1e-9) + 1e-9), "the mean velocity is at most the mean speed"


def test_delivered_flow_volumes_and_units_of_the_truth(perfused, fine):
    np.testing.assert_allclose(fine.truth["Fp"], 6000 * perfused.tissue.Fp, rtol=1e-12)
    np.testing.assert_allclose(fine.truth["vp_total"], fine.truth["vp"] + fine.truth["vp_vessels"], rtol=1e-12)
    assert fine.truth.units["through_flow"] == "mL/100 mL/min"
    assert np.array_equal(np.isnan(fine.truth["delay"]), perfused.tissue.Fp == 0)
    assert np.nanmin(fine.truth["delay"]) > 0
    alive = perfused.tissue.Fp > 0
    Fp, PS = perfused.tissue.Fp[alive], perfused.tissue.PS[alive]
    np.testing.assert_allclose(fine.truth["Ktrans"][alive] / 60, Fp * PS / (Fp + PS), rtol=1e-9)


def test_the_plasma_of_vessels_lies_where_the_tracer_lies(perfused):
    """In the steady state all plasma and EES hold what the artery holds: concentrations are the truth's volumes."""
    bed = perfused.bed
    contents = transfer(bed, jnp.asarray([1e-12 + 0j]))[0]
    cells = np.real(cell_concentration(bed, contents)).reshape(SHAPE)
    truth = truth_maps(perfused)
    reached = np.where(perfused.tissue.PS > 0, truth["ve"], 0.0)
    np.testing.assert_allclose(cells, truth["vp"] + truth["vp_vessels"] + reached, rtol=1e-6, atol=1e-9)


def test_through_flow_counts_every_face_that_a_vessel_passes(perfused):
    """Half on either side of a face: over the grid, the flow of every vessel times the planes between its ends."""
    bed = perfused.bed
    total = 0.0
    for tree, flow in ((bed.vessels.arteries, bed.flow.arteries), (bed.vessels.veins, bed.flow.veins)):
        index = np.clip(np.floor(tree.position / perfused.phantom.cell), 0, np.asarray(SHAPE) - 1)
        total += np.sum(np.asarray(flow.plasma) * np.abs(index - index[tree.parent]).sum(1))
    found = truth_maps(perfused)["through_flow"] / 6000 * bed.cell_volume
    assert np.sum(found) == pytest.approx(total, rel=1e-12)


def test_the_delay_of_the_truth_is_the_first_moment_of_what_arrives(perfused):
    """Mean arrival at a cell from its transfer function, -d/ds at 0, against the map."""
    s = 1e-6
    bed = replace(perfused.bed, mixing=np.ones_like(perfused.bed.mixing))
    tissue = bed.tissue
    units = np.real(transfer(bed, jnp.asarray([s + 0j]))[0].units)[:, 0]
    alive = tissue.Fp > 0
    # content = (vp+ve) (1 - s delay) (1 - s second-order): compare two beds that differ in the supply alone
    late = replace(bed, precapillary_delay=bed.precapillary_delay + 2.0)
    later = np.real(transfer(late, jnp.asarray([s + 0j]))[0].units)[:, 0]
    np.testing.assert_allclose((units - later)[alive] / units[alive] / s, 2.0, rtol=1e-3)
    shifted = truth_maps(replace(perfused, bed=late))["delay"] - truth_maps(perfused)["delay"]
    np.testing.assert_allclose(shifted[np.isfinite(shifted)], 2.0, rtol=1e-6)


def test_noise_has_the_signal_to_noise_ratio_that_was_asked_for(fine):
    clean = np.asarray(spgr_signal(fine.concentration, PROTOCOL, t10=np.asarray(fine.perfused.t10), s0=1000.0))
    noise = np.std((np.asarray(fine.series.data) - clean)[clean[..., 0] > 0])
    assert np.mean(clean[..., :3]) / noise == pytest.approx(50, rel=0.02)


def test_the_same_key_gives_the_same_series_bit_for_bit():
    phantom = tumour_phantom(jax.random.key(0), shape=SHAPE)
    one, other = (simulate(phantom, terminals=400) for _ in range(2))
    np.testing.assert_array_equal(one.series.data, other.series.data)
    assert not np.array_equal(simulate(phantom, seed=3, terminals=400).series.data, one.series.data)


def test_single_precision_is_good_enough(fine):
    """As users run it, without x64: the same vessels, their flow and transport in float32."""
    with jax.enable_x64(False):
        lower = vascularise(jax.random.key(1), tumour_phantom(jax.random.key(0), shape=SHAPE), terminals=400)
        single = simulate(lower)
    peak = np.asarray(fine.concentration).max()
    assert single.concentration.dtype == np.float32
    np.testing.assert_allclose(single.concentration, fine.concentration, atol=2e-5 * peak)


def test_a_grid_that_does_not_divide_is_refused(perfused):
    with pytest.raises(InputError, match="does not divide"):
        simulate(perfused, coarsen=3)
