"""The kinetic fit: exact recovery, laws, errors that are what they say, derivatives, status (float64)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.kinetics.fit import MODEL_CODES, fit_kinetics
from estimate.kinetics.measurement import FitInput
from estimate.kinetics.table import TableSize, delays_tabulated, exponential_table, read_exponential, read_fixed
from estimate.signal.errors import SignalErrors
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.base.types import Tissue
from simulate.inputs.population import parker_aif
from simulate.kinetics.convolution import exponential_convolution
from simulate.kinetics.tissue import tissue_concentration

TIMES = np.arange(0.0, 300.0, 2.0)
UNEVEN = np.concatenate([np.arange(-15.0, 60.0, 1.5), np.arange(60.0, 400.0, 5.0)])
AIF = np.asarray(parker_aif(TIMES, haematocrit=0.42, onset=20.0), float)
COUNT = 40


def tissues(seed=0, count=COUNT):
    """Identifiable tissue: transit times that the sampling resolves, leakage that the duration shows."""
    rng = np.random.default_rng(seed)
    return Tissue(
        Fp=np.exp(rng.uniform(np.log(10), np.log(60), count)) / 6000,
        PS=np.exp(rng.uniform(np.log(3), np.log(20), count)) / 6000,
        vp=rng.uniform(0.04, 0.12, count),
        ve=rng.uniform(0.08, 0.3, count),
    )


def noisy(tissue, seed=1, level=0.01, **options):
    clean = np.asarray(tissue_concentration(tissue, AIF, TIMES, **options))
    return clean + level * clean.max(1, keepdims=True) * np.random.default_rng(seed).standard_normal(clean.shape)


# -- recovery and laws ---------------------------------------------------------------------------------


FREE = {"2cxm": "Fp PS vp ve", "2cum": "Fp PS vp", "etm": "PS vp ve", "tofts": "PS ve", "patlak": "PS vp"}


@pytest.mark.x64
@pytest.mark.parametrize("model", list(FREE))
def test_noise_free_curves_give_their_parameters_back(model):
    tissue = tissues()
    fit = fit_kinetics(np.asarray(tissue_concentration(tissue, AIF, TIMES, model=model)), TIMES, AIF, model=model)
    for name in FREE[model].split():
        np.testing.assert_allclose(getattr(fit.tissue, name), getattr(tissue, name), rtol=1e-6)
    expected = {"Fp": np.inf, "vp": 0.0, "ve": np.inf}
    for name in set(expected) - set(FREE[model].split()):
        assert np.all(np.asarray(getattr(fit.tissue, name)) == expected[name])
        assert np.all(np.asarray(fit.status) & int(Status[f"NO_{name.upper()}"]))
        assert np.all(np.isnan(fit.stderr[name]))


@pytest.mark.parametrize("model", [pytest.param("dp", marks=pytest.mark.slow), "aath"])
def test_capillary_models_give_their_parameters_back(model):
    tissue = tissues(count=6)
    fit = fit_kinetics(np.asarray(tissue_concentration(tissue, AIF, TIMES, model=model)), TIMES, AIF, model=model)
    for name in ("Fp", "PS", "vp", "ve"):
        np.testing.assert_allclose(getattr(fit.tissue, name), getattr(tissue, name), rtol=1e-3)
    crone = tissue.Fp * (1 - np.exp(-tissue.PS / tissue.Fp))
    np.testing.assert_allclose(fit.Ktrans, crone, rtol=1e-3)


@pytest.mark.parametrize("times", [TIMES, UNEVEN])
def test_delay_and_arterial_volume_are_recovered(times):
    aif = np.asarray(parker_aif(times, haematocrit=0.42, onset=20.0))
    rng = np.random.default_rng(3)
    plain = tissues()
    tissue = Tissue(plain.Fp, plain.PS, plain.vp, plain.ve, rng.uniform(0.01, 0.05, COUNT), rng.uniform(-4, 8, COUNT))
    curves = np.asarray(tissue_concentration(tissue, aif, times))
    fit = fit_kinetics(curves, times, aif, fit_delay=True, arterial_volume=True)
    np.testing.assert_allclose(fit.tissue.delay, tissue.delay, atol=0.05)
    for name in ("Fp", "PS", "vp", "ve", "va"):
        np.testing.assert_allclose(getattr(fit.tissue, name), getattr(tissue, name), rtol=0.05)


@pytest.mark.x64
def test_scale_law():
    """ca -> a ca gives (Fp, PS, vp, ve) -> (.)/a where no bound is near, and the same residuals."""
    curves = noisy(tissues())
    once, twice = fit_kinetics(curves, TIMES, AIF), fit_kinetics(curves, TIMES, 2 * AIF)
    for name in ("Fp", "PS", "vp", "ve"):
        np.testing.assert_allclose(2 * getattr(twice.tissue, name), getattr(once.tissue, name), rtol=1e-5)
    np.testing.assert_allclose(twice.rss, once.rss, rtol=1e-9)


def test_clock_and_image_shape_do_not_matter():
    curves = noisy(tissues())
    plain = fit_kinetics(curves, TIMES, AIF)
    later = fit_kinetics(curves.reshape(5, 4, 2, -1), TIMES + 777.0, AIF)
    assert later.tissue.Fp.shape == (5, 4, 2)
    np.testing.assert_allclose(later.tissue.PS.ravel(), plain.tissue.PS, rtol=1e-6)


@pytest.mark.x64
def test_aif_on_its_own_finer_knots():
    fine = np.arange(0.0, 300.0, 0.1)
    aif = np.asarray(parker_aif(fine, haematocrit=0.42, onset=20.0))
    curves = np.asarray(tissue_concentration(tissues(), aif, TIMES, aif_times=fine))
    fit = fit_kinetics(curves, TIMES, aif, aif_times=fine)
    np.testing.assert_allclose(fit.tissue.Fp, tissues().Fp, rtol=1e-6)


def test_plasma_and_ees_never_exceed_the_voxel():
    """Curves that ask for vp + ve > 1 end on that bound, flagged, and everything stays positive."""
    tissue = Tissue(Fp=0.01, PS=0.004, vp=0.4, ve=0.9)
    fit = fit_kinetics(np.asarray(tissue_concentration(tissue, AIF, TIMES))[None], TIMES, AIF)
    assert float(fit.tissue.vp[0] + fit.tissue.ve[0]) <= 1 + 1e-12
    assert int(fit.status[0]) & int(Status.AT_BOUND)
    assert all(float(getattr(fit.tissue, n)[0]) > 0 for n in ("Fp", "PS", "vp", "ve"))


@pytest.mark.parametrize("model", ["2cum", "etm", "tofts", "patlak"])
def test_aicc_chooses_the_model_that_made_the_curve(model):
    """Noisy curves: mostly the true model is chosen, else one that contains it; another in under 10 %."""
    tissue = tissues(count=200)
    fit = fit_kinetics(noisy(tissue, model=model, level=0.02), TIMES, AIF, model="auto")
    nesting = {
        "2cum": ("2cum", "2cxm"),
        "etm": ("etm", "2cxm"),
        "tofts": ("tofts", "etm", "2cxm"),
        "patlak": ("patlak", "2cum", "etm", "2cxm"),
    }
    codes = [MODEL_CODES[n] for n in nesting[model]]
    assert np.mean(np.isin(fit.model, codes)) > 0.9
    assert np.mean(np.asarray(fit.model) == MODEL_CODES[model]) > 0.6


# -- the optimum, its errors, its derivatives ------------------------------------------------------------


@pytest.mark.x64
@pytest.mark.parametrize("model", ["etm", pytest.param("2cxm", marks=pytest.mark.slow)])
def test_the_reference_solver_finds_the_same_optimum(model):
    """jaxopt's L-BFGS-B on the whole, uncompressed curves: nothing shared but the model."""
    curves = noisy(tissues(count=12), model=model)
    ours = fit_kinetics(curves, TIMES, AIF, model=model)
    theirs = fit_kinetics(curves, TIMES, AIF, model=model, solver="lbfgsb")
    np.testing.assert_allclose(ours.rss, theirs.rss, rtol=1e-6)
    for name in FREE[model].split():
        np.testing.assert_allclose(getattr(ours.tissue, name), getattr(theirs.tissue, name), rtol=1e-3)
        np.testing.assert_allclose(ours.stderr[name], theirs.stderr[name], rtol=1e-2)


