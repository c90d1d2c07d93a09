"""What the joint experiment found, as sentences, a table, a picture and a summary."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.report.tables import Table
from experiments.studies.joint_dce_asl.flows import FLOWS, NETWORK
from experiments.studies.joint_dce_asl.scales import PARAMETERS, SCALES
from experiments.studies.joint_dce_asl.scores import Row
from experiments.studies.regions import REGIONS, RIM
from experiments.studies.shipped import shipped_checksums


def _by_case(rows: Sequence[Row]) -> dict[tuple[str, str, str], Row]:
    return {(row.way, row.region, row.parameter): row for row in rows}


def findings(rows: Sequence[Row]) -> list[str]:
    """Sentences written from the numbers."""
    table = _by_case(rows)
    sentences = []
    known = [way for way in SCALES if (way, RIM, "Fp") in table]
    if known:
        words = "; ".join(f"{way} {table[way, RIM, 'Fp'].error:.2f}" for way in known)
        sentences.append(f"QTMnet's median |log error| of Fp in the tumour rim, by the source of the scale: {words}.")
        words = "; ".join(f"{way} {table[way, 'all', 'scale'].error:.2f}" for way in known)
        sentences.append(f"The scale itself is off by |log|: {words}.")
    for region in REGIONS:
        flows, delays = ([table[w, region, p] for w in FLOWS if (w, region, p) in table] for p in ("CBF", "ATT"))
        if flows:
            words = "; ".join(f"{r.way} {r.error:.2f} (bias {r.bias:+.2f})" for r in flows)
            sentences.append(f"CBF in {region}, median |log error|: {words}.")
        if delays:
            words = "; ".join(f"{r.way} {r.error:.2f} s" for r in delays)
            sentences.append(f"ATT in {region}, median |error|: {words}.")
        stated = [r for r in (*flows, *delays) if r.way == NETWORK and np.isfinite(r.coverage)]
        if stated:
            words = " and ".join(f"{100 * r.coverage:.0f} % of {r.parameter}" for r in stated)
            sentences.append(f"In {region} QTMnet's 90 % intervals cover {words}.")
    return sentences


def error_table(rows: Sequence[Row]) -> Table:
    """A line for each way, region and parameter."""
    head = ["way", "region", "parameter", "median |log error| (ATT: s)", "bias", "coverage", "phantoms"]
    cells = [
        [
            r.way, r.region, r.parameter, f"{r.error:.3f}", f"{r.bias:.3f}",
            f"{r.coverage:.3f}" if np.isfinite(r.coverage) else "", str(r.phantoms),
        ] for r in rows
    ]  # fmt: skip
    return Table(head, cells)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """All rows, and the weights that they are of."""
    return {"weights": shipped_checksums(), "rows": [row._asdict() for row in rows]}


def joint_figure(rows: Sequence[Row]) -> Figure:
    """Left: QTMnet's errors by the source of its scale. Right: spin labelling's own errors of CBF by region."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    table = {case: row.error for case, row in _by_case(rows).items()}
    for k, way in enumerate(SCALES):
        heights = [table.get((way, RIM, p), np.nan) for p in PARAMETERS]
        left.bar(np.arange(len(PARAMETERS)) + 0.14 * (k - 2.5), heights, 0.13, label=way)
    left.set_xticks(range(len(PARAMETERS)), PARAMETERS)
    left.set(ylabel="median |log error|", title="QTMnet in the tumour rim, by the source of its scale")
    left.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, -0.32))  # below: it covers no bar
    for k, way in enumerate(FLOWS):
        heights = [table.get((way, r, "CBF"), np.nan) for r in REGIONS]
        right.bar(np.arange(len(REGIONS)) + 0.2 * (k - 1.5), heights, 0.19, label=way)
    right.set_xticks(range(len(REGIONS)), tuple(REGIONS))
    right.set(ylabel="median |log error| of CBF", title="Flow by spin labelling")
    right.legend(fontsize=7, ncols=2, loc="lower center", bbox_to_anchor=(0.5, -0.32))
    return figure
