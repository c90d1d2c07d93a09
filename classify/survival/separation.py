r"""Whether a Cox likelihood has a maximum at all.

It rises for ever in a direction \delta where at every event x_i \delta is the highest of all in view, and higher than
some (Bryson & Johnson, Technometrics 1981 23:381). That is a linear programme: with m_t >= x_j \delta for all in view
at t, x_i \delta >= m_t for the events at t, and a mean lead of 1 over those in view. Of all such \delta that of least
\sum |\delta| is taken, which names no more features than it takes. If there is none, a finite maximum exists.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack


def separating(
    features: Float[np.ndarray, "n p"], time: Float[np.ndarray, " n"], event: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, " p"] | None:
    """Direction in which the likelihood rises for ever, or None; features of about unit spread."""
    moments = np.unique(time[event])
    p, k = features.shape[1], len(moments)
    seen = np.flatnonzero(time >= moments[0])
    step = np.searchsorted(moments, time[seen], side="right") - 1  # the last moment at which each is in view
    # unknowns: positive and negative part of delta, and m at each moment
    both = np.concatenate([features, -features], axis=1)
    below = _rows(both[seen], step, 1.0, k)  # x delta <= m
    dying = np.flatnonzero(event)
    above = _rows(-both[dying], np.searchsorted(moments, time[dying]), -1.0, k)  # m <= x delta at the events
    later = coo_array(
        (np.repeat([-1.0, 1.0], k - 1), (np.tile(np.arange(k - 1), 2), 2 * p + np.r_[: k - 1, 1:k])), (k - 1, 2 * p + k)
    )  # m falls: fewer are in view
    lead = np.zeros(2 * p + k)
    in_view = time >= time[dying][:, None]
    pairs = in_view.sum()
    lead[: 2 * p] = (in_view.sum(axis=1) @ both[dying] - in_view.sum(axis=0) @ both) / pairs
    found = linprog(
        np.r_[np.ones(2 * p), np.zeros(k)],
        A_ub=vstack((below, above, later), format="csr"),
        b_ub=np.zeros(len(seen) + len(dying) + k - 1),
        A_eq=lead[None],
        b_eq=[1.0],
        bounds=[(0, None)] * (2 * p) + [(None, None)] * k,
        method="highs",
    )
    return found.x[:p] - found.x[p : 2 * p] if found.status == 0 else None


def _rows(values: np.ndarray, moment: np.ndarray, sign: float, moments: int) -> coo_array:
    """Values of 2p unknowns beside -sign at the moment of each row."""
    count, width = values.shape
    row, column = np.indices(values.shape)
    return coo_array(
        (
            np.r_[values.ravel(), np.full(count, -sign)],
            (np.r_[row.ravel(), np.arange(count)], np.r_[column.ravel(), width + moment]),
        ),
        (count, width + moments),
    )