def test_standard_errors_are_the_scatter_of_repeated_measurements():
    one = Tissue(*(np.full(600, v) for v in (30 / 6000, 8 / 6000, 0.07, 0.2)))
    fit = fit_kinetics(noisy(one, level=0.02), TIMES, AIF)
    for name in ("Fp", "PS", "vp", "ve"):
        scatter = np.std(np.asarray(getattr(fit.tissue, name)))
        assert np.median(fit.stderr[name]) == pytest.approx(scatter, rel=0.12)  # 600 draws: 3 % of their own
    Ktrans = np.asarray(fit.Ktrans)
    assert np.median(fit.stderr["Ktrans"]) == pytest.approx(np.std(Ktrans), rel=0.12)
    low, high = fit.interval("PS", 0.9)
    assert np.mean((low < 8 / 6000) & (high > 8 / 6000)) == pytest.approx(0.9, abs=0.04)


@pytest.mark.x64
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("etm", {}),
        *(
            pytest.param("2cxm", options, marks=pytest.mark.slow)
            for options in ({}, {"fit_delay": True}, {"arterial_volume": True})
        ),
    ],
)
def test_derivatives_of_the_fit_against_refitting(model, options):
    """Forward and reverse derivatives at interior optima, against fits of perturbed curves and inputs."""
    tissue = tissues(count=5, seed=4)
    if options:
        va = 0.03 if "arterial_volume" in options else 0.0
        delay = 1.3 if "fit_delay" in options else 0.0
        tissue = Tissue(tissue.Fp, tissue.PS, tissue.vp, tissue.ve, np.full(5, va), np.full(5, delay))
    curves = noisy(tissue, level=0.005, model=model)
    rng = np.random.default_rng(5)
    d_curves = curves.max() * rng.standard_normal(curves.shape)
    d_aif = AIF * (1 + 0.3 * np.sin(TIMES / 30))
    extra = {"fit_delay": "delay", "arterial_volume": "va"}
    names = [*FREE[model].split(), *(extra[option] for option in options)]

    @jax.jit
    def fitted(c, a):
        found = fit_kinetics(c, TIMES, a, model=model, **options).tissue
        return jnp.stack([getattr(found, n) for n in names])

    primal = (jnp.asarray(curves), jnp.asarray(AIF))
    value, forward = jax.jvp(fitted, primal, (jnp.asarray(d_curves), jnp.asarray(d_aif)))
    h = 2e-5
    ends = [fitted(jnp.asarray(curves + k * h * d_curves), jnp.asarray(AIF + k * h * d_aif)) for k in (-2, -1, 1, 2)]
    difference = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / (12 * h)
    rtol = 1e-3 if "fit_delay" in options else 1e-4  # delays are read from a table with errors of 1e-5
    np.testing.assert_allclose(forward, difference, rtol=rtol, atol=1e-4 * np.abs(np.asarray(value)).max(1).min())
    weights = jnp.asarray(rng.standard_normal(value.shape)) / value
    back_curves, back_aif = jax.jit(lambda c, a: jax.vjp(fitted, c, a)[1](weights))(*primal)
    terms = jnp.concatenate([(back_curves * d_curves).ravel(), back_aif * d_aif])
    # the two programs' optima differ by rounding; what cancels in the sum does not cancel in that
    rounding = 1e-9 * float(jnp.sum(jnp.abs(terms)))
    assert float(jnp.sum(terms) - jnp.sum(weights * forward)) == pytest.approx(0, abs=rounding)


