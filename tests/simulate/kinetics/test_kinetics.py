"""Closed forms, limits and laws of the kinetic models (float64)."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.kinetics.capillaries import distributed_parameter, stirred_tanks, tissue_homogeneity
from simulate.kinetics.compartments import COMPARTMENT_MODELS
from simulate.kinetics.convolution import exponential_convolution
from simulate.kinetics.tissue import tissue_concentration

TIMES = np.concatenate([np.arange(-7.0, 60.0, 1.3), np.arange(60.0, 400.0, 4.1)])  # uneven, not from 0
TUMOUR = Tissue(Fp=30 / 6000, PS=8 / 6000, vp=0.06, ve=0.25)
MODELS = ("2cxm", "2cum", "etm", "tofts", "patlak", "tanks-1", "tanks-4", "dp", "th", "aath")


def bolus(times, arrival=10.0):
    """A smooth bolus with a tail [mmol/L], for tests only."""
    x = np.maximum(times - arrival, 0.0)
    return 3.0 * x * np.exp(-x / 4.0) + 1.2 * (1 - np.exp(-x / 6.0)) * np.exp(-x / 500.0)


AIF = bolus(TIMES)


def relative(a, b):
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))) / np.max(np.abs(np.asarray(b))))


# -- convolution ---------------------------------------------------------------------------------------


@pytest.mark.x64
@pytest.mark.parametrize("rate", [0.0, 1e-9, 1e-3, 0.3, 0.769, 0.77, 5.0, 200.0])
def test_convolution_agrees_with_adaptive_quadrature(rate):
    ends = [3.3, 40.0, 41.7, 399.0]
    computed = exponential_convolution(jnp.array(AIF), jnp.array(TIMES), jnp.array(rate), jnp.array(ends))
    for end, value in zip(ends, computed, strict=True):
        start = max(TIMES[0], end - 40 / rate) if rate > 0 else TIMES[0]
        kinks = [t for t in TIMES if start < t < end]
        pieces = [start, *kinks, end]
        exact = sum(
            quad(lambda u, end=end: np.exp(-rate * (end - u)) * np.interp(u, TIMES, AIF), a, b, epsabs=1e-13)[0]
            for a, b in itertools.pairwise(pieces)
        )
        assert value == pytest.approx(exact, rel=1e-11, abs=1e-12)


@pytest.mark.x64
def test_derivatives_at_rate_zero_are_the_moments():
    """dE/dk at k=0 is -\\int (t-u) c(u) du, and the second derivative +\\int (t-u)^2 c(u) du."""
    end = 200.0

    def at_end(rate):
        return exponential_convolution(jnp.array(AIF), jnp.array(TIMES), rate, jnp.array([end]))[0]

    def moment(n):
        knots = np.append(TIMES[end > TIMES], end)
        total = 0.0
        nodes, weights = np.polynomial.legendre.leggauss(6)
        for a, b in itertools.pairwise(knots):
            u = (a + b) / 2 + (b - a) / 2 * nodes
            total += (b - a) / 2 * np.sum(weights * (end - u) ** n * np.interp(u, TIMES, AIF))
        return total

    assert jax.grad(at_end)(0.0) == pytest.approx(-moment(1), rel=1e-12)
    assert jax.grad(jax.grad(at_end))(0.0) == pytest.approx(moment(2), rel=1e-12)


def test_convolution_is_second_order_in_the_sampling_of_a_smooth_curve():
    def error(count):
        t = np.linspace(0, 120, count)
        c = np.exp(-(((t - 40) / 12) ** 2))
        e = exponential_convolution(jnp.array(c), jnp.array(t), jnp.array(0.05), jnp.array([110.0]))[0]
        exact = quad(lambda u: np.exp(-0.05 * (110 - u) - ((u - 40) / 12) ** 2), 0, 110, epsabs=1e-14)[0]
        return abs(float(e) - exact)

    assert np.log2(error(41) / error(81)) == pytest.approx(2.0, abs=0.1)


# -- the models against their differential equations --------------------------------------------------


def compartments_by_ode(tissue, tanks=1):
    """C(t) from the differential equations of `tanks` stirred tanks, by an adaptive integrator."""
    vp, ve, PS = tissue.vp / tanks, tissue.ve / tanks, tissue.PS / tanks

    def rhs(t, state):
        cp, ce = state[:tanks], state[tanks:]
        inflow = np.concatenate([[np.interp(t, TIMES, AIF)], cp[:-1]])
        exchange = PS * (cp - ce)
        return np.concatenate([(tissue.Fp * (inflow - cp) - exchange) / vp, exchange / ve])

    out = solve_ivp(
        rhs, (TIMES[0], TIMES[-1]), np.zeros(2 * tanks), "DOP853", TIMES, rtol=1e-11, atol=1e-13, max_step=1.0
    ).y
    return vp * out[:tanks].sum(0) + ve * out[tanks:].sum(0)


@pytest.mark.x64
def test_2cxm_solves_its_differential_equations():
    assert relative(tissue_concentration(TUMOUR, AIF, TIMES), compartments_by_ode(TUMOUR)) < 1e-8


def test_four_tanks_solve_their_differential_equations():
    computed = tissue_concentration(TUMOUR, AIF, TIMES, model="tanks-4")
    assert relative(computed, compartments_by_ode(TUMOUR, tanks=4)) < 1e-6


def test_one_tank_is_2cxm():
    assert relative(
        tissue_concentration(TUMOUR, AIF, TIMES, model="tanks-1"),
        tissue_concentration(TUMOUR, AIF, TIMES),
    ) < 1e-6  # fmt: skip


@pytest.mark.x64
def test_one_tank_has_the_transform_of_2cxm():
    """Outflow of 2CXM from its own definition: vp s cp = Fp (ca-cp) - PS(cp-ce), ve s ce = PS (cp-ce)."""
    s = 0.013 + 1j * np.linspace(0, 20, 400)
    system = np.empty((s.size, 2, 2), complex)
    system[:, 0, 0], system[:, 0, 1] = TUMOUR.vp * s + TUMOUR.Fp + TUMOUR.PS, -TUMOUR.PS
    system[:, 1, 0], system[:, 1, 1] = -TUMOUR.PS, TUMOUR.ve * s + TUMOUR.PS
    cp = np.linalg.solve(system, np.broadcast_to(np.array([TUMOUR.Fp, 0.0])[:, None], (s.size, 2, 1)))[:, 0, 0]
    outflow = stirred_tanks(jnp.array(s), TUMOUR.Fp, TUMOUR.PS, TUMOUR.vp, TUMOUR.ve, 1)
    assert relative(outflow, cp) < 1e-10


def test_many_tanks_tend_to_plug_flow_at_first_order():
    s = jnp.array(0.01 + 1j * np.linspace(0, 1, 50))
    args = (TUMOUR.Fp, TUMOUR.PS, TUMOUR.vp, TUMOUR.ve)
    plug = distributed_parameter(s, *args)
    errors = [float(jnp.max(jnp.abs(stirred_tanks(s, *args, n) - plug))) for n in (4096, 8192, 10**9)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1.0, abs=0.05)
    assert errors[2] < 1e-6


def plug_flow_by_series(tissue, times):
    """DP by its Poisson-gamma series: R = 1 - sum_n Pois(n; b) P(n, ke u), integrated over the input."""
    from scipy.special import gammainc
    from scipy.stats import poisson

    b, Tc, ke = tissue.PS / tissue.Fp, tissue.vp / tissue.Fp, tissue.PS / tissue.ve
    n = np.arange(1, 60)

    def twice_integrated(u):  # of the outflow's distribution function, u = t - Tc
        u = np.maximum(u, 0.0)[..., None]
        p0, p1, p2 = (gammainc(n + k, ke * u) for k in range(3))
        mean = n / ke
        second = 0.5 * (u**2 * p0 - 2 * u * mean * p1 + mean * (n + 1) / ke * p2)
        return poisson.pmf(0, b) * 0.5 * u[..., 0] ** 2 + second @ poisson.pmf(n, b)

    kinks = np.diff(np.concatenate([[0.0], np.diff(AIF) / np.diff(TIMES), [0.0]]))
    lag = times[:, None] - TIMES[None]
    inside = np.maximum(lag, 0.0) ** 2 / 2
    return tissue.Fp * (inside - twice_integrated(lag - Tc)) @ kinks


@pytest.mark.parametrize("ratio", [0.05, 0.3, 2.0])
def test_distributed_parameter_agrees_with_its_series(ratio):
    tissue = Tissue(Fp=TUMOUR.Fp, PS=ratio * TUMOUR.Fp, vp=0.06, ve=0.25)
    computed = tissue_concentration(tissue, AIF, TIMES, model="dp")
    assert relative(computed, plug_flow_by_series(tissue, TIMES)) < 1e-6


def test_tissue_homogeneity_solves_its_partial_differential_equation():
    """vp-capillary by fine plug cells past one stirred EES: Lax's upwind at CFL 1, refined (first order)."""

    def march(cells):
        Tc = TUMOUR.vp / TUMOUR.Fp
        h = Tc / cells
        t = np.arange(TIMES[0], 150.0, h)
        ca = np.interp(t + h / 2, TIMES, AIF)
        c = np.zeros(cells)
        ce, out = 0.0, []
        for inlet in ca:
            out.append(TUMOUR.vp * c.mean() + TUMOUR.ve * ce)
            c = np.concatenate([[inlet], c[:-1]])
            mean = c.mean()
            c = ce + (c - ce) * np.exp(-TUMOUR.PS / TUMOUR.vp * h)
            ce += TUMOUR.vp / TUMOUR.ve * (mean - c.mean())
        return t, np.array(out)

    # Richardson extrapolation of the first-order scheme
    coarse, fine = march(200), march(400)
    at = np.linspace(5, 140, 60)
    exact = 2 * np.interp(at, *fine) - np.interp(at, *coarse)
    computed = tissue_concentration(TUMOUR, AIF, at, model="th", aif_times=TIMES)
    assert relative(computed, exact) < 2e-4


