"""What a study is: a question, what answers it, and what is written of the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from matplotlib.figure import Figure

from experiments.report.tables import Table

Size = TypeVar("Size")
Found = TypeVar("Found")

SizeName = Literal["small", "paper"]

ONE_SIZE: Mapping[SizeName, None] = {"small": None, "paper": None}
"""Of a study that is as large whatever `--config` says."""


class Given(NamedTuple):
    """An option of a study as it was read: what `Study.run` takes, and the files that it named.

    Files are inputs: their checksums go into the provenance.
    """

    value: Any
    files: Sequence[Path] = ()


Option = Callable[[Sequence[str]], Given]
"""Reads what the command line gave for an option, nothing where it was left out. Raises InputError."""


@dataclass(frozen=True, kw_only=True)
class Study(Generic[Size, Found]):
    """One question asked with the floors below; `experiments.studies.registry` lists all of them.

    sizes : what makes the study small, or as large as for a paper; `run` is given one of them.
    run : (size, folder, progress, **options) -> what was found. Long work is kept in the folder
        (`experiments.studies.kept`), so that a killed run goes on where it stopped.
    findings : a sentence for each, written from the numbers.
    tables : by the subfolder of table.csv and table.md; the findings are written above the one in "", the study's own
        folder. A number that was put in, not found, stands in a column or a table that calls it an input.
    figures : by file name.      summary : the numbers worth quoting, ready for JSON but for NaN; None writes no file.
    options : by name (`--name` on the command line), those that `run` takes beside its size.
    seed : of the random keys; None where nothing is drawn.
    """

    sizes: Mapping[SizeName, Size]
    run: Callable[..., Found]
    findings: Callable[[Found], Sequence[str]]
    tables: Callable[[Found], Mapping[str, Table]]
    figures: Callable[[Found], Mapping[str, Figure]] = lambda found: {}
    summary: Callable[[Found], Mapping[str, Any]] | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    seed: int | None = None
