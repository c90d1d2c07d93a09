"""From a configuration to a cohort of virtual patients on disk."""

from pathlib import Path

from experiments.config.simulate_cohort import CohortConfig
from simulate.base.progress import Progress, silent
from simulate.base.typed import as_record
from simulate.files.provenance import provenance
from simulate.patients.cohort import TABLE, CohortPlan, fixed_values, simulate_cohort
from simulate.patients.examination import Visit
from simulate.patients.nifti import write_patient_nifti


def run_cohort(config: CohortConfig, out: Path, *, nifti: bool = False, progress: Progress = silent) -> Path:
    """Simulate every patient of the configuration into a folder, or go on with it; returns its cohort.csv.

    nifti : write every patient's images beside the file as well (`simulate.patients.nifti`).
    """
    made = provenance(command="tracerflow simulate cohort", options=as_record(config), inputs=[], seed=config.seed)
    files = simulate_cohort(plan_of(config), out, made, progress=progress)
    for done, path in enumerate(files if nifti else []):
        progress("patients as NIfTI", done, len(files))
        write_patient_nifti(path)
    return out / TABLE


def plan_of(config: CohortConfig) -> CohortPlan:
    """The same, as the simulator takes it. Raises InputError for values that nobody can have."""
    grades, visit = config.grades, config.visit
    return CohortPlan(
        seed=config.seed, grades=(grades.grade_2, grades.grade_3, grades.grade_4), separation=config.separation,
        sites=config.sites, nuisance="" if config.nuisance == "none" else config.nuisance,
        fixed=fixed_values(config.fixed),
        visit=Visit(
            cell=visit.cell, slab=visit.slab, terminals=visit.terminals, frames=visit.frames,
            spacing=visit.frame_spacing, delays=visit.asl_delays, pairs=visit.asl_pairs, sigma=visit.asl_sigma,
            frequencies=visit.frequencies,
        ),
    )  # fmt: skip


def stated(config: CohortConfig) -> str:
    """What a run will take, said before it."""
    plan = plan_of(config)
    who = "1 patient" if plan.patients == 1 else f"{plan.patients} patients"
    return f"{who}, about {plan.bytes / 1e9:.2g} GB."
