"""Attribution from a logit to the frames: closed forms, completeness at every level, and what is refused."""

import weakref
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from classify.chain.attribution import chain_attribution
from classify.chain.chain import Chain
from classify.chain.errors import noise_before_contrast
from classify.chain.estimator import Local, Weighted
from classify.chain.features import RegionMeans
from classify.chain.kinetic import KineticEstimator
from classify.chain.sensitivity import chain_sensitivities
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol, Tissue
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from simulate.scanner.spgr import spgr_signal

pytestmark = pytest.mark.x64
KNOTS = np.arange(0.0, 220.0, 0.5)
AIF = ArterialInput(KNOTS, np.asarray(parker_aif(KNOTS, haematocrit=0.42, onset=20.0)), "parker")
VOXELS = 120
RIM = np.arange(VOXELS) < 60
BASELINE = 6


def replace_times(protocol, count):
    """The protocol of the first so many frames."""
    return replace(protocol, times=protocol.times[:count])


class Squares:
    """Two maps of frames in closed form: sum_t c_t S_t, and its square over 10; `start`: of what is left when the mean
    of the first two frames is taken off."""

    label = "squares"
    names = ("sum", "square")
    rates = np.linspace(-1.0, 1.0, 9)

    def __init__(self, voxels, start=False):
        self.weight = np.ones((2, voxels))
        if start:
            self.rates = self.rates - np.where(np.arange(9) < 2, self.rates.sum() / 2, 0.0)

    def sensitivities(self, frames, cotangent):
        return {}

    def maps(self, frames):
        total = frames @ self.rates
        return np.stack([total, total**2 / 10], axis=-2)

    def without_noise(self, frames, noise):
        return frames

    def measured_again(self, frames):
        return Weighted(self.maps(frames), np.ones((len(frames), *self.weight.shape)))

    def at(self, frames, progress=None, *, place=1.0, end=None):
        total = frames @ self.rates
        outer = np.stack([np.ones_like(total), total / 5])
        return Local(
            self.maps(frames),
            lambda d: outer * (d @ self.rates),
            lambda G: np.einsum("pv,t->vt", G * outer, self.rates),
        )


def test_a_quadratic_chain_has_its_closed_form():
    """logit = sum_v b_v q_v with q the square: A_vt = b_v s_v c_t D_vt / 10, where s_v is the end's sum."""
    rng = np.random.default_rng(0)
    frames = rng.standard_normal((5, 9))
    frames[:, :2] = 0.0
    b = rng.standard_normal(5)
    chain = Chain((Squares(5),), lambda maps: jnp.sum(jnp.asarray(b) * maps[1]))
    found = chain_attribution(chain, frames, baseline=2)
    total = frames @ Squares.rates
    np.testing.assert_allclose(found.frames, (b * total / 10)[:, None] * Squares.rates * frames, atol=1e-12)
    np.testing.assert_allclose(found.maps[1], b * total**2 / 10, atol=1e-12)
    np.testing.assert_array_equal(found.maps[0], 0)
    assert found.delta == pytest.approx(float(b @ total**2 / 10), rel=1e-6)
    assert found.gap < 1e-6


def test_memory_does_not_grow_with_nodes():
    """Of eight nodes two are held beside the end, and the others computed again, to the same parts."""
    rng = np.random.default_rng(2)
    frames = rng.standard_normal((5, 9))
    asked, alive = [], set()

    class Watched(Squares):
        def at(self, frames, progress=None, *, place=1.0, end=None):
            local, key = super().at(frames, progress), len(asked)
            asked.append(place)
            alive.add(key)
            back = local.back
            weakref.finalize(back, alive.discard, key)
            most.append(len(alive))
            return local._replace(back=back)

    most = []
    decide = lambda maps: jnp.sum(jnp.sin(maps[1]))  # noqa: E731
    found = chain_attribution(Chain((Watched(5),), decide), frames, baseline=2, nodes=((8, 48),))
    assert len(asked) == 9 + 8 - 2
    assert max(most) <= 4
    np.testing.assert_allclose(found.frames.sum(), found.maps.sum(), rtol=1e-12)


@pytest.fixture(scope="module")
def tumour():
    """Frames of a leaky rim and its surroundings, with noise."""
    rng = np.random.default_rng(3)
    draw = lambda low, high: rng.uniform(low, high, VOXELS)  # noqa: E731
    PS = np.where(RIM, draw(1.5e-3, 4e-3), draw(4e-4, 1e-3))
    tissue = Tissue(Fp=draw(0.006, 0.015), PS=PS, vp=draw(0.03, 0.08), ve=draw(0.15, 0.35))
    protocol = DCEProtocol(3.0 * np.arange(70), 0.005, 15.0, baseline=BASELINE, frame_duration=3.0)
    curves = tissue_concentration(tissue, AIF.curve, protocol.frame_centres, aif_times=KNOTS, frame_duration=3.0)
    signal = np.asarray(spgr_signal(curves, protocol, t10=1.4, s0=100.0))
    return signal + signal[:, :1] / 100 * rng.standard_normal(signal.shape), protocol


