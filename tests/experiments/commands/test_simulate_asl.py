"""tracerflow simulate asl: files with truth, and a round trip through estimate asl."""

import json

import h5py
import nibabel as nib
import numpy as np
import pytest

from experiments.cli import run
from experiments.commands.simulate_asl import simulate_one
from experiments.commands.simulate_dce import simulate_one as simulate_dce_one
from experiments.config.phantoms import PhantomConfig, VesselsConfig
from experiments.config.simulate_asl import ASLConfig, ASLMeasurementConfig, ASLPhantomConfig, LabellingConfig
from experiments.config.simulate_dce import DCEConfig, ProtocolConfig
from experiments.config.toml import read_toml
from simulate.base.errors import InputError

SMALL = """
[phantom]
shape = [8, 8, 8]
grade = 0
[vessels]
terminals = 60
[labelling]
PostLabelingDelay = [0.8, 1.6, 2.4]
pairs = 2
[measurement]
frequencies = 128
sigma = 0.0
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(SMALL)
    return path


def test_one_phantom_as_hdf5(config, tmp_path):
    out = tmp_path / "out" / "one.h5"
    assert run(["simulate", "asl", str(config), "--out", str(out)]) == 0
    with h5py.File(out) as file:
        assert file["signal"].shape == (8, 8, 8, 13)
        assert file["protocol/volume_types"][()].decode().split()[:3] == ["m0scan", "control", "label"]
        assert file["truth_units/CBF"][()].decode() == "mL/100 g/min"
        assert "labelled water" in file.attrs["model"]
        assert json.loads(file.attrs["provenance"])["command"] == "tracerflow simulate asl"
        difference = file["signal"][..., 1] - file["signal"][..., 2]
        np.testing.assert_allclose(difference, file["difference"][..., 2], atol=1e-3)
        # saturation recovery: the files tell what static signal is made of
        M0, T1, TR = file["truth/M0"][:], file["truth/T1"][:], file["protocol/repetition_time"][0]
        np.testing.assert_allclose(file["signal"][..., 0], M0 * -np.expm1(-TR / T1), rtol=1e-5)
        tissue = file["truth/T1_tissue"][:]
        # blood moves a voxel's T1 towards its own
        assert np.all((tissue == T1) | (np.abs(T1 - 1.67) < np.abs(tissue - 1.67)))
        assert file["truth_units/T1_tissue"][()] == b"s"
        assert 1.6 < file["protocol/t1_blood"][()] < 1.7
    assert {p.name for p in out.parent.iterdir()} == {"one.h5", "one-truth.png", "one-label.png"}


def test_what_is_written_is_read_by_estimate(config, tmp_path):
    folder = tmp_path / "nifti"
    assert run(["simulate", "asl", str(config), "--out", str(folder), "--nifti", "--no-pictures"]) == 0
    series, mask = folder / "sub-1_asl.nii.gz", folder / "mask.nii.gz"
    out = tmp_path / "maps"
    assert run(["estimate", "asl", str(series), "--out", str(out), "--mask", str(mask), "--model", "gkm"]) == 0
    found, true = (
        np.asarray(nib.load(p).dataobj) for p in (out / "CBF.nii.gz", folder / "truth_CBF.nii.gz")
    )  # fmt: skip
    both = np.isfinite(found) & (true > 10)
    assert np.corrcoef(found[both], true[both])[0, 1] > 0.7  # vessels cross voxels: no fit knows them
    assert np.median(found[both] / true[both]) == pytest.approx(1, abs=0.25)
    sidecar = json.loads((folder / "sub-1_asl.json").read_text())
    assert "labelled water" in sidecar["GroundTruthModel"]
    assert sidecar["BloodT1"] == pytest.approx(1.65)


def test_a_folder_that_is_named_like_a_file_is_refused(config, tmp_path, capsys):
    assert run(["simulate", "asl", str(config), "--out", str(tmp_path / "a.h5"), "--nifti"]) == 2
    said = capsys.readouterr().err
    assert "a.h5: names a file, and --nifti fills a folder" in said
    assert said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml"}


def test_both_tracers_see_the_same_vessels():
    """Phantom 3 of the same seed and sizes has the same blood flow in ASL and in DCE."""
    vessels = VesselsConfig(terminals=60)
    asl = ASLConfig(
        phantom=ASLPhantomConfig(grade=0, shape=(8, 8, 8)),
        vessels=vessels,
        labelling=LabellingConfig(pairs=2),
        measurement=ASLMeasurementConfig(frequencies=128),
    )
    dce = DCEConfig(phantom=PhantomConfig(grade=0, shape=(8, 8, 8)), vessels=vessels, protocol=ProtocolConfig(frames=4))
    labelled, contrast = simulate_one(asl, 3), simulate_dce_one(dce, 3)
    np.testing.assert_array_equal(
        labelled.perfused.bed.vessels.arteries.position, contrast.perfused.bed.vessels.arteries.position
    )
    np.testing.assert_array_equal(labelled.perfused.tissue.Fp, contrast.perfused.tissue.Fp)


def test_configurations_are_printed_and_checked(tmp_path, capsys):
    assert run(["simulate", "asl", "--print-config"]) == 0
    assert "water_exchange = 150.0" in capsys.readouterr().out
    for words in ("[labelling]\nPostLabelingDelay = [1800]", "[labelling]\ntype = 'vsasl'", "[aif]\nname = 'parker'"):
        path = tmp_path / "wrong.toml"
        path.write_text(words)
        with pytest.raises(InputError):
            read_toml(path, ASLConfig)
