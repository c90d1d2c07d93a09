"""Parameter maps as a radiologist expects them: axial, radiological convention, fixed colour ranges."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize
from matplotlib.figure import Figure

from estimate.kinetics.fit import IDENTIFIABLE
from experiments.report.figures.scales import (
    NO_VALUE,
    STATUS_COLOURS,
    Scale,
    estimated_voxels,
    round_ticks,
    scale_of,
    shown_names,
    status_label,
)
from experiments.report.figures.slices import display_slices, mark_sides, pixel_aspect, representative, slice_titles
from simulate.base.status import Status, primary_status
from simulate.base.types import Maps
from simulate.base.units import clinical_unit


def maps_figure(
    maps: Maps,
    *,
    names: Sequence[str] | None = None,
    status: Any = None,
    mask: Any = None,
    truth: Maps | None = None,
) -> Figure:
    """Parameter maps, one row each over representative slices; with `truth`, one slice beside the truth.

    Radiological convention, fixed colour ranges. The comparison also shows the standard error that the fit states,
    where the maps hold NAME_stderr.

    Parameters
    ----------
    maps : Maps
        In clinical units.
    names : sequence of str
        Which to draw; those with a fixed range by default.
    status : (...) int array
        Bits of `Status`; voxels without an estimate turn grey and a row of the status is added.
    mask : (...) bool array
        Voxels to show.
    truth : Maps
        On the same grid, to compare with; only parameters that both have are drawn.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.
    """
    names = list(names) if names is not None else shown_names(maps)
    if truth is not None:
        names = [name for name in names if name in truth.values]
    estimated = estimated_voxels(maps, names, status=status, mask=mask)
    view = _View.of(estimated, maps.affine, most=6 if truth is None else 1)
    if truth is not None:
        return _draw([_comparison_row(name, maps, truth, estimated, view) for name in names], view)
    rows = [_map_row(name, maps[name], estimated, view) for name in names]
    if status is not None:
        rows.append(_status_row(status, mask, view))
    return _draw(rows, view)


@dataclass(frozen=True)
class _View:
    """Which part of a volume is drawn: a few slices, cropped to the estimated voxels."""

    affine: Any
    slices: list[int]
    rows: slice
    columns: slice

    @classmethod
    def of(cls, estimated: Bool[np.ndarray, "*space"], affine: Any, *, most: int) -> "_View":
        shown = display_slices(estimated, affine)
        rows, columns = (_extent(np.any(shown, axis=axes)) for axes in ((0, 2), (0, 1)))
        return cls(affine, representative(shown.sum((1, 2)), most), rows, columns)

    def images(self, volume: Any) -> list[np.ndarray]:
        shown = display_slices(volume, self.affine)
        return [shown[k, self.rows, self.columns] for k in self.slices]

    def titles(self, shape: tuple[int, ...]) -> list[str]:
        return slice_titles(self.slices, shape, self.affine)


def _extent(occupied: np.ndarray, margin: int = 3) -> slice:
    where = np.flatnonzero(occupied)
    if where.size == 0:
        return slice(None)
    return slice(max(0, int(where[0]) - margin), int(where[-1]) + 1 + margin)


class _Group(NamedTuple):
    """Images that share a colour bar."""

    images: list[np.ndarray]
    titles: list[str]
    colours: ScalarMappable
    unit: str
    ticks: dict[float, str] | None = None


class _Row(NamedTuple):
    label: str
    groups: list[_Group]


def _map_row(name: str, values: Any, estimated: np.ndarray, view: _View) -> _Row:
    scale = scale_of(name, np.asarray(values)[estimated])
    images = view.images(_only(values, estimated))
    return _Row(scale.label("\n"), [_Group(images, view.titles(estimated.shape), _colours(scale), clinical_unit(name))])


_STEPS = (0.0, 5.0, 10.0, 20.0, 100 * IDENTIFIABLE, 100.0)  # % of the estimate


def _comparison_row(name: str, maps: Maps, truth: Maps, estimated: np.ndarray, view: _View) -> _Row:
    scale = scale_of(name, np.asarray(maps[name])[estimated])
    estimate, true = _only(maps[name], estimated), _only(truth[name], estimated)
    images = [image for volume in (estimate, true) for image in view.images(volume)]
    titles = [f"{kind}, {title}" for kind in ("estimate", "truth") for title in view.titles(estimated.shape)]
    quarter = (scale.high - scale.low) / 4  # an error of the whole range needs no fine shades
    differences = _colours(Scale(-quarter, quarter, "RdBu_r", scale.symbol))
    groups = [
        _Group(images, titles, _colours(scale), clinical_unit(name)),
        _Group(view.images(estimate - true), ["estimate − truth"], differences, clinical_unit(name)),
    ]
    if f"{name}_stderr" in maps.values:
        groups.append(_uncertainty(estimate, maps[f"{name}_stderr"], view))
    return _Row(scale.label("\n"), groups)


def _uncertainty(estimate: np.ndarray, stderr: Any, view: _View) -> _Group:
    """The standard error that the fit itself states; without one the data say nothing."""
    percent = 100 * np.asarray(stderr, float) / np.abs(np.where(estimate == 0, np.nan, estimate))
    percent = np.where(np.isfinite(estimate) & ~(percent < _STEPS[-1]), _STEPS[-1], percent)
    shades = matplotlib.colormaps["YlGn_r"](np.linspace(0.1, 0.8, len(_STEPS) - 2))
    unsure = STATUS_COLOURS[Status.NOT_IDENTIFIABLE]
    palette = ListedColormap([*shades, unsure]).with_extremes(bad=NO_VALUE, over=unsure)
    colours = ScalarMappable(BoundaryNorm(_STEPS, palette.N), palette)
    ticks = {step: f"{step:.0f}" for step in _STEPS[:-1]}
    return _Group(view.images(percent), ["stated standard error"], colours, "% of estimate", ticks)


def _status_row(status: Any, mask: Any, view: _View) -> _Row:
    primary = primary_status(np.asarray(status))
    code = np.full(primary.shape, np.nan)
    for k, flag in enumerate(STATUS_COLOURS):
        code[primary == int(flag)] = k
    inside = primary != int(Status.OUTSIDE)
    if mask is not None:
        inside &= np.asarray(mask, bool)
    palette = ListedColormap(list(STATUS_COLOURS.values())).with_extremes(bad=NO_VALUE)
    edges = np.arange(len(STATUS_COLOURS) + 1) - 0.5
    ticks = {float(k): status_label(flag) for k, flag in enumerate(STATUS_COLOURS)}
    colours = ScalarMappable(BoundaryNorm(edges, len(STATUS_COLOURS)), palette)
    images, titles = view.images(_only(code, inside)), view.titles(code.shape)
    return _Row("status", [_Group(images, titles, colours, "", ticks)])


def _only(values: Any, where: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    return np.where(where & np.isfinite(values), values, np.nan)


def _colours(scale: Scale) -> ScalarMappable:
    palette = matplotlib.colormaps[scale.colours].with_extremes(bad=NO_VALUE)
    return ScalarMappable(Normalize(scale.low, scale.high), palette)


_LABEL, _BAR, _TICKS, _GAP, _TITLE = 0.75, 0.11, 0.85, 0.06, 0.25  # inches


def _draw(rows: list[_Row], view: _View) -> Figure:
    """Lay the panels out in inches, so that every figure has the same fonts and gaps."""
    width, height = _panel_size(rows[0], view)
    bar_space = _BAR + _TICKS
    total_width = _LABEL + sum(len(g.images) * (width + _GAP) + bar_space for g in rows[0].groups)
    total_height = _TITLE + len(rows) * (height + _GAP) + _GAP
    figure = Figure(figsize=(total_width, total_height), facecolor="white")
    FigureCanvasAgg(figure)

    def axes(x: float, y: float, w: float, h: float) -> Axes:
        return figure.add_axes((x / total_width, y / total_height, w / total_width, h / total_height))

    for k, row in enumerate(rows):
        bottom = total_height - _TITLE - (k + 1) * (height + _GAP) + _GAP
        middle = (bottom + height / 2) / total_height
        figure.text(0.1 / total_width, middle, row.label, fontsize=12, va="center", ha="left")
        x = _LABEL
        for group in row.groups:
            for image, title in zip(group.images, group.titles, strict=True):
                panel = axes(x, bottom, width, height)
                _image(panel, image, group.colours, view)
                if k == 0:
                    panel.set_title(title, fontsize=8.5, pad=3)
                x += width + _GAP
            _colour_bar(figure, axes(x, bottom + 0.04, _BAR, height - 0.08), group)
            x += bar_space
    return figure


def _panel_size(row: _Row, view: _View) -> tuple[float, float]:
    """Width and height [inch] of a panel: larger where there are few, with room for the bar's labels."""
    lines, columns = row.groups[0].images[0].shape
    width = float(np.clip(8.4 / sum(len(group.images) for group in row.groups), 1.35, 2.0))
    return width, float(np.clip(width * pixel_aspect(view.affine) * lines / columns, 0.85, 2.4))


def _image(axes: Axes, image: np.ndarray, colours: ScalarMappable, view: _View) -> None:
    shown = colours.to_rgba(np.ma.masked_invalid(image))
    axes.imshow(shown, aspect=pixel_aspect(view.affine), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    mark_sides(axes, view.affine)


def _colour_bar(figure: Figure, axes: Axes, group: _Group) -> None:
    bar = figure.colorbar(group.colours, cax=axes)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    if group.ticks is not None:
        bar.set_ticks(list(group.ticks), labels=list(group.ticks.values()))
        bar.minorticks_off()
    else:
        bar.locator = round_ticks()
    words = not group.unit  # names of colours need more room than numbers
    axes.tick_params(labelsize=6 if words else 7.5, length=0 if words else 2, pad=2)
    bar.set_label(group.unit, fontsize=8)
    axes.yaxis.set_label_coords(0.57 / _BAR, 0.5)  # in line from row to row, whatever the numbers' width
