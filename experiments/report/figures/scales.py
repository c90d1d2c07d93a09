"""How each quantity is drawn: fixed ranges, colours, symbols; and which voxels have something to draw."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool
from matplotlib.ticker import MaxNLocator

from estimate.kinetics.fit import IDENTIFIABLE
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import Maps


class Scale(NamedTuple):
    """How a map is drawn: its range [clinical unit], its colour map, its symbol (mathtext), and how many times as wide
    as usual the range is."""

    low: float
    high: float
    colours: str
    symbol: str
    widened: int = 1

    def label(self, between: str = " ") -> str:
        """The symbol, and that the range is wider, `between` the words."""
        wider = [] if self.widened == 1 else ["range", f"\N{MULTIPLICATION SIGN}{self.widened}"]
        return between.join([self.symbol, *wider])


RANGES = {
    "Fp": Scale(0, 100, "inferno", "$F_p$"),
    "PS": Scale(0, 30, "inferno", "$PS$"),
    "Ktrans": Scale(0, 0.3, "inferno", "$K^{trans}$"),
    "kep": Scale(0, 1.5, "inferno", "$k_{ep}$"),
    "vp": Scale(0, 0.2, "viridis", "$v_p$"),
    "ve": Scale(0, 0.6, "viridis", "$v_e$"),
    "va": Scale(0, 0.2, "viridis", "$v_a$"),
    "E": Scale(0, 1, "viridis", "$E$"),
    "vp_vessels": Scale(0, 0.2, "viridis", "$v_{p,vessels}$"),
    "vp_ve_ratio": Scale(0, 1, "viridis", "$v_p/v_e$"),
    "speed": Scale(0, 10, "plasma", "$|u|$"),
    "delay": Scale(-2, 10, "plasma", "delay"),
    "MTT": Scale(0, 60, "plasma", "MTT"),
    "CBF": Scale(0, 100, "inferno", "CBF"),
    "CBF_GM": Scale(0, 100, "inferno", "CBF$_{GM}$"),
    "CBF_WM": Scale(0, 100, "inferno", "CBF$_{WM}$"),
    "aBV": Scale(0, 0.05, "viridis", "aBV"),
    "ATT": Scale(0, 3, "plasma", "ATT"),
    "aBAT": Scale(0, 3, "plasma", "aBAT"),
    "T10": Scale(0, 3, "plasma", "$T_{10}$"),
    "TTP": Scale(0, 300, "plasma", "TTP"),
    "peak": Scale(0, 1, "viridis", "peak"),
    "IAUC60": Scale(0, 30, "viridis", "IAUC$_{60}$"),
}
"""The same colours mean the same value in every scan, unless the bar says otherwise (`scale_of`). Spans brain and
tumour; arteries exceed it.

Flows and rates, fractions and amounts, and times each have their own perceptually uniform colour map.
"""

STATUS_COLOURS = {  # Okabe & Ito: told apart with any colour vision
    Status.OK: "#009E73",
    Status.NOT_FINITE: "#000000",
    Status.NO_SIGNAL: "#56B4E9",
    Status.SATURATED: "#E69F00",
    Status.NOT_CONVERGED: "#D55E00",
    Status.UNFAMILIAR: "#0072B2",
    Status.AT_BOUND: "#F0E442",
    Status.NOT_IDENTIFIABLE: "#CC79A7",
}

MASK_COLOUR = "#E69F00"
"""Outline of the voxels that were estimated."""

NO_VALUE = "0.78"
"""Neutral grey of voxels without an estimate: in no colour map used here."""


def status_label(flag: Status) -> str:
    """The words that `status_shares` uses for a primary status."""
    return (flag.name or "ok").lower().replace("_", " ")


def round_ticks() -> MaxNLocator:
    """A few ticks at round numbers, so that the ends of the RANGES are among them."""
    return MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])


def shown_names(maps: Maps) -> list[str]:
    """Parameters that have a fixed range, in the order of RANGES; all maps where none has."""
    return [name for name in RANGES if name in maps.values] or list(maps.values)


CROWDED = 0.25
"""Share of voxels beyond the end of a fixed range that makes it too short to show anything."""

_WIDEST = 8
"""Times a fixed range, at most: what exceeds that is not to be shown but to be doubted."""


def scale_of(name: str, values: Any) -> Scale:
    """Fixed scale of a parameter, doubled as often as a map needs that exceeds it in more than `CROWDED` of its voxels,
    which the label then says; for another map (rss, S0, a standard error) percentiles 1 to 99."""
    finite = np.asarray(values, float)[np.isfinite(values)]
    if name in RANGES:
        scale, factor = RANGES[name], 1
        most = float(np.quantile(finite, 1 - CROWDED)) if finite.size else 0.0
        while most > factor * scale.high and factor < _WIDEST:
            factor *= 2
        return scale._replace(high=factor * scale.high, widened=factor)
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    return Scale(float(low), float(high) if high > low else float(low) + 1, "viridis", name)


def estimated_voxels(
    maps: Maps, names: Sequence[str], *, status: Any = None, mask: Any = None
) -> Bool[np.ndarray, "*space"]:
    """Voxels inside the mask, with an estimate by their status, where at least one of the maps is finite."""
    inside = np.any([np.isfinite(maps[name]) for name in names], axis=0)
    if mask is not None:
        inside = inside & np.asarray(mask, bool)
    if status is not None:
        inside = inside & (np.asarray(status) & int(NO_ESTIMATE) == 0)
    return inside


def identified(maps: Maps, name: str) -> Bool[np.ndarray, "*space"]:
    """Voxels whose data determine the parameter: its standard error is below `IDENTIFIABLE` of its value."""
    values = np.asarray(maps[name], float)
    if f"{name}_stderr" not in maps.values:
        return np.isfinite(values)
    return np.asarray(maps[f"{name}_stderr"], float) <= IDENTIFIABLE * np.abs(values)
