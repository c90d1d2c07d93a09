"""From a configuration to simulated ASL examinations on disk: HDF5, or NIfTI after BIDS, with truth and pictures."""

import json
from pathlib import Path

import jax
import numpy as np

from experiments.commands.simulate_phantoms import Kind, phantom_of, run_phantoms, vessel_arrays
from experiments.config.simulate_asl import ASLConfig
from experiments.report.figures.asl import examination_figures
from simulate.base.constants import asl_blood_t1
from simulate.base.progress import Progress, silent
from simulate.base.typed import as_record
from simulate.base.units import clinical_unit, from_clinical
from simulate.examinations.asl import ASLSimulation, simulate_asl
from simulate.examinations.perfused import vascularise
from simulate.files.bids.asl import write_asl_sidecar
from simulate.files.hdf5 import write_hdf5
from simulate.files.nifti import write_image
from simulate.files.provenance import provenance
from simulate.labelling.series import asl_protocol


def run_asl_simulation(
    config: ASLConfig, out: Path, *, nifti: bool = False, pictures: bool = True, progress: Progress = silent
) -> list[Path]:
    """Simulate every phantom that the configuration asks for; see `run_phantoms`."""
    kind = Kind(simulate_one, write_simulation, write_nifti, examination_figures, __name__)
    return run_phantoms(kind, config, out, nifti=nifti, pictures=pictures, progress=progress)


def simulate_one(config: ASLConfig, index: int) -> ASLSimulation:
    """The examination number `index` of this configuration: of the same phantom and vessels as `simulate dce`'s."""
    draw, scan = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), index))
    grow, noise = jax.random.split(scan)
    labelling, measurement, vessels = config.labelling, config.measurement, config.vessels
    field, spacing = labelling.MagneticFieldStrength, measurement.slice_spacing
    perfused = vascularise(
        grow, phantom_of(draw, config.phantom), terminals=vessels.terminals, haematocrit=vessels.haematocrit,
        field_strength=field,
    )  # fmt: skip
    slices = config.phantom.shape[2] // measurement.coarsen
    protocol = asl_protocol(
        labelling.PostLabelingDelay, label_duration=labelling.LabelingDuration, pairs=labelling.pairs,
        labelling=labelling.type, repetition_time=labelling.RepetitionTimePreparation,
        label_efficiency=labelling.LabelingEfficiency,
        t1_blood=asl_blood_t1(field), slice_times=spacing * np.arange(slices) if spacing else (),
    )  # fmt: skip
    return simulate_asl(
        noise, perfused, protocol, inlet_delay=labelling.inlet_delay,
        exchange=from_clinical("PS", config.phantom.water_exchange), sigma=measurement.sigma,
        coarsen=measurement.coarsen, frequencies=measurement.frequencies,
    )  # fmt: skip


def write_simulation(path: Path, simulation: ASLSimulation, config: ASLConfig, index: int) -> None:
    """One examination as HDF5: volumes, noise-free differences, protocol, truth, vessels; provenance as attributes."""
    options = {**as_record(config), "index": index}
    record = provenance(command="tracerflow simulate asl", options=options, inputs=[], seed=config.seed)
    protocol = simulation.protocol
    tree = {
        "signal": np.asarray(simulation.data, np.float32),
        "difference": np.asarray(simulation.difference, np.float32),
        "affine": simulation.affine,
        "protocol": {
            "volume_types": " ".join(protocol.volume_types),
            **{
                name: np.asarray(getattr(protocol, name))
                for name in (
                    "label_duration", "post_label_delay", "repetition_time", "label_efficiency", "t1_blood",
                    "slice_times",
                )
            },
        },
        "truth": {name: np.asarray(value, np.float32) for name, value in simulation.truth.values.items()},
        "truth_units": dict(simulation.truth.units),
        "region": np.asarray(simulation.perfused.phantom.region, np.int8),
        "vessels": vessel_arrays(simulation.perfused.bed),
    }  # fmt: skip
    attributes: dict[str, str | int | float] = {
        "model": simulation.model,
        "labelling": protocol.labelling,
        "provenance": json.dumps(record),
        "units": "times s; flows of vessels mm^3/s; pressure mmHg over the root of its tree; lengths mm; truth in "
        "truth_units",
    }
    write_hdf5(path, tree, attributes)


def write_nifti(folder: Path, simulation: ASLSimulation, config: ASLConfig) -> None:
    """One examination as `tracerflow estimate asl` reads it: asl.nii.gz with sidecar and context, truth_NAME.nii.gz.

    The sidecar's BloodT1 [s] is that by which the simulated label decays in blood.
    """
    affine, truth = simulation.affine, simulation.truth
    path = folder / "sub-1_asl.nii.gz"
    write_image(path, np.asarray(simulation.data), affine, unit_description="signal")
    record = provenance(command="tracerflow simulate asl", options=as_record(config), inputs=[], seed=config.seed)
    extra = {"BloodT1": float(simulation.protocol.t1_blood), "GroundTruthModel": simulation.model, "Provenance": record}
    write_asl_sidecar(path, simulation.protocol, field_strength=config.labelling.MagneticFieldStrength, extra=extra)
    write_image(folder / "mask.nii.gz", truth["CBF"] > 0, affine)
    for name, values in truth.values.items():
        described = f"{clinical_unit(name)}; truth of model {simulation.model}"
        write_image(folder / f"truth_{name}.nii.gz", values, affine, unit_description=described)
