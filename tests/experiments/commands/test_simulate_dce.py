"""tracerflow simulate dce: files that can be estimated again, resumable, and refusals before long work."""

import gzip
import json
import subprocess
import sys
import time

import h5py
import nibabel
import numpy as np
import pytest

from estimate.arterial.table import read_aif_csv
from experiments.cli import run
from simulate.files.hdf5 import read_hdf5, read_hdf5_attributes, write_hdf5
from simulate.files.nifti import read_image

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


def test_a_folder_of_nifti_may_be_filled_again(config, tmp_path):
    folder = tmp_path / "scan"
    for _ in range(2):
        assert run(["simulate", "dce", str(config), "--out", str(folder), "--nifti", "--no-pictures"]) == 0
    image = nibabel.load(folder / "dce.nii.gz")
    assert image.shape == (12, 12, 12, 25)
    sidecar = json.loads((folder / "dce.json").read_text())
    assert sidecar["GroundTruthModel"] == "2cxm"
    assert sidecar["FrameDuration"] == 5.0


LEAKY = SMALL.replace("frames = 25", "frames = 60").replace("spacing = 5.0", "spacing = 3.0") + "snr = 1000\n"


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """Folder of NIfTI files, and the HDF5 file of the same examination."""
    out = tmp_path_factory.mktemp("scan")
    (out / "config.toml").write_text(LEAKY.replace("= 64", "= 256"))
    command = ["simulate", "dce", str(out / "config.toml"), "--no-pictures", "--out"]
    assert run([*command, str(out / "nifti"), "--nifti"]) == 0
    assert run([*command, str(out / "x.h5")]) == 0
    return out / "nifti", out / "x.h5"


def plain_nifti(path):
    """A NIfTI-1 image by its header alone: sizes at byte 40, type at 70, offset, slope and intercept from 108."""
    raw = gzip.decompress(path.read_bytes())
    sizes = np.frombuffer(raw, "<i2", 8, 40)
    offset, slope, intercept = np.frombuffer(raw, "<f4", 3, 108)
    kind = {8: "<i4", 16: "<f4"}[np.frombuffer(raw, "<i2", 1, 70)[0]]
    shape = sizes[1 : sizes[0] + 1]
    values = np.frombuffer(raw, kind, np.prod(shape), int(offset)).reshape(shape, order="F")
    return values * slope + intercept if slope not in (0, 1) else values


def test_the_true_input_in_the_files_gives_the_truth_back(scan, tmp_path):
    """Where the model of the estimate is that of the simulation: in leaky cells that no vessel crosses, supplied with
    little dispersion. Blood for plasma would be wrong by 1/(1-0.42)."""
    folder, found = scan[0], tmp_path / "maps"
    command = ["estimate", "dce", str(folder / "dce.nii.gz"), "--t10", str(folder / "t10.nii.gz"), "--mask"]
    command += [str(folder / "mask.nii.gz"), "--fit-delay", "--out", str(found)]
    assert run([*command, "--aif", str(folder / "aif.csv")]) == 0
    names = ("Fp", "PS", "vp", "ve", "Ktrans", "delay", "vp_vessels", "dispersion")
    truth = {name: plain_nifti(folder / f"truth_{name}.nii.gz") for name in names}
    same = (truth["vp_vessels"] == 0) & (truth["dispersion"] < 0.5) & (truth["PS"] > 1)
    assert same.sum() > 20
    for name in ("Fp", "PS", "vp", "ve", "Ktrans"):
        maps = read_image(found / f"{name}.nii.gz").data
        np.testing.assert_allclose(maps[same], truth[name][same], rtol=0.03, err_msg=name)
    delay = read_image(found / "delay.nii.gz").data
    np.testing.assert_allclose(delay[same], truth["delay"][same], atol=0.1)


def test_numpy_alone_reads_the_files(scan):
    """The same numbers as from this project's own readers, by one line a file."""
    folder, path = scan
    plasma = np.genfromtxt(folder / "aif.csv", delimiter=",")[1:]
    blood = np.genfromtxt(folder / "aif_blood.csv", delimiter=",")[1:]
    own, of_blood = (
        read_aif_csv(folder / name, kind=None, haematocrit=None, series_times=3.0 * np.arange(60))
        for name in ("aif.csv", "aif_blood.csv")
    )
    np.testing.assert_array_equal(np.float32(plasma).T, [own.times, own.curve])
    np.testing.assert_allclose(of_blood.curve, own.curve, rtol=1e-6)
    np.testing.assert_allclose(blood[:, 1], 0.58 * plasma[:, 1], rtol=1e-6)
    assert np.diff(plasma[:, 0]) == pytest.approx(0.1)
    for name in ("dce", "t10", "mask", "truth_Fp", "truth_T10_tissue"):
        image = folder / f"{name}.nii.gz"
        np.testing.assert_array_equal(plain_nifti(image), read_image(image).data)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["signal"], plain_nifti(folder / "dce.nii.gz"))
        np.testing.assert_array_equal(np.float32(file["aif/plasma"]), np.float32(plasma[:, 1]))
        np.testing.assert_array_equal(np.float32(file["aif/blood"]), np.float32(blood[:, 1]))
        np.testing.assert_array_equal(np.float32(file["aif/times"]), np.float32(plasma[:, 0]))
        assert file["aif/haematocrit"][()] == 0.42
        t1_blood = float(file["t1_blood"][()])
        assert json.loads((folder / "dce.json").read_text())["BloodT1"] == t1_blood
        assert t1_blood == pytest.approx(1 / (0.52 * 0.42 + 0.38))  # Lu et al. 2004, 3 T
        tissue, both, share = file["truth/T10_tissue"][:], file["truth/T10"][:], file["blood"][:]
        np.testing.assert_allclose(1 / both, (1 - share) / tissue + share / t1_blood, rtol=1e-5)


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
        (
            ["--nifti", "--out", "x.h5"],
            "x.h5: names a file, and --nifti fills a folder; name a folder",
        ),
        (["several.toml", "--out", "x.h5"], "2 phantoms fill a folder"),
        (["mine.h5", "--out", "mine.h5"], "is the configuration itself"),
        (["several.toml", "--out", "./several.toml"], "is the configuration itself"),
        (["--out", "mine.h5/x.h5"], "mine.h5 is a file"),
        (["--out", "mine.h5"], "no earlier run of tracerflow wrote it"),
        (["--out", "theirs.h5"], "no earlier run of tracerflow wrote it; name another file, or move this one"),
        (["--out", "folder.h5"], "is a folder"),
        (
            ["--nifti", "--out", "patient"],
            "patient/aif.csv: is there, and no simulation wrote",
        ),
    ],
)
def test_wrong_arguments_end_with_one_line_and_code_2(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.h5").write_text(SMALL)
    (tmp_path / "several.toml").write_text("phantoms = 2")
    (tmp_path / "folder.h5").mkdir()
    (tmp_path / "patient").mkdir()
    for name in ("aif.csv", "dce.json"):
        (tmp_path / "patient" / name).write_text("{}")
    write_hdf5(tmp_path / "theirs.h5", {"signal": np.zeros(3)}, {"provenance": "another program"})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(["simulate", "dce", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