@pytest.fixture(scope="module")
def estimator(tumour):
    frames, protocol = tumour
    return KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF)


def means(estimator, **regions):
    return RegionMeans.of(estimator.names, regions, estimator.weight)


@pytest.fixture(scope="module")
def explained(tumour, estimator):
    """A logit that bends, of PS and Fp in the rim and around it."""
    features = means(estimator, rim=RIM, around=~RIM)
    weights = jnp.asarray([0.02, 0.3, 5.0, 1.0, -0.02, 0.2, 0.0, 0.0])
    chain = Chain((estimator,), lambda phi: 3 * jnp.tanh(weights @ phi / 6), features)
    return chain, features, chain_attribution(chain, tumour[0], baseline=BASELINE)


def test_every_level_sums_to_the_same_difference(explained):
    _, features, found = explained
    assert abs(found.delta) > 0.5
    assert found.gap < 0.01
    assert found.frames.sum() == pytest.approx(found.maps.sum(), rel=1e-9)
    assert found.features.sum() == pytest.approx(found.maps.sum(), rel=1e-6)
    assert len(found.features) == len(features.names) == 8
    for k, name in enumerate(features.names):  # a feature's share is that of its map in its region
        inside = RIM if name.endswith("rim") else ~RIM
        assert found.features[k] == pytest.approx(found.maps[features.maps[k], inside].sum(), rel=1e-6, abs=1e-9)


def test_no_voxel_is_named_that_does_not_count(explained, estimator):
    _, _, found = explained
    out = np.asarray(estimator.weight) == 0
    np.testing.assert_array_equal(found.frames[out.all(axis=0)], 0)
    np.testing.assert_array_equal(found.maps[out], 0)
    np.testing.assert_allclose(found.excluded, out.mean(axis=1))


def test_what_was_before_contrast_says_nothing(explained):
    _, _, found = explained
    assert np.abs(found.frames[:, :BASELINE].sum(axis=0)).sum() < 0.02 * np.abs(found.frames.sum(axis=0)).sum()


def test_means_of_regions_move_as_finite_differences_say(tumour, explained, estimator):
    """With the frames, along a random direction: 1e-4 of a feature's slope, each voxel's maps to 1e-3."""
    frames, features, h = tumour[0], explained[1], 1e-3
    direction = np.random.default_rng(5).standard_normal(frames.shape)
    along = estimator.at(frames).slope(direction)
    ahead, behind = estimator.maps(np.stack([frames + h * direction, frames - h * direction]))
    counts = np.asarray(estimator.weight) > 1 / 16  # all of the four are identifiable, or nearly so
    size = np.sqrt(np.mean(along**2, axis=1, where=counts, keepdims=True))
    miss = np.abs((ahead - behind) / (2 * h) - along) / np.maximum(np.abs(along), 0.1 * size)
    assert np.max(miss, where=counts, initial=0.0) <= 1e-3
    slope = np.asarray(features(ahead) - features(behind)) / (2 * h)
    expected = np.asarray(features(along))
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max() / 100)


@pytest.mark.parametrize("model", ["etm", pytest.param("2cxm", marks=pytest.mark.slow)])
def test_sensitivities_to_what_is_held_fixed(tumour, model):
    """Against finite differences: of T10 in all voxels together, and of an input that was measured in blood."""
    frames, protocol = tumour
    estimator = KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF, model=model)
    weights = jnp.asarray([*([0.02] if model == "2cxm" else []), 0.3, 5.0, 1.0])
    chain = Chain((estimator,), lambda phi: 3 * jnp.tanh(weights @ phi / 6), means(estimator, rim=RIM))

    def logit(t10, curve):
        here = replace(estimator, t10=t10, aif=ArterialInput(KNOTS, curve, ""))
        return float(chain.logit(here.maps(frames)))

    found = chain_sensitivities(replace(chain, estimators=(replace(estimator, haematocrit=0.42),)), frames)[model]
    h = 1e-4
    slope = (logit(1.4 + h, AIF.curve) - logit(1.4 - h, AIF.curve)) / (2 * h)
    assert found["T10"].sum() == pytest.approx(slope, rel=1e-3)
    plasma = lambda haematocrit: AIF.curve * (1 - 0.42) / (1 - haematocrit)  # noqa: E731
    slope = (logit(1.4, plasma(0.42 + h)) - logit(1.4, plasma(0.42 - h))) / (2 * h)
    assert found["haematocrit"] == pytest.approx(slope, rel=1e-3)
    assert found["AIF"] @ AIF.curve == pytest.approx(slope * 0.58, rel=1e-3)


