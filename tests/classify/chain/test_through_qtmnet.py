"""Attribution through QTMnet, alone and beside a fit: complete, and with the share that comes by the context."""

import jax.numpy as jnp
import numpy as np
import pytest

from classify.chain.attribution import Chain, chain_attribution
from classify.chain.features import RegionMeans
from classify.chain.kinetic import KineticEstimator
from classify.chain.qtmnet import QTMnetEstimator
from estimate.qtmnet.weights import load_trained
from simulate.base.types import DCEProtocol, Tissue
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from simulate.scanner.spgr import spgr_signal

pytestmark = pytest.mark.x64
KNOTS = np.arange(0.0, 220.0, 0.5)
AIF = ArterialInput(KNOTS, np.asarray(parker_aif(KNOTS, haematocrit=0.42, onset=20.0)), "parker")
INSIDE = np.ones((8, 6, 4), bool)
RIM = np.indices(INSIDE.shape)[0].ravel() < 4
BASELINE = 6


@pytest.fixture(scope="module")
def explained():
    rng = np.random.default_rng(5)
    draw = lambda low, high: rng.uniform(low, high, RIM.size)  # noqa: E731
    PS = np.where(RIM, draw(1.5e-3, 4e-3), draw(4e-4, 1e-3))
    tissue = Tissue(Fp=draw(0.006, 0.015), PS=PS, vp=draw(0.03, 0.08), ve=draw(0.15, 0.35))
    protocol = DCEProtocol(3.0 * np.arange(70), 0.005, 15.0, baseline=BASELINE, frame_duration=3.0)
    curves = tissue_concentration(tissue, AIF.curve, protocol.frame_centres, aif_times=KNOTS, frame_duration=3.0)
    signal = np.asarray(spgr_signal(curves, protocol, t10=1.4, s0=100.0))
    frames = signal + signal[:, :1] / 100 * rng.standard_normal(signal.shape)
    network = QTMnetEstimator.measured(frames, protocol, t10=1.4, trained=load_trained(), inside=INSIDE)
    fit = KineticEstimator.measured(frames, protocol, t10=1.4, aif=AIF)
    weights = np.concatenate([np.tile(each.weight, (4, 1)) for each in (network, fit)])
    features = RegionMeans.of((*network.names, *fit.names), {"rim": RIM}, weights)
    decide = lambda phi: 2 * jnp.tanh(0.05 * (phi[0] + phi[4]) / 6 + 0.2 * (phi[1] + phi[5]) / 6)  # noqa: E731
    return network, fit, chain_attribution(Chain((network, fit), decide, features), frames, baseline=BASELINE)


def test_both_estimators_together_are_complete_at_every_level(explained):
    _, _, found = explained
    assert abs(found.delta) > 0.2
    assert found.gap < 0.01
    assert found.frames.sum() == pytest.approx(found.maps.sum(), rel=1e-7)
    assert found.features.sum() == pytest.approx(found.maps.sum(), rel=1e-7)
    assert len(found.excluded) == 2


def test_what_comes_by_the_context_is_shown_apart(explained):
    """Frames outside the rim move a logit of the rim through QTMnet's context and its neighbourhood alone."""
    network, _, found = explained
    far = np.indices(INSIDE.shape)[0].ravel() == 7
    assert np.abs(found.frames[far]).sum() > 0
    # context and neighbourhood are all that is there
    assert np.abs(found.context[far]).sum() > 0.2 * np.abs(found.frames[far]).sum()
    share = np.abs(found.context).sum() / np.abs(found.frames).sum()
    assert 0.01 < share < 1
    assert np.asarray(network.weight).mean() > 0.5
