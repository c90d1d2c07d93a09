"""From a configuration to simulated examinations on disk: HDF5 or NIfTI, with truth, ledger and pictures."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from experiments.commands.simulate_phantoms import Kind, phantom_of, run_phantoms, vessel_arrays
from experiments.commands.true_input import write_true_aif
from experiments.config.simulate_dce import DCEConfig
from experiments.report.figures.simulation import simulation_figures
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.base.typed import as_record
from simulate.base.types import DCEProtocol
from simulate.base.units import clinical_unit
from simulate.examinations.dce import Simulation, simulate_dce
from simulate.files.bids.dce import write_sidecar
from simulate.files.hdf5 import write_hdf5
from simulate.files.nifti import write_image
from simulate.files.provenance import provenance
from simulate.inputs.population import georgiou_aif, parker_aif
from simulate.inputs.transit import plasma_to_blood

AIF_STEP = 0.1  # s; knots of the input, finer than any frame


def run_simulation(
    config: DCEConfig, out: Path, *, nifti: bool = False, pictures: bool = True, progress: Progress = silent
) -> list[Path]:
    """Simulate every phantom that the configuration asks for; see `run_phantoms`."""
    check_memory(config)
    kind = Kind(simulate_one, write_simulation, write_nifti, simulation_figures, __name__)
    return run_phantoms(kind, config, out, nifti=nifti, pictures=pictures, progress=progress)


def check_memory(config: DCEConfig) -> None:
    """Raise InputError where one phantom would need more memory than the configuration allows."""
    cells = float(np.prod(config.phantom.shape))
    vessels = 4.0 * config.vessels.terminals
    frames = config.protocol.frames
    # float32: curves of cells (six copies on the way to the signal) and vessels, blocks of 16 frequencies
    need = 4e-9 * (6 * cells * frames + 3 * vessels * frames + 32 * 12 * (cells + vessels))
    if need > config.memory:
        raise InputError(
            "memory", "", f"one phantom needs about {need:.1f} GB, and {config.memory:g} GB are allowed",
            "ask for fewer cells, frames or terminals, or raise memory",
        )  # fmt: skip


def simulate_one(config: DCEConfig, index: int) -> Simulation:
    """The examination number `index` of this configuration; the same numbers every time."""
    planned, aif, measurement, vessels = config.protocol, config.aif, config.measurement, config.vessels
    draw, scan = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), index))
    spacing = planned.frame_spacing
    times = spacing * np.arange(planned.frames)
    protocol = DCEProtocol(
        times=times,
        repetition_time=planned.RepetitionTimeExcitation,
        flip_angle=planned.FlipAngle,
        echo_time=planned.EchoTime,
        relaxivity=planned.LongitudinalRelaxivity,
        field_strength=planned.MagneticFieldStrength,
        baseline=max(int(aif.onset // spacing), 1),
        frame_duration=spacing,
    )
    knots = np.arange(0.0, times[-1] + 2 * spacing, AIF_STEP)
    curve = {"parker": parker_aif, "georgiou": georgiou_aif}[aif.name]
    plasma = aif.amplitude * curve(knots, haematocrit=vessels.haematocrit, onset=aif.onset)
    return simulate_dce(
        scan, phantom_of(draw, config.phantom), protocol, plasma, aif_times=knots, snr=measurement.snr,
        terminals=vessels.terminals, haematocrit=vessels.haematocrit, coarsen=measurement.coarsen,
        frequencies=measurement.frequencies,
    )  # fmt: skip


def write_simulation(path: Path, simulation: Simulation, config: DCEConfig, index: int) -> None:
    """One examination as HDF5: signal, concentration, protocol, truth, ledger, vessels; provenance as attributes.

    aif holds the input at the block's inlet, in plasma and in whole blood; t1_blood is T1 of that blood before
    contrast, truth/T10 and truth/T10_tissue are T1 of the voxel and of the tissue in it.
    """
    options = {**as_record(config), "index": index}
    record = provenance(command="tracerflow simulate dce", options=options, inputs=[], seed=config.seed)
    protocol, aif = simulation.series.protocol, simulation.aif
    perfused, bed = simulation.perfused, simulation.perfused.bed
    tree = {
        "signal": np.asarray(simulation.series.data, np.float32),
        "concentration": np.asarray(simulation.concentration, np.float32),
        "affine": simulation.series.affine,
        "aif": {
            "times": aif.times, "plasma": aif.curve, "blood": plasma_to_blood(aif.curve, perfused.haematocrit),
            "haematocrit": perfused.haematocrit,
        },
        "t1_blood": perfused.t1_blood,
        "protocol": {
            name: np.asarray(getattr(protocol, name))
            for name in (
                "times", "repetition_time", "flip_angle", "echo_time", "relaxivity", "field_strength", "baseline",
                "frame_duration",
            )
        },
        "truth": {name: np.asarray(value, np.float32) for name, value in simulation.truth.values.items()},
        "truth_units": dict(simulation.truth.units),
        "region": np.asarray(perfused.phantom.region, np.int8),
        "blood": np.asarray(perfused.blood, np.float32),
        "ledger": {LEDGER.get(name, name): np.asarray(value) for name, value in simulation.ledger._asdict().items()},
        "vessels": vessel_arrays(bed),
    }  # fmt: skip
    attributes: dict[str, str | int | float] = {
        "model": simulation.model,
        "provenance": json.dumps(record),
        "units": UNITS,
        "red_cells_converged": int(bed.flow.converged),
        "red_cells_last_change": float(bed.flow.change),
    }
    write_hdf5(path, tree, attributes)


LEDGER = {"supply": "feed"}
"""Of the ledger, what the file calls by another name."""

UNITS = (
    "concentration and aif mmol/L; times and t1_blood s; flows of vessels mm^3/s; "
    "pressure mmHg over the root of its tree; position, radius, length mm; ledger mmol/L mm^3; truth in truth_units"
)


def write_nifti(folder: Path, simulation: Simulation, config: DCEConfig) -> None:
    """One examination as `tracerflow estimate dce` reads it: dce.nii.gz with sidecar, t10, mask, aif.csv; its truth.

    The sidecar's BloodT1 [s] is that of the simulation's blood before contrast; aif_blood.csv is for other programs.
    """
    affine, truth = simulation.series.affine, simulation.truth
    write_image(folder / "dce.nii.gz", np.asarray(simulation.series.data), affine, unit_description="signal")
    record = provenance(command="tracerflow simulate dce", options=as_record(config), inputs=[], seed=config.seed)
    haematocrit, t1_blood = simulation.perfused.haematocrit, simulation.perfused.t1_blood
    extra = {"BloodT1": t1_blood, "GroundTruthModel": simulation.model, "Provenance": record}
    write_sidecar(folder / "dce.nii.gz", simulation.series.protocol, haematocrit=haematocrit, extra=extra)
    aif = simulation.aif
    write_true_aif(folder, replace(aif, source=f"{aif.source} ({config.aif.name})"), haematocrit)
    write_image(folder / "t10.nii.gz", truth["T10"], affine, unit_description=clinical_unit("T10"))
    write_image(folder / "mask.nii.gz", truth["Fp"] > 0, affine)
    for name, values in truth.values.items():
        described = f"{clinical_unit(name)}; truth of model {simulation.model}"
        write_image(folder / f"truth_{name}.nii.gz", values, affine, unit_description=described)