def test_a_model_brings_its_own_maps(tumour):
    frames, protocol = tumour
    fit = KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF, model="patlak")
    assert fit.parameters == ("PS", "vp")
    found = chain_attribution(Chain((fit,), lambda phi: phi @ jnp.ones(2), means(fit, rim=RIM)), frames, baseline=6)
    assert found.gap < 1e-4
    with pytest.raises(InputError, match="ve: is none of the model patlak; choose from PS"):
        KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF, model="patlak", parameters=("PS", "ve"))


def test_a_map_counts_where_it_is_known_itself(tumour):
    """Fp, PS and vp together; ve less than they, and nothing where it lies on its bound: a scan of one minute."""
    fit = KineticEstimator.measured(tumour[0][:, :27], replace_times(tumour[1], 27), t10=1.4, aif=AIF)
    shared, own = fit.weight[:3], fit.weight[3]
    np.testing.assert_array_equal(shared, shared[[0, 0, 0]])
    assert np.all(own <= shared[0])
    assert np.any((own == 0) & (shared[0] > 0.1))
    maps = fit.maps(tumour[0][:, :27])
    np.testing.assert_array_equal(maps[fit.weight == 0], 0)
    assert np.all(maps[fit.weight > 0] > 0)


def test_limits_go_with_the_path(tumour):
    """Of tissue with next to no space outside of the vessels, ve starts on its lower limit of .001 unless that goes
    with the contrast; PS along with it, and its map misses a tenth."""
    protocol = tumour[1]
    tissue = Tissue(Fp=np.full(40, 0.01), PS=np.linspace(5e-4, 1.5e-3, 40), vp=np.full(40, 0.05), ve=np.full(40, 0.02))
    curves = tissue_concentration(tissue, AIF.curve, protocol.frame_centres, aif_times=KNOTS, frame_duration=3.0)
    signal = np.asarray(spgr_signal(curves, protocol, t10=1.4, s0=100.0))
    frames = signal + signal[:, :1] / 200 * np.random.default_rng(0).standard_normal(signal.shape)
    fit = KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF, parameters=("PS",))
    start = frames[:, :BASELINE].mean(axis=1, keepdims=True)
    near = start + 0.02 * (frames - start)
    free, held = fit.at(near, place=0.02, end=fit.at(frames)), fit.at(near)
    end = fit.maps(frames)
    counts = fit.weight[0] > 0.3
    assert counts.sum() > 20
    assert np.median(np.abs(free.maps / 0.02 / end - 1)[0, counts]) < 0.1  # the signal is not quite linear
    assert np.median(np.abs(held.maps / 0.02 / end - 1)[0, counts]) > 0.3
    chain = Chain((fit,), lambda phi: phi[0], RegionMeans.of(fit.names, {"all": np.ones(40, bool)}, fit.weight))
    assert chain_attribution(chain, frames, baseline=BASELINE).gap < 1e-3


def test_a_mean_is_weighted_once():
    """sum_v w_v m_v / sum_v w_v over the region, of maps that carry their weight already."""
    weight = np.asarray([[1.0, 0.5, 0.25, 1.0]])
    values = np.asarray([[2.0, 4.0, 8.0, 100.0]])
    features = RegionMeans.of(("PS",), {"rim": np.arange(4) < 3}, weight, fewest=1)
    assert float(features(values * weight)[0]) == pytest.approx((2 + 2 + 2) / 1.75)
    other = np.asarray([[0.0, 0.5, 1.0, 1.0]])
    assert float(features.reweighted(other)(values * other)[0]) == pytest.approx((2 + 8) / 1.5)
    assert float(features.reweighted(0 * other)(0 * values)[0]) == 0  # nothing is believed, and nothing said


def test_a_map_that_does_not_vanish_with_the_contrast_is_refused(estimator):
    with pytest.raises(InputError, match=r"delay: does not vanish .* choose from Fp"):
        replace(estimator, parameters=("Fp", "delay"))


def test_errors_are_those_of_redrawn_noise():
    """A chain in closed form, logit = sum_v b_v s_v^2/10: A_v = b_v s_v^2/10, and s_v has the noise of its frames and
    of the mean before contrast."""
    rng = np.random.default_rng(1)
    frames = 3 * rng.standard_normal((5, 9))
    b, baseline, sigma = rng.standard_normal(5), 2, 0.05
    c = Squares.rates - np.where(np.arange(9) < baseline, Squares.rates.sum() / baseline, 0.0)  # of the path's length
    total = frames @ c
    chain = Chain((Squares(5, start=True),), lambda maps: jnp.sum(jnp.asarray(b) * maps[1]))
    found = chain_attribution(chain, frames, baseline=baseline, errors=2000, noise=sigma)
    spread = sigma * np.linalg.norm(c)
    expected = np.abs(b) * np.hypot(total / 5 * spread, np.sqrt(2) / 10 * spread**2)  # of a square of what is normal
    np.testing.assert_allclose(found.errors.maps[1], expected, rtol=0.08)
    np.testing.assert_allclose(found.errors.voxels, expected, rtol=0.08)
    assert found.errors.logit == pytest.approx(np.linalg.norm(expected), rel=0.08)


