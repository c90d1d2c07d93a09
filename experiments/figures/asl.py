"""Differences of control and label, as measured."""

import numpy as np
from matplotlib.figure import Figure

from estimate.asl.quantify import ASLEstimate


def differences_figure(found: ASLEstimate, inside: np.ndarray) -> Figure:
    """Mean over the mask at every delay with the standard error of its repeats; distribution over voxels."""
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