@pytest.mark.x64
def test_adiabatic_tissue_agrees_with_quadrature_of_its_residue():
    """AATH: C = Fp \\int R(u) ca(t-u) du with R = 1 for u < Tc, then E exp(-E Fp (u-Tc)/ve)."""
    Tc, E = TUMOUR.vp / TUMOUR.Fp, 1 - np.exp(-TUMOUR.PS / TUMOUR.Fp)
    kep = E * TUMOUR.Fp / TUMOUR.ve

    def residue(u):
        return 1.0 if u < Tc else E * np.exp(-kep * (u - Tc))

    at = np.array([12.0, 20.7, 33.3, 90.1, 250.0])
    computed = tissue_concentration(TUMOUR, AIF, at, model="aath", aif_times=TIMES)
    for end, value in zip(at, computed, strict=True):
        kinks = np.unique(np.append(end - TIMES[end > TIMES], [0.0, Tc]))
        exact = sum(
            quad(lambda u, end=end: residue(u) * np.interp(end - u, TIMES, AIF), a, b, epsabs=1e-13)[0]
            for a, b in itertools.pairwise(kinks)
        )
        assert float(value) == pytest.approx(TUMOUR.Fp * exact, rel=1e-9)


# -- laws and limits ------------------------------------------------------------------------------------


