r"""Numbers of a path integral whose function is made of an expensive estimator and a cheap head.

Along a straight path x(a) = x_0 + a (x_1 - x_0) a logit h(m(x)) changes by

    \Delta = \int_0^1 g(a) . m'(a) da,      g = dh/dm at m(x(a)),      m' = J(a) (x_1 - x_0),   J = dm/dx.

m and J are smooth along the path, and few nodes tell them; g is not (the head is a network), but is cheap. So m and J
are known at the nodes a_k of a Gauss-Legendre rule and at the end, and are polynomials in between: J that of Lagrange
through all of them, m that of Hermite through its values there and at 0 and through its slopes. The head's gradient is
taken at many more nodes b_n with weights w_n, and what it gives to every estimator node is one cotangent,

    G_k = \sum_n w_n l_k(b_n) g(b_n),

so \sum_k G_k . J_k (x_1 - x_0), split over maps or over samples of x as one likes, is one and the same number.
"""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import KroghInterpolator
from scipy.special import roots_legendre


class Rule(NamedTuple):
    """estimator (k,), head (n,), weight (n,) : nodes on [0, 1]; the estimator's last one is 1.

    share (k, n) : Lagrange's polynomials l_k(b_n).      values (1 + k, n), slopes (k, n) : Hermite's, so that
    m(b_n) = sum_k values[1 + k, n] m(a_k) + slopes[k, n] m'(a_k), the first value being that at 0.
    """

    estimator: np.ndarray
    head: np.ndarray
    weight: np.ndarray
    share: np.ndarray
    values: np.ndarray
    slopes: np.ndarray


def rule(estimator: int, head: int) -> Rule:
    """With so many Gauss-Legendre nodes of the estimator beside its end, and so many of the head."""
    a = np.append(gauss_legendre(estimator)[0], 1.0)
    b, weight = gauss_legendre(head)
    unit = np.eye(len(a))
    share = np.stack([KroghInterpolator(a, row)(b) for row in unit])
    places = np.concatenate([[0.0], np.repeat(a, 2)])  # at a repeated place the second number is the slope
    both = np.stack([KroghInterpolator(places, row)(b) for row in np.eye(len(places))])
    return Rule(a, b, weight, share, both[[0, *range(1, len(places), 2)]], both[2::2])


def gauss_legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (n,) on [0, 1] and weights (n,) of sum 1, exact for polynomials of degree 2n - 1."""
    nodes, weights = roots_legendre(count)
    return (nodes + 1) / 2, weights / 2
