"""Sidecars of a series of one file for each frame, and of one for each flip angle, are joined or refused by name."""

import json

import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.files.bids.dce import read_dce_sidecar
from simulate.files.bids.vfa import read_vfa_sidecars

SPGR = {"RepetitionTimeExcitation": 0.004, "FlipAngle": 15}


@pytest.fixture
def frames(tmp_path):
    """Write a sidecar for each of several frames; the paths of their images."""

    def write(*fields):
        paths = [tmp_path / f"frame{i}.nii.gz" for i in range(1, 1 + len(fields))]
        for path, own in zip(paths, fields, strict=True):
            (tmp_path / path.name.replace(".nii.gz", ".json")).write_text(json.dumps(own))
        return paths

    return write


def read(paths, **options):
    return read_dce_sidecar(paths, frames=len(paths), **options)


def of_clock(*times):
    return [SPGR | {"AcquisitionTime": time} for time in times]


# -- the time of every frame ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [list, float])
def test_each_frame_may_have_its_own_start(frames, wrap):
    starts = [40.0, 45.5, 60.0]
    paths = frames(*(SPGR | {"VolumeTiming": [t] if wrap is list else t} for t in starts))
    found = read(paths)
    np.testing.assert_array_equal(found.protocol.times, starts)
    assert found.protocol.repetition_time == 0.004
    assert found.origin["VolumeTiming"] == "sidecar"


def test_the_first_frame_may_have_the_starts_of_all(frames):
    paths = frames(SPGR | {"VolumeTiming": [0, 5, 11]}, SPGR, SPGR | {"VolumeTiming": [0, 5, 11]})
    np.testing.assert_array_equal(read(paths).protocol.times, [0, 5, 11])
    with pytest.raises(InputError, match=r"VolumeTiming: has length 3, and the image has 2 frames"):
        read(paths[:2])
    frames(SPGR | {"VolumeTiming": [0, 5, 11]}, SPGR, SPGR | {"VolumeTiming": [0, 5, 12]})
    with pytest.raises(InputError, match=r"frame3\.json: VolumeTiming: is .*12.* and .*11.* in .*frame1\.json"):
        read(paths)


def test_set_gives_the_starts_of_all(frames):
    paths = frames(*of_clock("no time", "at all"))
    found = read(paths, overrides={"VolumeTiming": [0, 7]})
    np.testing.assert_array_equal(found.protocol.times, [0, 7])
    assert found.origin["VolumeTiming"] == "--set"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("InversionTime", 0.9, "signal after an inversion"), ("MTState", True, "magnetisation transfer"),
        ("ContrastBolusIngredient", "IODINE", "does not shorten T1"),
    ],
)  # fmt: skip
def test_what_is_refused_in_one_file_is_refused_in_many(frames, field, value, words):
    paths = frames(*(own | {field: value} for own in of_clock("10:00:00", "10:00:05")))
    with pytest.raises(InputError, match=rf"{field}: is .*{words}"):
        read(paths)


def test_slices_at_other_times_are_told_of_in_many_files(frames):
    paths = frames(*(own | {"SliceTiming": [0, 1, 2]} for own in of_clock("10:00:00", "10:00:05")))
    assert "SliceTiming spreads over 2 s" in read(paths).warnings[0]


def test_times_of_day_as_dcm2niix_writes_them(frames):
    paths = frames(*of_clock("13:05:20.250000", "13:05:25", "13:06:00.75"))
    np.testing.assert_allclose(read(paths).protocol.times, 13 * 3600 + 5 * 60 + np.array([20.25, 25, 60.75]))


def test_a_series_may_cross_midnight(frames):
    paths = frames(*of_clock("23:59:50.0", "23:59:59.5", "00:00:05.5", "00:00:15.0"))
    np.testing.assert_allclose(np.diff(read(paths).protocol.times), [9.5, 6.0, 9.5])


def test_frames_that_each_count_from_zero_are_told_by_the_clock(frames):
    """BIDS: VolumeTiming is relative to the first volume of the file, which for a file of one volume is that one."""
    paths = frames(*(own | {"VolumeTiming": [0]} for own in of_clock("10:00:00", "10:00:08")))
    np.testing.assert_allclose(np.diff(read(paths).protocol.times), 8.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            [{"VolumeTiming": t} for t in (0, 10, 5)],
            r"frame3\.json: VolumeTiming: is 5, not after 10 in .*frame2\.json",
        ),
        ([{"VolumeTiming": 0}] * 3, r"frame2\.json: VolumeTiming: is 0, not after 0 in .*frame1\.json"),
        (
            of_clock("10:00:00", "10:00:10", "10:00:05"),
            r"frame3\.json: AcquisitionTime: is 10:00:05, not after 10:00:10 in .*frame2\.json",
        ),
        (of_clock("10:00:00", "10:00:00", "10:00:05"), r"frame2\.json: AcquisitionTime: is 10:00:00, not after"),
    ],
)
def test_frames_out_of_order_are_refused_and_the_cure_cures(frames, fields, words):
    paths = frames(*(SPGR | own for own in fields))
    with pytest.raises(InputError, match=words + r".*; give the frames in the order of time") as caught:
        read(paths)
    if "--set VolumeTiming=" in str(caught.value):
        read(paths, overrides={"VolumeTiming": [0, 5, 10]})
    else:  # the files' own clocks say that another order is wrong
        with pytest.raises(InputError, match=words):
            read(paths, overrides={"VolumeTiming": [0, 5, 10]})
    if fields[2] != fields[0] and fields[1] != fields[0]:
        read([paths[i] for i in (0, 2, 1)])


