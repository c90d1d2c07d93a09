"""How well do fits of whole simulated phantoms recover their truth, where the global input is known exactly?

Voxels are mixed, vessels cross them, territories are late and their input dispersed: what a voxelwise
fit with one global input is up against, before any noise. On both kinds of capillaries, stirred and plug flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from estimate.kinetics.fit import fit_kinetics
from experiments.report.tables import Table
from experiments.studies.regions import GREY_MATTER, REGIONS, RIM
from experiments.studies.study import ONE_SIZE, Study
from simulate.base.constants import HAEMATOCRIT
from simulate.base.progress import Progress, silent
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical
from simulate.examinations.dce import Simulation, simulate_dce
from simulate.inputs.population import parker_aif
from simulate.phantoms.tumour import tumour_phantom

SEED = 0
PARAMETERS = ("Fp", "PS", "vp", "ve")
FITS: dict[str, dict[str, Any]] = {
    "2CXM": {},
    "2CXM, delay": {"fit_delay": True},
    "2CXM, delay, arterial volume": {"fit_delay": True, "arterial_volume": True},
}
CAPILLARIES = {"stirred (2CXM)": 1.0, "plug flow": 0.0}
KNOTS = np.arange(0.0, 304.0, 0.5)  # s


@dataclass(frozen=True)
class Row:
    """Median |log(estimate/truth)| of each parameter, the mean over phantoms of one kind."""

    capillaries: str
    fit: str
    region: str
    error: dict[str, float]


def run_phantom_recovery(
    *, phantoms: int = 4, edge: int = 24, seed: int = SEED, progress: Progress = silent
) -> list[Row]:
    """Simulate `phantoms` glioblastomas of edge^3 voxels with either kind of capillaries, and fit them, noise-free."""
    protocol = DCEProtocol(
        times=2.0 * np.arange(150), repetition_time=0.004, flip_angle=20.0, relaxivity=5.0, baseline=10,
        frame_duration=2.0,
    )  # fmt: skip
    aif = parker_aif(KNOTS, haematocrit=HAEMATOCRIT, onset=20.0)
    errors: dict[tuple[str, str, str], list[list[float]]] = {}
    jobs = [(name, mixing, i) for name, mixing in CAPILLARIES.items() for i in range(phantoms)]
    for done, (name, mixing, i) in enumerate(jobs):
        progress("phantoms", done, len(jobs))
        draw, scan = jax.random.split(jax.random.fold_in(jax.random.key(seed), i))
        phantom = tumour_phantom(draw, shape=(edge, edge, edge), mixing=mixing)
        simulation = simulate_dce(
            scan, phantom, protocol, aif, aif_times=KNOTS, terminals=round(5000 * (edge / 32) ** 3)
        )
        for fit, options in FITS.items():
            for region, found in _errors(simulation, options).items():
                errors.setdefault((name, fit, region), []).append(found)
    return [
        Row(*case, dict(zip(PARAMETERS, np.mean(found, axis=0).tolist(), strict=True)))
        for case, found in errors.items()
    ]


def _errors(simulation: Simulation, options: dict[str, Any]) -> dict[str, list[float]]:
    """Median |log error| of every parameter by region; where a region is absent, nothing."""
    curves = np.asarray(simulation.concentration)
    protocol, aif = simulation.series.protocol, simulation.aif
    fit = fit_kinetics(
        curves, protocol.frame_centres, aif.curve, aif_times=aif.times, frame_duration=protocol.frame_duration,
        **options,
    )  # fmt: skip
    region, truth = np.asarray(simulation.perfused.phantom.region), simulation.truth
    found = {}
    for name in (RIM, GREY_MATTER):
        inside = region == REGIONS[name]
        if inside.any():
            found[name] = [
                float(np.nanmedian(np.abs(np.log(
                    to_clinical(p, np.asarray(getattr(fit.tissue, p)))[inside] / truth[p][inside]
                ))))
                for p in PARAMETERS
            ]  # fmt: skip
    return found


def findings(rows: Sequence[Row]) -> list[str]:
    """A sentence for each kind of capillaries, written from the numbers."""
    rim = {(row.capillaries, row.fit): row.error for row in rows if row.region == RIM}
    return [
        f"{name}: in the tumour rim the median |log error| of Fp is {rim[name, '2CXM']['Fp']:.2f} with the exact "
        f"global input, and {rim[name, '2CXM, delay']['Fp']:.2f} with the delay fitted."
        for name in CAPILLARIES
        if (name, "2CXM") in rim
    ]


def error_table(rows: Sequence[Row]) -> Table:
    """A line for each fit in each region, by kind of capillaries."""
    head = ["capillaries", "fit", "region", *(f"{name} median |log error|" for name in PARAMETERS)]
    cells = [[row.capillaries, row.fit, row.region, *(f"{row.error[n]:.3f}" for n in PARAMETERS)] for row in rows]
    return Table(head, cells)


STUDY = Study(
    sizes=ONE_SIZE,
    run=lambda size, folder, progress: run_phantom_recovery(progress=progress),
    findings=findings,
    tables=lambda rows: {"": error_table(rows)},
    seed=SEED,
)