@pytest.mark.x64
@pytest.mark.parametrize("model", MODELS)
def test_linear_in_the_input(model):
    both = tissue_concentration(TUMOUR, 2.5 * AIF, TIMES, model=model)
    single = tissue_concentration(TUMOUR, AIF, TIMES, model=model)
    assert relative(both, 2.5 * single) < 1e-9  # rounding of the spectral sum, amplified by e^{sigma t}


@pytest.mark.parametrize("model", MODELS)
def test_time_shift_of_the_clock_changes_nothing(model):
    moved = tissue_concentration(TUMOUR, AIF, TIMES + 1234.5, model=model)
    assert relative(moved, tissue_concentration(TUMOUR, AIF, TIMES, model=model)) < 1e-6


@pytest.mark.parametrize("model", MODELS)
def test_delay_is_a_delayed_input(model):
    """Delaying the tissue by d is to move the AIF's own samples by d."""
    late = Tissue(TUMOUR.Fp, TUMOUR.PS, TUMOUR.vp, TUMOUR.ve, va=0.02, delay=3.7)
    at_once = Tissue(TUMOUR.Fp, TUMOUR.PS, TUMOUR.vp, TUMOUR.ve, va=0.02)
    moved = tissue_concentration(at_once, AIF, TIMES, model=model, aif_times=TIMES + 3.7)
    assert relative(tissue_concentration(late, AIF, TIMES, model=model), moved) < 1e-6


