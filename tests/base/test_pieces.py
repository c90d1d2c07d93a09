"""Pieces of work: done once, never half, never twice, never mixed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from simulate.base.errors import InputError
from simulate.base.files import write_atomically
from simulate.base.pieces import MANIFEST, run_pieces

NAMES = [f"piece-{i}.txt" for i in range(6)]


def test_every_piece_is_done_and_only_what_is_missing_is_done_again(tmp_path):
    done = []

    def work(index, path):
        done.append(index)
        write_atomically(path, str(index))

    paths = run_pieces(tmp_path, NAMES, work, config={"seed": 1})
    assert [p.read_text() for p in paths] == list("012345")
    paths[2].unlink()
    seen = []
    run_pieces(tmp_path, NAMES, work, config={"seed": 1}, progress=lambda k, n: seen.append((k, n)))
    assert done == [0, 1, 2, 3, 4, 5, 2]
    assert seen[-1] == (6, 6)


def test_pieces_of_another_configuration_are_refused(tmp_path):
    run_pieces(tmp_path, [], lambda *_: None, config={"seed": 1})
    with pytest.raises(InputError, match="another output folder"):
        run_pieces(tmp_path, NAMES, lambda *_: pytest.fail("no work"), config={"seed": 2})
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="is no manifest"):
        run_pieces(tmp_path, NAMES, lambda *_: None, config={"seed": 1})


def test_more_pieces_of_the_same_kind_may_be_asked_for_later(tmp_path):
    for count in (2, 5):
        run_pieces(tmp_path, NAMES[:count], lambda i, p: write_atomically(p, str(i)), config={"seed": 1})
    assert len(json.loads((tmp_path / MANIFEST).read_text())["pieces"]) == 5


SLOW = """
import sys, time
from simulate.base.files import temporary_sibling
from simulate.base.pieces import run_pieces
def work(index, path):
    with temporary_sibling(path) as part:
        with part.open("w") as stream:
            for _ in range(20):
                stream.write(str(index)); stream.flush(); time.sleep(0.005)
run_pieces(sys.argv[1], [f"piece-{i}.txt" for i in range(100)], work, config={})
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
