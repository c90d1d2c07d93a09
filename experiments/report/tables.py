"""Tables of a study, as CSV for programs and as Markdown, under the sentences that were written from them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from simulate.files.atomic import write_atomically
from simulate.files.tables import table_text


class Table(NamedTuple):
    """Cells as plain text, below their heads."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_table(folder: Path, table: Table, findings: Sequence[str] = ()) -> None:
    """Write table.csv and table.md into the folder."""
    write_atomically(folder / "table.csv", table_text([table.head, *table.rows]))
    lines = [_markdown(line) for line in (table.head, ["---"] * len(table.head), *table.rows)]
    above = [*findings, ""] if findings else []
    write_atomically(folder / "table.md", "\n".join([*above, *lines]) + "\n")


def _markdown(cells: Sequence[str]) -> str:
    """A bar within a cell, as in |log error|, would end it."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
