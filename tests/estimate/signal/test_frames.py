"""Frames average while they last: a fit that knows it recovers the tissue, with a fitted delay and without."""

import jax.numpy as jnp
import numpy as np
import pytest

from estimate.arterial.averages import without_averages
from estimate.kinetics.fit import fit_kinetics
from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import parker_aif
from simulate.kinetics.convolution import interpolate
from simulate.kinetics.tissue import tissue_concentration

KNOTS, FINE = np.arange(0.0, 300.0, 0.25), np.arange(0.0, 300.0, 0.05)
AIF, FINE_AIF = (np.asarray(parker_aif(knots, haematocrit=0.42, onset=20.0), float) for knots in (KNOTS, FINE))


def tissues(count, seed=0, delay=False):
    rng = np.random.default_rng(seed)
    return Tissue(
        Fp=np.exp(rng.uniform(np.log(15), np.log(80), count)) / 6000,
        PS=np.exp(rng.uniform(np.log(3), np.log(20), count)) / 6000,
        vp=rng.uniform(0.03, 0.12, count),
        ve=rng.uniform(0.1, 0.35, count),
        delay=rng.uniform(-2, 5, count) if delay else 0.0,
    )


def frame_means(centres, frame):
    return np.asarray(interpolate(jnp.asarray(AIF), jnp.asarray(KNOTS), jnp.asarray(centres), frame))


def largest_errors(frame, tissue, aif, knots, **options):
    """Largest relative error of the four parameters in each voxel, without noise."""
    times = np.arange(frame / 2, 299.0 - frame / 2, frame)
    curves = tissue_concentration(tissue, aif, times, aif_times=knots, frame_duration=frame)
    fit = fit_kinetics(np.asarray(curves), times, aif, aif_times=knots, frame_duration=frame, **options)
    names = ("Fp", "PS", "vp", "ve")
    return np.max([np.abs(np.asarray(getattr(fit.tissue, n)) / getattr(tissue, n) - 1) for n in names], axis=0)


@pytest.mark.parametrize("frame", [2.0, 6.0])
@pytest.mark.parametrize("delay", [False, True])
def test_averaged_curves_give_their_tissue_back(frame, delay):
    error = largest_errors(frame, tissues(300, delay=delay), AIF, KNOTS, fit_delay=delay)
    assert np.quantile(error, 0.99) < 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("frame", [2.0, 3.0, 4.5, 6.0])
@pytest.mark.parametrize("delay", [False, True])
def test_so_do_three_thousand_of_a_finer_input(frame, delay):
    error = largest_errors(frame, tissues(3000, delay=delay), FINE_AIF, FINE, fit_delay=delay)
    assert np.quantile(error, 0.99) < 5e-3


def test_frames_that_are_not_told_of_cost_flow():
    """What the average is worth: sampled at their centres, frames of 6 s with a fitted delay hide a twentieth of Fp."""
    times = np.arange(3.0, 296.0, 6.0)
    tissue = tissues(300)
    curves = np.asarray(tissue_concentration(tissue, AIF, times, aif_times=KNOTS, frame_duration=6.0))
    fit = fit_kinetics(curves, times, AIF, aif_times=KNOTS, fit_delay=True)
    assert np.median(np.asarray(fit.tissue.Fp) / tissue.Fp) < 0.95


def test_every_frame_may_have_its_own_length():
    duration = np.concatenate([np.full(30, 2.0), np.full(40, 5.0)])
    starts = np.concatenate([[0.0], np.cumsum(duration)[:-1]])
    centres = starts + duration / 2
    tissue = tissues(60)
    curves = tissue_concentration(tissue, AIF, centres, aif_times=KNOTS, frame_duration=duration)
    fit = fit_kinetics(np.asarray(curves), centres, AIF, aif_times=KNOTS, frame_duration=duration)
    np.testing.assert_allclose(fit.tissue.Fp, tissue.Fp, rtol=5e-3)


