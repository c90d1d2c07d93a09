"""From control and label to CBF and arrival: known inversions, noise at the bound, M0 of every type."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.asl.differences import differences
from estimate.asl.examination import ASLOptions, Calibration, examine_asl
from estimate.asl.multi_delay import fit_asl
from estimate.asl.partial_volume import partial_volume_corrected
from estimate.asl.quantify import quantify
from estimate.asl.spread import Curves, spread
from estimate.asl.white_paper import white_paper_cbf
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.files.bids.asl import ASLSidecar
from simulate.labelling.difference import asl_difference
from tests.asl_examination import AFFINE, ATT, CBF, DELAYS, M0, SHAPE, series
from tests.benchmarks.bench_coverage import cover_water

TIMES = 1.8 + np.asarray(DELAYS)
EVERYWHERE = np.ones(SHAPE, bool)


def sidecar(protocol, **others):
    given = dict.fromkeys(
        (
            "LabelingEfficiency",
            "MagneticFieldStrength",
            "LabelingDuration",
            "PostLabelingDelay",
            "BolusCutOffDelayTime",
        ),
        "sidecar",
    )
    return replace(ASLSidecar(protocol, False, None, "Included", None, 3.0, given, []), **others)


def ask(data, protocol, calibration=None, mask=EVERYWHERE, options=None, **others):
    known = sidecar(protocol, **others)
    return quantify(examine_asl(data, AFFINE, known, calibration, mask, options or ASLOptions()))


# -- differences and M0 ---------------------------------------------------------------------------------


def test_pairs_are_found_by_their_type_whichever_comes_first():
    data, protocol = series(sigma=0.001, pairs=4)
    plain = differences(data, protocol)
    assert plain.value.shape == (*SHAPE, 6)
    assert np.all(plain.repeats == 4)
    order = np.arange(data.shape[-1])
    order[1:] = order[1:].reshape(-1, 2)[:, ::-1].ravel()  # label first
    turned = replace(protocol, volume_types=tuple(protocol.volume_types[i] for i in order))
    np.testing.assert_array_equal(differences(data[..., order], turned).value, plain.value)
    # scatter of the mean of four pairs with noise of sqrt(2) sigma each
    assert np.sqrt(np.mean(plain.variance)) == pytest.approx(0.001 * M0 * np.sqrt(2 / 4), rel=0.1)


def white_paper(**changes):
    changes = {"m0_repetition_time": 30.0} | changes
    data, protocol = series((1.8,), pairs=2, model="recommended", **changes)
    return data, protocol


def test_white_paper_inverts_its_own_model():
    """Label that decays as in blood and has all arrived is what the formula assumes."""
    data, protocol = white_paper()
    found = ask(data, protocol)
    np.testing.assert_allclose(found.maps["CBF"], CBF, rtol=3e-5)
    assert found.method == "white_paper"
    assert {c.name for c in found.constants} >= {"τ", "PLD", "T1b", "λ"}


def test_every_way_to_m0_gives_the_same_flow():
    data, protocol = white_paper()
    separate = Calibration(np.full(SHAPE, M0), 8.0)
    np.testing.assert_allclose(ask(data, protocol, separate, m0_type="Separate").maps["CBF"], CBF, rtol=2e-3)
    np.testing.assert_allclose(
        ask(data, protocol, m0_type="Estimate", m0_estimate=M0 / 0.9).maps["CBF"], CBF, rtol=3e-5
    )
    short = Calibration(M0 * (1 - np.exp(-3.0 / 1.3)) * np.ones(SHAPE), 3.0)
    np.testing.assert_allclose(ask(data, protocol, short, m0_type="Separate").maps["CBF"], CBF, rtol=3e-5)
    raw = ask(data, protocol, short, m0_type="Separate", options=ASLOptions(correct_m0=False)).maps["CBF"]
    np.testing.assert_allclose(raw, CBF / (1 - np.exp(-3.0 / 1.3)), rtol=3e-5)
    data, protocol = white_paper(m0_repetition_time=None, repetition_time=4.0)
    np.testing.assert_allclose(ask(data, protocol, m0_type="Absent").maps["CBF"], CBF, rtol=3e-5)
    with pytest.raises(InputError, match="--m0"):
        ask(data, protocol, m0_type="Separate")
    with pytest.raises(InputError, match="nowhere above zero"):
        ask(data, protocol, Calibration(np.zeros(SHAPE), 8.0), m0_type="Separate")


@pytest.mark.parametrize("times", [[2.0, 10.0], [0.3, 1.3, 2.3], [4.999, 5.0], [1.0]])
@pytest.mark.parametrize("inside", [True, False])
def test_images_of_m0_recover_each_with_its_own_repetition_time(times, inside):
    """The mean of what they show, recovered by the mean of their times, is another number."""
    data, protocol = white_paper(m0_repetition_time=None, repetition_time=30.0)
    t1 = 1.1
    shown = [M0 * (1 - np.exp(-tr / t1)) if tr < 5 else M0 for tr in times]
    images = np.broadcast_to(shown, (*SHAPE, len(times)))
    options = ASLOptions(t1_tissue=t1)
    if inside:
        more = len(times)
        longer = {n: np.append(getattr(protocol, n), np.zeros(more)) for n in ("label_duration", "post_label_delay")}
        whole = replace(
            protocol, volume_types=(*protocol.volume_types, *["m0scan"] * more), **longer,
            repetition_time=np.append(protocol.repetition_time, times),
        )  # fmt: skip
        found = ask(np.concatenate([data, images], -1), whole, options=options)
    else:
        found = ask(data, protocol, Calibration(images, np.array(times)), m0_type="Separate", options=options)
    np.testing.assert_allclose(found.maps["CBF"], CBF, rtol=1e-4)


def test_images_and_times_of_m0_that_do_not_match_are_refused():
    data, protocol = white_paper()
    with pytest.raises(InputError, match="2 repetition times"):
        ask(data, protocol, Calibration(np.full((*SHAPE, 3), M0), np.array([2.0, 3.0])), m0_type="Separate")
    with pytest.raises(InputError, match="grid of the series"):
        ask(data, protocol, Calibration(np.full((2, 2, 2), M0), 8.0), m0_type="Separate")


def test_delays_that_files_have_rounded_are_one():
    data, protocol = white_paper()
    delay = np.array(protocol.post_label_delay, float)
    delay[3:] = np.float32(delay[3:])
    found = ask(data, replace(protocol, post_label_delay=delay))
    assert found.method == "white_paper"
    np.testing.assert_allclose(found.maps["CBF"], CBF, rtol=3e-5)
    delay[3:] += 0.01  # no rounding
    assert ask(data, replace(protocol, post_label_delay=delay)).method == "multi_delay"


def test_pairs_that_are_none_are_refused_in_python_too():
    data, protocol = series((1.0, 2.0), pairs=2)
    delay = np.array(protocol.post_label_delay)
    delay[5] = 1.0
    with pytest.raises(InputError, match="3 control and 2 label volumes at a delay of 1 s"):
        differences(data, replace(protocol, post_label_delay=delay))


def test_an_efficiency_that_holds_suppressions_loss_already_is_warned_of():
    data, protocol = white_paper()
    usual = ask(data, protocol, pulses=4, suppressed=True)
    assert usual.warnings == []
    less = ask(data, replace(protocol, label_efficiency=0.85 * 0.95**4), pulses=4, suppressed=True)
    assert "--set BackgroundSuppressionNumberPulses=0" in less.warnings[0]
    cured = ask(data, replace(protocol, label_efficiency=0.85 * 0.95**4), pulses=0, suppressed=True)
    assert cured.warnings == []
    np.testing.assert_allclose(cured.maps["CBF"], usual.maps["CBF"], rtol=1e-6)


def test_suppression_pulses_cost_label():
    data, protocol = white_paper()
    found = ask(data, protocol, pulses=2, suppressed=True)
    np.testing.assert_allclose(found.maps["CBF"], CBF / 0.95**2, rtol=3e-5)


def test_voxels_without_m0_or_with_nan_have_a_status_and_hurt_no_other():
    data, protocol = series(sigma=0.001, pairs=2)
    good = ask(data, protocol)
    data = data.copy()
    data[0, 0, 0, 0], data[1, 1, 1, 5] = 0.0, np.nan
    found = ask(data, protocol)
    assert found.status[0, 0, 0] & Status.NO_SIGNAL
    assert found.status[1, 1, 1] & Status.NOT_FINITE
    others = np.ones(SHAPE, bool)
    others[0, 0, 0] = others[1, 1, 1] = False
    assert np.isnan(found.maps["CBF"][~others]).all()
    np.testing.assert_allclose(found.maps["CBF"][others], good.maps["CBF"][others], rtol=1e-6)


def test_swapped_control_and_label_are_noticed():
    data, protocol = white_paper()
    assert ask(data, protocol).negative == 0
    swap = {"control": "label", "label": "control", "m0scan": "m0scan"}
    wrong = replace(protocol, volume_types=tuple(swap[k] for k in protocol.volume_types))
    found = ask(data, wrong)
    assert found.negative == 1
    assert "swapped" in found.warnings[-1]


def test_slices_are_read_out_at_their_own_time():
    late = [0.0, 0.3, 0.6, 0.9]
    data, protocol = series(slice_times=late, model="recommended", pairs=1, m0_repetition_time=30.0)
    found = ask(data, protocol)
    np.testing.assert_allclose(found.maps["CBF"], CBF, rtol=2e-3)
    # where all label is there at every time, its arrival shows nowhere
    told = np.asarray(late) + DELAYS[0] + 0.05 < ATT
    np.testing.assert_allclose(found.maps["ATT"][told], ATT[told], atol=2e-3)
    wrong = ask(data, replace(protocol, slice_times=np.zeros(4)))
    assert np.median(np.abs(wrong.maps["ATT"] - ATT)[:, :, 3][told[:, :, 3]]) > 0.3


# -- several delays -------------------------------------------------------------------------------------


def bound(model, cbf, att, pairs, sigma):
    """Cramér-Rao: standard deviations (v, 2) of CBF and ATT at this noise of one pair."""
    curve = lambda c, a: asl_difference(c, a, jnp.asarray(TIMES), model=model)  # noqa: E731
    one, zero = jnp.ones_like(cbf), jnp.zeros_like(cbf)
    J = np.stack([np.asarray(jax.jvp(curve, (cbf, att), d)[1]) for d in ((one, zero), (zero, one))], -1)
    information = np.einsum("vgi,vgj->vij", J, J) * pairs / sigma**2
    return np.sqrt(np.diagonal(np.linalg.inv(information), axis1=1, axis2=2))


@pytest.mark.parametrize("model", ["recommended", "gkm"])
def test_errors_reach_the_cramer_rao_bound(model):
    """tau 1.8, PLD .5 to 3 s, 8 pairs, noise .2 % of M0 in each difference: median errors <= 1.1 x the bound."""
    rng = np.random.default_rng(2)
    cbf, att = jnp.asarray(rng.uniform(50, 70, 4000)), jnp.asarray(rng.uniform(0.7, 1.8, 4000))
    clean = np.asarray(asl_difference(cbf, att, jnp.asarray(TIMES), model=model))
    noisy = clean + 0.002 / np.sqrt(8) * rng.standard_normal(clean.shape)
    fit = fit_asl(noisy, TIMES, m0=1.0, model=model, repeats=8, sigma=0.002)
    least = bound(model, cbf, att, 8, 0.002)
    for k, (found, true, name) in enumerate(((fit.cbf, cbf, "CBF"), (fit.att, att, "ATT"))):
        error = np.abs(np.asarray(found - true))
        assert np.median(error) <= 1.1 * 0.6745 * np.median(least[:, k])
        assert np.mean(error <= 1.645 * np.asarray(fit.stderr[name])) == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize(("snr", "pairs"), [(200.0, 10), (500.0, 2), (500.0, 10)])
def test_intervals_cover_where_arrival_has_several_minima(snr, pairs):
    """By the curvature alone ATT's would cover 76 to 88 % (the full table: tests/benchmarks/bench_coverage.py)."""
    for result in cover_water(3, 3000, snr=snr, pairs=pairs).values():
        assert 0.87 < result["covers"] < 0.93
        assert result["identifiable"] > 0.5


