"""A sound image in another wrapping is read on every way in, and all of its files are noted."""

import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from experiments.cli import run
from experiments.commands.estimate_asl import ASLFiles
from experiments.commands.estimate_asl import _read as read_asl
from experiments.commands.inputs import files_of
from experiments.commands.read_dce import DCEOptions, _read_cbf, read_dce
from simulate.base.constants import ASL_TISSUE_T1
from simulate.files.nifti import read_image, write_image
from tests.asl_examination import AFFINE as ASL_AFFINE
from tests.asl_examination import M0, series, write
from tests.asl_examination import SHAPE as ASL_SHAPE
from tests.phantom import AFFINE, SHAPE


@pytest.fixture
def folder(examination, tmp_path):
    return shutil.copytree(examination, tmp_path / "in")


def with_an_axis_of_one(path):
    image = read_image(path)
    write_image(path, image.data[..., None], image.affine)


def as_pair(path, ending=""):
    """Replace an image by a pair of the same name; the header's path."""
    image, stem = read_image(path), path.name.removesuffix(".nii.gz")
    nib.Nifti1Pair(image.data, image.affine).to_filename(path.with_name(f"{stem}.hdr"))
    path.unlink()
    for half in ("hdr", "img"):
        plain = path.with_name(f"{stem}.{half}")
        if ending:
            path.with_name(f"{stem}.{half}{ending}").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
    return path.with_name(f"{stem}.hdr{ending}")


