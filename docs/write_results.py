"""Write the numbers of README.md and of docs/guide from committed results: python docs/write_results.py

What stands between `<!-- results: NAME -->` and `<!-- end -->` is written by the block NAME of `blocks` from the files
in docs/results, which the commands beside each name there have written. The pages are what this command writes: a test
says so.
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

from blocks import BLOCKS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGES = (HERE.parent / "README.md", *sorted((HERE / "guide").glob("*.md")))

_PLACE = re.compile(r"(<!-- results: ([\w-]+) -->)(.*?)(<!-- end -->)", re.DOTALL)


def written(pages: dict[Path, str], results: dict[str, Any]) -> dict[Path, str]:
    """The pages with every block written. pages : their texts by path.      results : contents by file.

    Raises ValueError unless every block has one place.
    """
    names = sorted(name for text in pages.values() for _, name, *_ in _PLACE.findall(text))
    if names != sorted(BLOCKS):
        raise ValueError(f"the pages have the blocks {names}, and {sorted(BLOCKS)} can be written")

    def fill(place: re.Match[str]) -> str:
        begin, name, _, end = place.groups()
        block = BLOCKS[name]
        return begin + block.write(*(results[file] for file in block.files)) + end

    return {path: _PLACE.sub(fill, text) for path, text in pages.items()}


def read_pages() -> dict[Path, str]:
    """Texts of README and guide by path."""
    return {path: path.read_text(encoding="utf-8") for path in PAGES}


def committed() -> dict[str, Any]:
    """Contents of docs/results by file; of a table its rows."""
    found: dict[str, Any] = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    for path in sorted(RESULTS.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = {"rows": list(csv.DictReader(file))}
    return found


if __name__ == "__main__":
    for path, text in written(read_pages(), committed()).items():
        path.write_text(text, encoding="utf-8")
