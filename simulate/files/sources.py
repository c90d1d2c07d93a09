"""Which code made a result: a digest of some modules and of all of this project's that they import.

Of what the code does, not of how it is written down: comments, docstrings and layout do not count.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("simulate", "estimate", "classify", "experiments")
"""Whose modules count; what others do is theirs to version."""


@cache
def code_digest(*modules: str) -> str:
    """SHA-256 of these modules (dotted names), of all of this project that they import, directly or not, and of the
    project's version.

    A package's `__init__` counts where names are imported from it, not where it only lies above a module.

    Raises ModuleNotFoundError for a name that is no module.
    """
    total = hashlib.sha256(_version().encode())
    for name in sorted(reached(*modules)):
        total.update(f"{name} {_read(name).digest}\n".encode())
    return total.hexdigest()


def reached(*modules: str) -> set[str]:
    """These modules and those of this project that they import, directly or not."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_read(name).imports)
    return found


class _Source(NamedTuple):
    digest: str
    imports: frozenset[str]


@cache
def _read(module: str) -> _Source:
    path = _file(module)
    if path is None:
        raise ModuleNotFoundError(f"{module} is no module with a source")
    tree = ast.parse(path.read_text())
    imports = frozenset(_imported(tree))
    _drop_words(tree)
    return _Source(hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), imports)


@cache
def _file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _version() -> str:
    try:
        return version("tracerflow")
    except PackageNotFoundError:  # run from its sources
        return ""


def _drop_words(tree: ast.Module) -> None:
    """Strings that stand alone: docstrings, and what is said of a constant below it."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [line for line in body if not _is_words(line)]


def _is_words(line: ast.AST) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Modules of this project that are named in imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _ours(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _file(inner) is not None else node.module


def _ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES
