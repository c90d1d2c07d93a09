"""A whole ResNet10 is the same with XLA's own convolution, and what a CPU runs of it holds no three-dimensional one."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import estimate.networks.conv3d
import estimate.networks.convolution
from classify.networks.resnet import ResNetArchitecture
from classify.networks.staged import pure

ARCHITECTURE = ResNetArchitecture(channels=3, outputs=2, width=16)
"""A quarter of the channels: the layers are all there."""


def native(x, kernel, *, strides, padding):
    return jax.lax.conv_general_dilated(
        x, kernel, (strides,) * 3, padding, dimension_numbers=("NDHWC", "DHWIO", "NDHWC")
    )


def value_and_gradients(*size):
    """Compiled value with gradients in weights and image, and where they are taken."""
    apply, weights = pure(ARCHITECTURE.build(seed=1))
    x = jnp.asarray(np.random.default_rng(0).standard_normal((*size, 3)))
    program = jax.jit(jax.value_and_grad(lambda w, x: jnp.sum(jnp.sin(apply(w, x))), argnums=(0, 1)))
    return program.lower(weights, x).compile(), (weights, x)


@pytest.mark.x64
def test_resnet10_equals_the_native_convolution_in_value_and_gradients(monkeypatch):
    # the first layers by planes, as of large images
    monkeypatch.setattr(estimate.networks.conv3d, "_FEW_NEIGHBOURS", 100_000)
    program, at = value_and_gradients(2, 18, 17, 16)
    ours = program(*at)
    monkeypatch.setattr(estimate.networks.convolution, "conv3d", native)
    program, _ = value_and_gradients(2, 18, 17, 16)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(program(*at)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-10)


def test_no_three_dimensional_convolution_is_compiled_for_a_cpu():
    program, _ = value_and_gradients(1, 64, 64, 64)
    windows = re.findall(r"convolution\(.*?window=\{(.*?)\}", program.as_text())
    assert len(windows) >= 3, "the search finds convolutions at all"
    for window in windows:
        assert len(re.search(r"size=(\S+)", window)[1].split("x")) == 2
        assert "lhs_dilate" not in window
