"""Rules of a path integral: exact for polynomials."""

import numpy as np
import pytest

from classify.attribution.path import rule

pytestmark = pytest.mark.x64


@pytest.mark.parametrize("estimator", [2, 3, 5])
def test_values_slopes_and_weights_are_exact_for_polynomials(estimator):
    nodes = rule(estimator, 16)
    degree = 2 * estimator + 2  # as many conditions as nodes, their slopes, and 0
    curve = np.polynomial.Polynomial(np.random.default_rng(1).standard_normal(degree + 1))
    read = nodes.values.T @ curve(np.append(0.0, nodes.estimator)) + nodes.slopes.T @ curve.deriv()(nodes.estimator)
    np.testing.assert_allclose(read, curve(nodes.head), atol=1e-12)
    low = np.polynomial.Polynomial(np.random.default_rng(2).standard_normal(estimator + 1))
    np.testing.assert_allclose(nodes.share.T @ low(nodes.estimator), low(nodes.head), atol=1e-12)
    # under a linear head the estimator's own rule is left: Gauss-Legendre, exact to degree 2n-1, nothing at the end
    weights = nodes.share @ nodes.weight
    assert weights[-1] == pytest.approx(0, abs=1e-12)
    best = np.polynomial.Polynomial(np.random.default_rng(3).standard_normal(2 * estimator))
    assert weights @ best(nodes.estimator) == pytest.approx(best.integ()(1.0), abs=1e-12)
