"""Sidecars give the protocol back exactly; every wrong field is refused with file, field and cure."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulate.base.errors import InputError
from simulate.base.types import DCEProtocol
from simulate.files.bids.dce import DCE_FIELDS, read_dce_sidecar, write_sidecar
from simulate.files.bids.fields import parse_set
from simulate.files.bids.vfa import read_vfa_sidecars

FRAMES = 5
SOUND = {
    "RepetitionTimeExcitation": 0.004,
    "FlipAngle": 15,
    "VolumeTiming": [0, 5, 10, 15.5, 30],
    "EchoTime": 0.0017,
    "BaselineVolumes": 2,
    "FrameDuration": 4.5,
    "LongitudinalRelaxivity": 3.7,
    "MagneticFieldStrength": 1.5,
    "Haematocrit": 0.42,
}


@pytest.fixture
def image(tmp_path):
    return tmp_path / "dce.nii.gz"


def write(image, fields):
    image.with_name("dce.json").write_text(json.dumps(fields))


def without(*names):
    return {name: value for name, value in SOUND.items() if name not in names}


def read(image, **options):
    return read_dce_sidecar(image, frames=FRAMES, **options)


def test_every_field_reaches_the_protocol(image):
    write(image, SOUND)
    sidecar = read(image)
    protocol = sidecar.protocol
    np.testing.assert_array_equal(protocol.times, SOUND["VolumeTiming"])
    assert protocol.repetition_time == 0.004
    assert protocol.flip_angle == 15
    assert protocol.echo_time == 0.0017
    assert protocol.baseline == 2
    assert protocol.frame_duration == 4.5
    assert protocol.relaxivity == 3.7
    assert protocol.field_strength == 1.5
    assert sidecar.haematocrit == 0.42
    assert set(sidecar.origin) == set(SOUND)
    assert set(sidecar.origin.values()) == {"sidecar"}


def test_what_is_missing_but_not_needed_is_recorded(image):
    write(image, {name: SOUND[name] for name in ("RepetitionTimeExcitation", "FlipAngle", "VolumeTiming")})
    sidecar = read(image)
    assert sidecar.protocol.baseline == 0
    assert sidecar.protocol.relaxivity == DCEProtocol.relaxivity
    assert sidecar.haematocrit is None
    assert sidecar.origin["BaselineVolumes"] == "detected"
    assert sidecar.origin["LongitudinalRelaxivity"] == "default"
    assert sidecar.origin["FrameDuration"] == "default"
    assert sidecar.origin["Haematocrit"] == "absent"


def test_set_wins_over_the_sidecar_and_is_recorded(image):
    write(image, SOUND)
    sidecar = read(image, overrides={"FlipAngle": 20})
    assert sidecar.protocol.flip_angle == 20
    assert sidecar.origin["FlipAngle"] == "--set"
    assert sidecar.origin["EchoTime"] == "sidecar"


def test_set_alone_stands_in_for_the_sidecar(image):
    sidecar = read(image, overrides=SOUND)
    assert sidecar.protocol.repetition_time == 0.004
    assert set(sidecar.origin.values()) == {"--set"}


def test_repetition_time_is_a_synonym_and_set_wins_by_either_name(image):
    write(image, {**without("RepetitionTimeExcitation"), "RepetitionTime": 0.005})
    assert read(image).protocol.repetition_time == 0.005
    write(image, SOUND | {"RepetitionTime": 0.005})
    assert read(image).protocol.repetition_time == 0.004
    assert read(image, overrides={"RepetitionTime": 0.006}).protocol.repetition_time == 0.006


def test_concentrations_need_neither_tr_nor_flip_angle(image):
    write(image, without("RepetitionTimeExcitation", "FlipAngle"))
    sidecar = read(image, quantity="concentration")
    assert np.isnan(sidecar.protocol.repetition_time)
    assert np.isnan(sidecar.protocol.flip_angle)
    assert sidecar.origin["FlipAngle"] == "absent"


def test_null_is_a_field_that_is_not_given(image):
    write(image, SOUND | {"Haematocrit": None})
    assert read(image).haematocrit is None


def test_a_byte_order_mark_is_no_obstacle(image):
    image.with_name("dce.json").write_text(json.dumps(SOUND), encoding="utf-8-sig")
    assert read(image).protocol.flip_angle == 15


numbers = st.floats(1e-6, 0.7, exclude_max=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    times=st.lists(st.floats(-50, 250), min_size=2, max_size=9, unique=True).map(sorted),
    tr=numbers,
    angle=st.floats(0.01, 90),
    other=st.tuples(numbers, st.floats(0.5, 100), numbers, numbers),
    haematocrit=st.none() | numbers,
    data=st.data(),
)
def test_a_written_protocol_is_read_back_exactly(image, times, tr, angle, other, haematocrit, data):
    echo, relaxivity, field, duration = other
    baseline = data.draw(st.integers(0, len(times) - 1))
    protocol = DCEProtocol(np.array(times), tr, angle, echo, relaxivity, field, baseline, duration)
    write_sidecar(image, protocol, haematocrit=haematocrit)
    sidecar = read_dce_sidecar(image, frames=len(times))
    np.testing.assert_array_equal(sidecar.protocol.times, protocol.times)
    for name in DCEProtocol.__dataclass_fields__.keys() - {"times"}:
        assert getattr(sidecar.protocol, name) == getattr(protocol, name)
    assert sidecar.haematocrit == haematocrit


def test_jax_times_and_extra_fields_are_written(image):
    protocol = DCEProtocol(jnp.arange(3.0) * 5, 0.004, 12.0, baseline=0)
    path = write_sidecar(image, protocol, extra={"PhysicalModel": "2cxm"})
    fields = json.loads(path.read_text())
    assert path.name == "dce.json"
    assert fields["PhysicalModel"] == "2cxm"
    assert fields["VolumeTiming"] == [0, 5, 10]
    assert fields["RepetitionTimeExcitation"] == 0.004
    assert "BaselineVolumes" not in fields


def test_a_concentration_series_writes_no_nan(image):
    write(image, without("RepetitionTimeExcitation", "FlipAngle"))
    protocol = read(image, quantity="concentration").protocol
    assert "FlipAngle" not in json.loads(write_sidecar(image, protocol).read_text())
    assert np.isnan(read(image, quantity="concentration").protocol.flip_angle)


def test_a_missing_sidecar_names_all_that_must_be_set(image):
    with pytest.raises(
        InputError,
        match=r"dce\.json: FlipAngle, VolumeTiming: missing, there is no such file; "
        r"write it there or give --set FlipAngle=value --set VolumeTiming=value",
    ):
        read(image, overrides={"RepetitionTimeExcitation": 0.004})


@pytest.mark.parametrize("name", ["RepetitionTimeExcitation", "FlipAngle", "VolumeTiming"])
def test_a_missing_field_is_named(image, name):
    write(image, without(name))
    with pytest.raises(InputError, match=rf"dce\.json: {name}: missing; write it there or give --set {name}=value"):
        read(image)


@pytest.mark.parametrize("text", ['{"FlipAngle": 15,', "[1, 2]", "", "\xff"])
def test_what_is_not_a_json_object_is_refused(image, text):
    image.with_name("dce.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"dce\.json: is not .*JSON.*; mend it, .* --set Field=value"):
        read(image)


def test_a_sidecar_that_cannot_be_read_is_refused(image):
    image.with_name("dce.json").mkdir()
    with pytest.raises(InputError, match=r"dce\.json: cannot be read .*--set Field=value"):
        read(image)


WRONG = [
    ("RepetitionTimeExcitation", 4.5, "looks like milliseconds"),
    ("RepetitionTimeExcitation", 0, r"is 0, and must be in seconds between 0 and 1$"),
    ("RepetitionTimeExcitation", -0.004, r"seconds between 0 and 1$"),
    ("FlipAngle", 0, "must be in degrees above 0"),
    ("FlipAngle", -15, "must be in degrees"),
    ("FlipAngle", 90.5, "up to 90"),
    ("FlipAngle", "fifteen", "'fifteen', which is not a number"),
    ("FlipAngle", True, "not a number"),
    ("FlipAngle", [15], "not a number"),
    ("FlipAngle", float("nan"), "not finite"),
    ("EchoTime", 1.7, "looks like milliseconds"),
    ("EchoTime", -0.1, "seconds from 0"),
    ("LongitudinalRelaxivity", 0, "from 0.5 to 100"),
    ("LongitudinalRelaxivity", 4500, "from 0.5 to 100"),
    ("LongitudinalRelaxivity", float("inf"), "not finite"),
    ("LongitudinalRelaxivity", 10**400, "not finite"),
    ("MagneticFieldStrength", 0, "tesla"),
    ("Haematocrit", 0.7, "a fraction from 0 to below 0.7"),
    ("Haematocrit", 42, "a fraction"),
    ("Haematocrit", -0.1, "a fraction"),
    ("FrameDuration", -1, "seconds from 0"),
    ("FrameDuration", 4500, "looks like milliseconds"),
    ("BaselineVolumes", 0, "whole number from 1 to 4"),
    ("BaselineVolumes", FRAMES, "whole number from 1 to 4"),
    ("BaselineVolumes", 2.5, "whole number"),
    ("BaselineVolumes", True, "whole number"),
    ("VolumeTiming", 5, "not a list with a number for each of the 5 frames"),
    ("VolumeTiming", "0,5,10,15,20", "not a list"),
    ("VolumeTiming", [0, 5, 10], "has length 3, and the image has 5 frames"),
    ("VolumeTiming", [0, 5, 5, 10, 15], r"does not increase from frame 2 \(5.0 s\) to the next \(5.0 s\)"),
    ("VolumeTiming", [0, 5, 10, 8, 15], r"does not increase from frame 3"),
    ("VolumeTiming", [0, 5, None, 8, 15], "None, which is not a number"),
    ("VolumeTiming", [0, 5, float("nan"), 8, 15], "not finite"),
    ("VolumeTiming", [0, 5000, 10000, 15000, 20000], "5000 s apart.*look like milliseconds"),
]


@pytest.mark.parametrize(("name", "value", "problem"), WRONG)
def test_a_wrong_value_is_refused_where_it_was_written(image, name, value, problem):
    write(image, SOUND | {name: value})
    with pytest.raises(InputError, match=r"dce\.json") as caught:
        read(image)
    assert caught.value.field == name
    assert caught.value.cure == f"correct it there or give --set {name}=value"
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=problem):
        raise ValueError(caught.value.problem)

    write(image, SOUND)
    with pytest.raises(InputError, match=rf"--set for dce\.json: {name}: .*; give --set {name}=value"):
        read(image, overrides={name: value})


def test_an_error_in_the_synonym_names_the_synonym(image):
    write(image, {**without("RepetitionTimeExcitation"), "RepetitionTime": 0.0})
    with pytest.raises(InputError, match=r"dce\.json: RepetitionTime: is 0.*seconds between 0 and 1"):
        read(image)


@pytest.mark.parametrize("time", [4.5, 5.25, 0.9])
def test_the_repetition_time_of_the_volumes_is_not_that_of_the_excitation(image, time):
    """Converters write either under the one name; the cure cures."""
    frames = {"VolumeTiming": [0, 1, 2, 3, 4]} if time < 1 else {}
    write(image, {**without("RepetitionTimeExcitation"), "RepetitionTime": time, **frames})
    with pytest.raises(InputError, match=r"RepetitionTime: is .*that of the volumes.*--set RepetitionTimeExcitation="):
        read(image)
    assert read(image, overrides={"RepetitionTimeExcitation": 0.004}).protocol.repetition_time == 0.004


def test_slow_breast_protocols_are_no_milliseconds(image):
    write(image, SOUND | {"VolumeTiming": [0, 120, 240, 360, 480]})
    assert read(image).protocol.times[-1] == 480


def test_times_in_minutes_are_refused(image):
    """Sixty frames of three seconds would last three; four frames may be as short as they like."""
    fields = SOUND | {"VolumeTiming": (np.arange(60) / 20).tolist()}
    write(image, {k: v for k, v in fields.items() if k != "BaselineVolumes"})
    with pytest.raises(InputError, match=r"VolumeTiming: has 60 frames within 2\.95 s.*look like minutes"):
        read_dce_sidecar(image, frames=60)


def test_one_frame_is_no_series(image):
    write(image, SOUND)
    with pytest.raises(InputError, match=r"dce\.nii\.gz: shape: has 1 frame; give the whole series"):
        read_dce_sidecar(image, frames=1)


def test_flip_angles_and_tr_of_a_vfa_series(image):
    write(image, {"RepetitionTime": 0.0045, "FlipAngle": [2, 5, 10.5]})
    angles, repetition_time = read_vfa_sidecars([image], volumes=[3])
    np.testing.assert_array_equal(angles, [2, 5, 10.5])
    assert repetition_time == 0.0045
    angles, repetition_time = read_vfa_sidecars(
        [image], volumes=[2], overrides={"vfa.FlipAngle": [3, 15], "vfa.RepetitionTimeExcitation": 0.005}
    )
    np.testing.assert_array_equal(angles, [3, 15])
    assert repetition_time == 0.005


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"FlipAngle": [2, 5, 10]}, "RepetitionTimeExcitation", "missing"),
        ({"RepetitionTime": 0.004}, "FlipAngle", "missing"),
        ({"RepetitionTime": 4, "FlipAngle": [2, 5, 10]}, "RepetitionTime", "milliseconds"),
        ({"RepetitionTime": 0.004, "FlipAngle": [2, 5]}, "FlipAngle", "has length 2, and .* 3 volumes"),
        ({"RepetitionTime": 0.004, "FlipAngle": 5}, "FlipAngle", "not a list"),
        ({"RepetitionTime": 0.004, "FlipAngle": [0, 5, 10]}, "FlipAngle", "degrees above 0"),
        ({"RepetitionTime": 0.004, "FlipAngle": [5, 5, 5]}, "FlipAngle", "fewer than 2 distinct angles"),
    ],
)
def test_a_wrong_vfa_sidecar_is_refused(image, fields, field, problem):
    write(image, fields)
    with pytest.raises(InputError, match=rf"dce\.json: {field}: .*{problem}.*--set vfa\.{field}=value"):
        read_vfa_sidecars([image], volumes=[3])


def test_set_takes_json_and_bare_words():
    assert parse_set(["FlipAngle=15", "VolumeTiming = [0, 5.5]", "Haematocrit=low", "EchoTime="], known=DCE_FIELDS) == {
        "FlipAngle": 15,
        "VolumeTiming": [0, 5.5],
        "Haematocrit": "low",
        "EchoTime": "",
    }
    assert parse_set(["LabelingDuration=1.8"], known=["LabelingDuration"]) == {"LabelingDuration": 1.8}
    assert parse_set([], known=DCE_FIELDS) == {}


def test_set_without_equals_or_with_an_unknown_field_is_refused():
    with pytest.raises(InputError, match=r"--set: FlipAngle: has no =; write --set FlipAngle=value"):
        parse_set(["FlipAngle"], known=DCE_FIELDS)
    with pytest.raises(InputError, match=r"--set: FlipAngel: is no known field; choose among") as caught:
        parse_set(["FlipAngel=15"], known=DCE_FIELDS)
    assert all(name in caught.value.cure for name in DCE_FIELDS)