@pytest.mark.slow
def test_reverse_derivative_is_that_of_the_reference_solver():
    """jaxopt's implicit differentiation of its own optimum agrees with ours."""
    curves = jnp.asarray(noisy(tissues(count=2)))

    def total(c, solver):
        return jnp.sum(fit_kinetics(c, TIMES, AIF, solver=solver).tissue.Fp)

    ours = jax.jit(jax.grad(lambda c: total(c, "compressed")))(curves)
    theirs = jax.grad(lambda c: total(c, "lbfgsb"))(curves)
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * float(jnp.max(jnp.abs(ours))))


@pytest.mark.x64
@pytest.mark.parametrize(
    ("model", "name", "limit"),
    [("etm", "vp", 0.05), pytest.param("2cxm", "Fp", 40 / 6000, marks=pytest.mark.slow)],
)
def test_an_active_bound_has_no_derivative(model, name, limit):
    """A parameter held at its upper bound does not move, and PS moves as in the fit without it."""
    tissue = Tissue(*(np.full(1, v) for v in (60 / 6000, 8 / 6000, 0.07, 0.2)))
    curves = jnp.asarray(noisy(tissue, model=model))

    def fitted(c):
        found = fit_kinetics(c, TIMES, AIF, model=model, bounds={name: (0.0, limit)}).tissue
        return jnp.stack([getattr(found, name), found.PS])

    push = jnp.asarray(np.random.default_rng(0).standard_normal(curves.shape))
    value, slope = jax.jvp(fitted, (curves,), (push,))
    assert float(value[0, 0]) == pytest.approx(limit, rel=1e-12)
    assert float(slope[0, 0]) == 0.0
    h = 1e-5
    difference = (fitted(curves + h * push) - fitted(curves - h * push))[1, 0] / (2 * h)
    assert float(slope[1, 0]) == pytest.approx(float(difference), rel=1e-3)


