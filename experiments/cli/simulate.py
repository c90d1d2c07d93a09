"""tracerflow simulate dce|asl|cohort"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from experiments.cli.progress import progress_bar
from experiments.commands.simulate_asl import run_asl_simulation
from experiments.commands.simulate_cohort import run_cohort, stated
from experiments.commands.simulate_dce import run_simulation
from experiments.config.phantoms import PhantomsConfig
from experiments.config.simulate_asl import ASLConfig
from experiments.config.simulate_cohort import CohortConfig
from experiments.config.simulate_dce import DCEConfig
from experiments.config.toml import as_toml, read_toml
from simulate.base.errors import InputError

simulate_app = App(name="simulate", help="Examinations whose truth is known.", help_format="plaintext")

Flag = Parameter(negative="")


@simulate_app.command(name="dce")
def dce(
    config: Path | None = None,
    /,
    *,
    out: Path | None = None,
    nifti: Annotated[bool, Flag] = False,
    no_pictures: Annotated[bool, Flag] = False,
    print_config: Annotated[bool, Flag] = False,
) -> int:
    """Simulate DCE-MRI of a tumour: vessels, flow, transport, exchange, signal, noise, with the complete truth.

    Parameters
    ----------
    config
        TOML file; without one a glioblastoma of 32x32x32 voxels is simulated (see --print-config).
    out
        File ending in .h5 (one of an earlier run is replaced), or a folder with --nifti or where several phantoms
        are asked for; a killed run of several goes on where it stopped.
    nifti
        Write the series with its sidecar, the arterial input (aif.csv, aif_blood.csv) and the truth as NIfTI instead.
    no_pictures
        Leave out the PNG files.
    print_config
        Print every key with its default, unit and range, and end.
    """
    if print_config:
        print(as_toml(DCEConfig()))
        return 0
    return _run(run_simulation, DCEConfig, config, out, nifti, pictures=not no_pictures)


@simulate_app.command(name="asl")
def asl(
    config: Path | None = None,
    /,
    *,
    out: Path | None = None,
    nifti: Annotated[bool, Flag] = False,
    no_pictures: Annotated[bool, Flag] = False,
    print_config: Annotated[bool, Flag] = False,
) -> int:
    """Simulate arterial spin labelling of the phantoms of `simulate dce`: labelled water on the same blood flow.

    Parameters
    ----------
    config
        TOML file; without one a glioblastoma of 32x32x32 voxels with six delays (see --print-config).
    out
        File ending in .h5 (one of an earlier run is replaced), or a folder with --nifti or where several phantoms
        are asked for; a killed run of several goes on where it stopped.
    nifti
        Write the series with sidecar and aslcontext.tsv after BIDS, and the truth, as NIfTI instead.
    no_pictures
        Leave out the PNG files.
    print_config
        Print every key with its default, unit and range, and end.
    """
    if print_config:
        print(as_toml(ASLConfig()))
        return 0
    return _run(run_asl_simulation, ASLConfig, config, out, nifti, pictures=not no_pictures)


@simulate_app.command(name="cohort")
def cohort(
    config: Path | None = None,
    /,
    *,
    out: Path | None = None,
    nifti: Annotated[bool, Flag] = False,
    print_config: Annotated[bool, Flag] = False,
) -> int:
    """Simulate a cohort of virtual glioma patients: DCE, ASL and structural images of one tissue, and survival.

    Every patient becomes patients/patient-00000.h5, ... and a row of cohort.csv, with grade, outcome and clinical
    variables. What causes a label is kept in the files.

    Parameters
    ----------
    config
        TOML file; without one 184 patients of grades 2, 3 and 4 (see --print-config).
    out
        Folder; a killed run goes on where it stopped.
    nifti
        Write every patient's images as NIfTI beside the HDF5 file as well.
    print_config
        Print every key with its default, unit and range, and end.
    """
    if print_config:
        print(as_toml(CohortConfig()))
        return 0
    _check_named(config, out)
    assert out is not None
    options = read_toml(config, CohortConfig)
    print(stated(options))
    with progress_bar() as progress:
        table = run_cohort(options, out, nifti=nifti, progress=progress)
    print(f"cohort in {table}")
    return 0


def _run(
    simulate: Callable[..., list[Path]], kind: type[PhantomsConfig], config: Path | None, out: Path | None,
    nifti: bool, *, pictures: bool,
) -> int:  # fmt: skip
    _check_named(config, out)
    assert out is not None
    options = read_toml(config, kind)
    with progress_bar() as progress:
        paths = simulate(options, out, nifti=nifti, pictures=pictures, progress=progress)
    print(f"{len(paths)} {'examination' if len(paths) == 1 else 'examinations'} in {out}")
    return 0


def _check_named(config: Path | None, out: Path | None) -> None:
    if out is None:
        raise InputError("--out", "", "is missing", "name the file or folder to write")
    if config is not None and out.resolve() == config.resolve():
        raise InputError("--out", "", f"{out} is the configuration itself", "name another file or folder to write")