def assert_same(one, other):
    np.testing.assert_array_equal(one.series.data, other.series.data)
    np.testing.assert_array_equal(one.series.protocol.times, other.series.protocol.times)
    for name in ("t10", "b1", "mask", "aif"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def asked(folder, ending=".nii.gz"):
    path = {name: folder / f"{name}{ending}" for name in ("dce", "t10", "b1", "mask", "artery")}
    return DCEOptions(
        path["dce"], folder / "out", t10=str(path["t10"]), b1=path["b1"], mask=path["mask"], aif=str(path["artery"])
    )


def test_maps_and_series_with_an_axis_of_one_more_are_the_same(folder):
    plain = read_dce(asked(folder)).exam
    for name in ("dce", "t10", "b1", "mask", "artery"):
        with_an_axis_of_one(folder / f"{name}.nii.gz")
    assert_same(read_dce(asked(folder)).exam, plain)


@pytest.mark.parametrize("ending", [".hdr", ".img", ".hdr.gz"])
def test_pairs_are_read_wherever_an_image_is(folder, ending):
    plain = read_dce(asked(folder)).exam
    for name in ("dce", "t10", "b1", "mask", "artery"):
        as_pair(folder / f"{name}.nii.gz", ".gz" if ending.endswith(".gz") else "")
    paired = read_dce(asked(folder, ending))
    assert_same(paired.exam, plain)
    other = {".hdr": ".img", ".img": ".hdr", ".hdr.gz": ".img.gz"}[ending]
    names = [Path(each.path).name for each in paired.inputs]
    assert "dce.json" in names
    for name in ("dce", "t10", "b1", "mask", "artery"):
        assert {f"{name}{ending}", f"{name}{other}"} <= set(names)


def test_a_cbf_map_with_an_axis_of_one_and_as_a_pair_is_the_same(folder):
    series_image = read_image(folder / "dce.nii.gz")
    cbf = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    write_image(folder / "CBF.nii.gz", cbf[..., None], AFFINE)
    np.testing.assert_array_equal(_read_cbf(folder / "CBF.nii.gz", series_image, []).cbf, cbf)
    files = []
    header = as_pair(folder / "CBF.nii.gz")
    np.testing.assert_array_equal(_read_cbf(header, series_image, files).cbf, cbf)
    assert [path.name for path in files] == ["CBF.hdr", "CBF.img"]


def test_a_damaged_pair_and_analyze_are_one_line(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    as_pair(folder / "dce.nii.gz")
    whole = (folder / "dce.img").read_bytes()
    (folder / "dce.img").write_bytes(whole[:-20])
    line = ["estimate", "dce", "dce.hdr", "--out", "out", "--t10", "1.2"]
    assert run(line) == 2
    assert capsys.readouterr().err.startswith("tracerflow: dce.img: is truncated or damaged")
    nib.AnalyzeImage(np.ones((*SHAPE, 3), np.float32), None).to_filename(folder / "dce.img")
    assert run(line) == 2
    error = capsys.readouterr().err
    assert error.startswith("tracerflow: dce.hdr: is ANALYZE 7.5, which does not say left from right; convert")
    assert error.count("\n") == 1
    assert not (folder / "out").exists()


# -- labelled water -------------------------------------------------------------------------------------------


@pytest.fixture
def perf(tmp_path):
    """A series with a separate M0 in fmap/, of one subject of a dataset; sidecar and table are the dataset's."""
    data, protocol = series((1.8,), pairs=2, model="recommended", m0_repetition_time=None)
    (tmp_path / "dataset_description.json").write_text("{}")
    perf, fmap = (tmp_path / "sub-1" / name for name in ("perf", "fmap"))
    perf.mkdir(parents=True)
    fmap.mkdir()
    write(perf, data, protocol, M0Type="Separate", EchoTime=0.013)
    shutil.move(perf / "sub-1_asl.json", tmp_path / "asl.json")
    shutil.move(perf / "sub-1_aslcontext.tsv", tmp_path / "aslcontext.tsv")
    write_image(fmap / "sub-1_acq-long_m0scan.nii.gz", np.full(ASL_SHAPE, M0), ASL_AFFINE)
    own = {"RepetitionTimePreparation": 3.0, "IntendedFor": "bids::sub-1/perf/sub-1_asl.nii.gz"}
    (fmap / "sub-1_acq-long_m0scan.json").write_text(json.dumps(own))
    (tmp_path / "m0scan.json").write_text('{"EchoTime": 0.02}')
    return perf


def test_a_dataset_is_read_by_inheritance_and_intention_and_all_its_files_are_noted(perf):
    read = read_asl(ASLFiles(perf / "sub-1_asl.nii.gz", perf / "out"))
    recovered = 1 - np.exp(-3.0 / ASL_TISSUE_T1)
    np.testing.assert_allclose(read.exam.m0, np.full(ASL_SHAPE, M0 / recovered), rtol=1e-6)
    assert any("EchoTime of M0 is 0.02" in warning for warning in read.exam.sidecar.warnings)
    root = perf.parents[1]
    assert [str(Path(each.path).relative_to(root)) for each in read.inputs] == [
        "sub-1/perf/sub-1_asl.nii.gz",
        "asl.json",
        "aslcontext.tsv",
        "sub-1/fmap/sub-1_acq-long_m0scan.nii.gz",
        "m0scan.json",
        "sub-1/fmap/sub-1_acq-long_m0scan.json",
    ]


def test_a_paired_series_and_an_m0_with_an_axis_of_one_are_the_same(perf):
    plain = read_asl(ASLFiles(perf / "sub-1_asl.nii.gz", perf / "out"))
    header = as_pair(perf / "sub-1_asl.nii.gz")
    with_an_axis_of_one(perf.parent / "fmap" / "sub-1_acq-long_m0scan.nii.gz")
    paired = read_asl(ASLFiles(header, perf / "out"))
    np.testing.assert_array_equal(paired.exam.differences.value, plain.exam.differences.value)
    np.testing.assert_array_equal(paired.exam.m0, plain.exam.m0)
    assert [each.path for each in paired.inputs[:2]] == [str(perf / f"sub-1_asl.{half}") for half in ("hdr", "img")]


def test_a_file_that_serves_several_images_is_noted_once(perf):
    second = perf / "sub-1_run-2_asl.nii.gz"
    shutil.copy(perf / "sub-1_asl.nii.gz", second)
    names = [path.name for path in files_of(perf / "sub-1_asl.nii.gz", second)]
    assert names == ["sub-1_asl.nii.gz", "asl.json", "sub-1_run-2_asl.nii.gz"]
