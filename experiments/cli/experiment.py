"""tracerflow experiment NAME"""

from pathlib import Path
from typing import Literal

from experiments import core_filling, model_mismatch, phantom_recovery
from experiments.cli.progress import progress_bar
from simulate.base.files import prepare_output_folder


def experiment(name: Literal["model-mismatch", "phantom-recovery", "core-filling"], /, *, out: Path) -> int:
    """Run a study and write its tables and figures.

    Parameters
    ----------
    name
        model-mismatch: what plug-flow capillaries and a dispersed input cost a 2CXM fit (half a minute).
        phantom-recovery: how well 2CXM with the exact global input recovers whole phantoms (two minutes).
        core-filling: how a necrotic core fills by diffusion from its rim (half a minute).
    out
        Folder for the results.
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
    else:
        with progress_bar() as progress:
            found = phantom_recovery.run_phantom_recovery(progress=lambda done, all_: progress("phantoms", done, all_))
        phantom_recovery.write_phantom_recovery(out, found)
        sentences = phantom_recovery.findings(found)
    for sentence in sentences:
        print(sentence)
    print(f"{name}: results in {out}")
    return 0
