"""tracerflow experiment NAME"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from experiments.cli.progress import progress_bar
from experiments.studies.registry import STUDIES
from experiments.studies.runner import run_study
from experiments.studies.study import SizeName

QUESTIONS = "\n".join(f"{name}: {study.question} Takes {study.takes}." for name, study in STUDIES.items())

Name = Annotated[str, Parameter(help=QUESTIONS)]
Many = Annotated[list[str] | None, Parameter(negative="")]


def experiment(
    name: Name, /, *, out: Path, config: SizeName = "small", data: Path | None = None, network: Many = None
) -> int:
    """Run a study and write its tables and figures.

    Parameters
    ----------
    out
        Folder for the results.
    config
        Size, of the studies that come in two.
    data
        cohort.csv of patients to study instead of virtual ones, for qtmnet-grading (docs/guide/cohorts.md).
    network
        NAME=weights.safetensors, further networks for qtmnet-vs-2cxm; may be repeated.
    """
    given = {"network": network or [], "data": [] if data is None else [str(data)]}
    given = {option: texts for option, texts in given.items() if texts}
    with progress_bar() as progress:
        sentences = run_study(name, out, size=config, given=given, progress=progress)
    for sentence in sentences:
        print(sentence)
    print(f"{name}: results in {out}")
    return 0
