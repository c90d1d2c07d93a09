"""The reference phantom: every combination present, measured as a scanner integrates, the truth beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from simulate.base.types import Tissue
from simulate.base.units import from_clinical
from simulate.examinations.reference import (
    grid_phantom,
    phantom_protocol,
    reference_concentration,
    simulate_reference,
    true_maps,
    write_reference,
)
from simulate.files.bids.dce import read_dce_sidecar
from simulate.files.nifti import read_image
from simulate.inputs.population import gamma_variate_aif
from simulate.inputs.transit import blood_to_plasma
from simulate.kinetics.tissue import tissue_concentration

HAEMATOCRIT = 0.4
LEVELS = {
    "Fp": (0.002, 0.01),
    "PS": (0.0, 0.001, 0.003),
    "vp": (0.02, 0.1),
    "ve": (0.1, 0.3),
}
PROTOCOL = phantom_protocol()
AIF_TIMES = np.arange(0, 303, 0.1)
AIF = gamma_variate_aif(AIF_TIMES, peak=5.0, time_to_peak=8.0, alpha=3.0, haematocrit=HAEMATOCRIT, onset=20.0)


@pytest.fixture(scope="module")
def phantom():
    return grid_phantom(**LEVELS, t10=1.3, patch=2)


@pytest.fixture(scope="module")
def concentration(phantom):
    return reference_concentration(phantom, PROTOCOL, AIF, haematocrit=HAEMATOCRIT, aif_times=AIF_TIMES)


def test_every_combination_of_levels_has_equally_many_voxels(phantom):
    tissue = phantom.tissue
    rows = np.stack([getattr(tissue, name)[phantom.mask] for name in LEVELS], axis=-1)
    combinations, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(combinations) == np.prod([len(levels) for levels in LEVELS.values()])
    assert set(counts) == {2 * 4}  # patch x square


def test_each_slice_has_an_artery_apart_from_the_tissue(phantom):
    assert not np.any(phantom.artery & phantom.mask)
    assert np.all(phantom.artery.sum(axis=(0, 1)) >= 8)
    assert np.all(phantom.t10[phantom.mask] == 1.3)
    assert len(np.unique(phantom.t10[phantom.artery])) == 1


def test_arrays_are_finite_everywhere(phantom):
    arrays = (*(getattr(phantom.tissue, name) for name in LEVELS), phantom.t10)
    assert all(np.isfinite(array).all() and array.shape == phantom.mask.shape for array in arrays)


def test_affine_centres_the_grid(phantom):
    middle = (np.asarray(phantom.mask.shape) - 1) / 2
    np.testing.assert_allclose(phantom.affine @ (*middle, 1), (0, 0, 0, 1), atol=1e-12)


def test_a_frame_holds_the_mean_of_the_curve_over_its_duration(phantom, concentration):
    voxel, frame = (3, 1, 1), 14  # on the steep rise, where a sample at one time is off by 10 %
    tissue = Tissue(**{name: getattr(phantom.tissue, name)[voxel] for name in LEVELS})
    start = PROTOCOL.times[frame]
    moments = start + np.linspace(0, PROTOCOL.frame_duration, 2001)
    curve = tissue_concentration(tissue, AIF, moments, aif_times=AIF_TIMES)
    mean = np.trapezoid(curve, moments) / PROTOCOL.frame_duration
    assert concentration[*voxel, frame] == pytest.approx(mean, rel=2e-4)
    assert abs(curve[0] / mean - 1) > 0.05


def test_the_artery_holds_blood(phantom, concentration):
    """Plasma times (1 - haematocrit), integrated over the frame from the curve's own formula."""

    def blood(t):
        x = (t - 20.0) / 8.0
        return 5.0 * (x * np.exp(1 - x)) ** 3

    start = PROTOCOL.times[14]
    mean = quad(blood, start, start + 2)[0] / 2
    inside = np.asarray(concentration[..., 14])[phantom.artery]
    np.testing.assert_allclose(inside, mean, rtol=3e-4)  # both are piecewise linear within 0.1 to 0.2 s
    plasma = blood_to_plasma(inside, HAEMATOCRIT)
    assert plasma.max() == pytest.approx(float(jnp.interp(start + 1, AIF_TIMES, AIF)), rel=1e-2)