# -- status ------------------------------------------------------------------------------------------------


def test_bad_voxels_get_a_status_and_leave_the_rest_alone():
    curves = noisy(tissues())
    clean = fit_kinetics(curves, TIMES, AIF)
    spoilt = curves.copy()
    spoilt[3], spoilt[5], spoilt[7, 11], spoilt[9, 0], spoilt[11] = 0.0, -1.0, np.nan, np.inf, -spoilt[11]
    fit = fit_kinetics(spoilt, TIMES, AIF)
    status = np.asarray(fit.status)
    assert all(status[k] == int(Status.NO_SIGNAL) for k in (3, 5, 11))
    assert all(status[k] == int(Status.NOT_FINITE) for k in (7, 9))
    bad = np.isin(np.arange(COUNT), (3, 5, 7, 9, 11))
    for field in ("Fp", "PS", "vp", "ve"):
        values = np.asarray(getattr(fit.tissue, field))
        assert np.all(np.isnan(values[bad]))
        np.testing.assert_array_equal(values[~bad], np.asarray(getattr(clean.tissue, field))[~bad])


def test_what_cannot_be_known_is_flagged():
    """No leakage: ve is not identifiable. A transit much shorter than a frame: Fp is not."""
    tight = Tissue(*(np.full(50, v) for v in (30 / 6000, 1e-7, 0.05, 0.2)))
    status = np.asarray(fit_kinetics(noisy(tight, level=0.03), TIMES, AIF).status)
    assert np.mean((status & int(Status.VE_NOT_IDENTIFIABLE)) > 0) > 0.9
    fast = Tissue(*(np.full(50, v) for v in (550 / 6000, 4 / 6000, 0.01, 0.2)))
    status = np.asarray(fit_kinetics(noisy(fast, level=0.03), TIMES, AIF).status)
    assert np.mean((status & int(Status.FP_NOT_IDENTIFIABLE | Status.AT_BOUND)) > 0) > 0.9


def test_a_voxel_of_blood_is_fitted():
    """k ca(t) is the limit of a boundless flow through vp = k: fitted to the noise, Fp flagged, not blank.

    Pure blood (k = .58) would need more than the largest flow: then Fp ends on its bound, and says so.
    """
    noise = 0.005 * np.random.default_rng(0).standard_normal((30, AIF.size))
    fit = fit_kinetics(0.02 * AIF + noise, TIMES, AIF)
    assert np.median(np.sqrt(np.asarray(fit.rss) / AIF.size)) < 0.006
    np.testing.assert_allclose(fit.tissue.vp, 0.02, atol=0.004)
    assert np.all(np.asarray(fit.status) & int(Status.FP_NOT_IDENTIFIABLE | Status.AT_BOUND))
    pure = np.asarray(fit_kinetics(0.58 * AIF + noise, TIMES, AIF).status)
    assert np.all(pure & int(Status.AT_BOUND))
    assert not np.any(pure & int(Status.NO_SIGNAL))


# -- the table ---------------------------------------------------------------------------------------------