@pytest.mark.parametrize("model", [pytest.param(model, marks=pytest.mark.slow) for model in ("dp", "aath")])
def test_capillary_fits_average_too(model):
    tissue = tissues(3)
    times, knots, aif = np.arange(2.0, 297.0, 4.0), KNOTS[::4], AIF[::4]  # every knot costs a capillary time
    curves = np.asarray(tissue_concentration(tissue, aif, times, model=model, aif_times=knots, frame_duration=4.0))
    fit = fit_kinetics(curves, times, aif, aif_times=knots, frame_duration=4.0, model=model)
    np.testing.assert_allclose(fit.tissue.Fp, tissue.Fp, rtol=5e-3)
    np.testing.assert_allclose(fit.tissue.PS, tissue.PS, rtol=5e-3)


def test_plasma_in_a_voxel_is_averaged_with_its_delay():
    """etm holds the input itself, whose mean over a frame moves with the delay."""
    times, lag = np.arange(1.5, 297.0, 3.0), np.array([-1.3, 0.4, 2.7])
    held = 0.08 * np.stack(
        [interpolate(jnp.asarray(AIF), jnp.asarray(KNOTS), jnp.asarray(times - d), 3.0) for d in lag]
    )
    tissue = Tissue(Fp=np.inf, PS=8 / 6000, vp=0.0, ve=0.2, delay=lag)
    leaked = tissue_concentration(tissue, AIF, times, model="tofts", aif_times=KNOTS, frame_duration=3.0)
    fit = fit_kinetics(
        np.asarray(held + leaked), times, AIF, aif_times=KNOTS, frame_duration=3.0, model="etm", fit_delay=True
    )
    np.testing.assert_allclose(fit.tissue.delay, lag, atol=0.02)
    np.testing.assert_allclose(fit.tissue.vp, 0.08, rtol=5e-3)
    np.testing.assert_allclose(fit.tissue.PS, 8 / 6000, rtol=5e-3)


def test_frames_that_overlap_are_refused():
    times = np.arange(0.0, 200.0, 2.0)
    curves, aif = np.ones((1, times.size)), np.ones(times.size)
    with pytest.raises(InputError, match="start 2 s apart"):
        fit_kinetics(curves, times, aif, frame_duration=2.5)
    with pytest.raises(InputError, match="one number, or one per frame"):
        fit_kinetics(curves, times, aif, frame_duration=np.ones(3))
    with pytest.raises(InputError, match="0 or more"):
        fit_kinetics(curves, times, aif, frame_duration=-1.0)


@pytest.mark.x64
def test_an_input_measured_in_frames_has_its_averages_undone():
    """Its own frame means are the measured ones again, its area stays, and Fp is right where the means cost a tenth."""
    frame, tissue = 6.0, tissues(60)
    times = np.arange(frame / 2, 299.0 - frame / 2, frame)
    means = frame_means(times, frame)
    measured = ArterialInput(jnp.asarray(times), jnp.asarray(means), "drawn")
    found = without_averages(measured, frame)
    again = interpolate(jnp.asarray(found.curve), jnp.asarray(times), jnp.asarray(times), frame)
    np.testing.assert_allclose(again[1:-1], means[1:-1], rtol=1e-9, atol=1e-12)
    assert float(jnp.sum(found.curve)) == pytest.approx(float(means.sum()), rel=5e-3)
    curves = np.asarray(tissue_concentration(tissue, AIF, times, aif_times=KNOTS, frame_duration=frame))
    error = [
        np.median(
            np.abs(np.asarray(fit_kinetics(curves, times, a.curve, frame_duration=frame).tissue.Fp) / tissue.Fp - 1)
        )
        for a in (measured, found)
    ]
    assert error[1] < error[0] / 3


def test_samples_are_no_averages():
    given = ArterialInput(jnp.asarray(KNOTS[::8]), jnp.asarray(AIF[::8]), "drawn")
    assert without_averages(given, 0.0) is given
