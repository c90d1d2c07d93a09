"""Tables of a study, as CSV for programs and as Markdown, under the sentences that were written from them."""

from collections.abc import Sequence
from pathlib import Path

from simulate.files.atomic import write_atomically
from simulate.files.tables import table_text


def write_table(folder: Path, head: Sequence[str], rows: Sequence[Sequence[str]], findings: Sequence[str]) -> None:
    """Write table.csv and table.md into the folder."""
    write_atomically(folder / "table.csv", table_text([head, *rows]))
    lines = ["| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows]]
    write_atomically(folder / "table.md", "\n".join([*findings, "", *lines]) + "\n")
