"""What a wrong model costs a 2CXM fit: plug-flow capillaries, and an input that disperses on its way.

No noise and an input that is known exactly: all that is left is the model. Both errors fit the curve so well
that no residual betrays them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from estimate.kinetics.fit import fit_kinetics
from experiments.report.tables import Table
from experiments.studies.study import ONE_SIZE, Study
from simulate.base.constants import HAEMATOCRIT
from simulate.base.progress import Progress, silent
from simulate.base.types import Tissue
from simulate.base.units import from_clinical
from simulate.inputs.population import parker_aif
from simulate.inputs.transit import disperse
from simulate.kinetics.tissue import tissue_concentration

PARAMETERS = ("Fp", "PS", "vp", "ve")
RATIOS = (0.1, 0.17, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""PS/Fp of the plug-flow truth."""

SPACING, DURATION, FINE = 2.0, 300.0, 0.25  # s: frames, series, knots of the true input
GLIOBLASTOMA = {"Fp": from_clinical("Fp", 40.0), "vp": 0.06, "ve": 0.3}
DISPERSION = 4.0  # s


@dataclass(frozen=True)
class Row:
    """One fit against its truth: relative error [%] of every parameter, and the residual over the curve's peak [%]."""

    question: str
    case: str
    error: dict[str, float]
    residual: float


def run_model_mismatch(progress: Progress = silent) -> list[Row]:
    """Fit 2CXM, without noise, to plug-flow truth and to truth whose arterial input is dispersed."""
    rows = []
    for done, fits in enumerate((_plug_flow_rows, _dispersion_rows)):
        progress("kinds of truth", done, 2)
        rows += fits()
    return rows


def _inputs() -> tuple[Any, Any, Any]:
    """Frames, fine knots and the true plasma input on them."""
    knots = np.arange(0.0, DURATION + FINE / 2, FINE)
    return np.arange(0.0, DURATION, SPACING), knots, np.asarray(parker_aif(knots, haematocrit=HAEMATOCRIT, onset=20.0))


def _row(question: str, case: str, truth: Tissue, curve: Any, times: Any, aif: Any, knots: Any, **options: Any) -> Row:
    fit = fit_kinetics(np.asarray(curve)[None], times, aif, aif_times=knots, **options)
    error = {name: 100 * (float(getattr(fit.tissue, name)[0]) / float(getattr(truth, name)) - 1) for name in PARAMETERS}
    residual = 100 * float(np.sqrt(fit.rss[0] / len(times))) / float(np.max(curve))
    return Row(question, case, error, residual)


def _plug_flow_rows() -> list[Row]:
    times, knots, aif = _inputs()
    rows = []
    for ratio in RATIOS:
        truth = Tissue(PS=ratio * GLIOBLASTOMA["Fp"], **GLIOBLASTOMA)
        curve = tissue_concentration(truth, aif, times, model="dp", aif_times=knots)
        rows.append(_row("plug-flow capillaries", f"PS/Fp {ratio:g}", truth, curve, times, aif, knots))
    return rows


def _dispersion_rows() -> list[Row]:
    times, knots, aif = _inputs()
    truth = Tissue(PS=from_clinical("PS", 10.0), **GLIOBLASTOMA)
    local = np.asarray(disperse(aif, knots, time_constant=DISPERSION))
    curve = tissue_concentration(truth, local, times, aif_times=knots)
    question = f"input dispersed by {DISPERSION:g} s"
    return [
        _row(question, "global input", truth, curve, times, aif, knots),
        _row(question, "global input, delay fitted", truth, curve, times, aif, knots, fit_delay=True),
        _row(question, "true local input", truth, curve, times, local, knots),
    ]


def findings(rows: Sequence[Row]) -> list[str]:
    """A sentence for each, written from the numbers."""
    plug = [row for row in rows if row.case.startswith("PS/Fp")]
    low = [row.error["Fp"] for row in plug if 0.1 <= float(row.case.split()[1]) <= 0.5]
    high = [row.error["Fp"] for row in plug if float(row.case.split()[1]) >= 1]
    worst = max(row.residual for row in plug)
    by = {row.case: row for row in rows}
    plain, delayed, local = (by[c].error for c in ("global input", "global input, delay fitted", "true local input"))
    return [
        f"On plug-flow truth 2CXM overestimates Fp by {min(low):.0f} to {max(low):.0f} % at PS/Fp 0.1 to 0.5 and by "
        f"{min(high):.0f} to {max(high):.0f} % at 1 to 2, with residuals below {worst:.1f} % of the peak.",
        f"A dispersion of {DISPERSION:g} s that is not modelled changes Fp by {plain['Fp']:+.0f} % and vp by "
        f"{plain['vp']:+.0f} %; with the delay fitted by {delayed['Fp']:+.0f} and {delayed['vp']:+.0f} %; the true "
        f"local input leaves {local['Fp']:+.1f} and {local['vp']:+.1f} %.",
    ]


def error_table(rows: Sequence[Row]) -> Table:
    """A line for each fit."""
    head = ["question", "case", *(f"{name} error [%]" for name in PARAMETERS), "residual [% of peak]"]
    cells = [
        [row.question, row.case, *(f"{row.error[n]:+.1f}" for n in PARAMETERS), f"{row.residual:.2f}"] for row in rows
    ]
    return Table(head, cells)


def model_mismatch_figure(rows: Sequence[Row]) -> Figure:
    """Errors over PS/Fp on plug-flow truth; errors with a dispersed input."""
    plug = [row for row in rows if row.case.startswith("PS/Fp")]
    dispersed = [row for row in rows if row not in plug]
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    ratios = [float(row.case.split()[1]) for row in plug]
    for k, name in enumerate(PARAMETERS):
        left.semilogx(ratios, [row.error[name] for row in plug], "o-", label=name)
        right.bar(np.arange(len(dispersed)) + 0.2 * (k - 1.5), [r.error[name] for r in dispersed], 0.18, label=name)
    left.set(xlabel="PS/Fp", ylabel="error of the 2CXM fit [%]", title="Truth: plug-flow capillaries")
    right.set(ylabel="error of the 2CXM fit [%]", title=f"Truth: 2CXM, {dispersed[0].question}")
    right.set_xticks(range(len(dispersed)), [row.case.replace(", ", ",\n") for row in dispersed])
    for axes in (left, right):
        axes.axhline(0, color="0.5", linewidth=0.8)
        axes.legend()
    return figure


STUDY = Study(
    sizes=ONE_SIZE,
    run=lambda size, folder, progress: run_model_mismatch(progress),
    findings=findings,
    tables=lambda rows: {"": error_table(rows)},
    figures=lambda rows: {"figure.png": model_mismatch_figure(rows)},
)
