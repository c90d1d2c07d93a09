"""What simulation-based calibration found, as sentences, a table and a summary."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.report.tables import Table
from experiments.studies.calibration.ranks import LEVELS, PLACES, Row, gathered, rows_of
from experiments.studies.shipped import shipped_checksums


def findings(found: dict[str, Any]) -> list[str]:
    """A sentence for each finding, written from the numbers."""
    rows = list(rows_of(found))
    sentences = []
    for tracer, result in found.items():
        for region in PLACES:
            here = [r for r in rows if (r.tracer, r.region) == (tracer, region)]
            if here:
                sentences += _of_the_levels(tracer, region, here)
        here, stated = result["common error"], result["stated common error"]
        words = ", ".join(f"{name} {here[name]:.3f} ({stated[name]:.3f})" for name in stated)
        sentences.append(
            f"{tracer}: what all of a scan's voxels are off by together, sd of the logarithm (delay, ATT: s), here and "
            f"as calibration stated it: {words}."
        )
        sentences.append(_of_the_limits(tracer, result["limits"]))
    return sentences


def _of_the_levels(tracer: str, region: str, rows: Sequence[Row]) -> list[str]:
    """How far shares inside are from what they should be, and where that is no chance."""
    worst = max(rows, key=lambda r: abs(r.mean - r.level))
    off = [r for r in rows if not r.low <= r.level <= r.high]
    narrow, wide = ([r for r in off if (r.mean < r.level) == below] for below in (True, False))
    names = [
        f"{what} for {', '.join(dict.fromkeys(r.quantity for r in some))}"
        for what, some in (("narrow", narrow), ("wide", wide)) if some
    ]  # fmt: skip
    ninety = ", ".join(f"{r.quantity} {100 * r.mean:.0f}" for r in rows if r.level == 0.9)
    levels = ", ".join(f"{100 * level:g}" for level in LEVELS)
    return [
        f"{tracer}, {region} ({rows[0].phantoms} phantoms): 90 % intervals cover {ninety} %; over levels of {levels} % "
        f"the largest miss is {worst.quantity} at {100 * worst.level:g} %: {100 * worst.mean:.0f} %; intervals of some "
        f"level are too {' and too '.join(names) or 'narrow or wide for nothing'} (beyond the 95 % of a bootstrap over "
        "phantoms)."
    ]


def _of_the_limits(tracer: str, limits: dict[str, dict[str, float]]) -> str:
    here = ", ".join(f"{100 * share:.1f} % of scans that are {kind}" for kind, share in limits["here"].items())
    promised = limits["of calibration"]
    return (
        f"{tracer}: marked as unlike the training's are {here} (on calibration's phantoms "
        f"{100 * promised['alarms']:.1f} % of familiar and {100 * promised['found']:.1f} % of unfamiliar ones)."
    )


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Coverage with its interval, mean ranks, common errors and limits, ready for JSON."""
    networks = {"contrast": "QTMnet", "water": "QTMnet-ASL"}
    shipped = shipped_checksums()
    out: dict[str, Any] = {"weights": {networks[tracer]: shipped[networks[tracer]] for tracer in found}}
    rows = list(rows_of(found))
    for tracer, result in found.items():
        quantities: dict[str, Any] = {}
        for region in PLACES:
            for quantity in result["stated common error"]:
                mine = [r for r in rows if (r.tracer, r.region, r.quantity) == (tracer, region, quantity)]
                if mine:
                    counts = np.mean(gathered(result, region, quantity, "counts"), axis=0)
                    quantities.setdefault(quantity, {})[region] = {
                        "coverage": {f"{r.level:g}": [round(x, 4) for x in (r.mean, r.low, r.high)] for r in mine},
                        "ranks": [round(x, 4) for x in counts],
                        "phantoms": mine[0].phantoms,
                    }
        out[tracer] = {
            "quantities": quantities,
            **{name: result[name] for name in ("common error", "stated common error", "limits")},
        }
    return out


def coverage_table(found: dict[str, Any]) -> Table:
    """A line for each level of each quantity."""
    head = ["tracer", "region", "quantity", "level", "inside", "low 95 %", "high 95 %", "phantoms"]
    cells = [
        [
            r.tracer, r.region, r.quantity, f"{r.level:g}", *(f"{x:.3f}" for x in (r.mean, r.low, r.high)),
            str(r.phantoms),
        ] for r in rows_of(found)
    ]  # fmt: skip
    return Table(head, cells)
