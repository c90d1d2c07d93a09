"""Attribution through QTMnet, alone and beside a fit: complete, with the share that comes by the context, and with
derivatives that finite differences confirm."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from classify.chain.attribution import chain_attribution
from classify.chain.chain import Chain
from classify.chain.features import RegionMeans
from classify.chain.kinetic import KineticEstimator
from classify.chain.qtmnet import QTMnetEstimator
from classify.chain.sensitivity import chain_sensitivities
from estimate.qtmnet.weights import load_trained
from tests.classify.chain.virtual import BASELINE, PROTOCOL, simulated

pytestmark = pytest.mark.x64


@pytest.fixture(scope="module")
def scan():
    return simulated(1, 3)


@pytest.fixture(scope="module")
def estimators(scan):
    network = QTMnetEstimator.measured(
        scan.frames, PROTOCOL, t10=scan.t10, trained=load_trained(), inside=scan.inside
    )  # fmt: skip
    fit = KineticEstimator.measured(scan.frames, PROTOCOL, t10=scan.t10, aif=scan.aif, model="patlak")
    return network, fit


@pytest.fixture(scope="module")
def explained(scan, estimators):
    """A logit that bends, of Fp and PS of the rim by the network, and of PS and vp by a fit of few unknowns."""
    weights = np.concatenate([each.weight for each in estimators])
    names = [name for each in estimators for name in each.names]
    features = RegionMeans.of(names, {"rim": scan.rim}, weights)
    at = np.asarray(features(np.concatenate([each.at(scan.frames).maps for each in estimators])))
    slopes = np.asarray([0.3, 0.5, 0, 0, 0.5, 0.3]) / np.maximum(at, 1e-9)
    chain = Chain(estimators, lambda phi: 2 * jnp.tanh(jnp.asarray(slopes) @ phi / 2), features)
    return chain, chain_attribution(chain, scan.frames, baseline=BASELINE, nodes=((2, 16),))


def test_both_estimators_together_are_complete_at_every_level(explained):
    _, found = explained
    assert abs(found.delta) > 0.2
    assert found.gap < 0.01
    size = np.abs(found.maps).sum()
    assert abs(found.frames.sum() - found.maps.sum()) < 1e-6 * size
    assert abs(found.features.sum() - found.maps.sum()) < 1e-6 * size
    assert len(found.excluded) == 6


def test_what_comes_by_the_context_is_shown_apart(scan, estimators, explained):
    """Voxels that carry no feature move the logit through QTMnet's context and its neighbourhood alone."""
    _, found = explained
    share = np.abs(found.context).sum() / np.abs(found.frames).sum()
    assert 0.01 < share < 1
    outside = ~scan.rim
    assert np.abs(found.frames[outside]).sum() > 0
    assert np.abs(found.context[outside]).sum() > 0.1 * np.abs(found.frames[outside]).sum()
    assert np.asarray(estimators[0].weight)[0, scan.rim].mean() > 0.5


@pytest.mark.slow  # those of QTMnet's maps always run (estimate/qtmnet/test_whole.py)
def test_its_derivatives_are_those_of_finite_differences(scan, estimators):
    """By frames, by T10 and by the area of the input, small steps: what switches is held."""
    network, _ = estimators
    rim = jnp.asarray(scan.rim & (network.weight[0] > 0))
    chain = Chain((network,), lambda maps: jnp.sum(jnp.where(rim, jnp.log1p(maps[0]) + jnp.log1p(maps[1]), 0.0)))
    local = network.at(scan.frames)
    cotangent = np.asarray(jax.grad(chain.logit)(jnp.asarray(local.maps)))
    along = np.random.default_rng(0).standard_normal(scan.frames.shape)
    logit = lambda each, frames: float(chain.logit(jnp.asarray(each.at(frames).maps)))  # noqa: E731
    h = 1e-7  # network and features have kinks: clips, rectifiers
    slope = (logit(network, scan.frames + h * along) - logit(network, scan.frames - h * along)) / (2 * h)
    assert np.sum(local.back(cotangent) * along) == pytest.approx(slope, rel=1e-5)
    assert np.sum(cotangent * local.slope(along)) == pytest.approx(slope, rel=1e-5)
    found = chain_sensitivities(chain, scan.frames)["QTMnet"]
    later, earlier = (replace(network, t10=scan.t10 * (1 + s * h)) for s in (1, -1))
    slope = (logit(later, scan.frames) - logit(earlier, scan.frames)) / (2 * h)
    assert found["T10"] @ scan.t10 == pytest.approx(slope, rel=1e-4)
    larger, smaller = (replace(network, scale=replace(network.scale, area=network.scale.area * np.exp(s * h)))
                       for s in (1, -1))  # fmt: skip
    slope = (logit(larger, scan.frames) - logit(smaller, scan.frames)) / (2 * h)
    assert found["log area"] == pytest.approx(slope, rel=1e-5)
