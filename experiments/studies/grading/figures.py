"""The grading study in one picture: areas under the curve by row and parameter, with what chance alone gives."""

from matplotlib.figure import Figure

from experiments.studies.grading.estimates import PARAMETERS, ROWS
from experiments.studies.grading.tables import QUESTION, Found

COLOURS = {"truth": "black", "2CXM": "#d95f02", "{2CXM": "#e6ab02", "QTMnet": "#1b9e77", "ASL": "#7570b3"}


def areas_figure(found: Found) -> Figure:
    """A panel for each parameter, a line for each row; bars are 95 % limits, grey is chance."""
    rows = [row for row in ROWS if any(found.area(row, name) for name in PARAMETERS)]
    figure = Figure(figsize=(13, 0.42 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots(1, len(PARAMETERS), sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, PARAMETERS, strict=True):
        ax.axvspan(0.0, 0.5, color="0.93", lw=0)
        ax.axvline(0.5, color="0.6", lw=0.8)
        for height, row in enumerate(rows):
            area = found.area(row, name)
            if area is None:
                continue
            colour = COLOURS.get(row.split(",")[0].split(" ")[0], "0.4")
            ax.plot([area.low, area.high], [height, height], color=colour, lw=2)
            ax.plot(area.auc, height, "o", color=colour, ms=5)
        ax.set_xlim(0.2, 1.0)
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("AUC")
        ax.set_yticks(range(len(rows)), rows)
        ax.set_ylim(len(rows) - 0.5, -0.5)
    figure.suptitle(f"WHO grade {QUESTION}: median over the solid part, higher called worse; 95 % limits", fontsize=11)
    return figure
