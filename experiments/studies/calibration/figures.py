"""Pictures of how a network's stated posterior holds."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.studies.calibration.ranks import BINS, PLACES, gathered

COLUMNS = 4


def rank_figure(found: dict[str, Any]) -> Figure:
    """Histograms of the truth's rank in the stated posterior, mean over phantoms: flat where it holds, a cup where the
    errors are larger than stated, a hill where they are smaller, a slope where values are off to one side."""
    panels = [(tracer, quantity) for tracer, result in found.items() for quantity in result["stated common error"]]
    lines = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.3 * lines), layout="constrained")
    grid = figure.subplots(lines, COLUMNS, squeeze=False, sharex=True)
    middle = (np.arange(BINS) + 0.5) / BINS
    for axes, (tracer, quantity) in zip(grid.ravel(), panels, strict=False):
        axes.axhline(1.0, color="0.6", lw=0.8)
        for k, region in enumerate(PLACES):
            counts = BINS * gathered(found[tracer], region, quantity, "counts")
            if not len(counts):
                continue
            error = counts.std(axis=0) / np.sqrt(len(counts))
            axes.step(
                middle, counts.mean(axis=0), where="mid", color=f"C{k}", label=f"{region}, {len(counts)} phantoms"
            )
            axes.fill_between(
                middle, counts.mean(axis=0) - 2 * error, counts.mean(axis=0) + 2 * error, step="mid", color=f"C{k}",
                alpha=0.2,
            )  # fmt: skip
        axes.set(title=f"{quantity} ({tracer})", ylim=(0, None), xlim=(0, 1))
        axes.title.set_fontsize(9)
    for axes in grid.ravel()[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("rank of the truth")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
    return figure
