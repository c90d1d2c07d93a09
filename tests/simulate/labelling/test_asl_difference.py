"""Control minus label in closed form, against its convolution integral, its limits and its derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from simulate.base.constants import ASL_BLOOD_T1, PARTITION_COEFFICIENT
from simulate.base.errors import InputError
from simulate.labelling.difference import asl_difference

ALPHA, LAMBDA, T1B = 0.85, PARTITION_COEFFICIENT, ASL_BLOOD_T1[3.0]

TISSUES = [  # CBF, ATT, T1 of tissue
    (60.0, 0.7, 1.3),
    (20.0, 1.6, 0.8),
    (5.0, 0.0, 4.2),
    (90.0, 2.4, 1.65),
]
DEGENERATE = (50.0, 0.9, 1 / (1 / T1B - 50 / 6000 / LAMBDA))
"""T1' = T1 of blood: the published PASL formula divides 0 by 0."""

TIMES = (0.5, 1.5, 2.3, 3.6)


def remaining(model, cbf, t1_tissue, kw=1.7):
    """m(s) of the module's docstring."""
    f, r1b, r1t = cbf / 6000, 1 / T1B, 1 / t1_tissue
    if model == "gkm":
        return lambda s: np.exp(-s * (r1t + f / LAMBDA))
    if model == "recommended":
        return lambda s: np.exp(-s * r1b)
    k = kw + r1b
    if k == r1t:
        return lambda s: np.exp(-k * s) * (1 + kw * s)
    return lambda s: np.exp(-k * s) + kw * (np.exp(-r1t * s) - np.exp(-k * s)) / (k - r1t)


def integral(labelling, model, cbf, att, t1_tissue, t, tau, kw=1.7):
    """The convolution by adaptive quadrature."""
    m = remaining(model, cbf, t1_tissue, kw)
    end = min(t, att + tau)
    if end <= att:
        return 0.0

    def integrand(u):
        return np.exp(-(u if labelling == "pasl" else att) / T1B) * m(t - u)

    value, _ = quad(integrand, att, end, epsabs=0, epsrel=2e-14, limit=200)
    return 2 * ALPHA / LAMBDA * cbf / 6000 * value


def ours(labelling, model, cbf, att, t1_tissue, times, tau, **options):
    found = asl_difference(
        cbf, att, jnp.asarray(times), labelling=labelling, label_duration=tau, label_efficiency=ALPHA,
        t1_tissue=t1_tissue, model=model, **options,
    )  # fmt: skip
    return np.asarray(found)


CASES = list(
    itertools.product(("pcasl", "pasl"), ("gkm", "recommended", "two_compartment"), [*TISSUES, DEGENERATE], (0.7, 1.8))
)


@pytest.mark.x64
@pytest.mark.parametrize(("labelling", "model", "tissue", "tau"), CASES)
def test_the_closed_form_is_its_integral(labelling, model, tissue, tau):
    """60 cases of four times each."""
    expected = np.array([integral(labelling, model, *tissue, t, tau) for t in TIMES])
    np.testing.assert_allclose(ours(labelling, model, *tissue, TIMES, tau), expected, rtol=1e-12, atol=1e-16)


