"""Tables of text: what was written comes back, and what spreadsheets make of a table is read."""

import pytest

from simulate.files.tables import cells, read_lines, table_text


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_what_was_written_comes_back_whatever_the_cells_hold(delimiter):
    rows = [["a", "b, c", "d;e"], ["1.5", 'said "x"', "tab\there"], ["", "ve", "0"]]
    text = table_text(rows, delimiter=delimiter)
    assert text.endswith("\n")
    assert "\r" not in text
    assert [cells(line, delimiter) for line in text.splitlines()] == rows


@pytest.mark.parametrize(
    "line", ["0.5,1", "0.5;1", "0.5\t1", "0.5   1", "0.5, 1", ' "0.5" ; "1" ', "0.5 \t 1", " 0.5 ,1 "]
)
def test_the_mark_between_cells_is_found_out(line):
    assert cells(line) == ["0.5", "1"]


def test_a_decimal_comma_is_no_mark_where_semicolons_part_the_cells():
    assert cells("0,5;1,25") == ["0,5", "1,25"]


def test_words_of_a_heading_stay_together_between_marks():
    assert cells("time (s),conc (mM)") == ["time (s)", "conc (mM)"]
    assert cells("time conc") == ["time", "conc"]


def test_a_byte_order_mark_is_no_part_of_the_first_cell(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbftime,c\r\n0,1\r\n")
    assert read_lines(path) == ["time,c", "0,1"]


def test_what_is_no_table_is_one_cell():
    """As a file of another kind, all of it on one line."""
    assert cells("x" * 200_000, ",") == ["x" * 200_000]
    assert cells("", ",") == []
