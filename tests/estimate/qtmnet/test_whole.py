"""QTMnet as one pure function: the values of a streamed scan, its derivatives, the scale law, and its memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.arterial.scale import population_scale
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.contrast.maps import parameters
from estimate.qtmnet.contrast.whole import hold, qtmnet_maps
from estimate.qtmnet.weights import load_trained
from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol

SHAPE = (9, 8, 6)
PROTOCOL = DCEProtocol(2.5 * np.arange(60), 0.005, 15.0, baseline=8, frame_duration=2.5)


@pytest.fixture(scope="module")
def trained():
    return load_trained()


@pytest.fixture(scope="module")
def scan():
    """Curves (*SHAPE, t) of made-up tissue with noise, and a mask with holes."""
    rng = np.random.default_rng(0)
    t = np.maximum(PROTOCOL.times - 22.0 - rng.uniform(0, 6, SHAPE)[..., None], 0)
    rate, height, tail = (rng.uniform(*r, SHAPE)[..., None] for r in ((0.03, 0.2), (0.05, 0.4), (0.1, 0.6)))
    curves = height * (t * rate * np.exp(1 - t * rate) + tail * (1 - np.exp(-t * rate)))
    return curves + 0.005 * rng.standard_normal(curves.shape), rng.random(SHAPE) < 0.9


def test_values_are_those_of_the_streamed_scan(trained, scan):
    curves, inside = scan
    maps = qtmnet_maps(curves.astype(np.float32), PROTOCOL, trained, inside=inside)
    where = np.nonzero(inside)
    found = predict_scan(trained, curves[where], PROTOCOL.times, 2.5, where=where, shape=SHAPE)
    streamed = parameters(found, population_scale(), trained.calibration_factor)
    for name in ("Fp", "PS", "vp", "ve", "Ktrans", "delay", "vp_vessels"):
        expected = streamed[name]
        np.testing.assert_allclose(
            np.asarray(maps[name])[where], expected, rtol=2e-4, atol=2e-4 * np.abs(expected).max(), err_msg=name
        )
        assert np.isnan(np.asarray(maps[name])[~inside]).all()


@pytest.mark.x64
@pytest.mark.slow  # the streamed scan's always (test_inference.py), to whose values these are held
def test_scaling_the_concentrations_scales_the_maps(trained, scan):
    """C -> a C at an unknown input is theta -> a theta, so the derivative along C is the map itself (Euler)."""
    curves, inside = scan
    held = hold(curves, PROTOCOL, inside=inside)

    @jax.jit
    def maps(a):
        found = qtmnet_maps(a * curves, PROTOCOL, trained, inside=inside, held=held)
        return jnp.stack([found[name][inside] for name in ("Fp", "PS", "vp", "ve", "MTT")])

    value, slope = jax.jvp(maps, (1.0,), (1.0,))
    np.testing.assert_allclose(slope[:4], value[:4], rtol=1e-8)
    np.testing.assert_allclose(slope[4], 0.0, atol=1e-8 * float(jnp.max(value[4])))  # seconds do not scale
    np.testing.assert_allclose(maps(0.3)[:4], 0.3 * value[:4], rtol=1e-8)


@pytest.mark.x64
def test_gradient_against_finite_differences_context_included(trained, scan):
    curves, inside = scan
    held = hold(curves, PROTOCOL, inside=inside)
    rim = np.zeros(SHAPE, bool)
    rim[:4] = True
    rim &= inside

    @jax.jit
    def logit(c):
        found = qtmnet_maps(c, PROTOCOL, trained, inside=inside, held=held)
        return jnp.mean(jnp.log(found["PS"][rim])) + jnp.mean(jnp.log(found["Fp"][rim]))

    gradient = jax.jit(jax.grad(logit))(curves)
    along = np.random.default_rng(1).standard_normal(curves.shape) * 0.01
    h = 1e-4
    slope = float(logit(curves + h * along) - logit(curves - h * along)) / (2 * h)
    assert float(jnp.sum(gradient * along)) == pytest.approx(slope, rel=1e-5)
    np.testing.assert_array_equal(gradient[~inside], 0)
    # all voxels of a scan speak for each other: what fed them is read from all
    assert float(jnp.abs(gradient[inside & ~rim]).sum()) > 0.02 * float(jnp.abs(gradient[rim]).sum())


def test_what_is_held_bears_the_noise_of_another_scan(trained, scan):
    """A voxel without contrast may lie above its noise in the scan that is held, and below zero in another."""
    curves, inside = scan
    rng = np.random.default_rng(3)
    quiet = np.where(rng.random(SHAPE) < 0.3, 0.0, 1.0)[..., None] * curves
    one, other = (quiet + 0.02 * rng.standard_normal(curves.shape) for _ in range(2))
    held = hold(one, PROTOCOL, inside=inside)
    maps = jax.jit(lambda c: qtmnet_maps(c, PROTOCOL, trained, inside=inside, held=held)["Fp"][inside])(other)
    assert np.isfinite(maps).all()
    own = qtmnet_maps(other, PROTOCOL, trained, inside=inside)["Fp"][inside]
    clear = own > np.median(own)
    assert np.median(np.abs(np.log(maps / own))[clear]) < 0.1  # what switches matters little where there is contrast


def test_what_cannot_be_asked_is_refused(trained, scan):
    curves, inside = scan
    with pytest.raises(InputError, match="inside"):
        qtmnet_maps(curves, PROTOCOL, trained, inside=np.zeros_like(inside))
