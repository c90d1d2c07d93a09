"""The M0 of an ASL series is the one that its name or IntendedFor gives it, measured as the series was; or a line."""

import json

import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.files.bids.asl import read_asl_sidecar
from simulate.files.bids.fields import parse_set
from simulate.files.bids.intended import find_m0
from simulate.files.bids.m0 import M0_FIELDS, read_m0_sidecar
from tests.asl_examination import SHAPE, series, write


@pytest.fixture
def session(tmp_path):
    """sub-1/ses-2 of a dataset, with perf/ and fmap/ in it."""
    (tmp_path / "dataset_description.json").write_text("{}")
    session = tmp_path / "sub-1" / "ses-2"
    for name in ("perf", "fmap"):
        (session / name).mkdir(parents=True)
    (session / "perf" / "sub-1_ses-2_asl.nii.gz").touch()
    return session


def asl(session):
    return session / "perf" / "sub-1_ses-2_asl.nii.gz"


def put(session, name, intended=None, folder="perf", ending=".nii.gz"):
    """An m0scan (its voxels are not looked at) with its IntendedFor."""
    image = session / folder / f"{name}{ending}"
    image.touch()
    fields = {} if intended is None else {"IntendedFor": intended}
    image.with_name(f"{name}.json").write_text(json.dumps({"RepetitionTimePreparation": 10.0} | fields))
    return image


NAMED = [
    "ses-2/perf/sub-1_ses-2_asl.nii.gz",
    "perf/sub-1_ses-2_asl.nii.gz",
    "bids::sub-1/ses-2/perf/sub-1_ses-2_asl.nii.gz",
    "sub-1/ses-2/perf/sub-1_ses-2_asl.nii.gz",
    "./ses-2/perf/sub-1_ses-2_asl.nii",
    ["ses-2/perf/sub-1_ses-2_run-1_asl.nii.gz", "ses-2/perf/sub-1_ses-2_asl.nii.gz"],
]
OTHERS = [
    "ses-2/perf/sub-1_ses-2_run-1_asl.nii.gz",
    "ses-1/perf/sub-1_ses-2_asl.nii.gz",
    "bids:other:sub-1/ses-2/perf/sub-1_ses-2_asl.nii.gz",
    "ses-2/perf/sub-1_ses-2_m0scan.nii.gz",
    "asl.nii.gz",
]


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".hdr"])
def test_the_namesake_is_found_however_it_is_stored(session, ending):
    own = put(session, "sub-1_ses-2_m0scan", ending=ending)
    put(session, "sub-1_ses-2_dir-PA_m0scan", NAMED[0])  # of the other direction, to undo distortion
    assert find_m0(asl(session)) == own


@pytest.mark.parametrize("intended", NAMED)
@pytest.mark.parametrize("folder", ["perf", "fmap"])
def test_another_name_is_found_by_what_it_is_intended_for(session, folder, intended):
    put(session, "sub-1_ses-2_run-9_m0scan", OTHERS, folder)
    put(session, "sub-1_ses-2_run-8_m0scan", None, folder)
    own = put(session, "sub-1_ses-2_acq-m0_m0scan", intended, folder)
    assert find_m0(asl(session)) == own


def test_relative_paths_find_it_too(session, monkeypatch):
    put(session, "sub-1_ses-2_acq-m0_m0scan", NAMED[0], "fmap")
    monkeypatch.chdir(session / "perf")
    assert find_m0("sub-1_ses-2_asl.nii.gz").as_posix() == "../fmap/sub-1_ses-2_acq-m0_m0scan.nii.gz"
    monkeypatch.chdir(session)
    assert find_m0("perf/sub-1_ses-2_asl.nii.gz").as_posix() == "fmap/sub-1_ses-2_acq-m0_m0scan.nii.gz"


@pytest.mark.parametrize("intended", [*OTHERS, OTHERS])
def test_an_m0_that_is_meant_for_others_is_not_taken(session, intended):
    put(session, "sub-1_ses-2_acq-m0_m0scan", intended)
    with pytest.raises(InputError, match=r"asl\.nii\.gz: M0: .*neither sub-1_ses-2_m0scan\.nii\.gz beside it nor .*m0"):
        find_m0(asl(session))


