r"""How far a found input is off, from what its voxels tell (`estimate.arterial.evidence`).

Learnt from simulated scenes (`tests/benchmarks/bench_aif.py --fit` writes `quality.json`; provenance inside): the
logarithm of true area over measured area is taken as normal,

    mean  m = a0 + sum_i a_i z_i,        standard deviation  s = exp(b0 + sum_i b_i z_i),

of the evidence z (width, width^2, flat, count, size, purest; t1 and |t1| where known), each within the range that the
scenes had. The curve is multiplied by e^m, so that it is right in the middle; s is its stated error. Where T1 is
farther from blood's than any scene's was, the effect of that excess on m adds to s.
"""

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from estimate.arterial.evidence import Evidence

OFF = 0.2
"""Relative error of an area that a user has to be warned of."""

FILE = Path(__file__).with_name("quality.json")

T1_KINDS = ("measured", "unknown", "blood")
"""What the curves' T1 before contrast was: measured and seen, not known here, set to that of blood."""


@dataclass(frozen=True)
class Quality:
    """names : of the evidence used.      low, high : its range.

    mean, log_spread : coefficients, the constant first.      warn_above : chance of an error over `OFF` above which
    there is a warning.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    log_spread: tuple[float, ...]
    warn_above: float


class Verdict(NamedTuple):
    """factor : on the measured curve.      spread : of the logarithm of its area after that.
    chance : that the measured area is off by more than `OFF`.      warnings : in sentences."""

    factor: float
    spread: float
    chance: float
    warnings: tuple[str, ...]


def judge(evidence: Evidence) -> Verdict:
    """What to do with a curve that was measured, and how far to believe it then."""
    kind = kind_of(evidence)
    quality = qualities()[kind]
    mean, spread = predict(quality, np.array([values_of(evidence, quality.names)]))
    shift, error = float(mean[0]), float(spread[0])
    chance = float(chance_off(mean, spread)[0])
    warnings = _warnings(evidence, quality, shift, error) if chance > quality.warn_above else ()
    return Verdict(math.exp(shift), error, chance, warnings)


def kind_of(evidence: Evidence) -> str:
    if evidence.in_blood:
        return "blood"
    return "unknown" if evidence.t1 is None else "measured"


def names_of(kind: str) -> tuple[str, ...]:
    """Evidence that is used, by kind of T1."""
    return ("width", "width^2", "flat", "count", "size", "purest") + (("t1", "|t1|") if kind == "measured" else ())


def values_of(evidence: Evidence, names: tuple[str, ...]) -> list[float]:
    known: dict[str, Any] = evidence._asdict() | {"width^2": evidence.width**2, "|t1|": abs(evidence.t1 or 0.0)}
    return [float(known[name]) for name in names]


def predict(quality: Quality, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (n,) of ln(true/measured area), of evidence (n, names)."""
    low, high = np.array(quality.low), np.array(quality.high)
    inside = np.clip(values, low, high)
    mean = quality.mean[0] + inside @ np.array(quality.mean[1:])
    spread = np.exp(quality.log_spread[0] + inside @ np.array(quality.log_spread[1:]))
    if "t1" in quality.names:
        k = quality.names.index("t1")
        excess = quality.mean[1 + k] * (values[:, k] - inside[:, k])
        mean, spread = mean + excess, np.hypot(spread, excess)
    return mean, spread


def chance_off(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Probability that the measured area is off by more than `OFF`, given mean and sd of ln(true/measured)."""
    return norm.cdf((-np.log1p(OFF) - mean) / spread) + norm.sf((-np.log1p(-OFF) - mean) / spread)


@lru_cache
def qualities() -> dict[str, Quality]:
    """By kind of T1, as they ship."""
    stored = json.loads(FILE.read_text())
    return {kind: Quality(**{k: _tuple(v) for k, v in stored[kind].items()}) for kind in T1_KINDS}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _warnings(evidence: Evidence, quality: Quality, shift: float, spread: float) -> tuple[str, ...]:
    """Why the measured area is likely off, in the order of the causes' size."""
    still = (
        f"nine times in ten its area is then right within a factor of {math.exp(1.645 * spread):.2f}, and so are flow, "
        "permeability and volumes"
    )
    slope = dict(zip(quality.names, quality.mean[1:], strict=True)).get("t1", 0.0)
    of_t1 = slope * (evidence.t1 or 0.0)
    changed = f"{'raised' if shift > 0 else 'lowered'} by {100 * abs(math.expm1(shift)):.0f} %"
    if abs(of_t1) > abs(shift - of_t1):
        return (
            f"T1 before contrast of the voxels of the arterial input is {math.exp(evidence.t1 or 0.0):.2f} times that "
            f"of blood, so the input was {changed}; {still}. Set their T1 to that of blood (--aif-t1 blood).",
        )
    return (
        f"The vessel of the arterial input looks thin beside its voxels, which it shares with tissue, so the input was "
        f"{changed}; {still}. Give a region in a wider vessel (--aif roi.nii.gz) or a curve if there is one.",
    )
