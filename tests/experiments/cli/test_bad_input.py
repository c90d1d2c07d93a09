"""A wrong input ends with exit code 2 and one line, before any long work, and leaves nothing behind.

The line names what is wrong (a file or an option), the field, and the cure.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from experiments.cli import run
from experiments.commands.read_dce import DCEOptions, read_dce
from simulate.files.nifti import read_image, write_image
from tests.phantom import AFFINE, CLOCK, SHAPE, TIMES

T10 = ("--t10", "1.2")


@pytest.fixture
def folder(examination, tmp_path):
    """A copy of the examination to damage."""
    return shutil.copytree(examination, tmp_path / "in")


@pytest.fixture
def refused(folder, tmp_path, monkeypatch, capsys):
    """Run `estimate dce` on the copy, see it refused in time, and return the line that it printed."""

    def check(*options, series="dce.nii.gz", out=None):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(
            "experiments.commands.estimate_dce.estimate_examination", lambda *a, **k: pytest.fail("too late")
        )
        before = set(tmp_path.rglob("*"))
        code = run(["estimate", "dce", series, *([] if out == "" else ["--out", out or "../out"]), *options])
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        assert printed.err.startswith("tracerflow: ")
        assert printed.err.endswith("\n")
        assert printed.err.count("\n") == 1
        assert set(tmp_path.rglob("*")) == before
        return printed.err

    return check


def assert_says(line, *words):
    for word in words:
        assert word in line, f"{word!r} is not in {line!r}"


def edit(folder, **fields):
    """Change fields of the series' sidecar; None removes one."""
    path = folder / "dce.json"
    content = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


# -- the series -------------------------------------------------------------------------------------------


def test_a_missing_series(refused):
    assert_says(refused(*T10, series="none.nii.gz"), "none.nii.gz", "no such file", "check the path")


def test_a_series_that_is_not_nifti(folder, refused):
    (folder / "dce.nii.gz").write_bytes(gzip.compress(b"not an image" * 100))
    assert_says(refused(*T10), "dce.nii.gz", "is not a NIfTI image", "dcm2niix")


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_truncated_series(folder, refused, kept):
    content = (folder / "dce.nii.gz").read_bytes()
    (folder / "dce.nii.gz").write_bytes(content[: int(kept * len(content))])
    assert_says(refused(*T10), "dce.nii.gz", "truncated", "copy or export the image again")


def test_a_volume_instead_of_a_series(folder, refused):
    write_image(folder / "dce.nii.gz", np.ones(SHAPE), AFFINE)
    assert_says(refused(*T10), "dce.nii.gz", "shape", "4-D", "give the whole series")


# -- its sidecar ------------------------------------------------------------------------------------------


def test_a_missing_sidecar(folder, refused):
    (folder / "dce.json").unlink()
    line = refused(*T10)
    assert_says(line, "dce.json", "RepetitionTimeExcitation, FlipAngle, VolumeTiming", "no such file")
    assert_says(line, "--set FlipAngle=value")


@pytest.mark.parametrize("field", ["RepetitionTimeExcitation", "FlipAngle", "VolumeTiming"])
def test_a_missing_field(folder, refused, field):
    edit(folder, **{field: None})
    assert_says(refused(*T10), "dce.json", f"{field}: missing", f"--set {field}=value")


TIMES_TWICE = [CLOCK + 5, *(CLOCK + TIMES[1:])]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("FlipAngle", 0, "above 0"),
        ("FlipAngle", [15, 15], "not a number"),
        ("RepetitionTimeExcitation", 4, "milliseconds"),
        ("VolumeTiming", TIMES_TWICE, "does not increase"),
        ("VolumeTiming", list(TIMES[:-1]), "has length 59, and the image has 60 frames"),
        ("VolumeTiming", list(1000 * TIMES), "milliseconds"),
        ("VolumeTiming", 2.0, "not a list"),
        ("BaselineVolumes", 60, "whole number from 1 to 59"),
        ("Haematocrit", 42, "below 0.7"),
        ("Haematocrit", -0.1, "from 0"),
        ("LongitudinalRelaxivity", 0, "from 0.5"),
    ],
)
def test_a_wrong_field(folder, refused, field, value, problem):
    edit(folder, **{field: value})
    assert_says(refused(*T10), "dce.json", field, problem, f"--set {field}=value")


