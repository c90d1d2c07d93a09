"""How good the finder is on scenes that it did not learn from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from estimate.arterial.quality import OFF, Quality, chance_off, predict, values_of
from experiments.studies.arterial_input.learning import COVERED, RIGHT, is_off, is_right
from experiments.studies.arterial_input.looks import Look

GROUPS = {
    "with and without a wide artery": ("tree", "wide"),
    "without (the block's own vessels)": ("tree",),
    "with a wide artery": ("wide",),
    "thin straight vessels": ("thin",),
    "all": ("tree", "wide", "thin"),
}


def score(looks: Sequence[Look], quality: Quality) -> dict[str, Any]:
    """By group of scenes, all looks being of one kind of T1; shares are of those that were found.

    off : area as measured wrong by more than `OFF`.      delivered_off : after the correction.
    warned_of_off, warned_of_delivered_off : share of those that have a warning.      false : of those measured within
    `RIGHT`.      covered : true area within 1.645 stated standard deviations.      refused : of all.
    error_* : 10th, 50th, 90th percentile of ln(delivered/true area), ln(measured/true area), ln(peak) and of the
    arrival [s].
    """
    return {name: _score([k for k in looks if k.about["kind"] in kinds], quality) for name, kinds in GROUPS.items()}


def by_voxel(looks: Sequence[Look], quality: Quality) -> dict[str, Any]:
    """The same of scenes with and without a wide artery, by edge of the voxel [mm]."""
    chosen = [look for look in looks if look.about["kind"] != "thin"]
    edges = sorted({look.about["voxel"] for look in chosen})
    return {f"{edge:g} mm": _score([k for k in chosen if k.about["voxel"] == edge], quality) for edge in edges}


def _score(looks: Sequence[Look], quality: Quality) -> dict[str, Any]:
    found = [look for look in looks if look.evidence is not None]
    values = np.array([values_of(look.evidence, quality.names) for look in found if look.evidence is not None])
    short = -np.array([look.log_area for look in found])
    mean, spread = predict(quality, values)
    warned = chance_off(mean, spread) > quality.warn_above
    left = short - mean
    loosened = np.array([look.loosened for look in found])
    right = is_right(short)
    off, delivered_off = is_off(short), is_off(left)
    return {
        "scenes": len(looks),
        "refused": 1 - len(found) / len(looks),
        "off": _share(off),
        "delivered_off": _share(delivered_off),
        "warned_of_off": _share(warned[off]),
        "warned_of_delivered_off": _share(warned[delivered_off]),
        "false": _share(warned[right]),
        "right": _share(right),
        "covered": _share(np.abs(left) < COVERED * spread),
        "stated_spread": _percentiles(spread),
        "found by looser limits": int(loosened.sum()),
        "of those measured off": int(off[loosened].sum()),
        "of those warned of": int(warned[off & loosened].sum()),
        "error_delivered_area": _percentiles(-left),
        "error_measured_area": _percentiles(-short),
        "error_peak": _percentiles(np.array([look.log_peak for look in found]) + mean),
        "error_arrival": _percentiles(np.array([look.arrival for look in found])),
    }


def _share(which: np.ndarray) -> float | None:
    return round(float(np.mean(which)), 4) if which.size else None


def _percentiles(values: np.ndarray) -> list[float]:
    return [round(float(q), 4) for q in np.percentile(values, (10, 50, 90))]


ROWS = (
    ("refused", "refused"),
    (f"area as measured off by > {100 * OFF:.0f} %", "off"),
    ("of those warned of", "warned_of_off"),
    (f"warned of in vain (measured within {100 * RIGHT:.0f} %)", "false"),
    ("delivered area off", "delivered_off"),
    ("of those warned of", "warned_of_delivered_off"),
    ("90 % of the stated error covers", "covered"),
)


def table(scores: dict[str, Any]) -> list[str]:
    """Lines of a Markdown table, a column for each group."""
    lines = ["| | " + " | ".join(scores) + " |", "|---" * (len(scores) + 1) + "|"]
    lines.append("| scenes | " + " | ".join(str(s["scenes"]) for s in scores.values()) + " |")
    for words, key in ROWS:
        cells = ["-" if s[key] is None else f"{s[key]:.3f}" for s in scores.values()]
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    errors = ("stated_spread", "error_measured_area", "error_delivered_area", "error_peak", "error_arrival")
    for key in errors:
        cells = [" / ".join(f"{x:.2f}" for x in s[key]) for s in scores.values()]
        lines.append(f"| {key.replace('_', ' ')}, 10/50/90 % | " + " | ".join(cells) + " |")
    return lines
