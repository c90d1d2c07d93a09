"""QTM against exact solutions: plasma moving uniformly past an EES (the distributed-parameter model along its way)."""

import jax.numpy as jnp
import numpy as np
import pytest

from estimate.transport_mapping.faces import at_centres, divergence, face_values, faces_of
from estimate.transport_mapping.inversion import one_compartment, plasma_volume, two_compartments
from simulate.inputs.population import parker_aif

CELL = (2.0, 2.0, 2.0)
STEP = 0.05


def moving(speed, *, PS=0.0, vp=0.03, ve=0.2, spacing=1.0, duration=300.0, voxels=10):
    """(frame centres, C (x, 1, 1, t)) of plasma at `speed` [mm/s] along x; means over voxels and frames.

    In the Laplace domain cp(x) = ca exp(-(x/u)(s + kp s/(s + ke))), C = (vp + ve ke/(s + ke)) cp; back by FFT on a
    Bromwich line. PS in mL/100 mL/min.
    """
    fine = np.arange(0.0, duration + 1, STEP)
    ca = np.asarray(parker_aif(fine, haematocrit=0.42, onset=10.0))
    n = fine.size
    sigma = -np.log(1e-8) / (2 * n * STEP)
    s = sigma + 2j * np.pi * np.fft.rfftfreq(2 * n, STEP)
    decay = np.exp(-sigma * STEP * np.arange(2 * n))
    spectrum = np.fft.rfft(np.pad(ca, (0, n)) * decay)
    kp, ke = PS / 6000 / vp, PS / 6000 / ve
    held = vp + (ve * ke / (s + ke) if PS else 0.0)
    parts = 10
    at = (np.arange(voxels * parts) + 0.5) * CELL[0] / parts
    curves = np.zeros((voxels, n))
    for j, x in enumerate(at):
        passed = np.exp(-x / speed * (s + kp * s / (s + ke)))
        curves[j // parts] += (np.fft.irfft(spectrum * passed * held, 2 * n) / decay)[:n] / parts
    frames, fold = int(duration / spacing), round(spacing / STEP)
    means = curves[:, : frames * fold].reshape(voxels, frames, fold).mean(-1)
    return spacing * (np.arange(frames) + 0.5), means[:, None, None, :]


def inner(values):
    return np.median(np.asarray(values)[2:-2, 0, 0])


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("invert", [one_compartment, two_compartments])
def test_a_uniform_velocity_is_found(speed, invert):
    times, C = moving(speed, duration=120.0)
    found = invert(C, times, CELL)
    assert abs(inner(found.velocity[..., 0]) / speed - 1) < 0.1
    np.testing.assert_allclose(found.speed, np.linalg.norm(found.velocity, axis=-1))
    assert np.median(found.residual) < 0.15


def test_leakage_looks_like_slowness_to_one_compartment_and_less_so_to_two():
    """The bias of the published form at PS 10 and 20 mL/100 mL/min: about -32 and -62 %."""
    bias = {}
    for PS in (10.0, 20.0):
        times, C = moving(0.5, PS=PS)
        one, two = one_compartment(C, times, CELL), two_compartments(C, times, CELL)
        bias[PS] = [inner(found.speed) / 0.5 - 1 for found in (one, two)]
        assert np.median(two.residual) < 0.5 * np.median(one.residual)
    assert bias[10.0][0] == pytest.approx(-0.32, abs=0.08)
    assert bias[20.0][0] == pytest.approx(-0.62, abs=0.08)
    assert abs(bias[10.0][1]) < 0.1
    assert abs(bias[20.0][1]) < 0.5 * abs(bias[20.0][0])


def test_scale_moves_volumes_alone():
    times, C = moving(1.0, PS=10.0, vp=0.05, voxels=6)
    plain, double = (two_compartments(a * C, times, CELL, steps=20) for a in (1.0, 2.0))
    np.testing.assert_allclose(double.velocity, plain.velocity, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(double.PS_over_vp, plain.PS_over_vp, rtol=1e-3)
    vp = [plasma_volume(found, times, 10.0, 90.0, 211.0) for found in (plain, double)]
    np.testing.assert_allclose(vp[1], 2 * vp[0], rtol=1e-3)


def test_direction_and_mask_turn_with_the_volume():
    times, C = moving(1.0, duration=120.0, voxels=8)
    along_x = one_compartment(C, times, CELL, diffusion=False)
    along_z = one_compartment(np.flip(np.moveaxis(C, 0, 2), 2), times, CELL, diffusion=False)
    turned = -np.flip(along_x.velocity[:, 0, 0, 0])
    np.testing.assert_allclose(along_z.velocity[0, 0, :, 2], turned, rtol=1e-6, atol=1e-9)
    assert np.all(along_z.velocity[..., :2] == 0)
    inside = np.zeros((8, 3, 3), bool)
    inside[:, 1, 1] = True
    wide = np.random.default_rng(0).uniform(0, 1, (8, 3, 3, len(times)))
    wide[:, 1, 1] = C[:, 0, 0]
    masked = one_compartment(wide, times, CELL, inside=inside, diffusion=False)
    assert masked.velocity[:, 1, 1, 0] == pytest.approx(along_x.velocity[:, 0, 0, 0], rel=0.05)
    assert np.all(masked.velocity[~inside] == 0)


def test_face_values_are_of_fourth_order():
    errors = []
    for n in (16, 32, 64):
        edges = np.linspace(0, 1, n + 1)
        means = n * np.diff(-np.cos(2 * np.pi * edges) / (2 * np.pi))  # of sin
        faces = faces_of(np.ones((n, 1, 1), bool), (1 / n, 1.0, 1.0))
        found = np.asarray(face_values(jnp.asarray(means)[:, None, None, None], faces, 0))[2:-2, 0, 0, 0]
        errors.append(np.abs(found - np.sin(2 * np.pi * edges[2:-2])).max())
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(order > 3.8)


def test_divergence_and_means_of_a_linear_field():
    """u = (x, -2 y, 3 z) has the divergence 2 everywhere, and its own values at the centres."""
    shape, cell = (4, 5, 6), (1.0, 2.0, 0.5)
    faces = faces_of(np.ones(shape, bool), cell)
    u = []
    for axis, factor in enumerate((1.0, -2.0, 3.0)):
        at = cell[axis] * np.arange(shape[axis] + 1)
        along = [1, 1, 1]
        along[axis] = -1
        u.append(jnp.asarray(np.broadcast_to(factor * at.reshape(along), faces.open[axis].shape)))
    flux = tuple(v[..., None] for v in u)
    np.testing.assert_allclose(divergence(flux, faces)[..., 0], 2.0)
    centres = (np.arange(4) + 0.5) * cell[0]
    np.testing.assert_allclose(at_centres(tuple(u), faces)[:, 0, 0, 0], centres)
