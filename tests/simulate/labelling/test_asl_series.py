"""Labelled series: what volumes hold, dispersion, suppression, time-encoded acquisitions that come apart again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma

from simulate.base.errors import InputError
from simulate.labelling.background import label_left, static_residual
from simulate.labelling.difference import asl_difference
from simulate.labelling.dispersion import dispersed_difference, gamma_transit_times, normal_transit_times
from simulate.labelling.series import asl_protocol, asl_series
from simulate.labelling.time_encoded import decode, encode, time_encoding

CBF = jnp.asarray(np.random.default_rng(0).uniform(20, 80, (3, 2, 4)))
ATT = jnp.full((3, 2, 4), 1.1)


@pytest.mark.x64
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


@pytest.mark.x64
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


def test_a_distribution_of_transit_times_against_quadrature():
    s, p, att = 4.0, 0.3, 0.9
    times = jnp.asarray([1.2, 2.0, 3.0, 4.2])
    kernel = gamma_transit_times(s, p)
    mean = float(kernel.offsets @ kernel.weights)
    assert mean == pytest.approx(p + 1 / s, rel=1e-3)
    assert float((kernel.offsets - mean) ** 2 @ kernel.weights) == pytest.approx((1 + s * p) / s**2, rel=1e-3)
    found = dispersed_difference(60.0, att, times, transit_times=kernel, label_duration=1.4)

    def integrand(v, t):
        k = s ** (1 + s * p) / gamma(1 + s * p) * v ** (s * p) * np.exp(-s * v)
        return k * float(asl_difference(60.0, att + v, jnp.asarray([t]), label_duration=1.4)[0])

    for t, value in zip(times, found, strict=True):
        corners = [v for v in (float(t) - att, float(t) - att - 1.4) if 0 < v < 6]
        exact, _ = quad(integrand, 0, 6, args=(float(t),), points=corners, limit=200, epsrel=1e-7)
        assert float(value) == pytest.approx(exact, abs=1e-4 * float(found.max()))


def test_narrow_kernels_change_nothing_and_wide_ones_smear():
    times = jnp.asarray([1.0, 1.5, 2.5, 4.5])
    sharp = asl_difference(60.0, 1.0, times)
    narrow = dispersed_difference(60.0, 1.0, times, transit_times=normal_transit_times(1e-4))
    np.testing.assert_allclose(narrow, sharp, atol=1e-4 * float(sharp.max()))
    wide = dispersed_difference(60.0, 1.0, times, transit_times=normal_transit_times(0.2))
    assert float(wide[0]) > float(sharp[0])  # some label comes before its mean


def test_suppression_against_the_bloch_equation():
    """Longitudinal recovery by small steps with the pulses in between; no pulse is saturation recovery."""
    pulses, readout, t1 = [0.9, 2.4], 3.6, np.array([0.8, 1.3, 4.0])
    m, step = np.zeros(3), 1e-4
    for k in range(round(readout / step)):
        m = m + step * (1 - m) / t1
        if any(abs((k + 1) * step - p) < step / 2 for p in pulses):
            m = -(2 * 0.95 - 1) * m
    np.testing.assert_allclose(static_residual(t1, pulses, readout), m, atol=2e-4)
    np.testing.assert_allclose(static_residual(t1, [], readout), 1 - np.exp(-readout / t1))
    assert label_left(2) == pytest.approx(0.9025)
    with pytest.raises(InputError, match="in order"):
        static_residual(t1, [2.0, 1.0], readout)
