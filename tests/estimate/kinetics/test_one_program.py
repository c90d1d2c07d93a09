"""Frames, voxels, bounds and input of a fit are data: another number of them compiles nothing, and changes nothing."""

import jax
import numpy as np
import pytest

from estimate.kinetics.fit import fit_kinetics
from estimate.least_squares.blocks import BLOCK
from estimate.signal.concentration import block_concentration
from estimate.signal.errors import signal_errors
from estimate.signal.semiquantitative import semiquantitative
from simulate.base.types import DCEProtocol
from simulate.kinetics.compartments import COMPARTMENT_MODELS
from tests.compilations import compilations


def measured(frames, voxels, spacing=2.0, onset=20.0, seed=0):
    """An input and curves of one stirred pool, by sums that need no JAX."""
    rng = np.random.default_rng(seed)
    times = spacing * np.arange(frames)
    late = np.maximum(times - onset, 0.0)
    aif = 5.0 * late / 8.0 * np.exp(1 - late / 8.0) + 0.6 * (1 - np.exp(-late / 10.0)) * np.exp(-late / 800.0)
    rate = rng.uniform(0.01, 0.1, (voxels, 1))
    decay = np.exp(-rate[..., None] * np.maximum(times[:, None] - times, 0.0)) * (times[:, None] >= times)
    curves = 0.005 * spacing * np.einsum("vts,s->vt", decay, aif) + 0.03 * aif
    return curves + rng.normal(0, 0.01, curves.shape), times, aif


@pytest.mark.parametrize("model", [*COMPARTMENT_MODELS, "auto"])
def test_a_second_frame_count_image_and_input_compile_nothing(model):
    fit_kinetics(*measured(60, 40), model=model)
    with compilations() as found:
        for frames, voxels in ((75, 40), (29, 40), (151, 7), (256, 100)):
            fit_kinetics(*measured(frames, voxels, spacing=1.5, onset=11.0, seed=frames), model=model)
    assert found == []


def test_other_bounds_and_errors_compile_nothing():
    def run(frames, low, high):
        curves, times, aif = measured(frames, 30)
        protocol = DCEProtocol(times, 0.004, 15.0, relaxivity=4.5, baseline=frames // 8)
        errors = signal_errors(100 + curves, protocol, t10=1.2)
        bounds = {"delay": (low, high), "Fp": (1e-5, 0.01 * high)}
        return fit_kinetics(curves, times, aif, errors=errors, fit_delay=True, bounds=bounds)

    run(60, -10.0, 10.0)
    with compilations() as found:
        narrow = run(80, 0.0, 5.0)
    assert found == []
    assert np.nanmax(narrow.tissue.Fp) <= 0.05 * (1 + 1e-6)
    assert np.nanmin(narrow.tissue.delay) >= 0


def test_a_conversion_compiles_nothing_for_another_series():
    def convert(frames, voxels):
        signal = 100 + 10 * measured(frames, voxels)[0]
        protocol = DCEProtocol(2.0 * np.arange(frames), 0.004, 15.0, baseline=5)
        concentration, status = block_concentration(signal, protocol, t10=np.full(voxels, 1.2))
        signal_errors(signal, protocol, t10=1.2, t10_stderr=np.full(voxels, 0.1))
        semiquantitative(np.asarray(concentration), np.asarray(protocol.times), arrival=20.0)
        return status

    convert(60, 20)
    with compilations() as found:
        status = convert(77, 33)
    assert found == []
    assert not np.any(status)


def test_voxels_do_not_know_of_each_other_nor_of_frames_that_are_not_there():
    """One voxel alone, among others, in a second block: the same within what sums in another order leave."""
    curves, times, aif = measured(50, 30)
    alone = fit_kinetics(curves[3], times, aif)
    many = fit_kinetics(np.tile(curves, (BLOCK // 30 + 2, 1)), times, aif)
    for name in ("Fp", "vp"):
        found = np.asarray(getattr(many.tissue, name))
        np.testing.assert_allclose(found[[3, 33, -27]], getattr(alone.tissue, name), rtol=1e-3)


@pytest.mark.x64
def test_every_block_is_worked_on_in_the_callers_precision():
    curves, times, aif = measured(40, 8)
    fit = fit_kinetics(np.tile(curves, (BLOCK // 8 + 1, 1)), times, aif)
    assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves((fit.tissue, fit.stderr, fit.rss)))
    one, other = np.asarray(fit.tissue.Fp)[:8], np.asarray(fit.tissue.Fp)[-8:]
    np.testing.assert_allclose(one, other, rtol=1e-9)