@pytest.mark.x64
@pytest.mark.parametrize("off", [0.0, 1e-9, 1e-4, 0.2])
def test_water_that_leaves_blood_as_fast_as_it_relaxes_in_tissue(off):
    """k_w + R1b = R1t, and near it."""
    kw = 0.9
    t1_tissue = 1 / (kw + 1 / T1B + off)
    k = kw + 1 / T1B

    def m(s):  # the difference of exponentials, without cancellation
        passed = s if off == 0 else -np.expm1(-off * s) / off
        return np.exp(-k * s) * (1 + kw * passed)

    for labelling, t in itertools.product(("pcasl", "pasl"), (1.1, 2.9)):
        decay = (lambda u: u) if labelling == "pasl" else (lambda u: 0.8)
        value, _ = quad(lambda u, t=t, d=decay: np.exp(-d(u) / T1B) * m(t - u), 0.8, min(t, 2.6), epsrel=2e-14)
        expected = 2 * ALPHA / LAMBDA * 40 / 6000 * value
        found = ours(labelling, "two_compartment", 40.0, 0.8, t1_tissue, [t], 1.8, water_exchange=kw)
        assert found[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.x64
@pytest.mark.parametrize("labelling", ["pcasl", "pasl"])
@pytest.mark.parametrize("model", ["gkm", "recommended", "two_compartment"])
@pytest.mark.parametrize("tissue", [TISSUES[0], DEGENERATE])
def test_derivatives_against_differences(labelling, model, tissue):
    """Also where the rates are equal, where a quotient would have none."""
    times = jnp.asarray([1.4, 2.2, 3.9])

    def f(x):
        return asl_difference(
            x[0], x[1], times, labelling=labelling, model=model, t1_tissue=x[2], label_duration=x[3], t1_blood=x[4]
        )

    x = jnp.asarray([*tissue, 1.8, T1B])
    slopes = np.asarray(jax.jacfwd(f)(x))
    for i, h in enumerate((1e-2, 1e-5, 1e-5, 1e-5, 1e-5)):
        step = jnp.zeros(5).at[i].set(h)
        difference = (f(x + step) - f(x - step)) / (2 * h)
        np.testing.assert_allclose(slopes[:, i], difference, rtol=1e-6, atol=1e-11)


def test_no_water_leaves_or_all_does_at_once():
    """k_w = 0 is decay in blood alone; k_w = inf is decay in tissue alone (the GKM without venous outflow)."""
    cbf, att, t1_tissue = TISSUES[0]
    blood = ours("pcasl", "recommended", cbf, att, t1_tissue, TIMES, 1.8)
    np.testing.assert_allclose(
        ours("pcasl", "two_compartment", cbf, att, t1_tissue, TIMES, 1.8, water_exchange=0.0), blood, rtol=1e-12
    )
    fast = ours("pcasl", "two_compartment", cbf, att, t1_tissue, TIMES, 1.8, water_exchange=1e6)
    no_outflow = 1 / (1 / t1_tissue - cbf / 6000 / LAMBDA)
    np.testing.assert_allclose(fast, ours("pcasl", "gkm", cbf, att, no_outflow, TIMES, 1.8), rtol=1e-5)


def test_the_recommended_model_is_the_gkm_with_tissue_like_blood():
    cbf, att, _ = TISSUES[0]
    like_blood = 1 / (1 / T1B - cbf / 6000 / LAMBDA)
    np.testing.assert_allclose(
        ours("pasl", "gkm", cbf, att, like_blood, TIMES, 0.8),
        ours("pasl", "recommended", cbf, att, 1.0, TIMES, 0.8),
        rtol=1e-12,
    )


@pytest.mark.x64
@pytest.mark.parametrize("labelling", ["pcasl", "pasl"])
def test_label_in_arteries_is_there_while_it_passes(labelling):
    """Woods et al. 2024: 2 alpha M0b aBV e^{-aBAT/T1b}, PASL e^{-TI/T1b}, for aBAT <= t < aBAT + tau."""
    times = np.array([0.4, 0.6, 1.9, 2.3, 2.5])
    alone = ours(labelling, "recommended", 0.0, 1.0, 1.3, times, 1.8, abv=0.02, abat=0.6)
    age = times if labelling == "pasl" else 0.6
    expected = np.where((times >= 0.6) & (times < 2.4), 2 * ALPHA / LAMBDA * 0.02 * np.exp(-age / T1B), 0.0)
    np.testing.assert_allclose(alone, expected, rtol=1e-12)
    both = ours(labelling, "recommended", 60.0, 1.0, 1.3, times, 1.8, abv=0.02, abat=0.6)
    np.testing.assert_allclose(both, alone + ours(labelling, "recommended", 60.0, 1.0, 1.3, times, 1.8), rtol=1e-12)


def test_white_paper_inversion_of_gkm_truth_is_known_to_be_low():
    """CBF = 6000 lambda dM e^{PLD/T1b} / (2 alpha T1b M0 (1 - e^{-tau/T1b})): low by 11 to 25 % although all label
    has arrived, since it decays in tissue (1.3 s) faster than in blood."""
    tau, pld = 1.8, 1.8
    low = []
    for cbf, att in itertools.product((20.0, 50.0, 80.0), (0.8, 1.3, 1.8)):
        found = ours("pcasl", "gkm", cbf, att, 1.3, [tau + pld], tau)[0]
        inverted = 6000 * LAMBDA * found * np.exp(pld / T1B) / (2 * ALPHA * T1B * (1 - np.exp(-tau / T1B)))
        low.append(inverted / cbf - 1)
    assert max(low) == pytest.approx(-0.11, abs=0.01)
    assert min(low) == pytest.approx(-0.25, abs=0.02)


def test_float32_keeps_six_digits():
    rng = np.random.default_rng(0)
    cbf, att, t1 = rng.uniform(5, 100, 400), rng.uniform(0, 2.5, 400), rng.uniform(0.7, 4, 400)
    times = np.linspace(1.0, 5.0, 9)
    for labelling, model in itertools.product(("pcasl", "pasl"), ("gkm", "recommended", "two_compartment")):
        exact = ours(labelling, model, cbf, att, t1, times, 1.8)
        with jax.enable_x64(False):
            single = ours(labelling, model, *(a.astype(np.float32) for a in (cbf, att, t1, times)), np.float32(1.8))
        assert single.dtype == np.float32
        assert np.abs(single - exact).max() <= 2e-6 * np.abs(exact).max()


def test_nothing_before_the_label_and_shapes_broadcast():
    found = ours("pcasl", "gkm", np.full((3, 4), 60.0), np.linspace(0.5, 2, 4), 1.3, [0.3, 1.0, 2.0], 1.8)
    assert found.shape == (3, 4, 3)
    assert np.all(found[..., 0] == 0)
    assert np.all(np.diff(found[0, :, 2]) < 0)  # later arrival, less label


def test_unknown_names_are_refused():
    for options in ({"labelling": "vsasl"}, {"model": "magic"}):
        with pytest.raises(InputError, match="choose one of"):
            asl_difference(60.0, 0.7, jnp.asarray([2.0]), **options)
