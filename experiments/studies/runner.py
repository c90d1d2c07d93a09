"""What all studies share: options are read, the question is answered, and all that was found is written to a folder."""

from collections.abc import Mapping, Sequence
from json import dumps
from math import isnan
from pathlib import Path
from typing import Any

from experiments.report.tables import write_table
from experiments.studies.registry import load
from experiments.studies.study import Found, Given, SizeName, Study
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent
from simulate.files.atomic import prepare_output_folder, temporary_sibling, write_atomically
from simulate.files.provenance import InputFile, provenance

DPI = 110


def run_study(
    name: str, out: Path, *, size: SizeName = "small", given: Mapping[str, Sequence[str]] | None = None,
    progress: Progress = silent,
) -> list[str]:  # fmt: skip
    """Run a study into a folder, or go on with it.

    Parameters
    ----------
    name : str
        Of a study, one of `STUDIES`.
    out : path
        Folder for its tables, figures and summary.
    size : str
        "small", or "paper" of the studies that come in two sizes.
    given : dict of sequence of str
        Options by name, as typed.
    progress : function
        Told of every step (`simulate.base.progress.Progress`).

    Returns
    -------
    list of str
        Sentences on what it found.

    Raises
    ------
    InputError
        For a name of no study, an option that it does not have or cannot read, a folder that cannot be written.
    """
    study, typed = load(name), dict(given or {})
    options = read_options(name, study, typed)
    inputs = [InputFile.of(file) for each in options.values() for file in each.files]
    folder = prepare_output_folder(out)
    values = {option: each.value for option, each in options.items()}
    found = study.run(study.sizes[size], folder, progress, **values)
    made = provenance(
        command=f"tracerflow experiment {name}", options={"config": size, **typed}, inputs=inputs, seed=study.seed
    )
    return write_answer(folder, study, found, made)


def read_options(name: str, study: Study[Any, Any], given: Mapping[str, Sequence[str]]) -> dict[str, Given]:
    """Every option of the study, read.

    Raises InputError for one that the study does not have.
    """
    for option in given:
        if option not in study.options:
            raise InputError(f"--{option}", "", f"is no option of {name}", "leave it out")
    return {option: read(given.get(option, ())) for option, read in study.options.items()}


def write_answer(folder: Path, study: Study[Any, Found], found: Found, made: dict[str, Any]) -> list[str]:
    """table.csv and table.md (the study's own with the findings), figures, and summary.json where there is one.

    made : the run's provenance, which the summary carries.
    """
    findings = list(study.findings(found))
    for place, table in study.tables(found).items():
        write_table(prepare_output_folder(folder / place), table, () if place else findings)
    for name, figure in study.figures(found).items():
        with temporary_sibling(folder / name) as path:
            figure.savefig(path, dpi=DPI)
    if study.summary is not None:
        text = dumps(_without_nan({**study.summary(found), "provenance": made}), indent=1, allow_nan=False)
        write_atomically(folder / "summary.json", text + "\n")
    return findings


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: what is not known is null."""
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and isnan(value) else value
