"""Pictures of a simulated examination: vessels, truth, frames, curves of single voxels, where the tracer is."""

from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from experiments.report.figures.maps import maps_figure
from experiments.report.figures.slices import display_slices
from simulate.base.units import PASCAL_PER_MMHG, clinical_unit
from simulate.bed.motion import arrival_times
from simulate.examinations.dce import Simulation
from simulate.phantoms.priors import Region
from simulate.vessels.tree import Tree

TRUTH = ("Fp", "PS", "vp", "ve", "Ktrans", "vp_vessels", "delay", "dispersion", "through_flow", "speed", "T10")
_MOST_VESSELS = 6000  # the widest; more only blacken the picture and take minutes to draw


def simulation_figures(simulation: Simulation) -> dict[str, Figure]:
    """The whole set by name: vessels, truth, frames, curves, ledger."""
    return {
        "vessels": vessels_figure(simulation),
        "truth": truth_figure(simulation),
        "frames": frames_figure(simulation),
        "curves": curves_figure(simulation),
        "ledger": ledger_figure(simulation),
    }


def vessels_figure(simulation: Simulation) -> Figure:
    """Arteries and veins in three dimensions, coloured by pressure and by the time since the inlet.

    Parameters
    ----------
    simulation : Simulation
        From `simulate_dce`.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.
    """
    bed = simulation.perfused.bed
    trees = (("arteries", bed.vessels.arteries, bed.flow.arteries), ("veins", bed.vessels.veins, bed.flow.veins))
    arterial, venous = arrival_times(bed)
    figure = Figure(figsize=(14, 12), layout="constrained")
    for row, (quantity, unit, colours) in enumerate(
        (("pressure over the root", "mmHg", "inferno"), ("time since the inlet", "s", "viridis"))
    ):
        for column, (name, tree, flow) in enumerate(trees):
            axes: Any = figure.add_subplot(2, 2, 2 * row + column + 1, projection="3d")
            values = np.asarray(flow.pressure) / PASCAL_PER_MMHG if row == 0 else (arterial, venous)[column]
            shades = _draw_tree(axes, tree, values, colours)
            axes.set_title(f"{name}: {quantity}")
            figure.colorbar(shades, ax=axes, shrink=0.6, label=f"{quantity} [{unit}]")
    return figure


def _draw_tree(axes: Any, tree: Tree, values: Any, colours: str) -> ScalarMappable:
    """Every vessel as a line as wide as it is; the colour range leaves out the outer hundredths."""
    nodes = 1 + np.argsort(tree.radius[1:])[::-1][:_MOST_VESSELS]
    low, high = np.percentile(values[1:], (1, 99))
    shades = ScalarMappable(Normalize(low, max(high, low + 1e-9)), colours)
    ends = np.stack([tree.position[tree.parent[nodes]], tree.position[nodes]], axis=1)
    width = np.clip(3.0 * tree.radius[nodes] / tree.radius[1] * 2, 0.25, 6)
    axes.add_collection(Line3DCollection(ends, colors=shades.to_rgba(values[nodes]), linewidths=width))
    for axis, (a, b) in zip("xyz", zip(tree.position.min(0), tree.position.max(0), strict=True), strict=True):
        getattr(axes, f"set_{axis}lim")(a, b)
        getattr(axes, f"set_{axis}label")(f"{axis} [mm]")
    axes.set_box_aspect(np.ptp(tree.position, axis=0))
    return shades


def truth_figure(simulation: Simulation) -> Figure:
    """The ground-truth maps with units and colour bars."""
    return maps_figure(simulation.truth, names=TRUTH, mask=simulation.truth["Fp"] > 0)


