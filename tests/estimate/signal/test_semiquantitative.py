"""Peak, time to peak and initial area of curves known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from estimate.signal.semiquantitative import semiquantitative

TIMES = jnp.array([0.0, 4.0, 10.0, 17.0, 25.0, 50.0, 80.0, 120.0])


def test_a_ramp_has_the_area_of_its_triangle():
    """C = 0.1 (t - 10) from 10 s: after 60 s, 0.1 x 60²/2 mmol s/L, with 70 s between two frames."""
    curve = 0.1 * jnp.maximum(TIMES - 10.0, 0.0)
    result = semiquantitative(curve, TIMES, arrival=10.0)
    assert float(result.IAUC60) == pytest.approx(180.0, rel=1e-12)
    assert float(result.peak) == pytest.approx(11.0)
    assert float(result.TTP) == pytest.approx(110.0)


def test_arrival_may_lie_between_frames_and_differ_by_voxel():
    curve = jnp.ones((2, 8))
    result = semiquantitative(curve, TIMES, arrival=jnp.array([3.3, 21.7]))
    np.testing.assert_allclose(result.IAUC60, 60.0, rtol=1e-12)


def test_peak_before_arrival_does_not_count():
    curve = jnp.array([9.0, 0.0, 0.0, 1.0, 3.0, 2.0, 1.0, 0.0])
    result = semiquantitative(curve, TIMES, arrival=10.0)
    assert float(result.peak) == 3.0
    assert float(result.TTP) == 15.0


def test_all_three_scale_with_concentration_and_shift_with_time():
    curve = jnp.array([0.0, 0.0, 0.0, 1.0, 3.0, 2.0, 1.0, 0.0])
    one = semiquantitative(curve, TIMES, arrival=10.0)
    two = semiquantitative(2 * curve, TIMES + 33.0, arrival=43.0)
    assert float(two.peak) == pytest.approx(2 * float(one.peak))
    assert float(two.IAUC60) == pytest.approx(2 * float(one.IAUC60))
    assert float(two.TTP) == pytest.approx(float(one.TTP))


def test_nan_stays_in_its_voxel_and_a_short_series_has_no_area():
    curve = jnp.ones((2, 8)).at[0, 3].set(jnp.nan)
    result = semiquantitative(curve, TIMES, arrival=10.0)
    assert np.isnan([result.peak[0], result.TTP[0], result.IAUC60[0]]).all()
    assert float(result.IAUC60[1]) == pytest.approx(60.0)
    assert np.isnan(semiquantitative(curve[1], TIMES, arrival=61.0).IAUC60)


def test_area_gradient_is_the_trapezoid_rule():
    gradient = jax.grad(lambda c: semiquantitative(c, TIMES, arrival=10.0).IAUC60)(jnp.ones(8))
    np.testing.assert_allclose(gradient[:5], [0.0, 0.0, 3.5, 7.5, 16.5])
    assert float(gradient.sum()) == pytest.approx(60.0)