def test_errors_are_the_scatter_over_other_scans_weights_included(tumour, estimator):
    """32 other scans: a voxel that one believes another does not."""
    frames, protocol = tumour
    slope, regions = jnp.asarray([0.02, 0.3, 5.0, 1.0]), {"rim": RIM}
    sigma = 4.0 * noise_before_contrast(frames, BASELINE)
    scans = frames + sigma * np.random.default_rng(8).standard_normal((32, *frames.shape))
    again = estimator.measured_again(scans)
    alone = estimator.measured(scans[0], protocol, t10=1.4, aif=AIF)
    np.testing.assert_allclose(again.weight[0], alone.weight, rtol=1e-5)
    np.testing.assert_allclose(again.maps[0], alone.maps(scans[0]), rtol=1e-5)
    others = [slope * RegionMeans.of(estimator.names, regions, w)(maps) for maps, w in zip(*again, strict=True)]
    fit = estimator.measured(frames, protocol, t10=1.4, aif=AIF)
    chain = Chain((fit,), lambda phi: slope @ phi, means(fit, **regions))
    found = chain_attribution(chain, frames, baseline=BASELINE, nodes=((2, 16),), errors=32, noise=sigma)
    ratio = found.errors.features / np.std(others, axis=0, ddof=1)
    assert np.all((ratio > 0.6) & (ratio < 1.6))  # either is known to an eighth


def test_other_scans_are_drawn_about_frames_without_their_noise(tumour, estimator):
    """Two thirds of it are taken off, and what no model describes stays."""
    frames, _ = tumour
    sigma = 5.0 * noise_before_contrast(frames, BASELINE)
    after = np.arange(frames.shape[1]) >= BASELINE
    noise = sigma * np.random.default_rng(9).standard_normal(frames.shape)
    left = (estimator.without_noise(frames + noise, sigma) - frames)[:, after]
    assert np.sqrt(np.mean(left**2)) < 0.45 * sigma
    odd = 4 * sigma * np.sin(2.5 * np.arange(frames.shape[1])) * after  # faster than any tissue
    kept = (estimator.without_noise(frames + odd + noise, sigma) - frames)[:, after] @ odd[after] / (odd @ odd)
    assert np.median(kept) > 0.85


@pytest.mark.parametrize("model", ["etm", "2cum"])
def test_a_fit_without_noise_takes_nothing_off_its_own_model(model):
    """Whatever the noise is said to be: what the model describes is no noise, with any parameters that it lacks."""
    protocol = DCEProtocol(3.0 * np.arange(70), 0.005, 15.0, baseline=BASELINE)
    tissue = Tissue(Fp=np.full(3, 0.01), PS=np.array([0.0008, 0.0015, 0.003]), vp=np.full(3, 0.05), ve=np.full(3, 0.25))
    curves = tissue_concentration(tissue, AIF.curve, protocol.frame_centres, model=model, aif_times=AIF.times)
    frames = np.asarray(spgr_signal(curves, protocol, t10=1.4, s0=1000.0))
    fit = KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF, model=model)
    np.testing.assert_allclose(fit.without_noise(frames, 50.0), frames, rtol=2e-4)


def test_noise_is_that_of_the_frames_before_contrast():
    frames = 100 + 2.5 * np.random.default_rng(0).standard_normal((4000, 9))
    frames[:, 5:] += 50
    assert noise_before_contrast(frames, 5) == pytest.approx(2.5, rel=0.02)
    with pytest.raises(InputError, match="one frame has no scatter; give the noise"):
        noise_before_contrast(frames, 1)


def test_a_feature_that_too_few_reliable_voxels_carry_is_refused_by_name(estimator):
    with pytest.raises(InputError, match=r"2cxm Fp, speck: rests on \d reliable voxels of 5"):
        means(estimator, speck=np.arange(VOXELS) < 5)


def test_a_series_without_frames_before_contrast_is_refused(tumour, explained):
    with pytest.raises(InputError, match="before contrast"):
        chain_attribution(explained[0], tumour[0], baseline=0)


def test_a_logit_that_is_not_finite_is_refused():
    frames = np.abs(np.random.default_rng(0).standard_normal((5, 9)))
    with pytest.raises(InputError, match=r"goes from a logit of -inf .* finite at maps of 0"):
        chain_attribution(Chain((Squares(5, start=True),), lambda maps: jnp.log(jnp.sum(maps[1]))), frames, baseline=2)
