"""Labelled series: what volumes hold, and time-encoded acquisitions that come apart again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simulate.asl.difference import asl_difference
from simulate.asl.series import asl_protocol, asl_series
from simulate.asl.time_encoded import decode, encode, time_encoding
from simulate.base.errors import InputError

CBF = jnp.asarray(np.random.default_rng(0).uniform(20, 80, (3, 2, 4)))
ATT = jnp.full((3, 2, 4), 1.1)


def test_control_minus_label_is_the_difference_at_the_slices_time():
    protocol = asl_protocol([1.0, 2.0], pairs=2, slice_times=[0.0, 0.04, 0.08, 0.12])
    found = asl_series(None, CBF, ATT, protocol, m0=50.0, residual=0.1)
    kinds = np.asarray(protocol.volume_types)
    control, label = found[..., kinds == "control"], found[..., kinds == "label"]
    np.testing.assert_allclose(control, 5.0)
    for z in range(4):
        times = jnp.asarray([2.8, 2.8, 3.8, 3.8]) + 0.04 * z
        expected = asl_difference(CBF[:, :, z], ATT[:, :, z], times, m0=50.0, label_efficiency=0.85)
        np.testing.assert_allclose((control - label)[:, :, z], expected, rtol=1e-9)
    np.testing.assert_allclose(found[..., 0], 50 * (1 - np.exp(-8.0 / 1.3)))


def test_noise_is_as_large_as_asked_and_needs_a_key():
    protocol = asl_protocol([1.8], pairs=40)
    noisy = asl_series(jax.random.key(0), CBF, ATT, protocol, sigma=0.01)
    assert float(jnp.std(noisy - asl_series(None, CBF, ATT, protocol))) == pytest.approx(0.01, rel=0.05)
    with pytest.raises(InputError, match="key"):
        asl_series(None, CBF, ATT, protocol, sigma=0.01)


def test_time_encoded_blocks_come_apart_each_with_the_noise_of_all_pairs():
    scheme = time_encoding([1.8, 0.8, 0.6, 0.5, 0.4, 0.4, 0.3], 0.2)
    np.testing.assert_allclose(scheme.post_label_delay[[0, -2, -1]], [3.2, 0.5, 0.2])
    assert np.all(scheme.labelled.sum(0) == 4)  # every block is label in half of the acquisitions
    blocks = jnp.stack(
        [
            asl_difference(CBF, ATT, jnp.asarray([t]), label_duration=d)[..., 0]
            for t, d in zip(scheme.times, scheme.label_duration, strict=True)
        ],
        axis=-1,
    )
    acquired = encode(blocks, scheme, control=7.0)
    np.testing.assert_allclose(decode(acquired, scheme), blocks, atol=1e-12)
    noise = np.random.default_rng(1).standard_normal((20000, 8))
    assert np.std(np.asarray(decode(noise, scheme))) == pytest.approx(np.sqrt(2 / 4), rel=0.02)  # as of four pairs


def test_block_counts_without_a_matrix_are_refused():
    with pytest.raises(InputError, match="3, 7, 15"):
        time_encoding([0.5] * 5, 0.2)
