"""How long work says how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many of it are done, and of how many; a total of 1 stands for a step."""


def silent(what: str, done: int, total: int) -> None:
    """Says nothing."""