def test_a_sidecar_that_is_not_json(folder, refused):
    (folder / "dce.json").write_text("FlipAngle = 15")
    assert_says(refused(*T10), "dce.json", "not valid JSON", "mend it")


def test_no_haematocrit_for_an_input_measured_in_blood(folder, refused):
    edit(folder, Haematocrit=None)
    assert_says(refused(*T10), "dce.nii.gz", "Haematocrit", "give --haematocrit")


# -- images on another grid ---------------------------------------------------------------------------------


ON_THE_GRID = {
    "mask": (("--mask", "mask.nii.gz", *T10), "mask.nii.gz", "mask"),
    "T10 map": (("--t10", "t10.nii.gz"), "t10.nii.gz", "T10 map"),
    "VFA": (("--vfa", "vfa.nii.gz"), "vfa.nii.gz", "VFA images"),
    "B1 map": (("--b1", "b1.nii.gz", *T10), "b1.nii.gz", "B1 map"),
    "arterial region": (("--aif", "artery.nii.gz", *T10), "artery.nii.gz", "arterial region"),
}


@pytest.mark.parametrize("image", ON_THE_GRID)
def test_an_image_of_another_shape(folder, refused, image):
    options, name, field = ON_THE_GRID[image]
    write_image(folder / name, read_image(folder / name).data[:, :-1], AFFINE)
    line = refused(*options)
    assert_says(line, name, field, "shape (8, 7, 3)", "(8, 8, 3)", "resample", "grid of dce.nii.gz")


@pytest.mark.parametrize("image", ON_THE_GRID)
def test_an_image_in_another_place(folder, refused, image):
    options, name, field = ON_THE_GRID[image]
    moved = AFFINE + np.array([[0, 0, 0, 2], *np.zeros((3, 4))])
    write_image(folder / name, read_image(folder / name).data, moved)
    assert_says(refused(*options), name, field, "affine", "resample", "grid of dce.nii.gz")


@pytest.mark.parametrize("image", ON_THE_GRID)
def test_an_image_that_is_missing_or_damaged(folder, refused, image):
    options, name, _ = ON_THE_GRID[image]
    (folder / name).write_bytes((folder / name).read_bytes()[:-20])
    assert_says(refused(*options), name, "truncated")
    (folder / name).unlink()
    assert_says(refused(*options), name)


@pytest.mark.parametrize("image", ["mask", "arterial region"])
def test_a_region_without_a_voxel(folder, refused, image):
    """NaN, which some programs write outside a region, is no voxel either."""
    options, name, field = ON_THE_GRID[image]
    write_image(folder / name, np.full(SHAPE, np.nan), AFFINE)
    assert_says(refused(*options), name, field, "holds no voxel")


# -- T1 before contrast -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--t10", "1.2", "--vfa", "vfa.nii.gz")])
def test_none_or_both_of_vfa_and_t10(refused, options):
    assert_says(refused(*options), "dce.nii.gz", "T10", "give either --vfa or --t10")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fast", "neither a number nor a file"),
        ("1200", "no T1 of tissue"),
        ("0", "no T1 of tissue"),
        ("nan", "no T1 of tissue"),
    ],
)
def test_a_t10_that_is_none(refused, text, problem):
    assert_says(refused("--t10", text), "--t10", text, problem, "give seconds")


