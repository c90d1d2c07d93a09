"""An examination stored as one file for each frame or flip angle is what it is in one file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from experiments.cli import run
from experiments.commands.read_dce import DCEOptions, read_dce
from simulate.files.nifti import read_image, write_image
from tests.phantom import AFFINE, CLOCK, SHAPE, TIMES, VFA_ANGLES, VFA_TR


@pytest.fixture
def folder(examination, tmp_path):
    """The examination, its series in one file for each frame beside it, and its flip angles likewise."""
    folder = shutil.copytree(examination, tmp_path / "in")
    series, sidecar = read_image(folder / "dce.nii.gz").data, json.loads((folder / "dce.json").read_text())
    for i, start in enumerate(CLOCK + TIMES):
        seconds = f"{start // 3600:02.0f}:{start % 3600 // 60:02.0f}:{start % 60:09.6f}"
        write_image(folder / f"frame-{i:02d}.nii.gz", series[..., i], AFFINE)
        own = {name: value for name, value in sidecar.items() if name != "VolumeTiming"}
        (folder / f"frame-{i:02d}.json").write_text(json.dumps(own | {"AcquisitionTime": seconds}))
    vfa = read_image(folder / "vfa.nii.gz").data
    for i, angle in enumerate(VFA_ANGLES, 1):
        write_image(folder / f"sub-1_flip-{i}_VFA.nii.gz", vfa[..., i - 1], AFFINE)
        fields = {"FlipAngle": angle, "RepetitionTimeExcitation": VFA_TR}
        (folder / f"sub-1_flip-{i}_VFA.json").write_text(json.dumps(fields))
    return folder


@pytest.fixture
def refused(folder, tmp_path, capsys, monkeypatch):
    def check(*asked):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(
            "experiments.commands.estimate_dce.estimate_examination", lambda *a, **k: pytest.fail("too late")
        )
        assert run(["estimate", "dce", *asked, "--out", "../out"]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return error

    return check


def frames_of(folder):
    return sorted(folder.glob("frame-*.nii.gz"))


def angles_of(folder):
    return sorted(folder.glob("sub-1_flip-*_VFA.nii.gz"))


def test_frames_and_angles_in_files_of_their_own_are_the_examination_in_one(folder):
    one = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", vfa=[folder / "vfa.nii.gz"])).exam
    read = read_dce(DCEOptions(frames_of(folder), folder / "out", vfa=angles_of(folder)))
    many = read.exam
    np.testing.assert_array_equal(many.series.data, one.series.data)
    np.testing.assert_allclose(many.series.protocol.times, one.series.protocol.times, rtol=0, atol=2e-6)
    assert many.series.protocol.baseline == one.series.protocol.baseline
    assert many.haematocrit == one.haematocrit
    np.testing.assert_array_equal(many.t10.signal, one.t10.signal)
    np.testing.assert_array_equal(many.t10.flip_angles, VFA_ANGLES)
    assert many.t10.repetition_time == VFA_TR
    names = [Path(each.path).name for each in read.inputs]
    assert names[:4] == ["frame-00.nii.gz", "frame-00.json", "frame-01.nii.gz", "frame-01.json"]
    assert len(names) == len(set(names)) == 2 * (len(TIMES) + len(VFA_ANGLES))


def test_the_command_takes_frames_and_angles(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.commands.estimate_dce.write_report", lambda *_: None)
    told = [text for path in angles_of(folder) for text in ("--vfa", str(path))]
    out = tmp_path / "out"
    options = ["--method", "patlak", "--aif", str(folder / "artery.nii.gz"), *told]
    assert run(["estimate", "dce", *map(str, frames_of(folder)), "--out", str(out), *options]) == 0
    facts = json.loads((out / "maps.json").read_text())
    assert facts["options"]["series"] == list(map(str, frames_of(folder)))
    assert facts["options"]["vfa"] == list(map(str, angles_of(folder)))
    assert len(facts["inputs"]) == 2 * (len(TIMES) + len(VFA_ANGLES)) + 1
    assert read_image(out / "Ktrans.nii.gz").data.shape == SHAPE


def test_a_single_angle_alone_is_refused_and_the_cure_cures(folder, refused):
    line = refused("dce.nii.gz", "--vfa", "sub-1_flip-1_VFA.nii.gz")
    assert "sub-1_flip-1_VFA.nii.gz: FlipAngle" in line
    assert line.endswith("give --vfa once for each angle's file\n")
    read = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", vfa=angles_of(folder))).exam
    assert read.t10.signal.shape == (*SHAPE, 3)


def test_set_lists_the_angles_of_several_files(folder):
    for path in folder.glob("*_VFA.json"):
        path.write_text("{}")
    told = ["vfa.FlipAngle=[3,10,20]", f"vfa.RepetitionTimeExcitation={VFA_TR}"]
    read = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", vfa=angles_of(folder), set=told)).exam
    np.testing.assert_array_equal(read.t10.flip_angles, [3, 10, 20])


def test_an_angle_stored_with_an_axis_of_one_is_the_same(folder):
    data = read_image(folder / "sub-1_flip-2_VFA.nii.gz").data
    write_image(folder / "sub-1_flip-2_VFA.nii.gz", data[..., None], AFFINE)
    read = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", vfa=angles_of(folder))).exam
    np.testing.assert_array_equal(read.t10.signal, read_image(folder / "vfa.nii.gz").data)


def test_frames_in_the_order_of_their_names_are_not_always_in_that_of_time(folder, refused):
    """frame-2 after frame-10, as a shell sorts them."""
    line = refused("frame-00.nii.gz", "frame-10.nii.gz", "frame-02.nii.gz", "--t10", "1.2")
    assert "frame-02.json: AcquisitionTime" in line
    assert "frame-10.json; give the frames in the order of time" in line


def test_frames_and_angles_on_other_grids_are_refused(folder, refused):
    moved = AFFINE + np.array([[0, 0, 0, 2], *np.zeros((3, 4))])
    for name, asked in (
        ("frame-01.nii.gz", ("frame-00.nii.gz", "frame-01.nii.gz", "--t10", "1.2")),
        (
            "sub-1_flip-2_VFA.nii.gz",
            ("dce.nii.gz", "--vfa", "sub-1_flip-1_VFA.nii.gz", "--vfa", "sub-1_flip-2_VFA.nii.gz"),
        ),
    ):
        data = read_image(folder / name).data
        write_image(folder / name, data, moved)
        line = refused(*asked)
        assert name in line
        assert "affine" in line
        write_image(folder / name, data[:, :-1], AFFINE)
        assert "shape (8, 7, 3)" in refused(*asked)


def test_a_whole_series_is_no_frame(refused):
    assert "give a single volume" in refused("dce.nii.gz", "frame-01.nii.gz", "--t10", "1.2")


def test_no_series_at_all(refused):
    assert "SERIES" in refused("--t10", "1.2").upper()
