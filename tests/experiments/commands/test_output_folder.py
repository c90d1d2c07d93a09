"""Results go only where they overwrite nothing that no earlier run wrote, and inputs are noted as they were read."""

import json
import os
import shutil
from hashlib import sha256

import numpy as np
import pytest

from experiments.cli import run
from experiments.commands.outputs import claim
from experiments.commands.read_dce import DCEOptions, read_dce
from simulate.base.errors import InputError
from simulate.base.types import Maps
from simulate.files.nifti import read_image, write_image
from simulate.files.provenance import InputFile
from tests.phantom import AFFINE, SHAPE

DCE, ASL = "tracerflow estimate dce", "tracerflow estimate asl"
NAMES = ("Fp.nii.gz", "aif.csv")
ONES = np.ones((2, 2, 1))


def claimed(folder, *, command=DCE, names=NAMES, inputs=()):
    return claim(folder, command=command, names=names, inputs=[InputFile.of(path) for path in inputs])


def a_run(folder, *names, **options):
    """Write `names` as a run does."""
    results = claimed(folder, names=names, **options)
    results.begin()
    for name in names:
        results.path(name).write_text("of a run")
    results.finish({"command": results.command})
    return results


def test_a_run_replaces_what_an_earlier_one_wrote_and_removes_what_it_does_not_write(tmp_path):
    a_run(tmp_path, "Fp.nii.gz", "va.nii.gz")
    (tmp_path / "notes.txt").write_text("mine")
    a_run(tmp_path, "Fp.nii.gz", "aif.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Fp.nii.gz", "aif.csv", "maps.json", "notes.txt"]
    listed = json.loads((tmp_path / "maps.json").read_text())["files"]
    assert listed == {name: sha256(b"of a run").hexdigest() for name in ("Fp.nii.gz", "aif.csv")}


@pytest.mark.parametrize("name", ["Fp.nii.gz", "aif.csv", "report.html", "maps.png"])
def test_a_file_that_no_run_wrote_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=r"is there already, not as an earlier run wrote it, .*; give another --out"):
        claimed(tmp_path)
    a_run(tmp_path / "elsewhere", *NAMES)
    assert (tmp_path / name).read_text() == "mine"


def test_a_result_that_was_changed_since_is_not_overwritten(tmp_path):
    """A mask corrected by hand is work that nobody wants to lose."""
    a_run(tmp_path, *NAMES)
    (tmp_path / "Fp.nii.gz").write_text("corrected")
    with pytest.raises(InputError, match="not as an earlier run wrote it"):
        claimed(tmp_path)
    claimed(tmp_path, names=["aif.csv"]).begin()
    assert (tmp_path / "Fp.nii.gz").read_text() == "corrected"


@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_an_input_is_not_overwritten_by_any_of_its_names(tmp_path, link):
    """Also one that an earlier run wrote: its aif.csv is given back to --aif."""
    a_run(tmp_path, *NAMES)
    given = tmp_path / "aif.csv"
    if link is not None:
        given = tmp_path / "mine.csv"
        (tmp_path / "aif.csv").rename(given)
        link(given, tmp_path / "aif.csv")
    with pytest.raises(InputError, match=r"aif\.csv: is an input"):
        claimed(tmp_path, inputs=[given])
    claimed(tmp_path, names=["Fp.nii.gz"], inputs=[given]).begin()
    assert given.is_file()


