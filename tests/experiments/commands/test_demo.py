"""The demonstration on a small phantom, as a user runs it: in single precision, from files to report."""

import json

import numpy as np
import pytest

from estimate.arterial.table import read_aif_csv
from experiments.cli.demo import print_errors
from experiments.commands.demo import error_rows, run_demo
from simulate.base.types import Maps
from simulate.files.nifti import read_image


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    out, steps = tmp_path_factory.mktemp("demo"), []
    result = run_demo(out, seed=1, patch=2, progress=lambda *step: steps.append(step))
    return out, result, steps


def test_the_truth_is_found_where_the_data_hold_it(small):
    rows = {row.name: row for row in error_rows(small[1].estimate.maps, small[1].truth)}
    assert list(rows) == ["Fp", "PS", "vp", "ve", "Ktrans"]
    for name, row in rows.items():
        assert abs(row.median) < 4, name  # %
        assert row.low < 0 < row.high, name
        assert row.high - row.low < (50 if name == "ve" else 25), name
        assert row.identified > (80 if name == "ve" else 95), name


def test_the_artery_is_found(small):
    found, true, averaged = small[1].aif_peaks
    assert averaged < true
    assert abs(found - true) < abs(averaged - true)  # the averages over its frames are undone
    phantom_artery = read_image(small[0] / "phantom" / "artery.nii.gz").data > 0
    assert np.all(phantom_artery[small[1].estimate.aif.mask])


def test_progress_names_every_stage(small):
    assert [what for what, done, _ in small[2] if done == 0] == [
        "simulating", "arterial input", "fitting 2cxm", "writing maps and report",
    ]  # fmt: skip


def test_all_files_are_there(small):
    out = small[0]
    for name in ("Fp", "Fp_stderr", "PS", "vp", "ve", "Ktrans", "status"):
        assert (out / f"{name}.nii.gz").is_file()
    facts = json.loads((out / "maps.json").read_text())
    assert facts["method"] == "2cxm"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'id="truth"' in page
    assert "of the truth" in page  # the true input beside the one found


def test_the_true_input_can_be_given_back(small):
    out, result, _ = small
    times = np.asarray(result.estimate.protocol.frame_centres)
    for name in ("aif.csv", "aif_blood.csv"):
        given = read_aif_csv(out / "phantom" / name, kind=None, haematocrit=None, series_times=times)
        np.testing.assert_allclose(given.curve, result.true_aif.curve, rtol=1e-6)


def test_the_table_has_a_row_for_each_parameter(small, capsys):
    print_errors(small[1], small[0])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("Fp", "PS", "vp", "ve", "Ktrans", "median error", "AIF"))
    assert "report.html" in printed.replace("\n", "")


def test_errors_count_only_what_is_identified():
    truth = Maps({"PS": np.full(4, 10.0)})
    estimate = Maps({"PS": np.array([11.0, 11, 11, 90]), "PS_stderr": np.array([1.0, 1, 1, 80])})
    (row,) = error_rows(estimate, truth)
    assert (row.median, row.identified) == pytest.approx((10, 75))
