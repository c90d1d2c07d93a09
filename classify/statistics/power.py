r"""How likely a study of so many subjects is to find a difference that is there, by simulation.

Scores are binormal: controls N(0, 1), cases N(\sqrt 2 \Phi^{-1}(A), 1), so that the area is A; two classifiers have
scores of one correlation in both classes. Each simulated study is judged by the tests of this package.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from classify.statistics.delong import area_and_covariance
from classify.statistics.inputs import share
from classify.statistics.intervals import auc_limits
from classify.statistics.paired import difference_error
from simulate.base.errors import InputError


class Power(NamedTuple):
    """Share of simulated studies that find the difference.

    Attributes
    ----------
    power : float [fraction]
        Of the studies whose test is significant.
    error : float [fraction]
        Standard error of this share, from the number of simulated studies.
    """

    power: float
    error: float


def auc_power(auc: float, cases: int, controls: int, *, seed: int, level: float = 0.95, draws: int = 2000) -> Power:
    """Power to tell an area under the curve from 1/2.

    A study finds it where the interval of `auc_interval` lies above 1/2.

    Parameters
    ----------
    auc : float [fraction]
        True area.
    cases : int
        Number of subjects of class 1.
    controls : int
        Number of subjects of class 0.
    seed : int
        Of the draws.
    level : float [fraction]
        Of confidence, two-sided.
    draws : int
        Number of simulated studies.

    Returns
    -------
    Power
        With its simulation error.

    Raises
    ------
    InputError
        An area outside (0, 1), or fewer than two subjects of a class.
    """
    _check("auc_power", (auc,), cases, controls, level)
    found = []
    for drawn in _studies((auc,), np.eye(1), cases, controls, seed, draws):
        area, covariance = area_and_covariance(*drawn)
        found.append(auc_limits(area[:, 0], covariance[:, 0, 0], cases, controls, level)[0] > 0.5)
    return _power(np.concatenate(found))


def paired_auc_power(
    first: float, second: float, cases: int, controls: int, *, correlation: float, seed: int, level: float = 0.95,
    draws: int = 2000,
) -> Power:  # fmt: skip
    """Power to find that two classifiers on the same subjects have different areas under the curve.

    A study finds it where the test of `compare_aucs` is significant, in either direction.

    Parameters
    ----------
    first : float [fraction]
        True area of one.
    second : float [fraction]
        True area of the other.
    cases : int
        Number of subjects of class 1.
    controls : int
        Number of subjects of class 0.
    correlation : float
        Of both scores within a class.
    seed : int
        Of the draws.
    level : float [fraction]
        One less the error of the first kind, two-sided.
    draws : int
        Number of simulated studies.

    Returns
    -------
    Power
        With its simulation error.

    Raises
    ------
    InputError
        An area outside (0, 1), fewer than two subjects of a class, or a correlation outside (-1, 1).
    """
    _check("paired_auc_power", (first, second), cases, controls, level)
    if not -1 < correlation < 1:
        raise InputError("paired_auc_power", "correlation", f"is {correlation}", "give a number between -1 and 1")
    root = np.linalg.cholesky(np.array([[1, correlation], [correlation, 1]]))
    found = []
    for drawn in _studies((first, second), root, cases, controls, seed, draws):
        area, covariance = area_and_covariance(*drawn)
        error = difference_error(covariance)
        found.append(abs(area[:, 0] - area[:, 1]) > norm.ppf((1 + level) / 2) * error)
    return _power(np.concatenate(found))


def _check(where: str, areas: tuple[float, ...], cases: int, controls: int, level: float) -> None:
    share(where, "level", level)
    for each in areas:
        share(where, "auc", each)
    if min(cases, controls) < 2:
        raise InputError(where, "cases, controls", f"are {cases}, {controls}", "give two and more of each")


def _studies(areas: tuple[float, ...], root: np.ndarray, cases: int, controls: int, seed: int, draws: int):
    """Scores (b, k, n1), (b, k, n0) of some of the studies at a time."""
    rng = np.random.default_rng(seed)
    shift = np.sqrt(2) * norm.ppf(np.asarray(areas))[:, None]
    size = max(1, 200_000 // (cases + controls))
    for start in range(0, draws, size):
        count = min(size, draws - start)
        scores = root @ rng.standard_normal((count, len(areas), cases + controls))
        yield scores[..., :cases] + shift, scores[..., cases:]


def _power(found: Float[np.ndarray, " b"] | np.ndarray) -> Power:
    power = float(found.mean())
    return Power(power, float(np.sqrt(power * (1 - power) / len(found))))
