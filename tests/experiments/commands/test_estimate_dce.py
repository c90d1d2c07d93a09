"""`tracerflow estimate dce` from files to files, in the precision that users have."""

import json
import shutil
from hashlib import sha256

import nibabel as nib
import numpy as np
import pytest

import simulate.files.nifti
from experiments.cli import run
from experiments.commands.read_dce import _read_cbf
from simulate.base.status import Status
from simulate.base.units import from_clinical
from simulate.files.bids.dce import write_sidecar
from simulate.files.nifti import Image, read_image, write_image
from tests.phantom import AFFINE, CLOCK, HAEMATOCRIT, SHAPE, TIMES

FITTED = ("Fp", "PS", "vp", "ve", "Ktrans", "delay")
MAPS = {*FITTED, *(f"{n}_stderr" for n in FITTED), "rss", "aicc", "model", "T10", "IAUC60", "peak", "TTP"}
FILES = {f"{n}.nii.gz" for n in MAPS | {"status", "mask"}} | {"aif.csv", "maps.json", "maps.png", "report.html"}


def estimate(folder, out, *options, code=0):
    """Run the command on the examination in `folder`; the folder of results."""
    assert run(["estimate", "dce", str(folder / "dce.nii.gz"), "--out", str(out), *map(str, options)]) == code
    return out