def test_maps_in_other_units(folder, refused):
    write_image(folder / "t10.nii.gz", np.full(SHAPE, 1200.0), AFFINE)
    assert_says(refused("--t10", "t10.nii.gz"), "t10.nii.gz", "T10 map", "median of 1200", "milliseconds")
    write_image(folder / "b1.nii.gz", np.full(SHAPE, 100.0), AFFINE)
    assert_says(refused("--b1", "b1.nii.gz", *T10), "b1.nii.gz", "B1 map", "median of 100", "per cent")
    write_image(folder / "b1.nii.gz", np.zeros(SHAPE), AFFINE)
    assert_says(refused("--b1", "b1.nii.gz", *T10), "b1.nii.gz", "B1 map", "no positive value")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"FlipAngle": [3, 10]}, ("FlipAngle", "length 2", "3 volumes")),
        ({"FlipAngle": [3, 0, 20]}, ("FlipAngle", "above 0")),
        (
            {"FlipAngle": [3, 10, 20], "RepetitionTimeExcitation": None},
            ("RepetitionTimeExcitation", "missing"),
        ),
    ],
)
def test_a_wrong_sidecar_of_the_vfa_images(folder, refused, fields, words):
    content = {"FlipAngle": None, "RepetitionTimeExcitation": 0.005} | fields
    (folder / "vfa.json").write_text(json.dumps(content))
    assert_says(refused("--vfa", "vfa.nii.gz"), "vfa.json", *words)


def test_the_cure_for_vfa_images_without_angles_cures_to_the_letter(folder, refused):
    (folder / "vfa.json").write_text('{"RepetitionTimeExcitation": 0.005}')
    cure = refused("--vfa", "vfa.nii.gz").split("or give ")[1].strip()
    assert cure == "--set vfa.FlipAngle=value"
    assert_says(refused("--vfa", "vfa.nii.gz", "--set", "vfa.FlipAngle=[5]"), "--set", "vfa.json", "length 1")
    rounded = refused("--vfa", "vfa.nii.gz", "--set", "vfa.FlipAngle=[3,3.0001,3]")
    assert_says(rounded, "fewer than 2 distinct angles")
    told = cure.removeprefix("--set ").replace("value", "[3,10,20]")
    asked = DCEOptions(folder / "dce.nii.gz", folder / "out", vfa=[folder / "vfa.nii.gz"], set=[told])
    assert read_dce(asked).exam.t10.flip_angles.tolist() == [3, 10, 20]


# -- the arterial input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "times", "words"),
    [
        ("# kind: plasma", CLOCK + TIMES[:-1], ("time", "covers", "give a curve that covers the series")),
        ("# kind: plasma", CLOCK + TIMES / 60, ("time", "these look like minutes", "give seconds")),
        ("", CLOCK + TIMES, ("kind", "no word on blood or plasma", "--aif-is blood|plasma")),
        ("# kind: serum", CLOCK + TIMES, ("kind", "'serum'", "# kind: plasma")),
    ],
)
def test_a_curve_that_cannot_be_used(folder, refused, head, times, words):
    (folder / "aif.csv").write_text("\n".join([head, *(f"{time},1.0" for time in times)]))
    assert_says(refused("--aif", "aif.csv", *T10), "aif.csv", *words)


@pytest.mark.parametrize("name", ["parkr", "none.csv", "none.nii.gz"])
def test_an_input_that_is_neither_a_name_nor_a_file(refused, name):
    assert_says(refused("--aif", name, *T10), "--aif", name, "give one of them")


def test_no_artery_in_the_images(folder, tmp_path, capsys):
    """This can only be known once there is T1; nothing is fitted and nothing is written."""
    signal = read_image(folder / "dce.nii.gz").data
    signal[:] = signal[..., :1] * (1 + 1e-3 * np.random.default_rng(0).standard_normal(signal.shape))
    write_image(folder / "dce.nii.gz", signal, AFFINE)
    out = tmp_path / "out"
    code = run(["estimate", "dce", str(folder / "dce.nii.gz"), "--out", str(out), *T10])
    line = capsys.readouterr().err
    assert code == 2
    assert line.count("\n") == 1
    assert_says(line, "arterial input", "--aif roi.nii.gz", "--aif parker")
    assert list(out.iterdir()) == []