@pytest.mark.parametrize("arterial", [False, True])
def test_the_spread_is_that_of_a_posterior_drawn_point_by_point(arterial):
    """Of one noisy voxel, by brute force over a grid of ATT and both amplitudes."""
    rng = np.random.default_rng(8)
    att = np.linspace(0.3, 3.0, 60)
    tissue = np.exp(-((TIMES[None] - 1.8 - att[:, None]) ** 2)) + 0.3
    through = 5 * np.exp(-TIMES) if arterial else None
    data = 0.8 * tissue[25] + (0.1 * through if arterial else 0) + 0.3 * rng.standard_normal(TIMES.size)
    c, v = np.linspace(0, 12, 400)[None, :, None], (np.linspace(-15, 15, 301) if arterial else np.zeros(1))[None, None]
    model = c[..., None] * tissue[:, None, None] + (v[..., None] * through if arterial else 0)
    rss = np.sum((data - model) ** 2, axis=-1)
    weight = np.exp(-(rss - rss.min()) / (2 * 0.09) - c**2 / (2 * 3.0**2))
    weight /= weight.sum()
    found = (jnp.asarray([1.5]), jnp.asarray([0.7]), jnp.asarray([0.2]))
    curves = Curves(jnp.asarray(att), jnp.asarray(tissue), None if through is None else jnp.asarray(through)[None])
    of_att, amplitudes = spread(jnp.asarray(data)[None], curves, jnp.asarray([0.09]), found, 3.0)
    true = [np.sqrt(np.sum(weight * (x - y) ** 2)) for x, y in ((att[:, None, None], 1.5), (c, 0.7), (v, 0.2))]
    np.testing.assert_allclose([of_att[0], *(a[0] for a in amplitudes)], true[: 3 if arterial else 2], rtol=0.01)