@pytest.mark.x64
@pytest.mark.parametrize("scale", [0.5, 0.7, 1.4, 2.0])
@pytest.mark.parametrize("model", MODELS)
def test_scale_law(model, scale):
    """C is unchanged under ca -> a ca, (Fp, PS, vp, ve) -> (.)/a."""
    scaled = Tissue(TUMOUR.Fp / scale, TUMOUR.PS / scale, TUMOUR.vp / scale, TUMOUR.ve / scale)
    assert relative(
        tissue_concentration(scaled, scale * AIF, TIMES, model=model),
        tissue_concentration(TUMOUR, AIF, TIMES, model=model),
    ) < 1e-10  # fmt: skip


def test_central_volume_theorem():
    """\\int R = MTT = (vp+ve)/Fp, read off the transform: R(0) = -H'(0)."""
    args = (TUMOUR.Fp, TUMOUR.PS, TUMOUR.vp, TUMOUR.ve)
    transfers = [
        lambda s: distributed_parameter(s, *args),
        lambda s: stirred_tanks(s, *args, 1),
        lambda s: stirred_tanks(s, *args, 7),
        lambda s: tissue_homogeneity(s, *args),
    ]
    for transfer in transfers:
        assert -jax.grad(transfer)(1e-12) == pytest.approx(float(TUMOUR.MTT), rel=1e-6)


@pytest.mark.x64
def test_residue_of_2cxm_has_the_stated_moments():
    """I(0) = Fp, \\int I = vp + ve, -I'(0) = Fp^2/vp."""
    (f1, k1), (f2, k2) = COMPARTMENT_MODELS["2cxm"].terms(*map(jnp.asarray, (0.005, 0.0013, 0.06, 0.25))).exchange
    assert f1 + f2 == pytest.approx(0.005, rel=1e-13)
    assert f1 / k1 + f2 / k2 == pytest.approx(0.31, rel=1e-13)
    assert f1 * k1 + f2 * k2 == pytest.approx(0.005**2 / 0.06, rel=1e-13)


@pytest.mark.x64
@pytest.mark.parametrize("name", list(COMPARTMENT_MODELS))
def test_parameters_and_terms_are_one_to_one(name):
    model = COMPARTMENT_MODELS[name]
    rng = np.random.default_rng(0)
    draw = {
        "Fp": np.exp(rng.uniform(np.log(5), np.log(100), 300)) / 6000,
        "PS": np.exp(rng.uniform(np.log(0.01), np.log(60), 300)) / 6000,
        "vp": rng.uniform(0.005, 0.2, 300),
        "ve": rng.uniform(0.02, 0.6, 300),
    }
    given = [jnp.asarray(draw[p]) for p in model.parameters]
    for back, value in zip(model.from_terms(model.terms(*given)), given, strict=True):
        np.testing.assert_allclose(back, value, rtol=1e-8)


@pytest.mark.x64
def test_renkin_crone_extraction_of_the_first_pass():
    """The share of tracer that crosses a plug-flow capillary without leaving it is exp(-PS/Fp)."""
    for PS in (0.1, 0.5, 2.0):
        fast = jnp.array(1e9 + 0j)
        outflow = distributed_parameter(fast, 1.0, PS, 1e-9, 0.2) * jnp.exp(1.0)  # e^{+s Tc} takes the delay out
        assert jnp.real(outflow) == pytest.approx(np.exp(-PS), rel=1e-6)
        assert Tissue(1.0, PS, 0.1, 0.2).Ktrans_crone == pytest.approx(1 - np.exp(-PS), rel=1e-12)


