"""Sections of work: done once, never half, never twice, never mixed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from simulate.base.errors import InputError
from simulate.files import sources
from simulate.files.atomic import write_atomically
from simulate.files.pieces import MANIFEST, key, run_pieces
from simulate.files.sources import code_digest, reached

CODE = ("simulate.files.pieces",)
NAMES = [f"piece-{i}.txt" for i in range(6)]


def test_every_piece_is_done_and_only_what_is_missing_is_done_again(tmp_path):
    done = []

    def work(index, path):
        done.append(index)
        write_atomically(path, str(index))

    paths = run_pieces(tmp_path, NAMES, work, config={"seed": 1}, code=CODE)
    assert [p.read_text() for p in paths] == list("012345")
    paths[2].unlink()
    seen = []
    run_pieces(
        tmp_path, NAMES, work, config={"seed": 1}, code=CODE, what="toys", progress=lambda *step: seen.append(step)
    )
    assert done == [0, 1, 2, 3, 4, 5, 2]
    assert seen == [("toys", k, 6) for k in range(7)]


def test_pieces_of_another_configuration_are_refused(tmp_path):
    run_pieces(tmp_path, [], lambda *_: None, config={"seed": 1}, code=CODE)
    with pytest.raises(InputError, match="another output folder"):
        run_pieces(tmp_path, NAMES, lambda *_: pytest.fail("no work"), config={"seed": 2}, code=CODE)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="is no manifest"):
        run_pieces(tmp_path, NAMES, lambda *_: None, config={"seed": 1}, code=CODE)


def test_pieces_of_other_code_are_refused(tmp_path):
    run_pieces(tmp_path, [], lambda *_: None, config={"seed": 1}, code=CODE)
    with pytest.raises(InputError, match="code: is of another version"):
        run_pieces(
            tmp_path, NAMES, lambda *_: pytest.fail("no work"), config={"seed": 1}, code=("simulate.base.units",)
        )


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes modules of a package that counts, and forgets what was read of them before."""
    (tmp_path / "madeup").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sources, "PACKAGES", ("madeup",))

    def write(name, text):
        (tmp_path / "madeup" / f"{name}.py").write_text(text)
        forget()

    def forget():
        for cached in (sources._read, sources._file, sources.code_digest):
            cached.cache_clear()

    yield write
    forget()


def test_a_digest_of_code_changes_with_what_it_does_and_with_all_that_it_imports(module):
    module("__init__", "import madeup.apart")  # above the others, but nothing is imported from it
    module("apart", "X = 1")
    module("far", "def f(x):\n    return x + 1\n")
    module("near", "from madeup.far import f\n\ndef g(x):\n    return f(x)\n")
    module("top", "import json\nfrom madeup import near\n\nY = near.g(1)\n")
    assert reached("madeup.top") == {"madeup.top", "madeup.near", "madeup.far"}
    plain = code_digest("madeup.top")
    module("far", 'def f(x):\n    """One more."""\n    # words\n    return (x\n      + 1)\n\nclass A:\n    pass\n')
    with_class = code_digest("madeup.top")
    module("far", "def f(x):\n    return x + 1  # other words\n")
    module("apart", "X = 2")
    assert code_digest("madeup.top") == plain != with_class
    module("far", "def f(x):\n    return x + 2\n")
    assert code_digest("madeup.top") != plain
    with pytest.raises(ModuleNotFoundError):
        code_digest("madeup.nowhere")


def test_a_key_changes_with_facts_and_code():
    same = key({"a": 1, "b": [2.0]}, "simulate.base.units")
    assert same == key({"b": [2.0], "a": 1}, "simulate.base.units")
    assert same != key({"a": 1, "b": [2.5]}, "simulate.base.units")
    assert same != key({"a": 1, "b": [2.0]}, "simulate.base.errors")


def test_a_bank_is_made_by_the_simulator_and_not_by_its_users():
    made_by = reached("simulate.banks.phantoms")
    assert {"simulate.spectral.engine", "simulate.phantoms.priors", "simulate.vessels.growth"} <= made_by
    assert not [name for name in made_by if not name.startswith("simulate.")]


def test_more_pieces_of_the_same_kind_may_be_asked_for_later(tmp_path):
    for count in (2, 5):
        run_pieces(tmp_path, NAMES[:count], lambda i, p: write_atomically(p, str(i)), config={"seed": 1}, code=CODE)
    assert len(json.loads((tmp_path / MANIFEST).read_text())["pieces"]) == 5


SLOW = """
import sys, time
from simulate.files.atomic import temporary_sibling
from simulate.files.pieces import run_pieces
def work(index, path):
    with temporary_sibling(path) as part:
        with part.open("w") as stream:
            for _ in range(20):
                stream.write(str(index)); stream.flush(); time.sleep(0.005)
run_pieces(sys.argv[1], [f"piece-{i}.txt" for i in range(100)], work, config={}, code=())
"""


def test_a_killed_run_leaves_whole_pieces_and_goes_on(tmp_path):
    """SIGKILL at a random moment: every piece with a final name is complete; the second run does only the rest."""
    command = [sys.executable, "-c", SLOW, str(tmp_path)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("piece-*.txt"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("piece-*.txt")}
    assert 5 <= len(before) < 100
    assert all(len((tmp_path / name).read_text()) == 20 * len(name.split("-")[1].split(".")[0]) for name in before)
    subprocess.run(command, check=True, timeout=120)
    after = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("piece-*.txt")}
    assert len(after) == 100
    assert not list(tmp_path.glob(".*")), "no half-written file stays"
    assert all(after[name] == changed for name, changed in before.items()), "nothing is done twice"
