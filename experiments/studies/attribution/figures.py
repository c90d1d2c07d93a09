"""Pictures of where attributions point."""

import numpy as np
from matplotlib.figure import Figure

from experiments.studies.attribution.explained import CHAIN, FRAMES, MAPS, METHODS
from experiments.studies.attribution.heads import HEADS
from experiments.studies.attribution.measured import ESTIMATORS
from experiments.studies.attribution.patients import RULES
from experiments.studies.attribution.rows import Found, values


def scores_figure(found: Found) -> Figure:
    """AUC of the rim against tissue outside the tumour: every patient a dot, by method; a panel for each estimator and
    head, filled by frames, open by maps."""
    figure = Figure(figsize=(3.6 * len(HEADS), 2.9 * len(ESTIMATORS)), layout="constrained")
    grid = figure.subplots(len(ESTIMATORS), len(HEADS), squeeze=False, sharey=True)
    for line, estimator in zip(grid, ESTIMATORS, strict=True):
        for axes, head in zip(line, HEADS, strict=True):
            axes.axhline(0.5, color="0.6", lw=0.8)
            for k, rule in enumerate(RULES):
                for m, method in enumerate(METHODS):
                    for level, filled in ((FRAMES, True), (MAPS, False)):
                        x = values(found.of(rule, estimator, head), "auc", level, method)
                        place = m + 0.2 * (k - 0.5) + (0.0 if filled else 0.08)
                        axes.plot(
                            np.full(len(x), place), x, "o", ms=3, color=f"C{k}",
                            mfc=f"C{k}" if filled else "none", alpha=0.7,
                            label=f"rule on {rule}" if filled and method == CHAIN else None,
                        )  # fmt: skip
            axes.set_xticks(range(len(METHODS)), METHODS, rotation=20, fontsize=7)
            axes.set_xlim(-0.3, len(METHODS) - 0.7)
            axes.set_title(f"{estimator}, {head}", fontsize=9)
    for axes in grid[:, 0]:
        axes.set_ylabel("AUC of the rim")
    for level, face in (("by frames", "0.4"), ("by maps", "none")):
        grid[0, 0].plot([], [], "o", ms=3, color="0.4", mfc=face, label=level)
    grid[0, 0].legend(fontsize=7, loc="lower right")
    return figure