@pytest.mark.x64
@pytest.mark.parametrize(("delay", "tolerance"), [(None, 1e-8), (2.345, 2e-4)])
def test_the_table_reads_what_the_convolution_computes(delay, tolerance):
    bounds = (0.0, 0.0) if delay is None else (-10.0, 10.0)
    size = TableSize(48, 640, 1 if delay is None else delays_tabulated(bounds))
    table = exponential_table(
        FitInput(jnp.asarray(TIMES), jnp.asarray(AIF), jnp.asarray(TIMES), None), size, delay_bounds=bounds, padded=True
    )
    rates = jnp.asarray(np.geomspace(3e-4, 3.0, 57))
    lags = None if delay is None else jnp.full(57, delay)
    basis = table.basis[:, : TIMES.size]
    read = read_exponential(table, jnp.log(rates), lags)[0] @ basis
    at = jnp.asarray(TIMES) - (0.0 if delay is None else delay)
    exact = (rates[:, None] + table.kappa) * exponential_convolution(jnp.asarray(AIF), jnp.asarray(TIMES), rates, at)
    assert float(jnp.max(jnp.abs(read - exact)) / jnp.max(exact)) < tolerance
    held = read_fixed(table, 1, lags, 57)[0] @ basis
    assert not np.any(table.basis[:, TIMES.size :])
    integral = table.kappa * exponential_convolution(jnp.asarray(AIF), jnp.asarray(TIMES), jnp.zeros(1), at)
    assert float(jnp.max(jnp.abs(held - integral)) / jnp.max(integral)) < tolerance


@pytest.mark.x64
@pytest.mark.parametrize("fit_delay", [False, True])
def test_the_derivatives_read_from_the_table_are_those_of_its_values(fit_delay):
    bounds = (-10.0, 10.0) if fit_delay else (0.0, 0.0)
    size = TableSize(32, 160, delays_tabulated(bounds) if fit_delay else 1)
    table = exponential_table(
        FitInput(jnp.asarray(TIMES), jnp.asarray(AIF), jnp.asarray(TIMES), None), size, delay_bounds=bounds
    )
    x = jnp.log(jnp.asarray([0.003, 0.02, 0.3]))
    d = jnp.asarray([0.1, 2.345, -1.7]) if fit_delay else None
    found = read_exponential(table, x, d)
    h = 1e-5
    along_rate = (read_exponential(table, x + h, d)[0] - read_exponential(table, x - h, d)[0]) / (2 * h)
    np.testing.assert_allclose(found[1], along_rate, atol=1e-8 * float(jnp.max(jnp.abs(found[0]))))
    if fit_delay:
        along_delay = (read_exponential(table, x, d + h)[0] - read_exponential(table, x, d - h)[0]) / (2 * h)
        np.testing.assert_allclose(found[2], along_delay, atol=1e-8 * float(jnp.max(jnp.abs(found[0]))))


# -- wrong arguments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "3cxm"}, "unknown model"),
        ({"solver": "adam"}, "unknown solver"),
        ({"model": "etm", "arterial_volume": True}, "cannot be told apart"),
        ({"bounds": {"Ktrans": (0.0, 1.0)}}, "no such parameter"),
        ({"bounds": {"vp": (0.5, 0.1)}}, "no physical range"),
        ({"times": TIMES[:-1]}, "frames but"),
        ({"aif": AIF[:-1]}, "samples but"),
        ({"errors": SignalErrors(*[np.ones((3, TIMES.size))] * 3, frames=5)}, "of the same voxels"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    given = {"concentration": noisy(tissues(count=2)), "times": TIMES, "aif": AIF} | change
    with pytest.raises(InputError, match=message):
        fit_kinetics(given.pop("concentration"), given.pop("times"), given.pop("aif"), **given)


def test_too_few_frames_are_refused():
    with pytest.raises(InputError, match="5 frames cannot determine 4 parameters"):
        fit_kinetics(np.ones((1, 5)), TIMES[:5], AIF[:5])


def test_single_precision_reaches_the_same_fit():
    """As users run it: float32 parameters within a few per cent of a standard error of the float64 optimum."""
    curves = noisy(tissues(count=COUNT))
    single = fit_kinetics(curves.astype(np.float32), TIMES, AIF)
    with jax.enable_x64(True):
        double = fit_kinetics(curves, TIMES, AIF)
    for name in ("Fp", "PS", "vp", "ve"):
        gap = np.abs(np.asarray(getattr(single.tissue, name)) - np.asarray(getattr(double.tissue, name)))
        assert np.all(gap < 0.1 * np.asarray(double.stderr[name]))
