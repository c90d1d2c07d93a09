"""QTMnet for labelled water: what it sees obeys the label's own laws, and what it says follows the scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from estimate.asl.differences import differences
from estimate.asl.network import noise_of_a_pair
from estimate.qtmnet.learning.stream import Voxels
from estimate.qtmnet.learning.water import draw_scan, example, measure, varied
from estimate.qtmnet.network import Architecture, QTMnet
from estimate.qtmnet.out_of_distribution import TrainingDistribution, curve_distance
from estimate.qtmnet.water.domain import READOUTS, T1B, TRAINING
from estimate.qtmnet.water.features import NODES, Delays, ScanFacts, features, levels, scan_facts, sensitivity
from estimate.qtmnet.water.inference import predict_scan
from estimate.qtmnet.water.targets import CBF_FLOOR, target
from estimate.qtmnet.weights import load_trained, save_trained
from simulate.banks.water import KNOTS, TRUTHS
from simulate.base.constants import BRAIN_DENSITY
from simulate.base.errors import InputError
from simulate.base.units import from_clinical
from simulate.labelling.difference import asl_difference
from simulate.phantoms.priors import Region
from tests.asl_examination import M0, series
from tests.compilations import compilations
from tests.networks import uncalibrated

DELAYS = Delays(jnp.asarray([0.6, 1.2, 1.8, 2.4, 3.0]), jnp.full(5, 1.8), jnp.asarray([1.0, 1.0, 2.0, 3.0, 1.0]))
CBF, ATTS = 60.0, (0.5, 1.0, 2.0)


def d_of(cbf, att, delays=DELAYS, model="recommended"):
    """d [mL/g] of voxels with these arrival times, by a closed form."""
    m0, alpha, lam = 1.0, 0.85, 0.9
    att = np.atleast_1d(att)
    dM = asl_difference(
        jnp.full(att.shape, cbf), jnp.asarray(att), delays.post_label_delay + delays.label_duration, labelling="pcasl",
        label_duration=delays.label_duration[0], m0=m0, label_efficiency=alpha, partition_coefficient=lam,
        t1_blood=T1B, t1_tissue=1.3, model=model,
    )  # fmt: skip
    return jnp.asarray(dM) * lam / (2 * alpha * m0)


def seen(d, sigma, delays=DELAYS):
    sigma = jnp.full(d.shape[0], sigma)
    level, sure = levels(d, sigma, delays, T1B)
    return features(d, sigma, delays, T1B, scan_facts(level, sure, jnp.ones(d.shape[0], bool)))


def test_where_all_label_has_arrived_the_level_is_flow_and_the_shape_is_one():
    found = seen(d_of(CBF, 0.5), 1e-9)
    assert float(found.level[0]) == pytest.approx(from_clinical("CBF", CBF), rel=1e-6)
    covered = (NODES >= 0.6) & (NODES <= 3.0)
    np.testing.assert_allclose(found.voxel[0, : len(NODES)][covered], 1.0, atol=1e-6)
    late = seen(d_of(CBF, 2.0), 1e-9)
    assert float(late.level[0]) < 0.8 * float(found.level[0])  # f is low until label has come
    shape = np.asarray(late.voxel[0, : len(NODES)])
    assert shape[2] < 0.3 < 1.0 < shape[-3]


@pytest.mark.parametrize("duration", [0.8, 1.8])
def test_the_same_flow_reads_alike_whatever_the_duration_of_label(duration):
    delays = DELAYS._replace(label_duration=jnp.full(5, duration))
    np.testing.assert_allclose(seen(d_of(CBF, 0.5, delays), 1e-9, delays).level, from_clinical("CBF", CBF), rtol=1e-6)


def test_noise_spreads_over_level_and_shape_as_the_features_say():
    sigma, count = 5e-4, 40_000
    clean = jnp.broadcast_to(d_of(CBF, 1.0), (count, 5))
    noise = jax.random.normal(jax.random.key(0), clean.shape) * sigma / jnp.sqrt(DELAYS.repeats)
    level, sure = levels(clean + noise, jnp.full(count, sigma), DELAYS, T1B)
    assert float(jnp.std(level)) == pytest.approx(float(sure[0]), rel=0.02)
    facts = ScanFacts(jnp.ones(()), jnp.ones(()))
    found, exact = (features(d, jnp.full(count, sigma), DELAYS, T1B, facts) for d in (clean + noise, clean))
    free = found.voxel[:, : len(NODES)] * found.level[:, None] - exact.voxel[:, : len(NODES)] * exact.level[:, None]
    expected = np.asarray(found.gram) * float(found.noise[0]) ** 2
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose((np.cov(np.asarray(free).T) - expected) / scale, 0.0, atol=0.05)


def test_noise_of_a_draw_is_what_the_scan_says():
    scan = draw_scan(jax.random.key(5))
    empty = Voxels(jnp.zeros((30_000, len(KNOTS))), jnp.ones(30_000), jnp.ones((30_000, 3)), jnp.zeros(30_000, int))
    found = np.asarray(measure(jax.random.key(1), empty, scan))
    repeats = np.asarray(scan.delays.repeats)
    used = repeats > 0
    np.testing.assert_allclose(found.std(0)[used], float(scan.sigma) / np.sqrt(repeats[used]), rtol=0.03)
    assert np.all(found[:, ~used] == 0)


def test_protocols_keep_to_their_ranges():
    scans = jax.vmap(draw_scan)(jax.random.split(jax.random.key(0), 300))
    delay, repeats = np.asarray(scans.delays.post_label_delay), np.asarray(scans.delays.repeats)
    counts = (repeats > 0).sum(1)
    assert counts.min() == TRAINING.delays[0]
    assert counts.max() == READOUTS
    assert np.all(np.diff(delay, axis=1)[repeats[:, 1:] > 0] > 0.02)
    assert delay.min() >= TRAINING.first[0]
    assert delay.max() <= TRAINING.last[1]
    assert set(np.unique(repeats)) == {0, 1, 2, 3, 4}


def stirred(cbf):
    """A voxel whose response is known: flow into one stirred cell that keeps its label, which decays as in blood."""
    flow = from_clinical("CBF", cbf) * BRAIN_DENSITY
    response = flow * -np.expm1(-KNOTS / T1B) * T1B
    peak = response.max()
    truth = {"CBF": from_clinical("CBF", cbf), "ATT": 0.0, "aBV": 0.0}
    row = jnp.asarray([[truth[name] for name in TRUTHS]], jnp.float32)
    shape = jnp.asarray(response / peak, jnp.float32)[None]
    return Voxels(shape, jnp.asarray([peak], jnp.float32), row, jnp.asarray([int(Region.RIM)]))


def test_a_measured_voxel_is_that_of_the_closed_form():
    """Label that arrives after the inlet delay and decays as in blood: the recommended model."""
    scan = draw_scan(jax.random.key(7))._replace(sigma=jnp.asarray(0.0))
    used = np.asarray(scan.delays.repeats) > 0
    only = Delays(*(a[used] for a in scan.delays))
    expected = d_of(CBF, float(scan.inlet_delay), only)[0]
    found = measure(jax.random.key(0), stirred(CBF), scan)[0][used]
    np.testing.assert_allclose(found, expected, atol=2e-3 * float(expected.max()))
    made = example(jax.random.key(0), stirred(CBF), scan._replace(sigma=jnp.asarray(1e-7)))
    said = np.exp(float(made.target[0, 0])) * float(made.features.level[0])
    assert said == pytest.approx(from_clinical("CBF", CBF), rel=1e-5)
    assert float(made.target[0, 1]) == pytest.approx(float(scan.inlet_delay), rel=1e-6)


def test_more_flow_in_a_region_is_more_label_and_the_same_arrival():
    voxels = stirred(CBF)
    other = varied(jax.random.key(2), voxels)
    factor = float(other.peak[0] / voxels.peak[0])
    assert abs(factor - 1) > 0.01
    truth = dict(zip(TRUTHS, np.asarray(other.truth / jnp.where(voxels.truth == 0, 1, voxels.truth))[0], strict=True))
    assert truth["CBF"] == pytest.approx(factor, rel=1e-6)
    assert truth["ATT"] == 0.0


def test_dead_tissue_is_learnt_as_hardly_any_flow_without_arrival():
    value, weight = target(jnp.asarray([0.0, 0.01]), jnp.asarray([0.0, 1.2]), jnp.asarray([1e-4, 1e-2]))
    assert float(value[0, 0]) == pytest.approx(np.log(CBF_FLOOR / 1e-4))
    np.testing.assert_array_equal(weight, [[1, 0], [1, 1]])
    assert float(value[1, 1]) == pytest.approx(1.2)


# -- through the network --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """A small network whose every part matters: nothing is left at the zeros that training starts from."""
    shape = Architecture(
        encoder=16, blocks=1, heads=2, context=16, decoder=16, branch=(8, 8, 8), rounds=2, tracer="water"
    )  # fmt: skip
    graph, weights = nnx.split(QTMnet(shape, rngs=nnx.Rngs(0)))
    leaves, structure = jax.tree.flatten(weights)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [
        a + 0.1 * jax.random.normal(k, a.shape) / np.sqrt(max(a.shape[0], 1)) for a, k in zip(leaves, keys, strict=True)
    ]
    net = nnx.merge(graph, jax.tree.unflatten(structure, leaves))
    return uncalibrated(net)


@pytest.fixture(scope="module")
def scan():
    """(d (*space, k), mask) of noisy voxels with holes."""
    rng = np.random.default_rng(0)
    shape = (9, 8, 6)
    att = rng.uniform(0.4, 2.5, shape)
    d = np.asarray(d_of(CBF, att.ravel())).reshape(*shape, 5) * rng.uniform(0.3, 1.5, shape)[..., None]
    return d + 1e-3 * rng.standard_normal(d.shape), rng.random(shape) < 0.9


def ask(network, d, mask, *, sigma=1e-3, late=None, delays=DELAYS):
    where = np.nonzero(mask)
    late = np.zeros(mask.shape[2]) if late is None else late
    return predict_scan(
        network, d[where], np.full(len(where[0]), sigma), delays, t1_blood=T1B, late=late[where[2]], where=where,
        shape=mask.shape,
    )  # fmt: skip


def test_scaling_the_series_scales_flow_and_moves_no_arrival(network, scan):
    d, mask = scan
    plain = ask(network, d, mask)
    for factor in (0.2, 3.0):
        scaled = ask(network, factor * d, mask, sigma=factor * 1e-3)
        np.testing.assert_allclose(scaled.cbf, factor * plain.cbf, rtol=2e-4)
        np.testing.assert_allclose(scaled.att, plain.att, atol=1e-4)
        np.testing.assert_allclose(scaled.cbf_spread, plain.cbf_spread, rtol=1e-3)


def test_slices_are_read_at_their_own_delay(network, scan):
    """All slices late alike is the same series with later delays."""
    d, mask = scan
    later = DELAYS._replace(post_label_delay=DELAYS.post_label_delay + 0.3)
    one, two = ask(network, d, mask, late=np.full(6, 0.3)), ask(network, d, mask, delays=later)
    np.testing.assert_allclose(one.cbf, two.cbf, rtol=1e-4)
    mixed = ask(network, d, mask, late=np.array([0, 0, 0, 0.3, 0.3, 0.3]))
    early = np.nonzero(mask)[2] < 3
    assert not np.allclose(mixed.cbf[~early], ask(network, d, mask).cbf[~early], rtol=1e-2)


def test_a_second_series_compiles_nothing(network, scan):
    """Of more delays and fewer voxels, and read out slice by slice."""
    d, mask = scan
    ask(network, d, mask)
    more = Delays(*(np.append(a, a[-1:]) for a in DELAYS))
    with compilations() as found:
        ask(network, np.concatenate([d, d[..., -1:]], axis=-1), mask & (np.arange(8) < 7)[:, None], delays=more)
        ask(network, d, mask, late=np.linspace(0, 0.3, 6))
    assert not found


def test_weights_survive_their_file(network, scan, tmp_path):
    save_trained(tmp_path / "net.safetensors", network)
    again = load_trained(tmp_path / "net.safetensors", tracer="water")
    with pytest.raises(InputError, match="for ASL"):
        load_trained(tmp_path / "net.safetensors")
    assert again.network.shape.tracer == "water"
    np.testing.assert_array_equal(ask(again, *scan).cbf, ask(network, *scan).cbf)


def test_a_voxel_unlike_any_other_is_told_apart_from_a_noisy_one():
    n = len(NODES)
    known = TrainingDistribution.empty(n, 16).curves
    outlier = curve_distance(known, jnp.full((1, n), 5.0), jnp.zeros(1), jnp.eye(n))
    noisy = curve_distance(known, jnp.full((1, n), 5.0), jnp.full(1, 5.0), jnp.eye(n))
    assert float(outlier[0]) > 10 * float(noisy[0])


def test_flow_signal_has_the_sensitivity_of_the_consensus_formula():
    g = sensitivity(DELAYS, T1B)
    np.testing.assert_allclose(d_of(CBF, 0.3)[0] / g, from_clinical("CBF", CBF), rtol=1e-6)


# -- noise of the series --------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [2, 8])
def test_noise_is_found_in_the_repeats_though_some_voxels_moved(pairs):
    data, protocol = series(sigma=0.002, pairs=pairs)
    data = np.tile(data, (8, 8, 2, 1))
    data = data + 0.002 * M0 * np.random.default_rng(0).standard_normal(data.shape)
    data[:3] += 50 * np.random.default_rng(1).standard_normal(data[:3].shape)
    found = differences(data, protocol)
    where = np.nonzero(np.ones(found.value.shape[:3], bool))
    assert noise_of_a_pair(found, where) == pytest.approx(0.002 * M0 * np.sqrt(2) * np.sqrt(2), rel=0.08)


def test_without_repeats_noise_is_found_between_neighbours():
    data, protocol = series(sigma=0.0, pairs=1)
    smooth = np.broadcast_to(data.mean((0, 1, 2)), (20, 20, 4, data.shape[-1]))
    noisy = smooth + 2.0 * np.random.default_rng(0).standard_normal(smooth.shape)
    found = differences(noisy, protocol)
    where = np.nonzero(np.ones(found.value.shape[:3], bool))
    assert noise_of_a_pair(found, where) == pytest.approx(2.0 * np.sqrt(2), rel=0.05)