@pytest.mark.parametrize("model", ["recommended", "gkm", "two_compartment"])
def test_noiseless_curves_give_the_truth(model):
    rng = np.random.default_rng(3)
    cbf, att = rng.uniform(5, 120, 300), rng.uniform(0.8, 2.8, 300)
    clean = np.asarray(asl_difference(cbf, att, jnp.asarray(TIMES), model=model))
    fit = fit_asl(clean, TIMES, m0=1.0, model=model)
    np.testing.assert_allclose(fit.cbf, cbf, rtol=2e-3)
    np.testing.assert_allclose(fit.att, att, atol=2e-3)
    np.testing.assert_allclose(fit.values["CBF"], cbf / 100 / 60, rtol=2e-3)  # mL/100 g/min to mL/g/s
    np.testing.assert_allclose(fit.stderr["CBF"] / fit.cbf, fit.errors["CBF"] / fit.values["CBF"], rtol=1e-6)


def test_label_in_arteries_is_told_from_tissue():
    rng = np.random.default_rng(4)
    times = 1.4 + np.arange(0.2, 3.0, 0.25)
    cbf, att, abv, abat = (rng.uniform(*r, 200) for r in ((30, 80), (1.2, 1.8), (0.005, 0.03), (0.4, 0.9)))
    clean = asl_difference(cbf, att, jnp.asarray(times), label_duration=1.4, model="recommended", abv=abv, abat=abat)
    with_it = fit_asl(clean, times, m0=1.0, label_duration=1.4, arterial=True)
    without = fit_asl(clean, times, m0=1.0, label_duration=1.4)
    assert np.median(np.abs(with_it.cbf / cbf - 1)) < 0.02
    assert np.median(np.abs(without.cbf / cbf - 1)) > 0.1
    # within an interval between measurements arrival and volume can stand in for each other
    assert np.median(np.abs(with_it.abat - abat)) < 0.25
    assert np.median(np.abs(with_it.abv * np.exp(-with_it.abat / 1.65) / (abv * np.exp(-abat / 1.65)) - 1)) < 0.02


