"""What all studies share: options are read or refused, files are written with the run's provenance, work is kept."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from experiments.cli import run
from experiments.report.tables import Table
from experiments.studies.kept import kept_records
from experiments.studies.registry import STUDIES, Registered, load
from experiments.studies.runner import run_study
from experiments.studies.study import Given, Study
from simulate.base.errors import InputError
from simulate.files.atomic import sha256_of

FACTOR = 3


def run_toy(count, folder, progress, *, data):
    names = [f"{i}.json" for i in range(count)]
    found = kept_records(folder / "work", names, lambda i: {"value": FACTOR * i}, what="toys", progress=progress)
    return [*(record["value"] for record in found), float(data.read_text())]


def a_table(given):
    if not given:
        raise InputError("--data", "", "is missing", "name the table")
    return Given(Path(given[0]), [Path(given[0])])


STUDY = Study(
    sizes={"small": 2, "paper": 3},
    run=run_toy,
    findings=lambda found: [f"The sum is {sum(found):g}."],
    tables=lambda found: {
        "": Table(["|value|", "words"], [[f"{v:g}", 'one, "two"'] for v in found]), "inputs": Table(["a"], [["b"]]),
    },
    figures=lambda found: {"toy.png": Figure()},
    summary=lambda found: {"values": (*found, float("nan"))},
    options={"data": a_table},
    seed=7,
)  # fmt: skip


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setitem(STUDIES, "toy", Registered("Does it run?", "a moment", __name__))
    (tmp_path / "data.csv").write_text("10\n")
    return {"data": [str(tmp_path / "data.csv")]}


def test_a_study_writes_what_it_found_and_how_it_was_made(toy, tmp_path):
    seen = []
    out = tmp_path / "out"
    sentences = run_study("toy", out, given=toy, progress=lambda *step: seen.append(step))
    assert sentences == ["The sum is 13."]
    assert seen[-1] == ("toys", 2, 2)
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} - {"work/manifest.json"}
    assert files == {
        "table.csv", "table.md", "inputs/table.csv", "inputs/table.md", "toy.png", "summary.json", "work/0.json",
        "work/1.json",
    }  # fmt: skip
    with (out / "table.csv").open() as file:
        assert list(csv.reader(file))[:2] == [["|value|", "words"], ["0", 'one, "two"']]
    first, _, head, *_ = (out / "table.md").read_text().splitlines()
    assert first == sentences[0]
    assert head == r"| \|value\| | words |"
    assert (out / "inputs" / "table.md").read_text().startswith("| a |")
    summary = json.loads((out / "summary.json").read_text())
    assert summary["values"] == [0, 3, 10, None]
    made = summary["provenance"]
    assert made["command"] == "tracerflow experiment toy"
    assert made["options"] == {"config": "small", **toy}
    assert made["seed"] == 7
    (data,) = made["inputs"]
    assert data["sha256"] == sha256_of(toy["data"][0])


def test_what_is_kept_is_not_made_again(toy, tmp_path, monkeypatch):
    run_study("toy", tmp_path, given=toy)
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 100)
    assert run_study("toy", tmp_path, size="paper", given=toy) == ["The sum is 213."]  # 0, 3, and 200 anew; 10


def test_an_option_of_another_study_is_refused(tmp_path, capsys):
    weights = tmp_path / "a.safetensors"
    weights.touch()
    out = tmp_path / "out"
    assert run(["experiment", "model-mismatch", "--out", str(out), "--network", f"a={weights}"]) == 2
    assert "--network: is no option of model-mismatch; leave it out" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("text", ["a", "=b.safetensors", "a=none.safetensors"])
def test_a_network_is_a_name_and_a_file(tmp_path, capsys, text):
    assert run(["experiment", "qtmnet-vs-2cxm", "--out", str(tmp_path / "out"), "--network", text]) == 2
    assert f"--network: {text}: is not NAME=FILE with a file that exists" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_option_that_a_study_needs_is_asked_for(toy, tmp_path):
    with pytest.raises(InputError, match="--data: is missing"):
        run_study("toy", tmp_path / "out")


def test_an_unknown_study_is_refused_with_the_names_there_are(tmp_path):
    with pytest.raises(InputError, match="no-such-study: is no study; choose from model-mismatch, phantom-recovery"):
        run_study("no-such-study", tmp_path)


@pytest.mark.parametrize("name", STUDIES)
def test_every_registered_study_is_one(name):
    assert isinstance(load(name), Study)


def test_help_lists_the_studies_with_their_questions(capsys):
    assert run(["experiment", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, study in STUDIES.items():
        assert f"{name}: {study.question}" in words


def test_the_command_line_imports_no_study():
    found = "*(m for m in sys.modules if m.startswith('experiments.studies.'))"
    program = f"import sys, experiments.cli.experiment; print({found})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name.rpartition(".")[2] for name in done.stdout.split()} == {"registry", "runner", "study"}
