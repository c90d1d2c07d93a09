"""Pictures of what the comparison found."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.studies.bootstrap import mean_interval
from experiments.studies.comparison.estimators import AUTOMATIC, EXACT
from experiments.studies.comparison.records import BASE, Comparison
from experiments.studies.comparison.scores import ERROR, MAIN
from experiments.studies.regions import RIM


def base_figure(found: Comparison) -> Figure:
    """Errors of the main parameters in the rim, every estimator, both generators."""
    generators, names = found.generators(), found.estimators()
    figure = Figure(figsize=(15, 0.36 * len(names) + 1.6), layout="constrained")
    panels = figure.subplots(1, len(MAIN), sharey=True)
    for axes, parameter in zip(panels, MAIN, strict=True):
        for k, generator in enumerate(generators):
            values = [mean_interval(found.values(found.of(generator), e, RIM, parameter, ERROR)) for e in names]
            mean, low, high = np.array(values).T
            at = np.arange(len(names)) + 0.3 * (k - 0.5)
            axes.errorbar(mean, at, xerr=[mean - low, high - mean], fmt="os"[k], ms=4, label=generator)
        axes.set(title=parameter, xlabel="median |log error| in the rim", xscale="log")
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[-1].legend(fontsize=8)
    return figure


def sweeps_figure(found: Comparison) -> Figure:
    """Errors over every sweep, for QTMnet and its main rivals."""
    sweeps = [s for s in found.sweeps() if s != BASE]
    figure = Figure(figsize=(13, 2.3 * max(len(sweeps), 1)), layout="constrained")
    panels = figure.subplots(max(len(sweeps), 1), len(MAIN), squeeze=False)
    for row, sweep in zip(panels, sweeps, strict=False):
        for axes, parameter in zip(row, MAIN, strict=True):
            _draw_sweep(axes, found, sweep, parameter)
        row[0].set_ylabel("median |log error|")
    if sweeps:
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    return figure


def _draw_sweep(axes: Axes, found: Comparison, sweep: str, parameter: str) -> None:
    labels = found.labels(sweep)
    for k, estimator in enumerate(("QTMnet", AUTOMATIC, EXACT)):
        for line, generator in zip("-:", found.generators(), strict=False):
            errors = [found.values(found.of(generator, sweep, x), estimator, RIM, parameter, ERROR) for x in labels]
            means = [mean_interval(e).value for e in errors]
            axes.plot(range(len(labels)), means, f"o{line}", ms=3, color=f"C{k}", label=f"{estimator}; {generator}")
    axes.set_xticks(range(len(labels)), labels, fontsize=8)
    axes.set(title=f"{parameter}: {sweep}", ylim=(0, None))
    axes.title.set_fontsize(9)