def test_statuses_name_what_the_delays_do_not_determine():
    late = 1.8 + np.array([2.5, 3.0, 3.5])  # all label is there at every time: nobody can tell when it came
    curve = asl_difference(jnp.asarray([60.0, 0.0]), jnp.asarray([0.6, 0.6]), jnp.asarray(late), model="recommended")
    fit = fit_asl(curve + 1e-5 * np.random.default_rng(0).standard_normal((2, 3)), late, m0=1.0, sigma=1e-4)
    assert fit.status[0] & Status.ATT_NOT_IDENTIFIABLE
    assert not fit.status[0] & Status.CBF_NOT_IDENTIFIABLE
    assert fit.cbf[0] == pytest.approx(60, rel=0.1)
    assert fit.status[1] & Status.CBF_NOT_IDENTIFIABLE


def test_two_delays_say_nothing_of_their_noise():
    two = np.array([2.6, 3.8])
    curve = asl_difference(jnp.asarray([60.0]), jnp.asarray([1.2]), jnp.asarray(two), model="recommended")
    fit = fit_asl(curve, two, m0=1.0)
    assert fit.cbf[0] == pytest.approx(60, rel=1e-3)
    assert np.isnan(fit.stderr["CBF"][0])
    assert fit.status[0] & Status.CBF_NOT_IDENTIFIABLE
    assert np.isfinite(fit_asl(curve, two, m0=1.0, sigma=1e-4).stderr["CBF"][0])
    assert fit_asl(np.full((1, 2), np.nan), two, m0=1.0).status[0] == Status.NOT_FINITE


