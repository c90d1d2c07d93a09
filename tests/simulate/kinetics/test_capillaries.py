"""What `tissue_concentration` promises of capillaries: exactness, causality and derivatives, in both precisions."""

import itertools
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import gammainc
from scipy.stats import poisson

from simulate.base.types import Tissue
from simulate.kinetics.tissue import tissue_concentration

KNOTS = np.concatenate([np.arange(-2.0, 40.0, 1.5), np.arange(41.0, 240.0, 6.0)])
x = np.maximum(KNOTS - 8.0, 0.0)
AIF = np.asarray(np.float32(3.0 * x * np.exp(-x / 4.0) + 1.2 * (1 - np.exp(-x / 6.0))), float)
TIMES = np.concatenate([np.arange(-4.0, 30.0, 1.75), np.arange(31.0, 235.0, 17.25)])  # float32 holds them exactly

# Fp, PS [1/s], vp, ve, delay [s]: usual tissue, tight, leaky (PS/Fp = 100), a transit of .1 s, fast and slow exchange
CORNERS = [
    (0.005, 0.0013, 0.06, 0.25, 2.3),
    (0.1, 2e-5, 0.05, 0.8, 0.0),
    (8e-4, 0.08, 0.02, 0.2, -4.9),
    (0.1, 0.05, 0.01, 0.05, 1.1),
    (0.02, 0.08, 0.3, 0.01, 9.7),
    (0.002, 0.03, 0.001, 0.6, 0.4),
    (0.01, 0.09, 0.02, 0.15, 0.0),
]
PRECISIONS = [pytest.param(True, id="x64", marks=pytest.mark.x64), pytest.param(False, id="float32")]


def tissue_of(corner):
    """In numbers that float32 holds exactly, so that both precisions compute the same tissue."""
    Fp, PS, vp, ve, delay = (float(np.float32(value)) for value in corner)
    return Tissue(Fp, PS, vp, ve, delay=delay)


@contextmanager
def precision(x64):
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", x64)
    yield
    jax.config.update("jax_enable_x64", before)


def worst(computed, exact):
    return np.max(np.abs(np.asarray(computed, float) - exact)) / np.max(exact)


def plug_flow(tissue, times):
    """DP by its Poisson-gamma series: the outflow is twice integrated and summed over the input's kinks."""
    b, Tc, ke = tissue.PS / tissue.Fp, tissue.vp / tissue.Fp, tissue.PS / tissue.ve
    n = np.arange(1, int(b + 12 * np.sqrt(b) + 40))
    share, mean = poisson.pmf(n, b), n / ke

    def twice_integrated(u):
        u = np.maximum(u, 0.0)[..., None]
        p0, p1, p2 = (gammainc(n + k, ke * u) for k in range(3))
        second = 0.5 * (u**2 * p0 - 2 * u * mean * p1 + mean * (n + 1) / ke * p2)
        return np.exp(-b) * 0.5 * u[..., 0] ** 2 + second @ share

    kinks = np.diff(np.concatenate([[0.0], np.diff(AIF) / np.diff(KNOTS), [0.0]]))
    lag = times[:, None] - tissue.delay - KNOTS
    return tissue.Fp * (np.maximum(lag, 0.0) ** 2 / 2 - twice_integrated(lag - Tc)) @ kinks


def stirred_tanks(tissue, times, number):
    """N tanks by the matrix exponential of their equations, with the input and its slope as two states more."""
    vp, ve, PS = tissue.vp / number, tissue.ve / number, tissue.PS / number
    Q = np.zeros((2 * number + 2, 2 * number + 2))
    for i in range(number):
        Q[i, [i, number + i]] = -(tissue.Fp + PS) / vp, PS / vp
        Q[number + i, [i, number + i]] = PS / ve, -PS / ve
        Q[i, i - 1 if i else 2 * number] = tissue.Fp / vp
    Q[-2, -1] = 1.0
    at = times - tissue.delay
    stops = np.unique(np.concatenate([KNOTS, at[at > KNOTS[0]]]))
    slopes = np.append(np.diff(AIF) / np.diff(KNOTS), 0.0)
    state, held = np.zeros(2 * number), {stops[0]: 0.0}
    for a, b in itertools.pairwise(stops):
        i = np.searchsorted(KNOTS, a, side="right") - 1
        level = AIF[i] + slopes[i] * (a - KNOTS[i])
        state = (expm(Q * (b - a)) @ [*state, level, slopes[i]])[:-2]
        held[b] = vp * state[:number].sum() + ve * state[number:].sum()
    return np.array([held.get(t, 0.0) for t in at])


