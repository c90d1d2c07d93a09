"""Every Python block and every command of README and guide runs as it stands; pages hang together."""

import re
import tomllib

import pytest

from experiments.cli import app
from simulate.base.status import Status
from simulate.files.bids.dce import DCE_FIELDS
from tests.docs.pages import (
    GUIDE,
    PAGES,
    ROOT,
    before,
    blocks,
    check_command,
    check_commands,
    commands,
    options,
    run_page,
)

OTHERS = {"CONTRIBUTING.md": ROOT / "CONTRIBUTING.md"}


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Runs a page, once, after the page in whose folder it goes on; the folder that it leaves."""
    folders = {}

    def run(path, *, quick):
        if (path, quick) not in folders:
            earlier = before(path.read_text(encoding="utf-8"))
            folder = run(GUIDE / earlier, quick=quick) if earlier else tmp_path_factory.mktemp(path.stem)
            run_page(path, folder, quick=quick)
            folders[path, quick] = folder
        return folders[path, quick]

    return run


@pytest.mark.parametrize("page", PAGES)
def test_code_of_a_page_runs(page, left):
    left(PAGES[page], quick=True)


LONG = [page for page, path in PAGES.items() if re.search("<!-- (quick|slow):", path.read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", LONG)
def test_code_of_a_page_runs_in_full(page, left):
    left(PAGES[page], quick=False)


@pytest.mark.parametrize("page", OTHERS)
def test_commands_of_other_pages_are_known(page):
    for block in blocks(OTHERS[page].read_text(encoding="utf-8")):
        check_commands(block)


def test_a_command_that_is_not_known_is_found():
    check_command(["tracerflow", "estimate", "dce", "dce.nii.gz", "--t10", "1.4", "--out", "maps"])
    for wrong in (["--t1", "1.4"], ["--method", "3cxm"], ["--haematocrit", "much"]):
        with pytest.raises(Exception, match=r"(?i)unknown|invalid"):
            check_command(["tracerflow", "estimate", "dce", "dce.nii.gz", "--out", "maps", *wrong])
    assert "--fit-delay" in options()
    assert "--t1" not in options()
    with pytest.raises(AssertionError, match="--slowly"):
        check_command(["python", "tests/benchmarks/bench_kinetic_fit.py", "--slowly"])


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_options_in_the_text_are_known(page):
    text = PAGES[page].read_text(encoding="utf-8")
    for span in re.findall(r"`([^`\n]+)`", text):
        program, *words = span.split()
        if program == "tracerflow" and words:
            command, _, rest = app.parse_commands(words)
            assert command, span
            assert not rest or rest[0].startswith("-") or command == ("experiment",), span
        assert {word for word in span.split() if re.fullmatch(r"--[a-z0-9-]+", word)} <= options(), span


def test_blocks_are_read_with_what_is_said_of_them():
    text = "# A\n<!-- not run: long -->\n```sh\nls && pwd\n```\n\n<!-- quick: 10 -> 2 -->\n```python\nn = 10\n```\n"
    shell, python = blocks(text)
    assert (shell.language, shell.runs, python.runs, python.quick) == ("sh", "never", "always", (("10", "2"),))
    assert commands(shell.code) == [["ls"], ["pwd"]]
    assert text.splitlines()[python.line] == "n = 10"


@pytest.mark.parametrize("page", PAGES)
def test_code_is_of_a_language_that_is_run(page):
    text = PAGES[page].read_text(encoding="utf-8")
    assert len(blocks(text)) == text.count("\n```") / 2
    for block in blocks(text):
        assert block.language in ("python", "sh", "toml")
        assert block.runs == "always" or block.language == "sh", "only commands may be left out"
        if block.language == "toml":
            assert re.match(r"# \w+\.toml\n", block.code)
            tomllib.loads(block.code)


@pytest.mark.parametrize("page", [*PAGES, *OTHERS])
def test_links_lead_somewhere_and_a_page_has_one_heading(page):
    path = (PAGES | OTHERS)[page]
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve()
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], target


def test_the_guide_is_short_and_its_index_names_every_page():
    index = (GUIDE / "index.md").read_text(encoding="utf-8")
    for path in GUIDE.glob("*.md"):
        assert path.name == "index.md" or f"]({path.name})" in index
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 120, path.name
    assert len((ROOT / "README.md").read_bytes()) < 8000


def test_the_table_of_status_bits_is_the_program_s():
    told = {}
    for names, values in re.findall(r"^\| (`[A-Z_`*, \d]+) \| ([\d, ]+) \|", _text("status.md"), re.MULTILINE):
        told |= zip(re.findall(r"\w+", names), map(int, values.split(",")), strict=True)
    assert told == {bit.name: bit.value for bit in Status if bit}


def test_the_table_of_a_sidecar_names_fields_that_are_read():
    dce = _text("sidecar.md").partition("## ASL")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", dce, re.MULTILINE)) < set(DCE_FIELDS)


@pytest.mark.parametrize("floor", ["simulate", "estimate", "classify", "experiments"])
def test_the_house_has_the_rooms_that_import_linter_holds(floor):
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c.get("containers") == [floor])
    held = [room for layer in layers for room in re.findall(r"\w+", layer)]
    (section,) = (part for part in _text("house.md").split("\n## ") if part.startswith(f"{floor}:"))
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == held


def test_the_citation_is_of_this_version():
    yaml = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"\nversion: {project['version']}\n" in yaml
    assert f"\nlicense: {project['license']}\n" in yaml
    assert f"  - name: {project['authors'][0]['name']}\n" in yaml


def _text(name):
    return (GUIDE / name).read_text(encoding="utf-8")
