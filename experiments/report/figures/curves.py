"""Line plots, histograms and scatter plots of an analysis: pure functions that return a Figure."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.report.figures.motion import correlation_threshold, suspect_frames
from experiments.report.figures.scales import (
    STATUS_COLOURS,
    Scale,
    estimated_voxels,
    identified,
    round_ticks,
    scale_of,
    status_label,
)
from simulate.base.status import Status
from simulate.base.types import Maps
from simulate.base.units import clinical_unit
from simulate.inputs.arterial_input import ArterialInput

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.45"  # Okabe & Ito: told apart with any colour vision
UNSURE = STATUS_COLOURS[Status.NOT_IDENTIFIABLE]
_MOST_LEVELS = 24  # of the truth, each of which gets its own bar
_MOST_POINTS = 5000  # a scatter of more hides its own density and takes seconds to draw


@dataclass(frozen=True)
class TypicalVoxel:
    """A voxel chosen to show how well the model describes the measurement.

    index : voxel in the array as stored.      label : why it was chosen, e.g. "median Ktrans".
    times : (t,) [s].      measured, fitted : (t,) concentration [mmol/L]; fitted is None without a model curve.
    text : parameters +- standard errors with their units.
    """

    index: tuple[int, ...]
    label: str
    times: Any
    measured: Any
    fitted: Any
    text: str


def significant(value: Any, digits: int = 3) -> str:
    """A number in plain notation with at least `digits` significant digits; a dash where it is not finite."""
    value = float(value)
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    if decimals > 6:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, decimals)}f}"


def aif_figure(aif: ArterialInput, *, series_times: Any = None, truth: ArterialInput | None = None) -> Figure:
    """Arterial input: plasma concentration [mmol/L] against time [s].

    Parameters
    ----------
    aif : ArterialInput
        What was used.
    series_times : (t,) array [s]
        Frames of the series, as ticks below.
    truth : ArterialInput
        The true input, drawn behind.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.
    """
    figure = _figure(7.2, 3.0)
    axes = _axes(figure.add_subplot(), "time [s]", "plasma concentration [mmol/L]")
    if truth is not None:
        axes.plot(np.asarray(truth.times), np.asarray(truth.curve), color=GREY, linewidth=1.2, label="truth")
    axes.plot(
        np.asarray(aif.times), np.asarray(aif.curve), ".-", color=ORANGE, linewidth=1.5, markersize=4, label=aif.source
    )  # fmt: skip
    if series_times is not None:
        frames = np.asarray(series_times)
        axes.plot(
            frames, np.full(frames.shape, 0.02), "|", transform=axes.get_xaxis_transform(),
            color=GREY, markersize=6, label="frames of the series",
        )  # fmt: skip
    axes.legend(frameon=False, fontsize=9)
    return figure


def fit_figure(voxels: list[TypicalVoxel]) -> Figure:
    """Measured points, fitted line and, below, the residuals of each voxel; three a row, four in two rows."""
    columns, rows = _grid(len(voxels), 2 if len(voxels) == 4 else 3)
    figure = _figure(3.6 * columns, 3.9 * rows)
    panels = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=(3, 1) * rows)
    pairs = panels.reshape(rows, 2, columns).swapaxes(1, 2).reshape(-1, 2)
    for k, (above, below) in enumerate(pairs):
        if k < len(voxels):
            _fit(above, below, voxels[k], named=k % columns == 0)
        else:
            above.remove()
            below.remove()
    return figure


def histogram_figure(maps: Maps, names: Sequence[str], mask: Any = None) -> Figure:
    """Histogram of each map inside the mask, with its median; the end bins hold what lies beyond."""
    columns, rows = _grid(len(names), 4)
    figure = _figure(2.7 * columns, 2.2 * rows)
    for k, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, k + 1)
        inside = estimated_voxels(maps, [name], mask=mask)
        _histogram(axes, name, np.asarray(maps[name], float)[inside])
    return figure


def status_figure(shares: dict[str, float]) -> Figure:
    """Share of the estimated voxels by primary status, as `status_shares` gives it."""
    figure = _figure(7.2, 0.5 + 0.27 * len(shares))
    axes = _axes(figure.add_subplot(), "share of voxels [%]", "")
    colours = {status_label(flag): colour for flag, colour in STATUS_COLOURS.items()}
    names, percent = list(shares), [100 * share for share in shares.values()]
    bars = axes.barh(names, percent, color=[colours.get(name, GREY) for name in names], height=0.7)
    axes.bar_label(bars, [f"{value:.1f} %" for value in percent], padding=4, fontsize=9)
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 20))
    axes.spines["bottom"].set_bounds(0, 100)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    return figure


def motion_figure(times: Any, correlation: Float[np.ndarray, " t"]) -> Figure:
    """Correlation of each frame with the one before; frames under `correlation_threshold` are circled."""
    times = np.asarray(times)
    figure = _figure(7.2, 2.8)
    axes = _axes(figure.add_subplot(), "time [s]", "correlation with\nthe previous frame")
    axes.plot(times, correlation, ".-", color=BLUE, linewidth=1.2, markersize=4, label="frames")
    threshold = correlation_threshold(correlation)
    if np.isfinite(threshold).any():
        axes.plot(times, threshold, color=GREY, linewidth=1, linestyle="--", label="suspect below")
    measured = correlation[np.isfinite(correlation)]
    lowest = float(np.min(measured)) if measured.size else 0.0
    axes.set_ylim(lowest - 0.1 * (1 - lowest) - 1e-6, 1 + 0.1 * (1 - lowest) + 1e-6)
    suspect = np.flatnonzero(suspect_frames(correlation))
    if suspect.size:
        heights = np.nan_to_num(correlation[suspect], nan=lowest)
        axes.plot(times[suspect], heights, "o", color=ORANGE, markersize=7, fillstyle="none", label="suspect")
    axes.legend(frameon=False, fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def scatter_truth_figure(estimate: Maps, truth: Maps, names: Sequence[str]) -> Figure:
    """Estimate against truth per voxel with the line of identity; points beyond the range lie on its edge.

    Voxels whose data do not determine the parameter are set apart by colour. Bars span the 5th to the 95th percentile
    of the others around their median, for each true value (or tenth of the range).

    Parameters
    ----------
    estimate : Maps
        In clinical units, with NAME_stderr where it is known.
    truth : Maps
        On the same grid.
    names : sequence of str
        Which parameters, a panel each.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.
    """
    columns, rows = _grid(len(names), 4)
    figure = _figure(2.7 * columns, 2.9 * rows)
    for k, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, k + 1)
        sure = identified(estimate, name)
        _scatter(axes, name, np.ravel(estimate[name]), np.ravel(truth[name]), np.ravel(sure))
    return figure


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.09, h_pad=0.09)
    FigureCanvasAgg(figure)
    return figure


def _grid(count: int, columns: int) -> tuple[int, int]:
    """Columns and rows for `count` panels."""
    columns = max(1, min(count, columns))
    return columns, max(1, math.ceil(count / columns))


def _axes(axes: Axes, x: str, y: str) -> Axes:
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    axes.tick_params(labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _fit(above: Axes, below: Axes, voxel: TypicalVoxel, *, named: bool) -> None:
    """Curve and residuals of one voxel; `named` writes the axis labels and the legend."""
    times, measured = np.asarray(voxel.times), np.asarray(voxel.measured)
    _axes(above, "", "concentration [mmol/L]" if named else "")
    above.plot(times, measured, ".", color=GREY, markersize=4, label="measured")
    lines = [part for line in voxel.text.splitlines() for part in _wrapped(line)]
    where = ", ".join(str(i) for i in voxel.index)
    above.set_title(f"{voxel.label} [{where}]", fontsize=10, fontweight="bold", pad=7 + 11.5 * len(lines))
    above.text(0.5, 1.03, "\n".join(lines), transform=above.transAxes, fontsize=8, ha="center", va="bottom")
    if voxel.fitted is None:  # nothing to subtract: the curve stands alone
        above.set_xlabel("time [s]")
        below.remove()
    else:
        fitted = np.asarray(voxel.fitted)
        above.plot(times, fitted, color=BLUE, linewidth=1.8, label="fitted")
        above.tick_params(labelbottom=False)
        _axes(below, "time [s]", "residual" if named else "")
        below.axhline(0, color=BLUE, linewidth=1)
        below.plot(times, measured - fitted, ".", color=GREY, markersize=3)
        below.set_xlim(above.get_xlim())
    if named:
        above.legend(frameon=False, fontsize=8.5)


def _wrapped(line: str, width: int = 50) -> list[str]:
    """Break a list after commas only, so that no number is parted from its name or unit."""
    glued = line.replace(" ", "\N{NO-BREAK SPACE}").replace(",\N{NO-BREAK SPACE}", ", ")
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in textwrap.wrap(glued, width)]


def _histogram(axes: Axes, name: str, values: np.ndarray) -> None:
    scale = scale_of(name, values)
    _axes(axes, f"{scale.label()} [{clinical_unit(name)}]", "")
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(round_ticks())
    axes.set_xlim(scale.low, scale.high)
    if values.size == 0:
        axes.text(0.5, 0.5, "no estimate", transform=axes.transAxes, ha="center", fontsize=9, color=GREY)
        return
    limits = (scale.low, scale.high)
    axes.hist(np.clip(values, *limits), bins=40, range=limits, color=BLUE, alpha=0.8)
    median = np.median(values)
    axes.axvline(float(np.clip(median, *limits)), color=ORANGE, linewidth=1.8)
    axes.set_title(f"median {significant(median)}", fontsize=9, color=ORANGE)


def _scatter(axes: Axes, name: str, estimate: Any, truth: Any, sure: Bool[np.ndarray, " v"]) -> None:
    estimate, truth = np.asarray(estimate, float), np.asarray(truth, float)
    both = np.isfinite(estimate) & np.isfinite(truth)
    estimate, truth, sure = estimate[both], truth[both], sure[both]
    scale = scale_of(name, truth)
    unit = clinical_unit(name)
    _axes(axes, f"true {scale.symbol} [{unit}]", f"estimated {scale.symbol}")
    axes.set(xlim=(scale.low, scale.high), ylim=(scale.low, scale.high), box_aspect=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(round_ticks())
    axes.plot([scale.low, scale.high], [scale.low, scale.high], color=GREY, linewidth=1, zorder=1)
    if estimate.size == 0:
        return
    # at random: a regular stride would pick out one row or slice of the image
    drawn = np.random.default_rng(0).permutation(estimate.size)[:_MOST_POINTS]
    x, y = (np.clip(a[drawn], scale.low, scale.high) for a in (truth, estimate))
    colours = np.where(sure[drawn], BLUE, UNSURE)
    axes.scatter(x, y, s=3, c=colours, alpha=0.4, linewidths=0, clip_on=False)
    _spread_bars(axes, estimate[sure], truth[sure], scale)
    axes.set_title(_agreement(estimate[sure] - truth[sure], float(np.mean(~sure))), fontsize=9)


def _spread_bars(axes: Axes, estimate: np.ndarray, truth: np.ndarray, scale: Scale) -> None:
    """Median and 5th to 95th percentile of the estimates for each true value, or tenth of the range."""
    levels, group = np.unique(truth, return_inverse=True)
    if levels.size > _MOST_LEVELS:
        group = np.floor(10 * (truth - scale.low) / (scale.high - scale.low))
    for k in np.unique(group):
        low, middle, high = np.percentile(estimate[group == k], (5, 50, 95))
        ends = np.clip((low, high), scale.low, scale.high)
        where = float(np.median(truth[group == k]))
        axes.plot([where, where], ends, color="black", linewidth=1.2, zorder=3)
        axes.plot(where, middle, "o", color="black", markersize=3, zorder=3)


def _agreement(error: np.ndarray, unsure: float) -> str:
    """Bias and spread of the identified voxels, and the share of the others."""
    words = f"{100 * unsure:.1f} % not identifiable"
    if error.size:
        bias, rmse = (significant(value, 2) for value in (np.mean(error), np.sqrt(np.mean(error**2))))
        words = f"bias {bias}, RMSE {rmse}\n{words}"
    return words.replace("-", "−")
