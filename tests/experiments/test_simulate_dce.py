"""tracerflow simulate dce: files that can be estimated again, resumable, and refusals before long work."""

import json
import subprocess
import sys
import time

import nibabel
import numpy as np
import pytest

from experiments.cli import run
from experiments.simulate_config import CONFIG, config_help, read_config
from simulate.base.hdf5 import read_hdf5, read_hdf5_attributes

SMALL = """
seed = 5
[phantom]
shape = [12, 12, 12]
[vessels]
terminals = 80
[protocol]
frames = 25
frame_spacing = 5.0
[measurement]
frequencies = 64
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.mark.x64
def test_one_examination_as_hdf5_with_pictures(config, tmp_path):
    out = tmp_path / "x.h5"
    assert run(["simulate", "dce", str(config), "--out", str(out)]) == 0
    tree, attributes = read_hdf5(out), read_hdf5_attributes(out)
    assert tree["signal"].shape == (12, 12, 12, 25)
    assert attributes["model"] == "2cxm"
    assert attributes["red_cells_converged"] == 1
    record = json.loads(attributes["provenance"])
    assert record["options"]["phantom"]["shape"] == [12, 12, 12]
    assert record["seed"] == 5
    assert tree["truth_units"]["Fp"] == "mL/100 mL/min"
    ledger = tree["ledger"]
    held = sum(ledger[name] for name in ("arteries", "feed", "units", "veins", "outflow"))
    np.testing.assert_allclose(held, ledger["inflow"], rtol=1e-9, atol=1e-9)
    pictures = {p.name for p in tmp_path.glob("*.png")}
    assert pictures == {f"x-{n}.png" for n in ("vessels", "truth", "frames", "curves", "ledger")}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")], "no temporary file is left"


def test_nifti_goes_straight_into_the_estimator(config, tmp_path):
    folder = tmp_path / "scan"
    assert run(["simulate", "dce", str(config), "--out", str(folder), "--nifti", "--no-pictures"]) == 0
    image = nibabel.load(folder / "dce.nii.gz")
    assert image.shape == (12, 12, 12, 25)
    sidecar = json.loads((folder / "dce.json").read_text())
    assert sidecar["GroundTruthModel"] == "2cxm"
    assert sidecar["FrameDuration"] == 5.0
    command = ["estimate", "dce", str(folder / "dce.nii.gz"), "--t10", str(folder / "t10.nii.gz"), "--mask"]
    command += [str(folder / "mask.nii.gz"), "--aif", "parker", "--method", "etm", "--out", str(tmp_path / "maps")]
    assert run(command) == 0
    assert (tmp_path / "maps" / "Ktrans.nii.gz").is_file()


def test_several_phantoms_resume_and_repeat(config, tmp_path):
    """A missing one is made again, to the bit; the others stay."""
    many = tmp_path / "many.toml"
    many.write_text(SMALL.replace("seed = 5", "seed = 5\nphantoms = 3"))
    out = tmp_path / "cohort"
    command = ["simulate", "dce", str(many), "--out", str(out), "--no-pictures"]
    assert run(command) == 0
    files = sorted(out.glob("phantom-*.h5"))
    assert len(files) == 3
    first = [read_hdf5(f)["signal"] for f in files]
    assert not np.array_equal(first[0], first[1])
    changed = files[0].stat().st_mtime_ns
    files[1].unlink()
    assert run(command) == 0
    np.testing.assert_array_equal(read_hdf5(files[1])["signal"], first[1])
    assert files[0].stat().st_mtime_ns == changed


@pytest.mark.slow
def test_a_killed_run_of_a_hundred_phantoms_neither_redoes_nor_loses_one(tmp_path):
    """SIGKILL in the middle, then the same command again; beside it a run that nobody disturbs."""
    many = tmp_path / "many.toml"
    many.write_text(SMALL.replace("seed = 5", "seed = 5\nphantoms = 100"))
    program = "from experiments.cli import main; main()"
    command = [sys.executable, "-c", program, "simulate", "dce", str(many), "--no-pictures", "--out"]
    out, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([*command, out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(list(out.glob("phantom-*.h5"))) < 30 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = {f.name: f.stat().st_mtime_ns for f in out.glob("phantom-*.h5")}
    assert 30 <= len(before) < 100
    subprocess.run([*command, out], check=True, capture_output=True, timeout=600)
    subprocess.run([*command, whole], check=True, capture_output=True, timeout=600)
    files = sorted(out.glob("phantom-*.h5"))
    assert [f.name for f in files] == [f"phantom-{i:05d}.h5" for i in range(100)]
    assert all((out / name).stat().st_mtime_ns == made for name, made in before.items())
    assert {f.name for f in out.iterdir()} == {f.name for f in whole.iterdir()}, "nothing half-written is left"
    for f in files:
        np.testing.assert_array_equal(read_hdf5(f)["signal"], read_hdf5(whole / f.name)["signal"])


def test_every_default_is_allowed_and_the_printed_configuration_can_be_read(tmp_path, capsys):
    for section, keys in CONFIG.items():
        for name, key in keys.items():
            assert key.holds(key.default), f"{section}.{name}"
    assert run(["simulate", "dce", "--print-config"]) == 0
    path = tmp_path / "printed.toml"
    path.write_text(capsys.readouterr().out)
    assert read_config(path) == read_config(None)
    assert "mm" in config_help()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seeds = 3", "seeds: is no known key; choose among seed"),
        ("[phantoms]\ngrade = 4", "[phantoms]: is no known section"),
        ("[phantom]\ngrad = 4", "phantom.grad: is no known key"),
        ("[phantom]\ngrade = 5", "one of 0, 2, 3, 4"),
        ("[phantom]\ngrade = true", "phantom.grade"),
        ('[phantom]\ncapillaries = "tanks"', "tanks-N"),
        ("[phantom]\nshape = [32, 32]", "a list of three"),
        ("[phantom]\ncell = [2, 2, -2]", "mm"),
        ("[vessels]\nhaematocrit = 45", "0 to 0.69"),
        ("[vessels]\nterminals = 100000", "do not fit a mask"),
        ("[protocol]\nFlipAngle = 0", "degrees"),
        ("[protocol]\nRepetitionTimeExcitation = 4", "s"),
        ("[aif]\nname = 3", "one of parker, georgiou"),
        ("[measurement]\nsnr = -1", "measurement.snr"),
        ("[measurement]\ncoarsen = 5", "does not divide"),
        ("[phantom]\nshape = [512, 512, 512]", "GB are allowed; ask for fewer"),
        ("seed = ", "is not valid TOML"),
    ],
)
def test_wrong_configurations_end_with_one_line_and_code_2(text, words, tmp_path, capsys):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    assert run(["simulate", "dce", str(path), "--out", str(tmp_path / "x.h5")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "x.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.toml", "--out", "x.h5"], "No such file"),
        ([], "--out"),
        (["--out", "x.nii"], "does not end in .h5"),
    ],
)
def test_wrong_arguments_end_with_one_line_and_code_2(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["simulate", "dce", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
