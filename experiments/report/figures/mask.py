"""Which voxels were estimated, outlined on the images."""

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.report.figures.scales import MASK_COLOUR
from experiments.report.figures.slices import display_slices, pixel_aspect

_MOST = 6
_WIDTH = 1.9  # inches of a panel


def mask_figure(image: Any, mask: Any, affine: Any) -> Figure:
    """The mask's outline (*space) on an image of the same grid, on axial slices from the lowest to the highest.

    Grey runs from 0 to the 99th percentile of the image; radiological convention as in the maps.
    """
    shown, inside = display_slices(np.asarray(image, float), affine), display_slices(np.asarray(mask, float), affine)
    slices = np.unique(np.linspace(0, len(shown) - 1, min(_MOST, len(shown))).round().astype(int))
    aspect = pixel_aspect(affine)
    height = float(np.clip(_WIDTH * aspect * shown.shape[1] / shown.shape[2], 0.85, 2.6))
    figure = Figure(figsize=(_WIDTH * len(slices) + 0.2, height + 0.35), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    finite = shown[np.isfinite(shown)]
    top = float(np.percentile(finite, 99)) if finite.size else 1.0
    for axes, k in zip(figure.subplots(1, len(slices), squeeze=False)[0], slices, strict=True):
        axes.imshow(shown[k], cmap="gray", vmin=0, vmax=max(top, 1e-12), aspect=aspect, interpolation="nearest")
        if 0 < inside[k].sum() < inside[k].size and min(inside[k].shape) > 1:
            axes.contour(inside[k], levels=[0.5], colors=[MASK_COLOUR], linewidths=1.0)
        axes.set_axis_off()
        axes.set_title(f"{100 * inside[k].mean():.0f} % inside", fontsize=8)
    return figure
