"""Whether groups have the same survival, by events seen beside events expected."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2

from classify.survival.inputs import with_events
from simulate.base.errors import InputError


class LogRank(NamedTuple):
    """Test of equal hazards.

    Attributes
    ----------
    chi2 : float
        With one degree of freedom less than groups.
    p : float
        Chance of a higher one where the hazards are equal.
    """

    chi2: float
    p: float


def log_rank(time: Any, event: Any, groups: Any) -> LogRank:
    """Log-rank test of two groups and more.

    Z_g = sum over event times of (d_g - d n_g/n), with the hypergeometric covariance d (n-d)/(n-1) (n_g/n) (1[g=h] -
    n_h/n), and chi2 = Z^T V^- Z (Mantel, Cancer Chemother Rep 1966 50:163; Peto & Peto, J R Stat Soc A 1972 135:185).

    Parameters
    ----------
    time : (n,) array
        To the event or to the end of follow-up.
    event : (n,) array
        1 where the event was seen, 0 where censored.
    groups : (n,) array
        Any values; one group each.

    Returns
    -------
    LogRank
        Test statistic and p.

    Raises
    ------
    InputError
        One group only, no event, a negative time, an event other than 0 and 1.
    """
    t, e = with_events("log_rank", time, event)
    given = np.asarray(groups)
    if given.shape != t.shape:
        raise InputError("log_rank", "groups", f"have the shape {given.shape}", f"give one per subject, {t.shape}")
    names, member = np.unique(given, return_inverse=True)
    if len(names) < 2:
        raise InputError("log_rank", "groups", f"are all {names[0]}", "give subjects of two groups and more")
    of_group = member == np.arange(len(names))[:, None]
    times = np.unique(t[e])
    dead = np.stack([((t == u) & e & of_group).sum(axis=1) for u in times])
    at_risk = np.stack([((t >= u) & of_group).sum(axis=1) for u in times])
    d, n = dead.sum(axis=1), at_risk.sum(axis=1)
    share = at_risk / n[:, None]
    z = (dead - d[:, None] * share).sum(axis=0)
    scale = d * (n - d) / np.maximum(n - 1, 1)
    v = np.diag((scale[:, None] * share).sum(axis=0)) - (scale[:, None] * share).T @ share
    statistic = float(z[1:] @ np.linalg.pinv(v[1:, 1:]) @ z[1:])
    return LogRank(statistic, float(chi2.sf(statistic, len(names) - 1)))
