"""How a necrotic core fills: it has no flow, so all of its tracer comes by diffusion from its rim.

A small glioblastoma with vessels on cells far finer than a voxel, marched by the finite-volume engine with
diffusion between the cells' interstitium, and without. Distances matter to the square: what takes the bolus
seconds along a vessel takes minutes over half a millimetre of interstitium. All concentrations are those in the
extravascular extracellular space (EES), so that vessels that cross the core do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import distance_transform_edt

from experiments.report.tables import Table
from experiments.studies.study import ONE_SIZE, Study
from simulate.base.constants import HAEMATOCRIT, INTERSTITIAL_DIFFUSIVITY
from simulate.base.progress import Progress, silent
from simulate.base.types import Tissue
from simulate.examinations.perfused import vascularise
from simulate.finite_volumes.bed import march_bed
from simulate.inputs.population import parker_aif
from simulate.phantoms.priors import Region
from simulate.phantoms.tumour import Morphology, tumour_phantom

SEED = 1
CELL = 0.2  # mm
SHAPE = Morphology(radius=(0.75, 0.8), lobes=(0.1, 0.2), rim=(0.4, 0.5), oedema=(0.1, 0.2), infiltration=(0.1, 0.2))
"""A lesion that fills a block of a few millimetres: radius over half the block, lengths in mm."""

SHELLS = ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.2))
"""Depths below the rim [mm] over which the core's curves are averaged."""


@dataclass(frozen=True)
class CoreFilling:
    """Concentration in the EES of every cell with diffusion and without, (*space, t) [mmol/L], at `times` [s].

    depth : (*space) distance of a core cell from the rim [mm], 0 outside the core.
    imbalance : largest error of mass over the inflow, of both marches.
    """

    times: Any
    with_diffusion: Any
    without: Any
    region: Any
    depth: Any
    imbalance: float


@dataclass(frozen=True)
class Row:
    """Mean curve of a place: half-time of its last value [s], its values [mmol/L] at the end."""

    place: str
    half_time: float
    last: float
    last_without: float


def run_core_filling(
    *, edge: int = 26, terminals: int = 100, duration: float = 600.0, spacing: float = 10.0, seed: int = SEED,
    progress: Progress = silent,
) -> CoreFilling:  # fmt: skip
    """Grow a lesion of edge^3 cells with its vessels, and march the tracer through it, twice."""
    draw, grow = jax.random.split(jax.random.key(seed))
    phantom = tumour_phantom(
        draw, shape=(edge, edge, edge), cell=(CELL, CELL, CELL), grade=4, morphology=SHAPE, max_precapillary_delay=0.0
    )
    core = phantom.region == Region.CORE
    parts = {name: np.where(core, 0.0, getattr(phantom.tissue, name)) for name in ("Fp", "PS", "vp")}
    phantom = replace(phantom, tissue=Tissue(ve=phantom.tissue.ve, **parts))
    bed = vascularise(grow, phantom, terminals=terminals).bed
    knots = np.arange(0.0, duration + 1.0)
    aif = np.asarray(parker_aif(knots, haematocrit=HAEMATOCRIT, onset=20.0), float)
    times = np.arange(0.0, duration + spacing / 2, spacing)
    cells, imbalance = [], 0.0
    for done, diffusivity in enumerate((INTERSTITIAL_DIFFUSIVITY, 0.0)):
        progress("marches", done, 2)
        found = march_bed(bed, aif, knots, times, step=1.0, volumes=2, diffusivity=diffusivity)
        cells.append(found.ees.reshape(*core.shape, -1))
        imbalance = max(imbalance, float(np.max(np.abs(found.ledger.imbalance)) / found.ledger.inflow[-1]))
    depth = CELL * np.asarray(distance_transform_edt(core))
    return CoreFilling(times, cells[0], cells[1], phantom.region, depth, imbalance)


def core_rows(found: CoreFilling) -> list[Row]:
    """The rim, and the core by depth."""
    rows = []
    for place, where in _places(found).items():
        curve, without = (c[where].mean(axis=0) for c in (found.with_diffusion, found.without))
        rows.append(Row(place, _half_time(found.times, curve), float(curve[-1]), float(without[-1])))
    return rows


