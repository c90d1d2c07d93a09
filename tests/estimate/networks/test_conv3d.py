"""The decomposed 3-D convolution is XLA's own, in value and gradient, and never runs a dilated one."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import correlate

import estimate.networks.conv3d as conv3d_module
from estimate.networks.conv3d import conv3d

pytestmark = pytest.mark.x64


@pytest.fixture(params=[0, conv3d_module._FEW_NEIGHBOURS], ids=["planes", "neighbours"])
def way(request, monkeypatch):
    """Both ways of the CPU's, whatever the size."""
    monkeypatch.setattr(conv3d_module, "_FEW_NEIGHBOURS", request.param)
    return request.param


CASES = [
    # volume, taps, strides, padding, channels in and out
    ((7, 8, 9), (3, 3, 3), 1, "SAME", 2, 5),
    ((7, 8, 9), (3, 3, 3), 1, "VALID", 40, 3),
    ((8, 9, 10), (3, 3, 3), 2, "SAME", 4, 3),
    ((9, 9, 9), (7, 7, 7), 2, "SAME", 1, 4),
    ((8, 7, 6), (1, 1, 1), 2, "SAME", 3, 4),
    ((8, 7, 6), (2, 2, 2), 2, "VALID", 3, 4),
    ((9, 8, 11), (3, 2, 5), (1, 2, 3), ((1, 1), (0, 2), (2, 1)), 3, 2),
    ((6, 11, 7), (1, 4, 3), (2, 3, 1), "SAME", 20, 2),
]


def native(x, kernel, strides, padding):
    strides = (strides,) * 3 if isinstance(strides, int) else strides
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NDHWC", "DHWIO", "NDHWC"))


def drawn(size, taps, inside, outside):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, *size, inside)), rng.standard_normal((*taps, inside, outside))
    return jnp.asarray(x), jnp.asarray(kernel)


@pytest.mark.parametrize(("size", "taps", "strides", "padding", "inside", "outside"), CASES)
def test_value_and_gradients_are_those_of_the_native_convolution(way, size, taps, strides, padding, inside, outside):
    x, kernel = drawn(size, taps, inside, outside)

    @jax.jit
    def both(x, kernel):
        def with_gradients(convolve):
            value, pull = jax.vjp(convolve, x, kernel)
            return value, *pull(jnp.sin(jnp.arange(value.size, dtype=value.dtype)).reshape(value.shape))

        ours = with_gradients(lambda a, k: conv3d(a, k, strides=strides, padding=padding))
        return ours, with_gradients(lambda a, k: native(a, k, strides, padding))

    for one, other in zip(*both(x, kernel), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12 * float(jnp.abs(other).max()))


def test_against_scipy(way):
    """An implementation that shares nothing with XLA."""
    x, kernel = drawn((6, 7, 8), (3, 3, 3), 2, 1)
    expected = sum(correlate(np.asarray(x[0, ..., c]), np.asarray(kernel[..., c, 0]), "valid") for c in range(2))
    np.testing.assert_allclose(conv3d(x, kernel, padding="VALID")[0, ..., 0], expected, atol=1e-12)


@pytest.mark.parametrize("strides", [1, 2])
def test_no_three_dimensional_and_no_dilated_convolution_is_compiled_for_a_cpu(way, strides):
    x, kernel = drawn((8, 8, 8), (3, 3, 3), 4, 4)

    def loss(x, kernel):
        return jnp.sum(jnp.tanh(conv3d(x, kernel, strides=strides)))

    text = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(x, kernel).compile().as_text()
    windows = re.findall(r"convolution\(.*?window=\{(.*?)\}", text)
    assert bool(windows) == (way == 0), "the search finds convolutions at all"
    assert all(len(re.search(r"size=(\S+)", window)[1].split("x")) == 2 for window in windows)
    assert not any("lhs_dilate" in window for window in windows)
