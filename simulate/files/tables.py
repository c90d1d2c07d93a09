"""Tables of text, CSV and TSV, by the standard library: a row a line, cells quoted where they hold what parts them."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from simulate.files.atomic import AnyPath


def read_lines(path: AnyPath) -> list[str]:
    """Lines of a table, without the byte order mark that spreadsheets write.

    Raises OSError or UnicodeDecodeError where it is no text to be read.
    """
    return Path(path).read_text(encoding="utf-8-sig").splitlines()


def cells(line: str, delimiter: str | None = None) -> list[str]:
    """Cells of a line, without blanks about them.

    delimiter : None finds out which: a semicolon, a comma, or else any blanks.
    """
    if delimiter is None:
        delimiter = next((mark for mark in ";," if mark in line), " ")
        line = line if delimiter != " " else " ".join(line.split())
    try:
        found = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # longer than any cell: no table
        found = [line]
    return [cell.strip() for cell in found]


def table_text(rows: Iterable[Iterable[object]], *, delimiter: str = ",") -> str:
    """What `cells` reads back, a line a row."""
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([str(cell) for cell in row] for row in rows)
    return text.getvalue()
