r"""How far a found input is off, from what its voxels tell (`estimate.arterial.evidence`).

Learnt from simulated scenes (`tests/benchmarks/bench_aif.py --fit` writes `quality.json`; provenance inside): the
logarithm of true area over measured area is taken as normal with

    mean  m = k t1 + g (c0 + sum_i c_i z_i),   g = 1 / (1 + exp(-b0 - sum_i b_i z_i)),
    standard deviation  s = exp(d0 + sum_i d_i z_i + d_t |t1|)

of the evidence z on the vessel's shape (width, flat, count, size, purest, attempt): g weighs the correction, so that a
vessel that is surely wide has none. t1 and |t1| count where T1 was measured. All evidence is taken within the range
that the scenes had; where T1 is farther from blood's, what that would do to m adds to s. The curve is multiplied by
e^m, so that it is right in the middle, unless m is small (`CORRECTED`); s is its stated error.
"""

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, ndtr

from estimate.arterial.evidence import Evidence

OFF = 0.2
"""Relative error of an area that a user has to be warned of."""

FILE = Path(__file__).with_name("quality.json")

CORRECTED = (0.07, 0.14)
"""Corrections below the first are not made, from the second on in full (chosen)."""

POPULATION_SPREAD = 0.3
"""Standard deviation of the logarithm of an input's area between patients: of a uniform amplitude of 0.5 to 1.5, which
is what scenes are drawn with (chosen)."""

SHAPE = ("width", "flat", "count", "size", "purest", "attempt")

T1_KINDS = ("measured", "unknown", "blood")
"""What the curves' T1 before contrast was: measured and seen, not known here, set to that of blood."""


@dataclass(frozen=True)
class Quality:
    """names : of the evidence used, `SHAPE` first.      low, high : its range.

    gate, depth : b and c above, the constant first.      slope : k.      log_spread : d, the constant first.
    warn_above : chance of an error over `OFF` above which there is a warning.
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    gate: tuple[float, ...]
    depth: tuple[float, ...]
    slope: float
    log_spread: tuple[float, ...]
    warn_above: float


class Assessment(NamedTuple):
    """factor : on the measured curve.      spread : of the logarithm of its area after that.
    chance : that the measured area is off by more than `OFF`.      warnings : in sentences."""

    factor: float
    spread: float
    chance: float
    warnings: tuple[str, ...]


def assess(evidence: Evidence) -> Assessment:
    """What to do with a curve that was measured, and how far to believe it then."""
    kind = kind_of(evidence)
    quality = qualities()[kind]
    mean, spread = predict(quality, np.array([values_of(evidence, quality.names)]))
    shift, error = float(mean[0]), float(spread[0])
    chance = float(chance_off(mean, spread)[0])
    warnings = _warnings(evidence, quality, shift, error) if chance > quality.warn_above else ()
    return Assessment(math.exp(shift), error, chance, warnings)


def kind_of(evidence: Evidence) -> str:
    if evidence.in_blood:
        return "blood"
    return "unknown" if evidence.t1 is None else "measured"


def names_of(kind: str) -> tuple[str, ...]:
    """Evidence that is used, by kind of T1."""
    return (*SHAPE, "|t1|", "t1") if kind == "measured" else SHAPE


def values_of(evidence: Evidence, names: tuple[str, ...]) -> list[float]:
    known: dict[str, Any] = evidence._asdict() | {"|t1|": abs(evidence.t1 or 0.0)}
    return [float(known[name]) for name in names]


def predict(quality: Quality, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correction and standard deviation (n,) of ln(true/measured area), of evidence (n, names)."""
    inside = np.clip(values, quality.low, quality.high)
    shape = inside[:, : len(SHAPE)]
    mean = expit(_linear(quality.gate, shape)) * _linear(quality.depth, shape)
    spread = np.exp(_linear(quality.log_spread, inside[:, : len(quality.log_spread) - 1]))
    if "t1" in quality.names:
        k = quality.names.index("t1")
        mean = mean + quality.slope * inside[:, k]
        spread = np.hypot(spread, quality.slope * (values[:, k] - inside[:, k]))
    corrected = mean * _worth_while(mean)
    return corrected, np.hypot(spread, mean - corrected)


def _worth_while(mean: np.ndarray) -> np.ndarray:
    """Share of a correction that is made: what scenes were off by on average is no reason to touch a good curve."""
    low, high = CORRECTED
    u = np.clip((np.abs(mean) - low) / (high - low), 0.0, 1.0)
    return u * u * (3 - 2 * u)


def _linear(coefficients: tuple[float, ...], values: np.ndarray) -> np.ndarray:
    return coefficients[0] + values @ np.array(coefficients[1:])


def chance_off(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Probability that the measured area is off by more than `OFF`, given mean and sd of ln(true/measured)."""
    return ndtr((-np.log1p(OFF) - mean) / spread) + ndtr((mean + np.log1p(-OFF)) / spread)


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
    if spread > POPULATION_SPREAD:
        still += ' (`aif="parker"`, the input of a population, varies less between patients)'
    of_t1 = quality.slope * (evidence.t1 or 0.0)
    changed = f"{'raised' if shift > 0 else 'lowered'} by {100 * abs(math.expm1(shift)):.0f} %"
    if abs(of_t1) > abs(shift - of_t1):
        return (
            f"T1 before contrast of the voxels of the arterial input is {math.exp(evidence.t1 or 0.0):.2f} times that "
            f'of blood, so the input was {changed}; {still}. Set their T1 to that of blood (`aif_t1="blood"`).',
        )
    unusual = "No vessel passes the usual limits of an artery's peak and washout. " if evidence.attempt else ""
    return (
        f"{unusual}The vessel of the arterial input looks thin beside its voxels, which it shares with tissue, so the "
        f"input was {changed}; {still}. Give a region in a wider vessel (`aif=roi`) or a curve if there is one.",
    )
