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

from estimate.arterial.quality import OFF, T1_KINDS, Quality, chance_off, names_of, predict, values_of
from experiments.arterial_input.looks import Look

NU = 5.0
RIDGE = 1.0
FOLDS = 10
COVERED = 1.6449
"""Standard deviations that 90 % of a normal variable lie within."""

WARNED = 0.92
"""Share of areas off by more than `OFF` that the limit is to warn of: a little above what is asked for."""

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
    widening = float(np.quantile(np.abs(short - mean) / spread, 0.9) / COVERED)
    chance = chance_off(mean, widening * spread)
    limit = float(np.quantile(chance[is_off(short)], 1 - WARNED))
    whole = fit(values, short, names)
    constant, *rest = whole.log_spread
    return replace(whole, log_spread=(constant + float(np.log(widening)), *rest), warn_above=limit)


def is_off(short: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether a measured area is off by more than `OFF`, of ln(true/measured)."""
    return np.abs(np.expm1(-short)) > OFF


def fit(values: Float[np.ndarray, "n k"], short: Float[np.ndarray, " n"], names: tuple[str, ...]) -> Quality:
    """Coefficients of highest likelihood."""
    low, high = np.percentile(values, RANGE, axis=0)
    inside = np.clip(values, low, high)
    centre, scale = inside.mean(axis=0), inside.std(axis=0)
    design = np.column_stack([np.ones(len(short)), (inside - centre) / scale])
    k = design.shape[1]
    start = np.zeros(2 * k)
    start[k] = np.log(np.std(short))
    found = minimize(_loss, start, args=(design, short), jac=True, method="BFGS").x
    return Quality(
        names, tuple(low.tolist()), tuple(high.tolist()), _unscaled(found[:k], centre, scale),
        _unscaled(found[k:], centre, scale), np.nan,
    )  # fmt: skip


def _loss(coefficients: np.ndarray, design: np.ndarray, short: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative log-likelihood with ridge, and its gradient."""
    mean, log_spread = np.split(coefficients, 2)
    level = design @ log_spread
    u = (short - design @ mean) * np.exp(-level)
    pull = (NU + 1) * u / (NU + u**2)
    penalty = np.concatenate([[0.0], mean[1:], [0.0], log_spread[1:]])
    loss = np.sum((NU + 1) / 2 * np.log1p(u**2 / NU) + level) + RIDGE / 2 * penalty @ penalty
    slope = np.concatenate([-design.T @ (pull * np.exp(-level)), design.T @ (1 - pull * u)])
    return float(loss), slope + RIDGE * penalty


def _unscaled(found: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> tuple[float, ...]:
    """Coefficients of the evidence itself, the constant first."""
    slope = found[1:] / scale
    return (float(found[0] - slope @ centre), *slope.tolist())