@pytest.mark.parametrize("value", ["130520.25", 130520.25, "1:2", "13:05", "", ["13:05:20"]])
def test_a_time_of_day_that_is_none_is_refused(frames, value):
    paths = frames(*of_clock("13:05:15", value))
    with pytest.raises(InputError, match=r"frame2\.json: AcquisitionTime: .*HH:MM:SS.*--set VolumeTiming=") as caught:
        read(paths)
    assert "\n" not in str(caught.value)


def test_a_frame_without_a_time_is_named(frames):
    paths = frames(SPGR | {"VolumeTiming": 0}, SPGR)
    with pytest.raises(InputError, match=r"frame2\.json: VolumeTiming: missing, and other frames have it; write it"):
        read(paths)
    frames(SPGR | {"VolumeTiming": 0}, SPGR | {"VolumeTiming": 6})
    assert read(paths).protocol.times[1] == 6
    paths = frames(SPGR, SPGR)
    with pytest.raises(InputError, match=r"frame1\.json: VolumeTiming: missing; write it there or give --set"):
        read(paths)


# -- what the frames have in common -----------------------------------------------------------------------------


def test_fields_that_differ_between_frames_are_refused_with_both_files(frames):
    paths = frames(SPGR | {"VolumeTiming": 0}, SPGR | {"VolumeTiming": 5, "FlipAngle": 10})
    with pytest.raises(
        InputError, match=r"frame2\.json: FlipAngle: is 10, and 15 in .*frame1\.json; .*--set FlipAngle=value"
    ):
        read(paths)
    assert read(paths, overrides={"FlipAngle": 15}).protocol.flip_angle == 15


def test_rounding_and_silence_are_no_difference(frames):
    paths = frames(
        {"RepetitionTime": 0.00400001, "VolumeTiming": 0},
        SPGR | {"VolumeTiming": 5, "Haematocrit": 0.4, "SeriesNumber": 7},
        SPGR | {"VolumeTiming": 9, "FlipAngle": 15.001, "SeriesNumber": 8},
    )
    found = read(paths)
    assert found.protocol.flip_angle == 15
    assert found.haematocrit == 0.4
    assert found.protocol.repetition_time == 0.00400001


# -- one file for each flip angle ---------------------------------------------------------------------------------


def of_angles(*angles, tr=0.005):
    return [{"FlipAngle": angle, "RepetitionTimeExcitation": tr} for angle in angles]


def test_angles_of_several_files_are_joined_in_the_order_given(frames):
    paths = frames(*of_angles(20, [3], [5.0, 10.0]))
    angles, tr = read_vfa_sidecars(paths, volumes=[1, 1, 2])
    np.testing.assert_array_equal(angles, [20, 3, 5, 10])
    assert tr == 0.005


def test_set_lists_the_angles_of_all_volumes(frames):
    paths = frames(*of_angles(20, 3, 3, tr=0.005))
    angles, _ = read_vfa_sidecars(paths, volumes=[1, 1, 1], overrides={"vfa.FlipAngle": [4, 8, 12]})
    np.testing.assert_array_equal(angles, [4, 8, 12])
    with pytest.raises(InputError, match=r"FlipAngle: has length 2, and .* 3 volumes; give --set vfa\.FlipAngle=value"):
        read_vfa_sidecars(paths, volumes=[1, 1, 1], overrides={"vfa.FlipAngle": [4, 8]})


def test_images_of_two_trs_are_refused_by_name(frames):
    paths = frames(*of_angles(3, 10, tr=0.005), *of_angles(20, tr=0.006))
    with pytest.raises(
        InputError,
        match=r"frame3\.json: RepetitionTimeExcitation: is 0\.006, and 0\.005 in .*frame1\.json; .*"
        r"--set vfa\.RepetitionTimeExcitation=value",
    ):
        read_vfa_sidecars(paths, volumes=[1, 1, 1])
    _, tr = read_vfa_sidecars(paths, volumes=[1, 1, 1], overrides={"vfa.RepetitionTimeExcitation": 0.005})
    assert tr == 0.005
    frames(*of_angles(3, 10, tr=0.005), *of_angles(20, tr=0.005001))
    assert read_vfa_sidecars(paths, volumes=[1, 1, 1])[1] == 0.005


@pytest.mark.parametrize(
    ("fields", "volumes", "words"),
    [
        (of_angles(3), [1], r"frame1\.nii\.gz: FlipAngle: .*no T1; give --vfa once for each angle's file"),
        (of_angles(3, 3.001), [1, 1], r"frame1\.json: FlipAngle: holds fewer than 2 distinct angles"),
        (of_angles(3, "ten"), [1, 1], r"frame2\.json: FlipAngle: holds 'ten'"),
        (of_angles(3, [4, 5]), [1, 1], r"frame2\.json: FlipAngle: has length 2, and .* 1 volumes"),
        (of_angles(3, 4), [1, 2], r"frame2\.json: FlipAngle: is 4, not a list"),
        (
            [{"FlipAngle": 3, "RepetitionTimeExcitation": 0.005}, {"FlipAngle": 4}],
            [1, 1],
            r"frame2\.json: Rep.*missing",
        ),
    ],
)
def test_wrong_angles_are_refused_where_they_are_written(frames, fields, volumes, words):
    paths = frames(*fields)
    with pytest.raises(InputError, match=words):
        read_vfa_sidecars(paths, volumes=volumes)
