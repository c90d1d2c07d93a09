"""What `estimate.arterial.quality` knows, learnt from looks at training scenes.

The negative logarithm of a Student t density (nu = 5: some scenes are far off, for reasons that no evidence tells) is
minimised over the coefficients of mean and spread together, with a little ridge. On patients that were left out, the
spread is then scaled until 90 % intervals cover 90 %, and the limit of the warning is set.
"""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit

from estimate.arterial.quality import OFF, SHAPE, T1_KINDS, Quality, chance_off, names_of, predict, values_of
from experiments.studies.arterial_input.looks import Look

NU = 5.0
RIDGE = 1.0
FOLDS = 10
COVERED = 1.6449
"""Standard deviations that 90 % of a normal variable lie within."""

LEVELS = (-4.0, 1.0)
"""Of the logarithm of a spread, while it is looked for."""

RIGHT, IN_VAIN, LIMIT_IN = 0.1, 0.1, ("tree", "wide")
"""The limit is where this share of areas that are right within `RIGHT` has a warning in vain, and the scenes that it is
set in: blocks as they come, with and without a wide artery."""

RANGE = (2.0, 98.0)
"""Percentiles of the evidence between which it counts."""


def learn(looks: list[Look]) -> dict[str, Any]:
    """`quality.json` without its provenance."""
    return {kind: asdict(learn_kind([look for look in looks if look.kind == kind], kind)) for kind in T1_KINDS}


def learn_kind(looks: list[Look], kind: str) -> Quality:
    looks = [look for look in looks if look.evidence is not None]
    names = names_of(kind)
    values = np.array([values_of(look.evidence, names) for look in looks if look.evidence is not None])
    short = -np.array([look.log_area for look in looks])  # ln(true/measured)
    patient = np.array([look.about["seed"] for look in looks])
    mean, spread = np.zeros(len(short)), np.zeros(len(short))
    for fold in range(FOLDS):
        out = patient % FOLDS == fold
        mean[out], spread[out] = predict(fit(values[~out], short[~out], names), values[out])
    factor = float(np.quantile(np.abs(short - mean) / spread, 0.9) / COVERED)
    chance = chance_off(mean, factor * spread)
    right = is_right(short) & np.isin([look.about["kind"] for look in looks], LIMIT_IN)
    limit = float(np.quantile(chance[right], 1 - IN_VAIN))
    whole = fit(values, short, names)
    constant, *rest = whole.log_spread
    return replace(whole, log_spread=(constant + float(np.log(factor)), *rest), warn_above=limit)


def is_off(short: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether a measured area is off by more than `OFF`, of ln(true/measured)."""
    return np.abs(np.expm1(-short)) > OFF


def is_right(short: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    return np.abs(np.expm1(-short)) < RIGHT


def fit(values: Float[np.ndarray, "n k"], short: Float[np.ndarray, " n"], names: tuple[str, ...]) -> Quality:
    """Coefficients of highest likelihood, found in units of the evidence's own spread."""
    low, high = np.percentile(values, RANGE, axis=0)
    inside = np.clip(values, low, high)
    has_t1 = names[-1] == "t1"
    used = inside[:, :-1] if has_t1 else inside
    centre, scale = used.mean(axis=0), used.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)  # what never varies tells nothing
    scaled = (used - centre) / scale
    ratio = inside[:, -1] if has_t1 else np.zeros(len(short))
    k = len(SHAPE)

    def unpack(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        return x[: k + 1], x[k + 1 : 2 * k + 2], x[2 * k + 2 : -1], x[-1]

    def loss(x: np.ndarray) -> float:
        gate, depth, spread, slope = unpack(x)
        shape = scaled[:, :k]
        mean = slope * ratio + expit(gate[0] + shape @ gate[1:]) * (depth[0] + shape @ depth[1:])
        level = np.clip(spread[0] + scaled @ spread[1:], *LEVELS)
        u = (short - mean) * np.exp(-level)
        penalty = sum(np.sum(part[1:] ** 2) for part in (gate, depth, spread))
        return float(np.sum((NU + 1) / 2 * np.log1p(u**2 / NU) + level) + RIDGE / 2 * penalty)

    start = np.zeros(2 * k + 2 + scaled.shape[1] + 2)
    start[1], start[k + 1], start[2 * k + 2] = -1.0, np.median(short[is_off(short)]), np.log(np.std(short)) - 1
    found = minimize(loss, start, method="L-BFGS-B", options={"maxfun": 100_000, "maxiter": 1000}).x
    gate, depth, spread, slope = unpack(found)
    shape = centre[:k], scale[:k]
    return Quality(
        names=names, low=tuple(low.tolist()), high=tuple(high.tolist()), gate=_unscaled(gate, *shape),
        depth=_unscaled(depth, *shape), slope=float(slope) if has_t1 else 0.0,
        log_spread=_unscaled(spread, centre, scale), warn_above=np.nan,
    )  # fmt: skip


def _unscaled(found: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> tuple[float, ...]:
    """Coefficients of the evidence itself, the constant first."""
    slope = found[1:] / scale
    return (float(found[0] - slope @ centre), *slope.tolist())