def test_air_is_empty_and_nothing_precedes_the_bolus(phantom, concentration):
    air = ~(phantom.mask | phantom.artery)
    assert air.any()
    assert np.all(np.asarray(concentration)[air] == 0)
    assert np.all(np.asarray(concentration)[..., : PROTOCOL.baseline] == 0)


def test_noise_has_the_stated_level(phantom):
    series = simulate_reference(
        jax.random.key(3), phantom, PROTOCOL, AIF, haematocrit=HAEMATOCRIT, snr=20.0, aif_times=AIF_TIMES
    )
    before = np.asarray(series.data)[..., : PROTOCOL.baseline]
    inside = phantom.mask | phantom.artery
    within = before[phantom.mask].std(axis=-1, ddof=1)
    assert before[inside].mean() / np.sqrt(np.mean(within**2)) == pytest.approx(20, rel=0.05)
    air = before[~inside]
    assert air.mean() == pytest.approx(np.sqrt(np.pi / 2) * before[inside].mean() / 20, rel=0.1)  # Rayleigh


def test_infinite_snr_is_the_noise_free_signal(phantom):
    given = (phantom, PROTOCOL, AIF)
    keys = jax.random.split(jax.random.key(0))
    one, two = (
        simulate_reference(key, *given, haematocrit=HAEMATOCRIT, snr=np.inf, aif_times=AIF_TIMES) for key in keys
    )
    np.testing.assert_array_equal(one.data, two.data)


def test_truth_is_in_clinical_units_and_only_in_tissue(phantom):
    maps = true_maps(phantom)
    assert set(np.unique(maps["Fp"][phantom.mask])) == {12.0, 60.0}
    assert np.isnan(maps["ve"][~phantom.mask]).all()
    Fp, PS = 60.0, 18.0
    here = phantom.mask & (maps["Fp"] == Fp) & np.isclose(maps["PS"], PS)
    np.testing.assert_allclose(maps["Ktrans"][here], Fp * PS / (Fp + PS) / 100)  # 1/min


def test_plug_flow_truth_has_the_transfer_constant_of_renkin_and_crone():
    levels = {
        "Fp": (from_clinical("Fp", 30.0),),
        "PS": (from_clinical("PS", 10.0),),
        "vp": (0.05,),
        "ve": (0.2,),
    }
    maps = true_maps(grid_phantom(**levels, t10=1.5, model="dp", patch=2))
    inside = maps["Ktrans"][np.isfinite(maps["Ktrans"])]
    np.testing.assert_allclose(inside, 0.30 * (1 - np.exp(-1 / 3)))


def test_single_precision_agrees(phantom, concentration):
    single = reference_concentration(phantom, PROTOCOL, AIF, haematocrit=HAEMATOCRIT, aif_times=AIF_TIMES)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, concentration, atol=2e-5)


def test_files_hold_the_series_its_protocol_and_the_truth(phantom, tmp_path):
    series = simulate_reference(
        jax.random.key(0), phantom, PROTOCOL, AIF, haematocrit=HAEMATOCRIT, snr=50.0, aif_times=AIF_TIMES
    )
    write_reference(tmp_path, series, phantom, haematocrit=HAEMATOCRIT, details={"Seed": 0})
    image = read_image(tmp_path / "dce.nii.gz", dimensions=4)
    np.testing.assert_array_equal(image.data, np.asarray(series.data, np.float32))
    np.testing.assert_allclose(image.affine, phantom.affine)
    sidecar = read_dce_sidecar(tmp_path / "dce.nii.gz", frames=image.data.shape[3])
    assert sidecar.haematocrit == HAEMATOCRIT
    np.testing.assert_array_equal(sidecar.protocol.times, PROTOCOL.times)
    for name in ("repetition_time", "flip_angle", "echo_time", "relaxivity", "baseline", "frame_duration"):
        assert getattr(sidecar.protocol, name) == getattr(PROTOCOL, name)
    truth = read_image(tmp_path / "truth_PS.nii.gz", dimensions=3)
    np.testing.assert_allclose(truth.data, true_maps(phantom)["PS"], rtol=1e-6)
    assert read_image(tmp_path / "mask.nii.gz").data.sum() == phantom.mask.sum()
    assert '"GroundTruthModel": "2cxm"' in (tmp_path / "dce.json").read_text()
