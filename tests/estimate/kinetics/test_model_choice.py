"""`auto` never turns leakage into nothing: of models that make the same curve it takes the simpler, and says so."""

import numpy as np

from estimate.kinetics.fit import MODEL_CODES, fit_kinetics
from simulate.base.status import Status
from simulate.base.types import Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from tests.benchmarks.bench_model_choice import choose

TIMES = np.arange(0.0, 300.0, 2.0)
AIF = np.asarray(parker_aif(TIMES, haematocrit=0.42, onset=20.0), float)


def tofts(count=200):
    rng = np.random.default_rng(2)
    return Tissue(np.inf, np.geomspace(1, 35, count) / 6000, 0.0, rng.uniform(0.05, 0.5, count))


def test_without_noise_leakage_stays_leakage():
    """A QIBA-like object: 2CUM with PS = 0 makes the same curve, and its Ktrans were 0."""
    tissue = tofts()
    curves = np.asarray(tissue_concentration(tissue, AIF, TIMES, model="tofts"))
    fit = fit_kinetics(curves, TIMES, AIF, model="auto")
    np.testing.assert_allclose(fit.Ktrans, tissue.PS, rtol=2e-3)
    assert np.mean(np.asarray(fit.model) == MODEL_CODES["tofts"]) > 0.98


def test_with_noise_leakage_is_seldom_lost_and_never_silently():
    found = choose(3, 1000, "tofts", 2.0, 0.02)
    assert found["Ktrans below half"] <= 0.01
    assert found["of these not flagged"] == 0
    assert found["chosen"]["tofts"] > 0.9


def test_what_one_compartment_cannot_tell_is_said():
    """2CUM without leakage is the curve of Tofts tissue: whether flow or leakage made it, no curve tells."""
    tissue = Tissue(30 / 6000, 1e-7, np.linspace(0.03, 0.1, 100), np.inf)
    clean = np.asarray(tissue_concentration(tissue, AIF, TIMES, model="2cum"))
    curves = clean + 0.02 * clean.max(1, keepdims=True) * np.random.default_rng(0).standard_normal(clean.shape)
    status = np.asarray(fit_kinetics(curves, TIMES, AIF, model="auto").status)
    assert np.mean((status & int(Status.MODEL_AMBIGUOUS)) > 0) > 0.9
