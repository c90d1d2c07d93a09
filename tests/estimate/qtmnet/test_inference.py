"""A scan's prediction depends on the scan alone: not on scale, padding, tiles, the order of voxels or batches."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from estimate.qtmnet import tiles
from estimate.qtmnet.contrast import inference as of_contrast
from estimate.qtmnet.contrast.features import ScanFacts, features, scan_facts
from estimate.qtmnet.contrast.time_basis import NODES
from estimate.qtmnet.learning.contrast import draw_scan, example
from estimate.qtmnet.learning.stream import Voxels
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.qtmnet.out_of_distribution import Gaussian, TrainingDistribution
from estimate.qtmnet.weights import load_trained, save_trained
from estimate.signal import batches
from simulate.banks.contrast import KNOTS, TRUTHS, inlet_curve
from tests.compilations import compilations
from tests.networks import uncalibrated

SHAPE = (18, 15, 11)
SPACING = 2.5
STARTS = SPACING * np.arange(60)


@pytest.fixture(scope="module")
def network():
    """A small network whose every part matters: nothing is left at the zeros that training starts from."""
    shape = Architecture(encoder=16, blocks=1, heads=2, context=16, decoder=16, branch=(8, 8, 8), rounds=2)
    net = QTMnet(shape, rngs=nnx.Rngs(0))
    graph, weights = nnx.split(net)
    leaves, structure = jax.tree.flatten(weights)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [
        a + 0.1 * jax.random.normal(k, a.shape) / np.sqrt(max(a.shape[0], 1)) for a, k in zip(leaves, keys, strict=True)
    ]
    known = TrainingDistribution(
        Gaussian.empty(len(NODES), len(NODES)), Gaussian.empty(16, 16)._replace(limit=np.float32(2.0))
    )
    return uncalibrated(nnx.merge(graph, jax.tree.unflatten(structure, leaves)), training_distribution=known)


@pytest.fixture(scope="module")
def scan():
    """Curves (*SHAPE, t) of made-up tissue with noise, and a mask with holes."""
    rng = np.random.default_rng(0)
    t = np.maximum(STARTS - 22.0 - rng.uniform(0, 6, SHAPE)[..., None], 0)
    rate, height, tail = (rng.uniform(*r, SHAPE)[..., None] for r in ((0.03, 0.2), (0.02, 0.4), (0.1, 0.6)))
    curves = height * (t * rate * np.exp(1 - t * rate) + tail * (1 - np.exp(-t * rate)))
    curves = curves + 0.01 * rng.standard_normal(curves.shape)
    return curves.astype(np.float32), rng.random(SHAPE) < 0.9


def ask(network, curves, mask, core=tiles.CORE, order=slice(None), starts=STARTS):
    """Volumes (*space, q) of values; NaN outside the mask."""
    where = tuple(axis[order] for axis in np.nonzero(mask))
    found = of_contrast.predict_scan(network, curves[where], starts, SPACING, where=where, shape=mask.shape, core=core)
    value = np.full((*mask.shape, found.value.shape[1]), np.nan)
    value[where] = found.value
    return value, found


def relative(a, b):
    return np.nanmax(np.abs(a - b))


def test_scaling_the_input_changes_no_scale_free_output(network, scan):
    curves, mask = scan
    plain, first = ask(network, curves, mask)
    for factor in (0.5, 0.7, 1.4, 2.0):
        scaled, other = ask(network, (factor * curves).astype(np.float32), mask)
        assert relative(scaled, plain) < 1e-5 * 10, factor
        np.testing.assert_allclose(other.level, factor * first.level, rtol=1e-5)


def test_padding_moves_nothing(network, scan):
    curves, mask = scan
    plain, _ = ask(network, curves, mask)
    for before, after in ((1, 2), (3, 0), (5, 7)):
        wide = [(before, after)] * 3
        padded, _ = ask(network, np.pad(curves, [*wide, (0, 0)]), np.pad(mask, wide))
        inner = tuple(slice(before, before + n) for n in mask.shape)
        assert relative(padded[inner], plain) < 1e-4


@pytest.mark.parametrize(
    ("longer", "core"),
    [
        ((4, 5, 1), (12, 16, 16)),
        *(pytest.param(*p, marks=pytest.mark.slow) for p in (((6, 1, 1), (16, 15, 11)), ((1, 1, 8), (96, 8, 24)))),
    ],
)
def test_tiles_make_no_seams(network, scan, monkeypatch, longer, core):
    """Along axes that are longer than a core with its margins, one of them or two."""
    curves, mask = (np.tile(a, (*longer, 1)[: a.ndim]) for a in scan)
    plain, _ = ask(network, curves, mask, core=mask.shape)
    assert len(list(tiles.tiles(mask, core))) > 1
    assert relative(ask(network, curves, mask, core=core)[0], plain) < 1e-4
    monkeypatch.setattr(tiles, "MARGIN", 8)  # narrower than what the U-Net sees: now it must show
    assert relative(ask(network, curves, mask, core=core)[0], plain) > 1e-4


def test_a_larger_tile_than_the_scan_needs_changes_nothing(network, scan, monkeypatch):
    curves, mask = scan
    plain, _ = ask(network, curves, mask)
    for more in (4, 12):
        monkeypatch.setattr(tiles, "few_extents", lambda n, more=more: -(-n // 4) * 4 + more)
        assert relative(ask(network, curves, mask)[0], plain) < 1e-5, more


def test_tiles_have_few_extents():
    """Of the coarsest scale's cells, none over 1.25 times as long as that needs, and four to every doubling."""
    needed = np.arange(1, 161)
    extents = np.array([tiles.few_extents(int(n)) for n in needed])
    assert np.all(extents % tiles.COARSEST == 0)
    assert np.all(extents >= needed)
    assert np.all(extents <= 1.25 * -(-needed // tiles.COARSEST) * tiles.COARSEST)
    assert len(set(extents[needed > 16])) == 4 * np.log2(160 / 20) + 1


def test_the_order_of_voxels_and_the_size_of_batches_do_not_matter(network, scan, monkeypatch):
    curves, mask = scan
    plain, _ = ask(network, curves, mask)
    monkeypatch.setattr(batches, "BATCH", 1000)
    shuffled, _ = ask(network, curves, mask, order=np.random.default_rng(1).permutation(mask.sum()))
    assert relative(shuffled, plain) < 1e-4


def test_a_second_scan_compiles_nothing(network, scan):
    """Of fewer frames and voxels; a U-Net's program more where its tile has another extent."""
    curves, mask = scan
    ask(network, curves, mask)
    smaller = tuple(slice(0, n - 1) for n in SHAPE)
    with compilations() as found:
        ask(network, curves[smaller][..., :47], mask[smaller], starts=STARTS[:47])
    assert not found
    with compilations() as found:
        ask(network, curves[:7], mask[:7])
    assert len(found) == 1


def test_a_network_that_is_given_the_aif_sees_at_work_what_it_saw_in_training():
    """The same input by its splines, dilated, and as a sampled curve on the scan's clock."""
    scan = draw_scan(jax.random.key(3), dilation=(1.2, 1.2))
    fine = np.arange(0.0, 400.0, 0.1)
    curve = np.asarray(inlet_curve(scan.inlet, jnp.asarray(fine / 1.2)))
    truth = jnp.ones((1, len(TRUTHS)))
    trained = example(
        jax.random.key(0), Voxels(jnp.zeros((1, len(KNOTS))), jnp.ones(1), truth, jnp.zeros(1, int)), scan
    )  # fmt: skip
    arrival = trained.features.arrival
    seen = of_contrast._aif_channels(
        (fine + float(scan.onset), curve, float(scan.area)), ScanFacts(arrival, jnp.ones(()), jnp.ones(()))
    )
    np.testing.assert_allclose(seen, trained.aif, atol=2e-3 * float(seen.max()))
    assert float(seen.max()) > 3 * float(seen[-1])  # a bolus, not a constant


def test_weights_survive_their_file(network, scan, tmp_path):
    save_trained(tmp_path / "net.safetensors", network)
    again = load_trained(tmp_path / "net.safetensors")
    curves, mask = scan
    np.testing.assert_array_equal(ask(again, curves, mask)[0], ask(network, curves, mask)[0])
    assert again.calibration[:2] == network.calibration[:2]
    assert again.calibration.limits == network.calibration.limits
    assert jax.tree.all(jax.tree.map(np.array_equal, again.training_distribution, network.training_distribution))


def test_a_scan_is_judged_by_its_own_context_streamed_or_whole(network, scan):
    """d^2 about zero with unit spread, here, is the mean square of the first context."""
    curves, mask = scan
    _, found = ask(network, curves, mask)
    frames = of_contrast.padded_frames(STARTS, SPACING)
    padded = jnp.pad(curves[mask], ((0, 0), (0, len(frames.start) - len(STARTS))))
    seen = features(padded, frames, scan_facts(padded, frames, jnp.ones(len(padded), bool)))
    context = network.network.first_context(seen.voxel[None], seen.scan[None], seen.enhanced[None])[0]
    assert found.ood_score == pytest.approx(float(jnp.mean(context**2)) / 2.0, rel=1e-3)
    assert np.array_equal(found.out_of_distribution, found.outlier | (found.ood_score > 1))
    near = network.training_distribution._replace(
        scans=network.training_distribution.scans._replace(limit=np.float32(1e-6))
    )
    _, found = ask(replace(network, calibration=network.calibration._replace(training_distribution=near)), curves, mask)
    assert found.out_of_distribution.all()
