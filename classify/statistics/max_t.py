r"""Many maps, one question: how good the best of them is where none is any good.

Patients' labels are dealt anew, and each time the highest of all standardised areas T = (AUC - 1/2)/SD is kept. That a
map's T is passed by the highest of those that are not better than it is its p, corrected for all of them, whatever
their correlation (step-down max-T: Westfall & Young, Resampling-Based Multiple Testing, 1993, algorithm 4.1).
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

from classify.statistics.inputs import finite_scores, patients_of, per_patient, two_classes


class MaxT(NamedTuple):
    """Areas under the curve of many maps, corrected for their number.

    Attributes
    ----------
    auc : (k,) array [fraction]
        Of each map.
    p : (k,) array
        Of each map alone.
    p_adjusted : (k,) array
        The chance that any map is as good where none is.
    null_best : float [fraction]
        Area that the best map passes in 5 % of the deals where none is any good.
    """

    auc: Float[np.ndarray, " k"]
    p: Float[np.ndarray, " k"]
    p_adjusted: Float[np.ndarray, " k"]
    null_best: float


def max_t(
    labels: Any, scores: Any, *, seed: int, groups: Any = None, draws: int = 5000, two_sided: bool = False
) -> MaxT:
    """Test many maps at once by step-down max-T.

    Source: Westfall & Young, Resampling-Based Multiple Testing, 1993; the observed deal counts among the drawn.

    Parameters
    ----------
    labels : (n,) array
        1 for a case, 0 for a control; the same in all rows of a patient.
    scores : (n, k) array
        Of k maps; higher means case.
    seed : int
        Of the deals.
    groups : (n,) array, optional
        Patient of each row; without it each row is one.
    draws : int
        Number of deals.
    two_sided : bool
        Whether an area below 1/2 counts as well; that the sign is free costs power.

    Returns
    -------
    MaxT
        Areas, and p of each alone and corrected.

    Raises
    ------
    InputError
        One class only, labels that differ within a patient, scores that are not finite.
    """
    cases = two_classes("max_t", labels)
    ranks = rankdata(finite_scores("max_t", scores, len(cases)), axis=0)
    _, member = patients_of("max_t", groups, len(cases))
    dealt = per_patient("max_t", cases, member, "labels")
    rng = np.random.default_rng(seed)
    area = np.concatenate([_areas(ranks, cases[None])] + [
        _areas(ranks, rng.permuted(np.broadcast_to(dealt, (size, len(dealt))), axis=1)[:, member])
        for size in _chunks(draws)
    ])  # fmt: skip
    spread = area.std(axis=0)
    t = np.divide(area - 0.5, spread, out=np.zeros_like(area), where=spread > 1e-12)
    t, wide = (abs(t), abs(area - 0.5)) if two_sided else (t, area - 0.5)
    best = float(0.5 + np.quantile(wide.max(axis=1), 0.95))
    return MaxT(area[0], (t >= t[0] - 1e-12).mean(axis=0), _step_down(t), best)


def _areas(ranks: Float[np.ndarray, "n k"], cases: np.ndarray) -> Float[np.ndarray, "b k"]:
    """Of deals (b, n): Mann and Whitney's sum of ranks."""
    count = cases.sum(axis=1, keepdims=True).astype(float)
    return (cases @ ranks - count * (count + 1) / 2) / (count * (len(ranks) - count))


def _chunks(draws: int, size: int = 500) -> list[int]:
    return [min(size, draws - start) for start in range(0, draws, size)]


def _step_down(t: Float[np.ndarray, "b k"]) -> Float[np.ndarray, " k"]:
    """Row 0 is what was observed."""
    order: Int[np.ndarray, " k"] = np.argsort(t[0])  # from the worst, each against the best of those not better
    highest = np.maximum.accumulate(t[:, order], axis=1)
    p = (highest >= t[0, order] - 1e-12).mean(axis=0)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[::-1])[::-1]  # none less than that of a better map
    return adjusted