@pytest.mark.parametrize("x64", PRECISIONS)
@pytest.mark.parametrize("corner", CORNERS)
def test_distributed_parameter_keeps_its_promise(corner, x64):
    tissue = tissue_of(corner)
    computed = tissue_concentration(tissue, AIF, TIMES, model="dp", aif_times=KNOTS)
    assert computed.dtype == (jnp.float64 if x64 else jnp.float32)
    assert worst(computed, plug_flow(tissue, TIMES)) < 1e-7


@pytest.mark.parametrize("x64", PRECISIONS)
@pytest.mark.parametrize("number", [1, 2, 8, 20])
def test_stirred_tanks_keep_their_promise(number, x64):
    for corner in CORNERS[:4]:
        tissue = tissue_of(corner)
        computed = tissue_concentration(tissue, AIF, TIMES, model=f"tanks-{number}", aif_times=KNOTS)
        assert worst(computed, stirred_tanks(tissue, TIMES, number)) < (2e-8 if x64 else 1e-7)


# Fp, PS, vp, ve; times; C of an input through (0, 0), (4, 6), (8, 1), (30, .5). By mpmath, 40 digits: H expanded in
# powers of the capillary's delay e^{-s Tc}, each rational coefficient inverted by the fixed Talbot rule.
HOMOGENEOUS = [
    ((0.01, 0.003, 0.06, 0.2), (2.0, 5.0, 9.0, 14.0),
     (0.02999951870214026, 0.173705604921505, 0.21918828427235118, 0.11971036445284534)),
    ((0.008, 0.016, 0.03, 0.1), (2.0, 5.0, 9.0, 14.0),
     (0.023950491867643958, 0.1348163077579847, 0.17085219768623786, 0.15386290154766424)),
    ((0.05, 0.03, 0.02, 0.05), (2.0, 5.0, 9.0, 14.0),
     (0.08778846987829048, 0.2874884345235905, 0.14121335328567208, 0.07118308809759401)),
    ((0.1, 0.05, 0.01, 0.1), (1.0, 2.5, 4.5), (0.03548741707030585, 0.16346328799080057, 0.39178096152823977)),
    ((0.05, 0.08, 0.005, 0.02), (1.0, 2.5, 4.5), (0.02111507599755622, 0.07464407890576816, 0.13678068134969176)),
]  # fmt: skip


@pytest.mark.parametrize("x64", PRECISIONS)
@pytest.mark.parametrize(("parameters", "times", "exact"), HOMOGENEOUS)
def test_tissue_homogeneity_keeps_its_promise(parameters, times, exact, x64):
    """In ten minutes' range; the transits are from 6 to .1 s."""
    knots, aif = np.array([0.0, 4.0, 8.0, 30.0, 600.0]), np.array([0.0, 6.0, 1.0, 0.5, 0.5])
    computed = tissue_concentration(Tissue(*parameters), aif, np.array(times), model="th", aif_times=knots)
    assert worst(computed, np.array(exact)) < 3e-7


@pytest.mark.parametrize("model", ["dp", "th", "aath", "tanks-3"])
def test_no_tracer_before_it_arrives(model):
    """Exactly: nothing before the delay, and for plug flow no outflow before the transit: C = Fp \\int ca."""
    tissue = Tissue(0.004, 0.002, 0.05, 0.2, delay=5.5)  # a transit of 12.5 s
    times = np.arange(-4.0, 25.0, 0.5)
    held = np.asarray(tissue_concentration(tissue, AIF, times, model=model, aif_times=KNOTS, frame_duration=0.5))
    assert np.all(held[times + 0.25 <= KNOTS[0] + 5.5] == 0.0)
    if model in ("dp", "aath"):
        tight = Tissue(0.004, 0.0, 0.05, 0.2, delay=5.5)
        filling = tissue_concentration(tight, AIF, times, model=model, aif_times=KNOTS, frame_duration=0.5)
        before = times + 0.25 <= KNOTS[0] + 5.5 + 12.5
        np.testing.assert_array_equal(held[before], np.asarray(filling)[before])


def test_many_tanks_tend_to_distributed_parameter_at_first_order():
    tissue = Tissue(0.02, 0.01, 0.02, 0.1)  # a transit of 1 s, spread by less than the input's knots are apart
    plug = tissue_concentration(tissue, AIF, TIMES, model="dp", aif_times=KNOTS)
    gaps = [
        worst(tissue_concentration(tissue, AIF, TIMES, model=f"tanks-{n}", aif_times=KNOTS), np.asarray(plug))
        for n in (40, 80)
    ]
    assert np.log2(gaps[0] / gaps[1]) == pytest.approx(1.0, abs=0.1)