def test_too_few_delays_are_refused():
    with pytest.raises(InputError, match="1 delays for 2 parameters"):
        fit_asl(np.ones((3, 1)), np.array([3.6]), m0=1.0)
    data, protocol = series()
    with pytest.raises(InputError, match="takes one delay"):
        ask(data, protocol, options=ASLOptions(method="white_paper"))


def test_an_unknown_labelling_is_refused_by_every_formula():
    with pytest.raises(InputError, match=r"labelling.*'psacl'.*pcasl"):
        fit_asl(np.ones((3, 4)), np.array([2.0, 2.5, 3.0, 3.5]), m0=1.0, labelling="psacl")
    with pytest.raises(InputError, match=r"labelling.*'psacl'.*pcasl"):
        white_paper_cbf(
            1.0, 100.0, labelling="psacl", label_duration=1.8, post_label_delay=1.8, label_efficiency=0.85,
            partition_coefficient=0.9, t1_blood=1.65,
        )  # fmt: skip


# -- partial volume -------------------------------------------------------------------------------------


def test_partial_volume_correction_finds_the_flow_of_both_tissues():
    """Flows that are constant within a window are found whatever the shares; proportional shares say nothing."""
    rng = np.random.default_rng(5)
    shape = (20, 20, 2)
    grey = np.clip(rng.uniform(-0.2, 1.2, shape), 0, 1)
    white = np.clip(1 - grey - rng.uniform(0, 0.2, shape), 0, 1)
    inside = rng.random(shape) < 0.95
    found = partial_volume_corrected(60 * grey + 20 * white, grey, white, inside)
    for name, value, share in (("CBF_GM", 60, grey), ("CBF_WM", 20, white)):
        there = np.isfinite(found[name])
        np.testing.assert_array_equal(there, inside & (share > 0.1))
        np.testing.assert_allclose(found[name][there], value, rtol=1e-4)
    half = np.full(shape, 0.5)
    assert np.isnan(partial_volume_corrected(40 * half, half, half, inside)["CBF_GM"]).all()
    alone = partial_volume_corrected(55 * half, half, 0 * half, inside)
    np.testing.assert_allclose(alone["CBF_GM"][inside], 55, rtol=1e-4)
    assert np.isnan(alone["CBF_WM"]).all()