def facts(out):
    """maps.json, which has to be JSON in the strict sense: no NaN."""
    return json.loads((out / "maps.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def values(out, name):
    return read_image(out / f"{name}.nii.gz").data


def largest_error(out, phantom, name):
    """Largest relative error of a parameter in the voxels of tissue."""
    found = from_clinical(name, values(out, name)[phantom.inside])
    return np.max(np.abs(found / getattr(phantom.tissue, name)[phantom.inside] - 1))


@pytest.fixture(scope="module")
def done(examination, tmp_path_factory):
    """The plainest run: T10 map, artery found, 2CXM."""
    return estimate(examination, tmp_path_factory.mktemp("maps"), "--t10", examination / "t10.nii.gz")


@pytest.fixture
def without_pictures(monkeypatch):
    """Drawing takes most of the time of a small examination."""
    monkeypatch.setattr("experiments.commands.estimate_dce.write_report", lambda *_: None)


# -- the files --------------------------------------------------------------------------------------------


def test_every_promised_file_is_there_and_no_other(done):
    assert {path.name for path in done.iterdir()} == FILES


def test_maps_lie_where_the_series_lies(done):
    for name in MAPS | {"status"}:
        image = nib.load(done / f"{name}.nii.gz")
        assert image.get_data_dtype() == (np.int32 if name == "status" else np.float32), name
        assert image.shape == SHAPE
        np.testing.assert_array_equal(image.affine, AFFINE)


def test_tissue_is_recovered_from_files(done, phantom):
    """Noise-free, sampled as it was made: single precision alone is worth up to half a per cent."""
    for name in ("Fp", "PS", "vp", "ve"):
        assert largest_error(done, phantom, name) < 0.005, name
    np.testing.assert_allclose(values(done, "T10"), phantom.t10, rtol=1e-6)
    assert np.mean(values(done, "status")[phantom.inside] == 0) > 0.95
    assert np.isnan(values(done, "delay")).all()


def test_maps_json_says_what_the_maps_are_and_how_to_make_them_again(done, examination):
    record = facts(done)
    assert set(record["units"]) == MAPS | {"status"}
    assert record["units"]["Fp"] == "mL/100 mL/min"
    assert record["units"]["Ktrans_stderr"] == "1/min"
    assert {"tracerflow", "jax", "numpy", "python"} <= set(record["environment"])
    assert record["options"]["method"] == record["method"] == "2cxm"
    assert record["options"]["t10"] == str(examination / "t10.nii.gz")
    inputs = {entry["path"]: entry["sha256"] for entry in record["inputs"]}
    read = [examination / name for name in ("dce.nii.gz", "dce.json", "t10.nii.gz")]
    assert inputs == {str(path): sha256(path.read_bytes()).hexdigest() for path in read}
    assert record["protocol"]["origin"]["FlipAngle"] == "sidecar"
    assert record["status_bits"]["SATURATED"] == int(Status.SATURATED)
    assert "found in the images" in record["aif"]["source"]
    assert 0.01 < record["aif"]["sd of the logarithm of its area"] < 0.4
    assert record["aif"]["likely wrong"] == []


def test_the_picture_and_the_report_stand_alone(done):
    assert (done / "maps.png").read_bytes().startswith(b"\x89PNG")
    page = (done / "report.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert 'src="http' not in page
    assert "Nine times in ten its area is right within a factor of 1." in page
    assert "delay" not in page.split("<table")[1].split("</table>")[0]  # it was not fitted: nothing to report


@pytest.mark.usefixtures("without_pictures")
def test_the_written_input_reproduces_the_maps(done, examination, tmp_path):
    """aif.csv says by itself that it holds plasma, in seconds of the scanner's clock."""
    options = ("--t10", examination / "t10.nii.gz", "--aif", done / "aif.csv")
    again = estimate(examination, tmp_path, *options)
    np.testing.assert_array_equal(values(again, "Fp"), values(done, "Fp"))
    assert (again / "aif.csv").read_text().splitlines()[3:] == (done / "aif.csv").read_text().splitlines()[3:]


@pytest.mark.usefixtures("without_pictures")
def test_a_haematocrit_that_nobody_gave_is_not_written(done, examination, tmp_path):
    """The input is plasma already; 0 would be a statement."""
    sidecar = shutil.copytree(examination, tmp_path / "in") / "dce.json"
    sidecar.write_text(json.dumps({k: v for k, v in json.loads(sidecar.read_text()).items() if k != "Haematocrit"}))
    options = ("--t10", examination / "t10.nii.gz", "--aif", done / "aif.csv")
    found = estimate(tmp_path / "in", tmp_path, *options)
    assert facts(found)["aif"]["haematocrit"] is None


# -- what the user sets -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_pictures")
def test_a_field_that_is_set_wins_and_is_recorded(done, examination, phantom, tmp_path):
    """Half the relaxivity doubles every concentration; the input too, so that the tissue stays the same."""
    options = ("--t10", examination / "t10.nii.gz", "--set", "LongitudinalRelaxivity=2.0")
    half = estimate(examination, tmp_path, *options)
    record = facts(half)
    assert record["options"]["set"] == ["LongitudinalRelaxivity=2.0"]
    assert record["protocol"]["relaxivity_per_s_per_mmol_per_L"] == 2.0
    assert record["protocol"]["origin"]["LongitudinalRelaxivity"] == "--set"
    once, twice = (values(out, "peak")[phantom.inside] for out in (done, half))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-4)
    assert largest_error(half, phantom, "Fp") < 0.005


@pytest.mark.usefixtures("without_pictures")
def test_every_image_option_together(done, examination, phantom, tmp_path):
    """VFA, B1, mask and a drawn artery: the same tissue, and a checksum of each file."""
    images = {name: examination / f"{name}.nii.gz" for name in ("vfa", "b1", "mask")}
    options = [text for name, path in images.items() for text in (f"--{name}", path)]
    out = estimate(examination, tmp_path, *options, "--aif", examination / "artery.nii.gz")
    for name in ("Fp", "ve"):
        assert largest_error(out, phantom, name) < 0.01
        assert np.isnan(values(out, name)[phantom.artery]).all()
    read = {"dce.nii.gz", "dce.json", "vfa.nii.gz", "vfa.json", "b1.nii.gz", "mask.nii.gz", "artery.nii.gz"}
    assert {entry["path"].rpartition("/")[2] for entry in facts(out)["inputs"]} == read


@pytest.mark.usefixtures("without_pictures")
def test_a_concentration_series_needs_no_tr_and_no_t1(phantom, tmp_path):
    write_image(tmp_path / "dce.nii.gz", phantom.concentration, AFFINE)
    fields = {"VolumeTiming": list(CLOCK + TIMES), "BaselineVolumes": 8, "Haematocrit": HAEMATOCRIT}
    (tmp_path / "dce.json").write_text(json.dumps(fields))
    out = estimate(tmp_path, tmp_path / "out", "--quantity", "concentration")
    assert largest_error(out, phantom, "Fp") < 0.005
    assert facts(out)["protocol"]["repetition_time_s"] is None


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize(
    ("method", "lacking", "bits"),
    [
        ("auto", (), Status.OK),
        ("patlak", ("Fp", "ve"), Status.NO_FP | Status.NO_VE),
        ("etm", ("Fp",), Status.NO_FP),
    ],
)
def test_other_models_leave_out_what_they_do_not_have(examination, phantom, tmp_path, method, lacking, bits):
    out = estimate(examination, tmp_path, "--t10", examination / "t10.nii.gz", "--method", method)
    for name in ("Fp", "PS", "vp", "ve", "Ktrans"):
        for written in (name, f"{name}_stderr"):
            assert np.isnan(values(out, written)[phantom.inside]).all() == (name in lacking), written
    assert np.all((values(out, "status").astype(int)[phantom.inside] & bits) == bits)
    codes = facts(out)["model_codes"]
    chosen = "2cxm" if method == "auto" else method
    assert (values(out, "model")[phantom.inside] == codes[chosen]).all()


def test_where_nothing_can_be_estimated_the_report_says_so(examination, phantom, tmp_path):
    """The mask holds air alone: no estimate, no failure."""
    signal = phantom.signal().data.copy()
    mask = np.zeros(SHAPE, bool)
    mask[3:] = True
    signal[mask] = 0
    write_image(tmp_path / "dce.nii.gz", signal, AFFINE)
    write_image(tmp_path / "air.nii.gz", mask, AFFINE)
    write_sidecar(tmp_path / "dce.nii.gz", phantom.protocol, haematocrit=HAEMATOCRIT)
    out = estimate(tmp_path, tmp_path / "out", "--t10", 1.2, "--mask", tmp_path / "air.nii.gz")
    assert facts(out)["status_shares"]["no signal"] == 1.0
    assert facts(out)["medians over sound voxels"]["Fp"] == {"median": None, "share of voxels": 0.0}
    assert "flagged" in (out / "report.html").read_text()


# -- interruption -----------------------------------------------------------------------------------------


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_interrupted_while_writing_leaves_whole_files(examination, tmp_path, monkeypatch, capsys):
    """Ctrl-C in the middle of the fifth image: four whole ones, no part of the fifth, nothing temporary.

    What describes the maps comes last, and an earlier run's description is gone: maps.json says that the folder is not
    complete, and which files are a run's, so that the next run may write them again.
    """
    written = ["report.html", "va.nii.gz"]
    record = {"command": "tracerflow estimate dce", "files": dict.fromkeys(written)}
    (tmp_path / "maps.json").write_text(json.dumps(record))
    for name in (*written, "notes.txt"):
        (tmp_path / name).write_text("from an earlier run")
    whole, count = simulate.files.nifti.Nifti1Image.to_filename, iter(range(100))

    def stop_at_the_fifth(image, path):
        whole(image, path)
        if next(count) == 4:
            path.write_bytes(path.read_bytes()[:50])
            interrupt()

    monkeypatch.setattr(simulate.files.nifti.Nifti1Image, "to_filename", stop_at_the_fifth)
    estimate(examination, tmp_path, "--t10", examination / "t10.nii.gz", code=130)
    assert capsys.readouterr().err == "tracerflow: interrupted; every file written so far is whole\n"
    assert (tmp_path / "notes.txt").read_text() == "from an earlier run"
    record = facts(tmp_path)
    assert not record["complete"]
    assert {"Fp.nii.gz", "PS.nii.gz"} <= set(record["files"])
    assert not (tmp_path / "va.nii.gz").exists()
    images = sorted(path for path in tmp_path.iterdir() if path.name not in ("notes.txt", "maps.json"))
    assert len(images) == 4
    for path in images:
        assert path.stem.removesuffix(".nii") in MAPS
        assert np.isfinite(read_image(path).data).any()


def test_interrupted_while_fitting_leaves_nothing(examination, tmp_path, monkeypatch):
    monkeypatch.setattr("estimate.maps.pipeline.fit_kinetics", interrupt)
    estimate(examination, tmp_path, "--t10", examination / "t10.nii.gz", code=130)
    assert list(tmp_path.iterdir()) == []


# -- a patient --------------------------------------------------------------------------------------------


def test_a_real_tumour(shared_data, tmp_path):
    """A feeding vessel is in view; the two-compartment model with a delay describes the tumour."""
    data = shared_data / "dce_tumour"
    region = data / "tumour_roi.nii.gz"
    out = estimate(data, tmp_path, "--vfa", data / "vfa.nii.gz", "--mask", region, "--fit-delay")
    inside = read_image(region).data > 0
    assert facts(out)["aif"]["peak_plasma_mmol_per_L"] > 3
    for name in FITTED:
        assert np.isfinite(values(out, name)[inside]).mean() > 0.9, name
    assert 0 < np.nanmedian(values(out, "vp")) < 0.5
    assert -10 < np.nanmedian(values(out, "delay")) < 10


def test_cbf_is_believed_where_its_own_status_says_so(tmp_path):
    """What lies beside a map of CBF is of it only where both are results of `estimate asl`."""
    image = Image(np.zeros((3, 1, 1, 2)), np.eye(4), tmp_path / "dce.nii.gz")
    write_image(tmp_path / "CBF.nii.gz", np.array([40.0, 50.0, 60.0]).reshape(3, 1, 1), np.eye(4))
    bits = np.array([0, int(Status.AT_BOUND), 0]).reshape(3, 1, 1)
    write_image(tmp_path / "status.nii.gz", bits, np.eye(4))
    write_image(tmp_path / "CBF_stderr.nii.gz", np.array([4.0, 5.0, 6.0]).reshape(3, 1, 1), np.eye(4))

    def read(record):
        if record is not None:
            (tmp_path / "maps.json").write_text(json.dumps(record))
        files: list = []
        return *_read_cbf(tmp_path / "CBF.nii.gz", image, files), files

    files = dict.fromkeys(["CBF.nii.gz", "CBF_stderr.nii.gz", "status.nii.gz"])
    asl = {"command": "tracerflow estimate asl", "files": files}
    for foreign in (None, asl | {"command": "tracerflow estimate dce"}, asl | {"files": {"ATT.nii.gz": None}}):
        cbf, stderr, _ = read(foreign)
        np.testing.assert_array_equal(cbf.ravel(), [40, 50, 60])
        assert stderr is None
    cbf, stderr, files = read(asl)
    np.testing.assert_array_equal(cbf.ravel(), [40, np.nan, 60])
    np.testing.assert_array_equal(stderr.ravel(), [4, 5, 6])
    assert {tmp_path / "status.nii.gz", tmp_path / "CBF_stderr.nii.gz"} <= set(files)