def test_maps_of_dce_and_asl_are_not_mixed(tmp_path):
    a_run(tmp_path, "CBF.nii.gz", command=ASL)
    with pytest.raises(InputError, match="holds results of tracerflow estimate asl"):
        claimed(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{}", "no json", '{"files": "all", "command": "x"}'])
def test_a_maps_json_of_another_origin_is_left_alone(tmp_path, content):
    (tmp_path / "maps.json").write_text(content)
    with pytest.raises(InputError, match=r"maps\.json: is there already, and no run wrote it"):
        claimed(tmp_path)


def test_a_list_of_files_reaches_no_other_folder(tmp_path):
    """A maps.json from elsewhere cannot have files outside its folder removed."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    files = dict.fromkeys(["../mine.txt", str(tmp_path / "mine.txt"), ".."])
    (out / "maps.json").write_text(json.dumps({"command": DCE, "files": files}))
    claimed(out).begin()
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_after_an_interrupt_the_next_run_goes_on_in_the_same_folder(tmp_path):
    results = claimed(tmp_path)
    results.begin()
    results.path("Fp.nii.gz").write_text("half of a run")
    record = json.loads((tmp_path / "maps.json").read_text())
    assert not record["complete"]
    assert list(record["files"]) == ["Fp.nii.gz"]  # what was begun: aif.csv, put there meanwhile, would be anybody's
    a_run(tmp_path, *NAMES)
    assert json.loads((tmp_path / "maps.json").read_text())["complete"]


def test_a_map_that_was_not_announced_is_a_mistake_of_ours(tmp_path):
    with pytest.raises(AssertionError, match="not announced"):
        claimed(tmp_path).write_maps(Maps({"surprise": ONES}, np.eye(4)), ONES.astype(int))


# -- from the command line ------------------------------------------------------------------------------------


@pytest.fixture
def folder(examination, tmp_path, monkeypatch):
    where = shutil.copytree(examination, tmp_path / "in")
    monkeypatch.chdir(where)
    monkeypatch.setattr("experiments.commands.estimate_dce.write_report", lambda *_: None)
    return where


def sums(folder):
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("rename", "options"),
    [
        ({"t10.nii.gz": "T10.nii.gz"}, ("--t10", "T10.nii.gz")),
        ({"t10.nii.gz": "Fp.nii.gz"}, ("--t10", "1.2")),
        ({}, ("--t10", "1.2", "--mask", "mask.nii.gz")),
        ({}, ("--t10", "1.2")),  # mask.nii.gz lies there, of the user's making
    ],
)
def test_out_where_the_inputs_lie_changes_none_of_them(folder, rename, options, capsys):
    for old, new in rename.items():
        (folder / old).rename(new)
    before = sums(folder)
    assert run(["estimate", "dce", "dce.nii.gz", "--out", ".", *options]) == 2
    assert capsys.readouterr().err.endswith("give another --out\n")
    assert sums(folder) == before


def test_where_no_name_collides_results_may_lie_beside_the_inputs(folder):
    (folder / "mask.nii.gz").rename("tissue.nii.gz")
    (folder / "t10.nii.gz").unlink()
    before = sums(folder)
    line = ["estimate", "dce", "dce.nii.gz", "--out", ".", "--t10", "1.2", "--mask", "tissue.nii.gz"]
    assert run([*line, "--method", "patlak"]) == 0
    after = sums(folder)
    assert {name: after[name] for name in before} == before
    record = json.loads((folder / "maps.json").read_text())
    assert {each["path"]: each["sha256"] for each in record["inputs"]} == {
        name: before[name] for name in ("dce.nii.gz", "dce.json", "tissue.nii.gz")
    }
    assert record["mask"]["source"] == "tissue.nii.gz, voxels above 0.5"
    assert run([*line, "--method", "tofts"]) == 0  # its own results may be replaced
    np.testing.assert_array_equal(
        read_image("mask.nii.gz").data > 0, read_image("tissue.nii.gz").data > 0
    )  # fmt: skip


# -- regions by label -----------------------------------------------------------------------------------------


def test_the_cure_for_a_segmentation_as_artery_cures_to_the_letter(folder, phantom, capsys):
    labels = np.where(phantom.artery, 1, 0)
    labels[4:7, 4:7] = 2
    write_image(folder / "seg.nii.gz", labels, AFFINE)
    line = ["estimate", "dce", "dce.nii.gz", "--out", "out", "--t10", "t10.nii.gz", "--aif"]
    assert run([*line, "seg.nii.gz"]) == 2
    cure = capsys.readouterr().err.rpartition("as in ")[2].strip()
    assert cure == "seg.nii.gz:1"
    read = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", t10="1.2", aif=cure, mask="seg.nii.gz:2"))
    np.testing.assert_array_equal(read.exam.aif, phantom.artery)
    np.testing.assert_array_equal(read.exam.mask, labels == 2)
    assert read.exam.mask_source == "seg.nii.gz, label 2"
    assert [each.path for each in read.inputs].count("seg.nii.gz") >= 1
    whole = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", t10="1.2", aif=cure, mask="seg.nii.gz"))
    assert whole.exam.mask_source == "seg.nii.gz, labels 1, 2"
    with pytest.raises(InputError, match="has no voxel of label 7; choose among its labels: 1, 2"):
        read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", t10="1.2", aif="seg.nii.gz:7"))


def test_a_resampled_artery_is_its_core(folder, phantom):
    soft = np.full(SHAPE, 0.02)
    soft[phantom.artery] = 0.9
    write_image(folder / "soft.nii.gz", soft, AFFINE)
    read = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", t10="1.2", aif="soft.nii.gz"))
    np.testing.assert_array_equal(read.exam.aif, phantom.artery)


def test_without_a_mask_tissue_is_found_and_with_none_everything_is_estimated(folder):
    asked = DCEOptions(folder / "dce.nii.gz", folder / "out", t10="1.2")
    assert read_dce(asked).exam.mask_source == "tissue, found in the images"
    everything = read_dce(DCEOptions(folder / "dce.nii.gz", folder / "out", t10="1.2", mask="none")).exam
    assert everything.mask.all()
    assert everything.mask_source == "none, as asked for: all voxels"
