"""What the network is trained on: the laws by which examinations are made, and what is asked of the network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.qtmnet.contrast.domain import TRAINING
from estimate.qtmnet.contrast.features import Frames, arrival_time, features, scan_facts
from estimate.qtmnet.contrast.targets import DELAY_UNIT, MEANS, OUTPUTS, SCORED, VESSEL_FLOOR, predicted, target
from estimate.qtmnet.contrast.time_basis import NODES, hat_means, projection
from estimate.qtmnet.learning.contrast import acquire, draw_scan, example, varied
from estimate.qtmnet.learning.stream import Voxels
from simulate.banks.contrast import KNOTS, TRUTHS, inlet_curve, spline
from simulate.base.types import Tissue
from simulate.inputs.random import AREA_WINDOW
from simulate.kinetics.tissue import tissue_concentration
from simulate.phantoms.priors import Region

TISSUE = {"Fp": 0.008, "PS": 0.002, "vp": 0.06, "ve": 0.25}


def voxels_of_tissue(delay=1.5):
    """One 2CXM voxel as its response to the spline, in closed form."""
    fine = jnp.arange(-2.0, float(KNOTS[-1]) + 0.1, 0.05)
    tissue = Tissue(**TISSUE, delay=delay)
    response = tissue_concentration(tissue, spline(fine), jnp.asarray(KNOTS), aif_times=fine)
    peak = float(response.max())
    values = TISSUE | {"Ktrans": tissue.Ktrans, "vp_vessels": 0.0, "delay": delay, "speed": 1.0, "T10": 1.4}
    truth = jnp.asarray([[values[name] for name in TRUTHS]])
    return Voxels((response / peak)[None], jnp.asarray([peak]), truth, jnp.asarray([int(Region.RIM)]))


def clean(voxels, scan):
    return np.asarray((voxels.shape @ scan.matrix) * voxels.peak[:, None])[0]


@pytest.mark.parametrize("dilation", [0.7, 1.0, 1.4])
def test_a_dilated_phantom_is_another_phantom(dilation):
    """Its curve is that of Fp/x, PS/x, x delay and the same volumes for the very input that was drawn."""
    scan = draw_scan(jax.random.key(4), dilation=(dilation, dilation))
    voxels = voxels_of_tissue()
    other = Tissue(TISSUE["Fp"] / dilation, TISSUE["PS"] / dilation, TISSUE["vp"], TISSUE["ve"], delay=1.5 * dilation)
    fine = np.arange(0.0, 500.0, 0.05)
    # the splines that make the input are stretched with the phantom
    ca = np.asarray(inlet_curve(scan.inlet, jnp.asarray(fine / dilation)))
    start, duration = np.asarray(scan.frames.start), float(scan.frames.duration)
    inner = (np.arange(10) + 0.5) / 10 * duration - float(scan.onset)
    at = (start[:, None] + inner).ravel()
    expected = np.asarray(tissue_concentration(other, ca, at, aif_times=fine)).reshape(len(start), 10).mean(1)
    counted = np.asarray(scan.frames.weight) > 0
    np.testing.assert_allclose(clean(voxels, scan)[counted], expected[counted], atol=3e-3 * expected.max())
    moved = varied(jax.random.key(0), voxels, scan)
    factor = float(moved.peak[0] / voxels.peak[0])
    got = dict(zip(TRUTHS, np.asarray(moved.truth)[0], strict=True))
    assert got["Fp"] == pytest.approx(factor * other.Fp)
    assert got["ve"] == pytest.approx(factor * other.ve)
    assert got["delay"] == pytest.approx(other.delay)


def test_noise_is_what_the_snr_says_and_the_baseline_is_zero():
    scan = draw_scan(jax.random.key(1))._replace(snr=jnp.asarray(40.0), t10_error=jnp.asarray(0.0))
    t10 = jnp.full(4000, 1.4)
    found = np.asarray(acquire(jax.random.key(2), jnp.zeros((4000, 150)), t10, scan))[
        :, np.asarray(scan.frames.weight) > 0
    ]
    before = int(np.sum(np.asarray(scan.baseline)))
    assert np.abs(found[:, :before].mean()) < 3e-5
    # dS/S = sigma = 1/40; C moves by that over d ln S/dC, from the signal equation at C = 0
    angle, TR = np.deg2rad(float(scan.flip_angle)), float(scan.repetition_time)

    def signal(c):
        e1 = np.exp(-TR * (1 / 1.4 + 4.5 * c))
        return (1 - e1) / (1 - e1 * np.cos(angle))

    slope = (np.log(signal(1e-4)) - np.log(signal(-1e-4))) / 2e-4
    expected = 1 / 40 / slope * np.sqrt(1 + 1 / before)  # the baseline's own noise is in every frame
    assert found[:, before + 1 :].std() == pytest.approx(expected, rel=0.05)


def test_protocols_keep_to_their_ranges():
    scans = jax.vmap(draw_scan)(jax.random.split(jax.random.key(0), 200))
    spacing, counted = np.asarray(scans.frames.duration), np.asarray(scans.frames.weight).sum(1)
    assert TRAINING.spacing[0] <= spacing.min() < 1.8
    assert 5.5 < spacing.max() <= TRAINING.spacing[1]
    assert np.all(counted * spacing <= TRAINING.longest + 1e-3)
    assert np.all(np.asarray(scans.baseline).sum(1) >= TRAINING.baseline[0])
    assert np.all(np.asarray(scans.onset) >= np.asarray(scans.baseline).sum(1) * spacing)


def test_features_are_ratios_and_targets_obey_the_scale_law():
    """Twice the contrast doubles the level and changes nothing else; input and tissue trade a factor."""
    scan = draw_scan(jax.random.key(9))
    rng = np.random.default_rng(0)
    curve = clean(voxels_of_tissue(), scan)
    curves = jnp.asarray(curve * rng.uniform(0.5, 2, (40, 1)) + 0.003 * rng.standard_normal((40, 150)))
    everywhere = jnp.ones(40, bool)
    one, two = (features(a * curves, scan.frames, scan_facts(a * curves, scan.frames, everywhere)) for a in (1.0, 2.0))
    np.testing.assert_allclose(two.voxel, one.voxel, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(two.scan, one.scan, rtol=1e-9)
    np.testing.assert_allclose(two.level, 2 * one.level)
    truth = {name: jnp.full(40, v) for name, v in TISSUE.items()}
    truth |= {"Ktrans": 0.0016 * jnp.ones(40), "vp_vessels": 0.01 * jnp.ones(40), "delay": jnp.arange(40.0)}
    truth["speed"] = jnp.ones(40)
    half = {n: v / 2 if n in ("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels") else v for n, v in truth.items()}
    asked, weight = target(truth, one.level, jnp.asarray(200.0), everywhere)
    again, _ = target(half, one.level, jnp.asarray(400.0), everywhere)
    np.testing.assert_allclose(again, asked, rtol=1e-12)
    assert np.all(np.asarray(weight) == 1)


@pytest.mark.x64
def test_predictions_are_consistent_with_each_other():
    outputs = jax.random.normal(jax.random.key(0), (50, OUTPUTS))
    x = dict(zip(SCORED, np.asarray(predicted(outputs).value).T, strict=True))
    np.testing.assert_allclose(x["Ktrans"], x["Fp"] + x["E"])
    np.testing.assert_allclose(x["kep"], x["Ktrans"] - x["ve"])
    np.testing.assert_allclose(np.exp(x["MTT"]), (np.exp(x["vp"]) + np.exp(x["ve"])) / np.exp(x["Fp"]))
    assert np.all(x["E"] < 0)
    assert np.all(np.asarray(predicted(outputs).spread) > 0)
    np.testing.assert_allclose(x["delay"], DELAY_UNIT * outputs[:, MEANS.index("delay")])


def test_targets_are_what_predictions_mean():
    """A network that knew the truth would be right: its maps are the truth."""
    scan = draw_scan(jax.random.key(9))
    found = example(jax.random.key(1), voxels_of_tissue(), scan)
    area = float(scan.area)
    values = dict(zip(SCORED, np.asarray(found.target)[0], strict=True))
    level = float(found.features.level[0])
    for name in ("Fp", "PS", "vp", "ve"):
        assert np.exp(values[name]) * level / area == pytest.approx(TISSUE[name])
    assert np.exp(values["vp_vessels"]) - VESSEL_FLOOR == pytest.approx(0.0, abs=1e-9)
    assert np.exp(values["MTT"]) == pytest.approx((TISSUE["vp"] + TISSUE["ve"]) / TISSUE["Fp"])
    # if all of the curve came from plasma, vp A/b would be the window's length
    assert np.exp(values["vp"]) < AREA_WINDOW


@pytest.mark.parametrize("spacing", [1.5, 3.0, 6.0])
def test_the_basis_reads_any_frames(spacing):
    """A smooth bolus measured with other frames has nearly the same coordinates, and its own values at the nodes."""
    arrival = 20.0

    def bolus(t):
        t = np.maximum(t, 0)
        return (t / 8) ** 2 * np.exp(2 - t / 4) / 4 + 0.3 * (1 - np.exp(-t / 20)) * np.exp(-t / 400)

    start = spacing * np.arange(int(360 / spacing))
    inner = (np.arange(20) + 0.5) / 20 * spacing
    measured = bolus(start[:, None] + inner - arrival).mean(1)
    P = projection(jnp.asarray(start - arrival), jnp.asarray(spacing), jnp.ones(len(start)))
    found = measured @ np.asarray(P)
    np.testing.assert_allclose(found, bolus(NODES), atol=0.015 * spacing)


@pytest.mark.x64
def test_hat_functions_share_every_frame():
    means = hat_means(jnp.linspace(-30.0, 400.0, 60), jnp.asarray(2.0))
    np.testing.assert_allclose(means.sum(1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(hat_means(jnp.asarray([4.0 - 0.5]), jnp.asarray(1.0))[0, 5], 1 - 0.25 / 2, rtol=1e-9)


def test_a_sample_reads_the_hat_functions_at_its_time():
    """To float32's digits, also late in a scan."""
    t = np.linspace(-7.5, 290.2, 40)
    t = t[np.min(np.abs(t[:, None] - NODES), axis=1) > 0.1]  # at a node a sample's short mean rounds the corner
    exact = np.stack([np.interp(t, NODES, one) for one in np.eye(len(NODES))], axis=1)
    found = np.asarray(hat_means(jnp.asarray(t, jnp.float32), jnp.float32(0.0)))
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_arrival_is_found_between_frames():
    frames = Frames(2.0 * jnp.arange(60), jnp.asarray(2.0), jnp.ones(60))
    centre = np.asarray(frames.start) + 1
    ramp = jnp.asarray(np.clip(centre - 23.0, 0, 10) / 10)
    assert float(arrival_time(ramp, frames)) == pytest.approx(24.0)
