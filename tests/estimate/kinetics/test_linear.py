"""Linear least squares: exact without noise on a fine grid, biased with it, as its authors' critics say."""

import numpy as np

from estimate.kinetics.linear import linear_2cxm
from simulate.base.types import Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration

TISSUE = Tissue(np.array([0.005, 0.01]), np.array([0.001, 0.002]), np.array([0.05, 0.08]), np.array([0.2, 0.3]))


def test_it_is_exact_without_noise():
    times = np.arange(0, 300, 0.1)
    aif = np.asarray(parker_aif(times, haematocrit=0.42, onset=20.0))
    found = linear_2cxm(np.asarray(tissue_concentration(TISSUE, aif, times)), times, aif)
    for name in ("Fp", "PS", "vp", "ve"):
        np.testing.assert_allclose(getattr(found, name), getattr(TISSUE, name), rtol=5e-3)


def test_noise_makes_its_flow_too_low():
    times = np.arange(0, 300, 2.0)
    aif = np.asarray(parker_aif(times, haematocrit=0.42, onset=20.0))
    clean = np.asarray(tissue_concentration(TISSUE, aif, times))[1]
    noisy = clean + 0.05 * np.random.default_rng(0).standard_normal((500, len(times)))
    assert np.nanmedian(linear_2cxm(noisy, times, aif).Fp) < 0.9 * 0.01


def test_a_curve_without_contrast_gives_no_number():
    times = np.arange(0, 100, 2.0)
    found = linear_2cxm(np.zeros((2, len(times))), times, np.zeros(len(times)))
    assert np.all(np.isnan(found.Fp))