def frames_figure(simulation: Simulation, *, count: int = 12) -> Figure:
    """Concentration in the middle slice, in frames spread evenly over the logarithm of the time since arrival.

    Parameters
    ----------
    simulation : Simulation
        From `simulate_dce`.
    count : int
        Of frames, at most.

    Returns
    -------
    matplotlib Figure
        To be shown, or written by its `savefig`.
    """
    protocol = simulation.series.protocol
    data = np.asarray(simulation.concentration)
    times = np.asarray(protocol.times) + float(protocol.frame_duration) / 2
    first = int(np.argmax(data.max((0, 1, 2)) > 0.02 * data.max()))
    last = len(times) - 1
    chosen = np.unique(np.rint(first + np.geomspace(1, max(last - first, 1) + 1, count) - 1).astype(int))
    shown = [display_slices(data[..., k], simulation.series.affine) for k in chosen]
    middle = shown[0].shape[0] // 2
    top = float(np.percentile(data[..., chosen], 99.5))
    figure = Figure(figsize=(14, 2.4 * -(-len(chosen) // 6) + 0.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(-(-len(chosen) // 6), min(len(chosen), 6), squeeze=False)).ravel()
    for panel in axes:
        panel.set_axis_off()
    for panel, volume, k in zip(axes, shown, chosen, strict=False):
        image = panel.imshow(volume[middle], vmin=0, vmax=top, cmap="inferno", interpolation="nearest")
        panel.set_title(f"{times[k]:.0f} s", fontsize=9)
    figure.colorbar(image, ax=list(axes), label="concentration [mmol/L]", shrink=0.8)
    return figure


def curves_figure(simulation: Simulation) -> Figure:
    """Concentration of the voxel with the median delivered flow of every region, with its truth in the legend."""
    by = simulation.perfused.blood.shape[0] // simulation.truth["Fp"].shape[0]
    centre = by // 2
    region = np.asarray(simulation.perfused.phantom.region)[centre::by, centre::by, centre::by]
    protocol = simulation.series.protocol
    times = np.asarray(protocol.times) + float(protocol.frame_duration) / 2
    data, truth = np.asarray(simulation.concentration), simulation.truth
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    axes = figure.subplots()
    for which in Region:
        inside = np.argwhere((region == which) & (truth["vp_vessels"] < 0.005))
        if which == Region.OUTSIDE or len(inside) == 0:
            continue
        flow = truth["Fp"][tuple(inside.T)]
        at = tuple(inside[np.argsort(flow)[len(flow) // 2]])
        label = (
            f"{which.name.lower().replace('_', ' ')}: Fp {truth['Fp'][at]:.0f}, PS {truth['PS'][at]:.1f} "
            f"{clinical_unit('PS')}, vp {truth['vp'][at]:.3f}, ve {truth['ve'][at]:.2f}, "
            f"delay {truth['delay'][at]:.1f} s"
        )
        axes.plot(times, data[at], label=label)
    axes.set(xlabel="time [s]", ylabel="concentration [mmol/L]", title="One voxel of every region, noise-free")
    axes.legend(fontsize=8)
    return figure


def ledger_figure(simulation: Simulation) -> Figure:
    """Where the tracer is in every frame, against what has come in; and by how much the sum fails."""
    ledger, protocol = simulation.ledger, simulation.series.protocol
    times = np.asarray(protocol.times) + float(protocol.frame_duration) / 2
    scale = 1e-6  # mmol/L mm^3 is 1e-6 mmol
    parts = {
        "arteries": ledger.arteries, "supply": ledger.supply, "capillaries and EES": ledger.units,
        "veins": ledger.veins, "has left": ledger.outflow,
    }  # fmt: skip
    figure = Figure(figsize=(10, 6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.stackplot(times, *(scale * np.asarray(v) for v in parts.values()), labels=list(parts))
    upper.plot(times, scale * np.asarray(ledger.inflow), "k--", label="has come in")
    upper.set(ylabel="tracer [mmol]", title="Mass ledger")
    upper.legend(loc="upper left", fontsize=8)
    share = np.asarray(ledger.imbalance) / np.max(np.asarray(ledger.inflow))
    lower.plot(times, share, color="0.3")
    lower.set(xlabel="time [s]", ylabel="missing share")
    return figure
