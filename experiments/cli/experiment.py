"""tracerflow experiment NAME"""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from experiments.cli.progress import progress_bar
from experiments.studies import core_filling, joint_dce_asl, model_mismatch, phantom_recovery
from experiments.studies.calibration import study as network_calibration
from experiments.studies.calibration import tables as calibration_tables
from experiments.studies.comparison.study import run_qtmnet_vs_2cxm
from experiments.studies.comparison.tables import findings, write_comparison
from simulate.base.errors import InputError
from simulate.files.atomic import prepare_output_folder

Name = Literal[
    "model-mismatch", "phantom-recovery", "core-filling", "qtmnet-vs-2cxm", "joint-dce-asl", "network-calibration"
]

Networks = Annotated[list[str] | None, Parameter(negative="")]


def experiment(
    name: Name, /, *, out: Path, config: Literal["small", "paper"] = "small", network: Networks = None
) -> int:
    """Run a study and write its tables and figures.

    Parameters
    ----------
    name
        model-mismatch: what plug-flow capillaries and a dispersed input cost a 2CXM fit (half a minute).
        phantom-recovery: how well 2CXM with the exact global input recovers whole phantoms (two minutes).
        core-filling: how a necrotic core fills by diffusion from its rim (half a minute).
        qtmnet-vs-2cxm: when estimation without an arterial input wins (five minutes; with --config paper two hours
        or so, and a killed run goes on where it stopped).
        joint-dce-asl: what spin labelling's absolute scale does for QTMnet, on one blood flow (a minute).
        network-calibration: ranks of the truth in what both networks state, at several levels (three minutes).
    out
        Folder for the results.
    config
        Size of qtmnet-vs-2cxm, joint-dce-asl and network-calibration.
    network
        NAME=weights.safetensors, further networks for qtmnet-vs-2cxm; may be repeated.
    """
    prepare_output_folder(out)
    if name == "model-mismatch":
        rows = model_mismatch.run_model_mismatch()
        model_mismatch.write_model_mismatch(out, rows)
        sentences = model_mismatch.findings(rows)
    elif name == "core-filling":
        filling = core_filling.run_core_filling()
        core_filling.write_core_filling(out, filling)
        sentences = core_filling.findings(filling)
    elif name == "qtmnet-vs-2cxm":
        with progress_bar() as progress:
            compared = run_qtmnet_vs_2cxm(out, size=config, networks=_named(network or []), progress=progress)
        write_comparison(out, compared)
        sentences = findings(compared)
    elif name == "joint-dce-asl":
        with progress_bar() as progress:
            joint = joint_dce_asl.run_joint(out, size=config, progress=progress)
        joint_dce_asl.write_joint(out, joint)
        sentences = joint_dce_asl.findings(joint)
    elif name == "network-calibration":
        with progress_bar() as progress:
            calibrated = network_calibration.run_network_calibration(out, size=config, progress=progress)
        calibration_tables.write_calibration(out, calibrated)
        sentences = calibration_tables.findings(calibrated)
    else:
        with progress_bar() as progress:
            found = phantom_recovery.run_phantom_recovery(progress=progress)
        phantom_recovery.write_phantom_recovery(out, found)
        sentences = phantom_recovery.findings(found)
    for sentence in sentences:
        print(sentence)
    print(f"{name}: results in {out}")
    return 0


def _named(given: list[str]) -> dict[str, Path]:
    """NAME=path, as a dictionary."""
    pairs = [text.partition("=") for text in given]
    for text, (name, sign, path) in zip(given, pairs, strict=True):
        if not (name and sign and Path(path).is_file()):
            raise InputError(
                "--network", text, "is not NAME=FILE with a file that exists", "name the weights of a network"
            )
    return {name: Path(path) for name, _, path in pairs}