@pytest.mark.parametrize("model", ["2cxm", "tanks-3", "dp", "th", "aath"])
def test_without_permeability_nothing_leaves_the_vessels(model):
    args = {"model": model}
    tight = tissue_concentration(Tissue(0.005, 0.0, 0.06, 0.25), AIF, TIMES, **args)
    other_ve = tissue_concentration(Tissue(0.005, 0.0, 0.06, 0.6), AIF, TIMES, **args)
    assert relative(tight, other_ve) < 1e-12
    almost = tissue_concentration(Tissue(0.005, 1e-12, 0.06, 0.25), AIF, TIMES, **args)
    assert relative(almost, tight) < 1e-6


@pytest.mark.x64
def test_boundless_permeability_makes_plug_flow_a_pure_delay():
    """DP with PS -> inf: the outflow is the input, later by (vp+ve)/Fp."""
    s = jnp.array(0.01 + 1j * np.linspace(0, 0.5, 30))
    outflow = distributed_parameter(s, 0.005, 1e7, 0.06, 0.25)
    assert relative(outflow, np.exp(-np.asarray(s) * 0.31 / 0.005)) < 1e-6


def test_2cxm_without_plasma_volume_is_tofts():
    small = tissue_concentration(Tissue(0.005, 0.002, 1e-9, 0.25), AIF, TIMES)
    Ktrans = 0.005 * 0.002 / 0.007
    assert relative(small, tissue_concentration(Tissue(jnp.inf, Ktrans, 0.0, 0.25), AIF, TIMES, model="tofts")) < 1e-6
    exactly_zero = tissue_concentration(Tissue(0.005, 0.002, 0.0, 0.25), AIF, TIMES)
    assert relative(exactly_zero, small) < 1e-6


def test_2cxm_with_boundless_flow_is_extended_tofts():
    fast = tissue_concentration(Tissue(1e5, 0.002, 0.05, 0.25), AIF, TIMES)
    assert relative(fast, tissue_concentration(Tissue(jnp.inf, 0.002, 0.05, 0.25), AIF, TIMES, model="etm")) < 1e-6


def test_2cxm_with_boundless_ees_is_uptake_and_uptake_with_boundless_flow_is_patlak():
    wide = tissue_concentration(Tissue(0.005, 0.002, 0.05, 1e9), AIF, TIMES)
    uptake = tissue_concentration(Tissue(0.005, 0.002, 0.05, jnp.inf), AIF, TIMES, model="2cum")
    assert relative(wide, uptake) < 1e-6
    fast = tissue_concentration(Tissue(1e5, 0.002, 0.05, jnp.inf), AIF, TIMES, model="2cum")
    assert relative(fast, tissue_concentration(Tissue(1.0, 0.002, 0.05, 1.0), AIF, TIMES, model="patlak")) < 1e-6


def test_adiabatic_and_homogeneous_tissue_agree_where_exchange_is_slow():
    """AATH is the adiabatic limit of TH: their difference falls with PS."""

    def gap(PS):
        tissue = Tissue(0.01, PS, 0.05, 0.4)
        return relative(*(tissue_concentration(tissue, AIF, TIMES, model=m) for m in ("aath", "th")))

    assert gap(1e-4) < 2e-3
    assert gap(1e-4) < gap(1e-3) < gap(1e-2)


@pytest.mark.x64
@pytest.mark.parametrize("model", MODELS)
def test_gradients_against_finite_differences(model):
    late = Tissue(*(jnp.asarray(v) for v in (0.005, 0.0013, 0.06, 0.25, 0.01, 2.345)))

    @jax.jit
    def value(tissue):
        return jnp.sum(tissue_concentration(tissue, AIF, TIMES, model=model) * jnp.sin(0.01 * TIMES))

    gradient = jax.grad(value)(late)
    for name in ("Fp", "PS", "vp", "ve", "va", "delay"):
        h = 1e-5 * float(getattr(late, name))
        ends = [value(late.__class__(**{**late.__dict__, name: getattr(late, name) + k * h})) for k in (-1, 1)]
        assert getattr(gradient, name) == pytest.approx(float(ends[1] - ends[0]) / (2 * h), rel=2e-5, abs=1e-9)


def test_unknown_model_is_named_with_the_choices():
    with pytest.raises(InputError, match=r"unknown model 'tank'.*2cxm"):
        tissue_concentration(TUMOUR, AIF, TIMES, model="tank")
