"""ASL in pictures: differences of control and label as measured, label on its way through a phantom."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from estimate.asl.quantify import ASLEstimate
from experiments.report.figures.maps import maps_figure
from simulate.examinations.asl import ASLSimulation
from simulate.scanner.measurement import PROTON_DENSITY


def differences_figure(found: ASLEstimate, inside: np.ndarray) -> Figure:
    """Control minus label at every delay with the standard error of its repeats, and its distribution over voxels.

    Parameters
    ----------
    found : ASLEstimate
        From `quantify` or `estimate_asl`.
    inside : (x, y, z) bool array
        Voxels to look at.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.
    """
    measured = found.differences
    values, variance = measured.value[inside], measured.variance[inside]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = measured.post_label_delay
    middle = np.nanmedian(values, axis=0)
    scatter = np.sqrt(np.nanmedian(variance, axis=0)) if np.isfinite(variance).any() else np.full(len(x), np.nan)
    left.errorbar(x, middle, yerr=np.where(np.isfinite(scatter), scatter, 0.0), fmt="o", capsize=3)
    left.axhline(0, color="0.5", lw=0.8)
    name = "inversion time" if found.protocol.labelling == "pasl" else "post-label delay"
    left.set(xlabel=f"{name} [s]", ylabel="median difference [signal]", title="Bars: standard error within a voxel")
    mean = np.nanmean(values, axis=1)
    low, high = np.nanpercentile(mean, (0.5, 99.5))
    right.hist(np.clip(mean, low, high), bins=80, color="0.4")
    right.axvline(0, color="C3", lw=1)
    right.set(xlabel="mean difference of a voxel [signal]", ylabel="voxels", title="Left of the line: negative")
    return figure


def examination_figures(simulation: ASLSimulation) -> dict[str, Figure]:
    """truth : CBF, ATT and aBV.      label : the noise-free difference in the middle slice at every delay."""
    truth = simulation.truth
    return {
        "truth": maps_figure(truth, mask=np.asarray(truth["CBF"]) > 0),
        "label": _label_figure(simulation),
    }


def _label_figure(simulation: ASLSimulation) -> Figure:
    protocol = simulation.protocol
    kinds, delays = np.asarray(protocol.volume_types), np.asarray(protocol.post_label_delay)
    _, first = np.unique(np.where(kinds == "label", delays, -1.0), return_index=True)
    shown = [k for k in first if kinds[k] == "label"][:8]
    slices = np.asarray(simulation.difference)
    middle = 100 * slices[:, :, slices.shape[2] // 2][..., shown] / PROTON_DENSITY
    high = max(float(np.nanpercentile(middle, 99.5)), 1e-6)
    figure = Figure(figsize=(2.2 * len(shown) + 1, 2.7), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    colours = ScalarMappable(Normalize(0, high), "inferno")
    for axes, k, number in zip(panels, shown, range(len(shown)), strict=True):
        axes.imshow(colours.to_rgba(middle[..., number].T), origin="lower", interpolation="nearest")
        axes.set(title=f"{'TI' if protocol.labelling == 'pasl' else 'PLD'} {delays[k]:g} s", xticks=[], yticks=[])
    figure.colorbar(colours, ax=list(panels), label="control - label [% of M0]")
    return figure
