"""Intervals and tests of any statistic, by drawing patients: rows of one patient stay together."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from classify.statistics.inputs import patients_of, per_patient, share
from classify.statistics.intervals import Interval
from simulate.base.errors import InputError


def cluster_bootstrap(
    statistic: Callable[[np.ndarray], float],
    groups: Any,
    *,
    seed: int,
    strata: Any = None,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Interval of a statistic by drawing patients with replacement.

    Bias-corrected and accelerated, the acceleration from leaving out one patient at a time (Efron, JASA 1987 82:171;
    clusters: Field & Welsh, J R Stat Soc B 2007 69:369).

    Parameters
    ----------
    statistic : callable
        From numbers of rows (m,), in which a row may occur more than once, to a number.
    groups : (n,) array
        Patient of each row.
    seed : int
        Of the draws.
    strata : (n,) array, optional
        One value per patient, such as the label; as many patients of each are drawn as there are.
    draws : int
        Number of resamples.
    level : float [fraction]
        Of confidence.

    Returns
    -------
    Interval
        `method` is "cluster bootstrap (BCa)".

    Raises
    ------
    InputError
        A resample without a value (as where a class is missing), a statistic that is the same in all, fewer than two
        patients in a stratum, strata that differ within a patient.
    """
    where = "cluster_bootstrap"
    share(where, "level", level)
    known, member = patients_of(where, groups, len(np.asarray(groups)))
    rows = [np.flatnonzero(member == patient) for patient in range(len(known))]
    layers = _strata(where, strata, member)

    def value(*drawn: np.ndarray) -> float:
        got = float(statistic(np.concatenate([rows[patient] for patient in np.concatenate(drawn)])))
        if not np.isfinite(got):
            raise InputError(where, "statistic", f"is {got} in a resample", "give strata, so that no class is missing")
        return got

    estimate = float(statistic(np.arange(len(member))))
    found = stats.bootstrap(
        layers, value, n_resamples=draws, vectorized=False, confidence_level=level, method="percentile", rng=seed
    )
    if np.ptp(found.bootstrap_distribution) == 0:
        raise InputError(
            where, "statistic", f"is {estimate:g} in every resample, which is no certainty",
            "give an exact interval: auc_interval, proportion_interval",
        )  # fmt: skip
    found = stats.bootstrap(
        layers, value, n_resamples=0, vectorized=False, confidence_level=level, method="BCa", bootstrap_result=found
    )
    return Interval(estimate, *map(float, found.confidence_interval), method="cluster bootstrap (BCa)")


def permutation_test(
    statistic: Callable[[np.ndarray], float],
    labels: Any,
    *,
    seed: int,
    groups: Any = None,
    draws: int = 9999,
    two_sided: bool = False,
) -> float:
    """Chance of a statistic at least as high where labels have nothing to do with the rows.

    Labels are dealt anew between patients; with few patients all orders are gone through, else the observed one counts
    among the drawn, so that p is never 0 (Phipson & Smyth, Stat Appl Genet Mol Biol 2010 9:39).

    Parameters
    ----------
    statistic : callable
        From labels (n,) to a number.
    labels : (n,) array
        Of the rows; the same in all rows of a patient.
    seed : int
        Of the draws.
    groups : (n,) array, optional
        Patient of each row; without it each row is one.
    draws : int
        Number of permutations.
    two_sided : bool
        Twice the smaller tail.

    Returns
    -------
    float
        p.

    Raises
    ------
    InputError
        Labels that differ within a patient or are all the same.
    """
    where = "permutation_test"
    given = np.asarray(labels)
    _, member = patients_of(where, groups, len(given))
    patient_labels = per_patient(where, given, member, "labels")
    if len(np.unique(patient_labels)) < 2:
        raise InputError(where, "labels", "are all the same", "give rows of two classes and more")
    found = stats.permutation_test(
        (patient_labels,), lambda dealt: float(statistic(dealt[member])), permutation_type="pairings",
        vectorized=False, n_resamples=draws, alternative="two-sided" if two_sided else "greater", rng=seed,
    )  # fmt: skip
    return float(found.pvalue)


def _strata(where: str, strata: Any, member: np.ndarray) -> tuple[np.ndarray, ...]:
    """Numbers of the patients of each stratum."""
    patients = np.arange(member.max() + 1)
    if strata is None:
        layers = (patients,)
    else:
        layer = per_patient(where, np.asarray(strata), member, "strata")
        layers = tuple(patients[layer == each] for each in np.unique(layer))
    if min(map(len, layers)) < 2:
        raise InputError(where, "groups", "are fewer than two patients in a stratum", "give more, or larger strata")
    return layers