# -- options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--haematocrit", "42"), ("--haematocrit", "42", "give a fraction")),
        (("--haematocrit", "-0.1"), ("--haematocrit", "-0.1", "give a fraction")),
        (("--haematocrit", "nan"), ("--haematocrit", "nan", "give a fraction")),
        (("--haematocrit", "high"), ("--haematocrit", "high")),
        (("--relaxivity", "0"), ("LongitudinalRelaxivity", "from 0.5")),
        (("--method", "3cxm"), ("--method", "3cxm", "2cxm", "patlak")),
        (("--method", "etm", "--arterial-volume"), ("--arterial-volume", "etm", "use --method 2cxm")),
        (("--scale", "vessels"), ("--scale", "2cxm", "use --method qtmnet")),
        (("--method", "qtmnet", "--scale", "asl"), ("--scale", "asl", "give --cbf")),
        (("--method", "qtm", "--scale", "asl"), ("--scale", "asl", "use --scale vessels")),
        (("--method", "qtmnet", "--cbf", "t10.nii.gz"), ("--cbf", "population", "add --scale asl")),
        (("--method", "qtmnet", "--fit-delay"), ("--method", "qtmnet", "--fit-delay", "leave them out")),
        (("--method", "qtmnet", "--weights", "none.safetensors"), ("none.safetensors", "no such file")),
        (("--method", "qtmnet", "--weights", "dce.json"), ("dce.json", "cannot be read as weights")),
        (("--weights", "dce.json"), ("--weights", "2cxm", "use --method qtmnet")),
        (("--method", "qtmnet", "--set", "BaselineVolumes=1"), ("BaselineVolumes", "two frames and more")),
        (("--set", "BaselineVolumes=1"), ("BaselineVolumes", "first frames", "measure more")),
        (("--quantity", "concentration"), ("--t10", "is of signals", "leave it out")),
        (("--method", "qtmnet", "--aif", "parker"), ("--aif", "is not used by qtmnet", "add --scale vessels")),
        (("--aif-is", "blood"), ("--aif-is", "curve.csv", "leave it out")),
        (("--set", "vfa.FlipAngle=[1,2]"), ("vfa.FlipAngle", "--vfa is not", "leave it out")),
        (("--r2star", "5"), ("--r2star", "EchoTime", "give EchoTime")),
        (("--set", "FrameDuration=60"), ("FrameDuration", "60 s start", "the time that one frame takes")),
        (("--quantity", "kidney"), ("--quantity", "kidney", "concentration")),
        (("--set", "FlipAngle"), ("--set", "FlipAngle", "has no =", "--set FlipAngle=value")),
        (("--set", "FlipAngel=15"), ("--set", "FlipAngel", "is no known field", "FlipAngle")),
        (("--set", "FlipAngle=fifteen"), ("--set", "FlipAngle", "not a number")),
        (("--fit-dely",), ("--fit-dely", "--fit-delay")),
        (("--nonsense", "3"), ("--nonsense",)),
        (("--mask",), ("--mask",)),
    ],
)
def test_a_wrong_option(refused, options, words):
    assert_says(refused(*T10, *options), *words)


def test_no_output_folder_given(refused):
    assert_says(refused(*T10, out=""), "--out")


@pytest.mark.parametrize("out", ["dce.json/maps", "/proc/maps"])
def test_an_output_folder_that_cannot_be(refused, out):
    assert_says(refused(*T10, out=out), out, "cannot be", "give a")


def test_the_process_prints_the_line_and_nothing_else(folder, tmp_path):
    """Outside the tests no import, progress bar or warning adds to it, and the exit code is the process's."""
    program = "from experiments.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        program,
        "estimate",
        "dce",
        folder / "dce.nii.gz",
        "--out",
        tmp_path / "out",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert_says(ended.stderr, "tracerflow: ", "T10", "give either --vfa")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("platform", ["cuda", "nonsense", "tpu"])
@pytest.mark.parametrize("command", [("check",), ("estimate", "dce", "dce.nii.gz", "--out", "out", *T10)])
def test_an_accelerator_that_is_not_there_is_one_line(folder, platform, command):
    """Left over in a shell's profile; elsewhere a traceback of thirty lines that ends in a bare AssertionError."""
    code = "import sys; from experiments.cli import main; sys.argv[0] = 'tracerflow'; main()"
    clean = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"} | {"JAX_PLATFORMS": platform}
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, cwd=folder, env=clean)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("tracerflow: ")]
    assert said == [
        f"tracerflow: JAX_PLATFORMS: {platform}: is no platform that JAX finds here; unset it, or set it to cpu"
    ]
    assert "Traceback" not in done.stderr
    assert not (folder / "out").exists()