def _places(found: CoreFilling) -> dict[str, Any]:
    """Cells of the rim and of every depth that this core reaches."""
    places = {"rim": found.region == Region.RIM}
    places |= {f"core, {a:g}-{b:g} mm": (found.depth > a) & (found.depth <= b) for a, b in SHELLS}
    return {place: where for place, where in places.items() if where.any()}


def _half_time(times: Any, curve: Any) -> float:
    """When the curve first reaches half of its last value [s], between frames by interpolation."""
    after = int(np.argmax(curve >= curve[-1] / 2))
    if after == 0:
        return float(times[0])
    share = (curve[-1] / 2 - curve[after - 1]) / (curve[after] - curve[after - 1])
    return float(times[after - 1] + share * (times[after] - times[after - 1]))


def findings(found: CoreFilling) -> list[str]:
    """A sentence for each, written from the numbers."""
    rim, *core = core_rows(found)
    deep = core[-1]
    return [
        f"The rim reaches half of its last value after {rim.half_time:.0f} s, the core's outermost layer "
        f"({core[0].place.split(', ')[1]}) after {core[0].half_time:.0f} s and its depth "
        f"({deep.place.split(', ')[1]}) after {deep.half_time:.0f} s; after {found.times[-1]:.0f} s they hold "
        f"{rim.last:.2f}, {core[0].last:.2f} and {deep.last:.2f} mmol/L.",
        f"Without diffusion the core holds {max(row.last_without for row in core):.2g} mmol/L. Mass closes to "
        f"{found.imbalance:.0e} of the inflow at every step.",
    ]


def place_table(found: CoreFilling) -> Table:
    """A line for the rim and each depth of the core."""
    head = ["place", "half-time [s]", "last [mmol/L]", "last without diffusion [mmol/L]"]
    cells = [
        [row.place, f"{row.half_time:.0f}", f"{row.last:.3f}", f"{row.last_without:.3f}"] for row in core_rows(found)
    ]
    return Table(head, cells)


def core_filling_figure(found: CoreFilling, *, moments: Sequence[float] = (30, 60, 120, 240, 420, 600)) -> Figure:
    """The slice in which the core is largest, with diffusion and without, and the mean curves by depth."""
    core = found.depth > 0
    k = int(np.argmax(core.sum(axis=(0, 1))))
    frames = sorted({int(np.argmin(np.abs(found.times - moment))) for moment in moments})
    figure = Figure(figsize=(2.3 * len(frames) + 1, 9.5), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    above, below = halves
    panels = above.subplots(2, len(frames))
    top = float(np.percentile(found.without[:, :, k], 99.5))
    edges = CELL * core.shape[0], CELL * core.shape[1]
    shades: Any = None
    for line, (name, cells) in zip(
        panels, (("with diffusion", found.with_diffusion), ("without", found.without)), strict=True
    ):
        for axes, frame in zip(line, frames, strict=True):
            shades = axes.imshow(
                cells[:, :, k, frame].T, origin="lower", vmin=0, vmax=top, cmap="magma",
                extent=(0, edges[0], 0, edges[1]),
            )  # fmt: skip
            centres = (np.arange(n) * CELL + CELL / 2 for n in core.shape[:2])
            axes.contour(*centres, core[:, :, k].T, levels=[0.5], colors="w", linewidths=0.8)
            axes.set_title(f"{found.times[frame]:.0f} s")
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(f"{name}\n{edges[1]:.1f} mm")
    above.colorbar(shades, ax=panels, label="EES concentration [mmol/L]", shrink=0.8)
    left, right = below.subplots(1, 2)
    rows = core_rows(found)
    for place, where in _places(found).items():
        left.plot(found.times, found.with_diffusion[where].mean(axis=0), label=place)
    left.set(xlabel="time [s]", ylabel="EES concentration [mmol/L]", title="Mean curves, with diffusion")
    left.legend()
    right.barh([row.place for row in rows][::-1], [row.half_time for row in rows][::-1])
    right.set(xlabel="time to half of the last value [s]", title="The deeper the later")
    return figure


STUDY = Study(
    sizes=ONE_SIZE,
    run=lambda size, folder, progress: run_core_filling(progress=progress),
    findings=findings,
    tables=lambda found: {"": place_table(found)},
    figures=lambda found: {"figure.png": core_filling_figure(found)},
    seed=SEED,
)
