"""An attribution laid over an anatomical image."""

from typing import Any

import matplotlib
import numpy as np
from jaxtyping import ArrayLike, Bool, Float, Real
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from classify.attribution.function import check_finite
from classify.attribution.grids import check_one_grid
from experiments.report.figures.scales import MASK_COLOUR, round_ticks
from experiments.report.figures.slices import display_slices, mark_sides, pixel_aspect, representative, slice_titles

_MOST = 6
_WIDTH = 1.9  # inches of a panel
_FAINT = 0.1
"""Of the colour range, below which the image alone is seen."""


def attribution_figure(
    attribution: Real[ArrayLike, "x y z"],
    image: Real[ArrayLike, "..."],
    affine: Any,
    *,
    mask: Bool[ArrayLike, "..."] | None = None,
    unit: str = "logit",
    note: str = "",
) -> Figure:
    """Lay an attribution over an image, on the axial slices that hold most of it.

    Radiological convention. Colours reach to the 99.5th percentile of the magnitudes, on both sides of 0 where there
    are both; the faintest tenth is left out. Where the image has another grid, bring the attribution to it first
    (`classify.resampled`).

    Parameters
    ----------
    attribution : (x, y, z) array
        Finite.
    image : (x, y, z) array
        On the same grid; grey to its 99th percentile.
    affine : (4, 4) array or None
        Of both; without one no side is claimed.
    mask : (x, y, z) bool array, optional
        Outlined, such as the cause.
    unit : str
        Of the attribution.
    note : str
        Set below: the gap of an integrated gradient, the size of a layer's cells.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.

    Raises
    ------
    InputError
        Where the grids differ or the attribution is not finite.
    """
    check_finite("attribution", "", attribution, "mend the attribution")
    for name, other in (("image", image), ("mask", mask)):
        if other is not None:
            check_one_grid(name, np.shape(other), np.shape(attribution))
    parts, grey = (display_slices(np.asarray(each, float), affine) for each in (attribution, image))
    outline = None if mask is None else display_slices(np.asarray(mask, float), affine)
    slices = representative(np.abs(parts).sum(axis=(1, 2)), _MOST)
    aspect, colours = pixel_aspect(affine), _colours(parts)
    height = float(np.clip(_WIDTH * aspect * parts.shape[1] / parts.shape[2], 0.85, 2.6))
    figure = Figure(figsize=(_WIDTH * len(slices) + 0.9, height + 0.6), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(slices), squeeze=False)[0]
    for axes, k, title in zip(panels, slices, slice_titles(slices, np.shape(attribution), affine), strict=True):
        axes.imshow(grey[k], cmap="gray", vmin=0, vmax=_brightest(grey), aspect=aspect, interpolation="nearest")
        axes.imshow(_painted(parts[k], colours), aspect=aspect, interpolation="nearest")
        if outline is not None:
            _outline(axes, outline[k])
        mark_sides(axes, affine)
        axes.set_axis_off()
        axes.set_title(title, fontsize=8.5)
    bar = figure.colorbar(colours, ax=list(panels), ticks=round_ticks(), fraction=0.05, pad=0.01)
    bar.set_label(unit, fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    if note:
        figure.supxlabel(note, fontsize=8)
    return figure


def _colours(parts: Float[np.ndarray, "slices rows columns"]) -> ScalarMappable:
    size = np.abs(parts[parts != 0])
    top = float(np.percentile(size, 99.5)) if size.size else 1.0
    both = bool((parts < 0).any())
    return ScalarMappable(Normalize(-top if both else 0.0, top), matplotlib.colormaps["RdBu_r" if both else "inferno"])


def _painted(parts: Float[np.ndarray, "rows columns"], colours: ScalarMappable) -> np.ndarray:
    """Colours (rows, columns, 4), clear where there is next to nothing."""
    rgba = np.array(colours.to_rgba(parts))
    rgba[..., 3] = np.where(np.abs(parts) > _FAINT * colours.get_clim()[1], 0.7, 0.0)
    return rgba


def _brightest(grey: Float[np.ndarray, "slices rows columns"]) -> float:
    finite = grey[np.isfinite(grey)]
    return max(float(np.percentile(finite, 99)) if finite.size else 1.0, 1e-12)


def _outline(axes: Axes, mask: Float[np.ndarray, "rows columns"]) -> None:
    if 0 < mask.sum() < mask.size and min(mask.shape) > 1:
        axes.contour(mask, levels=[0.5], colors=[MASK_COLOUR], linewidths=1.0)
