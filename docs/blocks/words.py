"""Numbers as they stand in a sentence or a table."""

from collections.abc import Iterable, Sequence

MAIN = ("Fp", "PS", "vp", "ve")
RIM = "tumour rim"

GENERATORS = {"stirred (2CXM)": "stirred capillaries", "plug flow": "plug flow"}
"""How phantoms' capillaries were simulated, by its name in the results."""


def percent(x: float, digits: int = 0) -> str:
    return f"{100 * x:.{digits}f}"


def listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def span(values: Iterable[float], digits: int = 0) -> str:
    """From the least to the greatest [%]; nothing of nothing."""
    shares = list(values)
    if not shares:
        return ""
    low, high = percent(min(shares), digits), percent(max(shares), digits)
    return low if low == high else f"{low} to {high}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown, on lines of its own."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