def test_a_namesake_that_is_meant_for_others_alone_is_refused_and_the_cure_cures(session):
    own = put(session, "sub-1_ses-2_m0scan", OTHERS[:2])
    with pytest.raises(InputError, match=r"IntendedFor: of sub-1_ses-2_m0scan.* names .*run-1.* not this series") as e:
        find_m0(asl(session))
    assert e.value.cure == "give --m0 m0scan.nii.gz, or add the series there"
    put(session, "sub-1_ses-2_m0scan", [*OTHERS[:2], NAMED[0]])
    assert find_m0(asl(session)) == own
    put(session, "sub-1_ses-2_m0scan", OTHERS[0])
    other = put(session, "sub-1_ses-2_run-1_m0scan", NAMED[0])
    assert find_m0(asl(session)) == other


def test_several_that_are_meant_for_it_are_asked_about(session):
    found = [put(session, f"sub-1_ses-2_run-{i}_m0scan", NAMED[i]) for i in (1, 2)]
    with pytest.raises(InputError, match=r"M0: is Separate, and .* are intended for it; give one of them as --m0") as e:
        find_m0(asl(session))
    assert all(str(path) in str(e.value) for path in found)


@pytest.mark.parametrize("intended", [3, [3], {"a": 1}])
def test_what_it_is_intended_for_must_be_paths(session, intended):
    put(session, "sub-1_ses-2_run-1_m0scan", intended)
    with pytest.raises(InputError, match=r"run-1_m0scan\.json: IntendedFor: .* no path or list of paths; .*--m0"):
        find_m0(asl(session))


def test_a_series_of_any_name_has_its_m0_beside_it(tmp_path):
    (tmp_path / "m0scan_rest.nii").touch()
    assert find_m0(tmp_path / "rest.nii.gz") == tmp_path / "m0scan_rest.nii"


# -- its sidecar beside that of the series ----------------------------------------------------------------------


@pytest.fixture
def read(tmp_path):
    """The TR and the warnings of an M0 with these fields, for a series at 3 T, TE 13 ms."""
    data, protocol = series((1.0, 2.0), pairs=2)
    path = write(tmp_path, data, protocol, EchoTime=0.013)
    found = read_asl_sidecar(path, volumes=data.shape[3], slices=SHAPE[2])
    image = tmp_path / "sub-1_m0scan.nii.gz"

    def go(options=(), **fields):
        image.with_name("sub-1_m0scan.json").write_text(json.dumps({"RepetitionTimePreparation": 8.0} | fields))
        return read_m0_sidecar(image, series=found, overrides=parse_set(options, known=M0_FIELDS))

    return go


@pytest.mark.parametrize("echo", [0.013, 0.01301, None, [0.013, 0.03]])
def test_the_same_echo_time_and_an_unknown_one_warn_of_nothing(read, echo):
    times, warnings = read(EchoTime=echo)
    np.testing.assert_array_equal(times, 8.0)
    assert warnings == []


def test_another_echo_time_is_warned_of(read):
    (warning,) = read(EchoTime=0.02)[1]
    assert warning.startswith("EchoTime of M0 is 0.02, and that of the series 0.013: their T2* weighting differs")
    assert read(["m0scan.EchoTime=0.013"], EchoTime=0.02)[1] == []


def test_another_field_strength_is_refused_and_the_cure_cures(read):
    with pytest.raises(InputError, match=r"sub-1_m0scan\.json: MagneticFieldStrength: is 1\.5 T, and 3 T of .*") as e:
        read(MagneticFieldStrength=1.5)
    assert e.value.cure == "give --m0 of the same scanner or --set m0scan.MagneticFieldStrength=value"
    read([e.value.cure.split("--set ")[1].replace("value", "3")], MagneticFieldStrength=1.5)
    read(MagneticFieldStrength=2.89)  # as a scanner of 3 T writes it
