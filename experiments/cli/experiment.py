"""tracerflow experiment NAME"""

from pathlib import Path
from typing import Literal

from experiments.model_mismatch import findings, run_model_mismatch, write_model_mismatch
from simulate.base.files import prepare_output_folder


def experiment(name: Literal["model-mismatch"], /, *, out: Path) -> int:
    """Run a study and write its tables and figures.

    Parameters
    ----------
    name
        model-mismatch: what plug-flow capillaries and a dispersed input cost a 2CXM fit (half a minute).
    out
        Folder for the results.
    """
    prepare_output_folder(out)
    rows = run_model_mismatch()
    write_model_mismatch(out, rows)
    for sentence in findings(rows):
        print(sentence)
    print(f"{name}: tables and figure in {out}")
    return 0
