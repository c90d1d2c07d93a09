"""The pages of the documentation, the code that stands in them, and how it is run."""

import contextlib
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from cyclopts import App

from experiments.cli import app, run

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted(GUIDE.glob("*.md")))}

_BLOCK = re.compile(r"((?:^<!-- (?:not run|slow|quick): .+? -->\n)*)^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """language : python, sh or toml.      line : of the page where it begins.
    runs : always, slow (in the slow tests alone), or never.      quick : words that the others replace, (long, short).
    """

    language: str
    code: str
    line: int
    runs: str
    quick: tuple[tuple[str, str], ...]


def blocks(text: str) -> list[Block]:
    """All code of a page, in order."""
    return [
        Block(
            language=found[2],
            code=found[3],
            line=text.count("\n", 0, found.start(3)),
            runs="never" if "<!-- not run:" in found[1] else "slow" if "<!-- slow:" in found[1] else "always",
            quick=tuple(re.findall(r"<!-- quick: (.+?) -> (.+?) -->", found[1])),
        )
        for found in _BLOCK.finditer(text)
    ]


def before(text: str) -> str | None:
    """The page of the guide in whose folder this page goes on, if any."""
    found = re.search(r"^<!-- after: (\S+) -->$", text, re.MULTILINE)
    return found and found[1]


def commands(code: str) -> list[list[str]]:
    """The commands of a shell block, word by word."""
    lines = code.replace("\\\n", " ").splitlines()
    every = [shlex.split(part, comments=True) for line in lines for part in line.split("&&")]
    return [words for words in every if words]


def check_command(words: list[str]) -> None:
    """Raise where a command has options or values that its program does not know."""
    program, *rest = words
    if Path(program).name == "tracerflow":
        app.parse_args(rest, exit_on_error=False, print_error=False)
    elif program == "python" and rest[0].endswith(".py"):
        source = (ROOT / rest[0]).read_text(encoding="utf-8")
        unknown = [word for word in rest[1:] if word.startswith("--") and f'"{word}"' not in source]
        assert not unknown, f"{rest[0]} has no {unknown}"


def check_commands(block: Block) -> None:
    """All commands of a block; see `check_command`."""
    for words in commands(block.code) if block.language == "sh" else []:
        check_command(words)


def options(program: App = app) -> set[str]:
    """Every option that some command has."""
    arguments = [] if program.default_command is None else program.assemble_argument_collection()
    own = {name for argument in arguments for name in argument.names}
    return own.union(*({name} if name.startswith("-") else options(program[name]) for name in program))


def run_page(path: Path, folder: Path, *, quick: bool) -> None:
    """Run all code of a page, in order, in a folder; what does not run is checked."""
    names: dict[str, object] = {"__name__": "page"}
    with contextlib.chdir(folder):
        for block in blocks(path.read_text(encoding="utf-8")):
            code = block.code
            for long, short in block.quick:
                assert long in code, f"{path.name}:{block.line}: {long!r} is not in the code that follows"
                code = code.replace(long, short) if quick else code
            if block.runs == "always" or (block.runs == "slow" and not quick):
                _run_block(block, code, f"{path.name}:{block.line}", names)
            else:
                check_commands(block)


def _run_block(block: Block, code: str, where: str, names: dict[str, object]) -> None:
    if block.language == "toml":
        Path(code.splitlines()[0].removeprefix("# ")).write_text(code, encoding="utf-8")
    elif block.language == "python":
        exec(compile("\n" * block.line + code, where, "exec"), names)
    else:
        for words in commands(code):
            assert words[0] == "tracerflow", f"{where}: {words[0]} cannot be run here: say why"
            assert run(words[1:]) == 0, f"{where}: {' '.join(words)}"