def scalar(model):
    weights = np.sin(0.1 * np.arange(TIMES.size))

    def value(parameters, aif, knots):
        Fp, PS, vp, ve, delay = parameters
        held = tissue_concentration(
            Tissue(Fp, PS, vp, ve, delay=delay), aif, TIMES, model=model, aif_times=knots, frame_duration=2.0
        )
        return jnp.sum(held * weights + held**2)

    return value


def point_and_direction():
    """Parameters, input and its times, and a way to move them."""
    point = (jnp.array(CORNERS[0]), jnp.array(AIF), jnp.array(KNOTS))
    direction = (
        point[0] * jnp.array([1.0, -2.0, 0.5, 1.0, 0.7]),
        point[1] * jnp.cos(0.1 * jnp.arange(AIF.size)),
        0.1 * point[2],
    )
    return point, direction


@pytest.mark.x64
@pytest.mark.parametrize(
    "model", ["dp", *(pytest.param(model, marks=pytest.mark.slow) for model in ("tanks-3", "aath"))]
)
def test_derivatives_of_frames_against_finite_differences(model):
    """In parameters, input and its times (dp has a derivative rule of its own)."""
    value, point, direction = scalar(model), *point_and_direction()
    gradient = jax.jit(jax.grad(value, argnums=(0, 1, 2)))
    value = jax.jit(value)
    h = 2e-4
    for i in range(3):
        ends = [
            value(*(p + k * h * d if j == i else p for j, (p, d) in enumerate(zip(point, direction, strict=True))))
            for k in (-1, 1)
        ]
        slope = jnp.vdot(gradient(*point)[i], direction[i])
        assert slope == pytest.approx(float(ends[1] - ends[0]) / (2 * h), rel=3e-6)


@pytest.mark.x64
@pytest.mark.slow  # of the closed forms always (test_kinetics.py); this program takes the compiler a minute
@pytest.mark.parametrize("model", ["dp", "tanks-3", "aath"])
def test_hessian_vector_products_against_finite_differences(model):
    value, point, direction = scalar(model), *point_and_direction()
    gradient = jax.jit(jax.grad(lambda p: value(p, *point[1:])))
    product = jax.jvp(gradient, point[:1], direction[:1])[1]
    h = 2e-4
    ends = [gradient(point[0] + k * h * direction[0]) for k in (-1, 1)]
    np.testing.assert_allclose(product, (ends[1] - ends[0]) / (2 * h), rtol=1e-5)


ONCE = {"reverse": jax.grad}
TWICE = {
    "forward over reverse": lambda f: jax.jacfwd(jax.grad(f)),
    "reverse over reverse": lambda f: jax.grad(lambda p: jax.grad(f)(p).sum()),
}


@pytest.mark.parametrize(
    ("model", "derivatives"),
    [
        ("aath", ONCE),
        *(pytest.param(model, ONCE, marks=pytest.mark.slow) for model in ("dp", "tanks-3", "th")),
        pytest.param("dp", TWICE, marks=pytest.mark.slow, id="dp, twice"),
    ],
)
def test_derivatives_in_float32_are_those_in_float64(model, derivatives):
    """Under jit and vmap, in forward and reverse mode, once and twice: what float64 inside must not break."""
    several = np.float32([CORNERS[0], CORNERS[3]][: 1 if model == "th" else 2]).astype(float)  # th is the slowest
    for derivative in derivatives.values():
        results = []
        for x64 in (False, True):
            with precision(x64):
                one = derivative(lambda p: scalar(model)(p, jnp.asarray(AIF), jnp.asarray(KNOTS)))
                results.append(np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(several))))
        single, double = results
        assert single.dtype == np.float32
        assert np.all(np.abs(single - double) <= 1e-4 * np.max(np.abs(double), axis=-1, keepdims=True))


def test_exchange_without_bound_is_the_one_at_its_bound():
    """PS/Fp = 150 stands for all beyond: continuous there, with the same mean transit."""

    def dp(ratio):
        return tissue_concentration(Tissue(0.002, 0.002 * ratio, 0.02, 0.1), AIF, TIMES, model="dp", aif_times=KNOTS)

    assert worst(dp(150.001), np.asarray(dp(149.999))) < 1e-5
    assert worst(dp(3000.0), np.asarray(dp(150.0))) < 1e-6
