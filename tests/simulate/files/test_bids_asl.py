"""Sidecars and contexts of ASL: what BIDS asks for is read, what it forbids is refused with file, field and cure."""

from pathlib import Path

import numpy as np
import pytest

from simulate.base.errors import InputError
from simulate.files.bids import asl
from simulate.files.bids.asl import context_path, read_asl_sidecar
from simulate.files.bids.asl_fields import FIELDS
from simulate.files.bids.fields import parse_set
from simulate.files.bids.m0 import M0_FIELDS, read_m0_sidecar
from simulate.files.bids.uses import Use
from tests.asl_examination import SHAPE, series, write

PASL = {
    "ArterialSpinLabelingType": "PASL", "LabelingDuration": None, "PostLabelingDelay": 1.8, "BolusCutOffFlag": True,
    "BolusCutOffDelayTime": 0.8,
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """Write an examination with other fields or another context, and read its sidecar."""

    def go(kinds=None, volumes=None, slices=SHAPE[2], overrides=None, **others):
        data, protocol = series((1.0, 2.0), pairs=2)
        path = write(tmp_path, data, protocol, kinds, **others)
        return read_asl_sidecar(
            path, volumes=data.shape[3] if volumes is None else volumes, slices=slices, overrides=overrides
        )

    return go


def test_every_field_reaches_the_protocol(read):
    found = read()
    p = found.protocol
    assert p.labelling == "pcasl"
    assert p.volume_types == ("m0scan", *("control", "label") * 4)
    np.testing.assert_allclose(p.label_duration[1:], 1.8)
    np.testing.assert_allclose(p.post_label_delay, [0, *[1.0] * 4, *[2.0] * 4])
    np.testing.assert_allclose(p.times[1:], [*[2.8] * 4, *[3.8] * 4])
    np.testing.assert_allclose(p.repetition_time, [8.0, *[5.0] * 8])
    assert float(p.label_efficiency) == 0.85
    assert found.m0_type == "Included"
    assert not found.suppressed
    assert found.warnings == []


def test_one_number_serves_all_volumes_and_slices_have_their_times(read):
    found = read(
        RepetitionTimePreparation=4.5, PostLabelingDelay=1.5, LabelingDuration=1.4, MRAcquisitionType="2D",
        SliceTiming=[0.2, 0.3, 0.4, 0.5],
    )  # fmt: skip
    np.testing.assert_allclose(found.protocol.post_label_delay, 1.5)
    np.testing.assert_allclose(found.protocol.slice_times, [0, 0.1, 0.2, 0.3])


def test_the_bolus_of_pasl_ends_at_its_cut_off(read):
    assert read(**PASL).protocol.label_duration == pytest.approx(0.8)
    q2tips = PASL | {"BolusCutOffDelayTime": [0.7, 1.6], "BolusCutOffTechnique": "Q2TIPS"}
    assert read(**q2tips).protocol.label_duration == pytest.approx(0.7)
    np.testing.assert_allclose(read(**PASL).protocol.times, 1.8)  # TI counts from the label, not from its end


def test_set_wins_over_the_sidecar_and_is_noted(read):
    found = read(overrides={"RepetitionTimePreparation": 6.0}, RepetitionTimePreparation=0)
    np.testing.assert_allclose(found.protocol.repetition_time, 6.0)
    assert found.origin["RepetitionTimePreparation"] == "--set"


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"PostLabelingDelay": None}, ("PostLabelingDelay", "missing", "--set")),
        ({"PostLabelingDelay": [1.0, 2.0]}, ("PostLabelingDelay", "length 2", "9 volumes")),
        ({"PostLabelingDelay": 1800}, ("PostLabelingDelay", "milliseconds")),
        ({"PostLabelingDelay": [0] + [1000] * 8}, ("PostLabelingDelay", "milliseconds")),
        ({"LabelingDuration": None}, ("LabelingDuration", "missing")),
        ({"LabelingDuration": [1.8] * 3}, ("LabelingDuration", "length 3")),
        ({"LabelingDuration": 1800}, ("LabelingDuration", "milliseconds")),
        ({"LabelingDuration": 0}, ("LabelingDuration", "is 0.0")),
        ({"RepetitionTimePreparation": 0}, ("RepetitionTimePreparation", "is 0", "above 0", "--set")),
        ({"RepetitionTimePreparation": -1}, ("RepetitionTimePreparation",)),
        ({"RepetitionTimePreparation": 4500}, ("RepetitionTimePreparation", "must be in seconds")),
        ({"ArterialSpinLabelingType": "VSASL"}, ("ArterialSpinLabelingType", "PCASL")),
        ({"M0Type": None}, ("M0Type", "missing")),
        ({"M0Type": "yes"}, ("M0Type", "Separate")),
        ({"M0Type": "Estimate"}, ("M0Estimate", "missing")),
        ({"M0Type": "Absent", "BackgroundSuppression": True}, ("M0Type", "suppression")),
        ({"M0Type": "Absent", "BackgroundSuppression": None}, ("BackgroundSuppression", "missing")),
        ({"LabelingEfficiency": 85}, ("LabelingEfficiency", "fraction")),
        ({"MRAcquisitionType": "2D"}, ("SliceTiming", "missing")),
        ({"MRAcquisitionType": "2d", "SliceTiming": [0, 1, 2, 3]}, ("MRAcquisitionType", "'2d'", "2D or 3D")),
        ({"MRAcquisitionType": None, "SliceTiming": [0, 0.4, 0.8, 1.2]}, ("MRAcquisitionType", "not given", "2D")),
        ({"MRAcquisitionType": "2D", "SliceTiming": [0, 1]}, ("SliceTiming", "4 slices")),
        ({"LookLocker": True}, ("LookLocker",)),
        (PASL | {"BolusCutOffFlag": False}, ("BolusCutOffFlag", "unknown")),
        (PASL | {"BolusCutOffFlag": None}, ("BolusCutOffFlag", "unknown")),
        (PASL | {"BolusCutOffDelayTime": None}, ("BolusCutOffDelayTime", "missing")),
        (PASL | {"BolusCutOffDelayTime": 800}, ("BolusCutOffDelayTime", "milliseconds")),
    ],
)
def test_wrong_fields_are_refused(read, others, words):
    with pytest.raises(InputError) as caught:
        read(**others)
    for word in ("sub-1_asl.json", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["m0scan", *["control", "label"] * 3], ("7 rows", "9 volumes")),
        (["m0scan", *["control", "label"] * 3, "control", "control"], ("5 control and 3 label",)),
        (["m0scan", *["control", "label"] * 3, "control", "tag"], ("row 9", "'tag'")),
        (["m0scan", *["cbf"] * 8], ("CBF already",)),
        (["m0scan"] * 9, ("no control, label or deltam",)),
    ],
)
def test_wrong_contexts_are_refused(read, kinds, words):
    with pytest.raises(InputError) as caught:
        read(kinds=kinds)
    for word in ("sub-1_aslcontext.tsv", *words):
        assert word in str(caught.value)


def test_m0_included_needs_an_m0scan(read):
    with pytest.raises(InputError, match="no volume is an m0scan"):
        read(kinds=["noRF", *["control", "label"] * 4])


def test_a_missing_context_is_refused(read, tmp_path):
    read()
    context_path(tmp_path / "sub-1_asl.nii.gz").unlink()
    with pytest.raises(InputError, match="aslcontext"):
        read_asl_sidecar(tmp_path / "sub-1_asl.nii.gz", volumes=9, slices=4)


def test_what_contradicts_itself_harmlessly_is_said(read):
    assert "TotalAcquiredPairs is 100" in read(TotalAcquiredPairs=100).warnings[0]
    assert "NumberPulses" in read(BackgroundSuppression=True).warnings[0]
    assert read(BackgroundSuppression=True, BackgroundSuppressionNumberPulses=2).warnings == []


# -- fields that change what another means ----------------------------------------------------------------


def test_slices_are_counted_from_the_other_end_where_the_sidecar_says_so(read):
    """BIDS: with a minus the last entry of SliceTiming is of slice 0."""
    times = {"MRAcquisitionType": "2D", "SliceTiming": [0.2, 0.3, 0.4, 0.5]}
    np.testing.assert_allclose(read(**times, SliceEncodingDirection="k").protocol.slice_times, [0, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(read(**times, SliceEncodingDirection="k-").protocol.slice_times, [0.3, 0.2, 0.1, 0])
    for direction in ("i", "j-", "z", 3):
        with pytest.raises(InputError, match="SliceEncodingDirection"):
            read(**times, SliceEncodingDirection=direction)
    assert read(SliceEncodingDirection="i").protocol.slice_times.size == 0  # of no meaning in 3-D


@pytest.mark.parametrize(
    ("others", "suppressed", "pulses", "words"),
    [
        ({"BackgroundSuppression": False, "BackgroundSuppressionNumberPulses": 4}, False, 0, "no label was taken"),
        ({"BackgroundSuppression": False, "BackgroundSuppressionPulseTime": [1.0, 2.0]}, False, 0, "no label was"),
        ({"BackgroundSuppression": None, "BackgroundSuppressionNumberPulses": 4}, True, 4, "taken to be true"),
        ({"BackgroundSuppression": True, "BackgroundSuppressionPulseTime": [1.0, 2.0]}, True, 2, None),
        ({"BackgroundSuppression": True}, True, None, "CBF is low"),
        ({"BackgroundSuppression": False}, False, None, None),
    ],
)
def test_pulses_and_the_flag_of_suppression_are_read_together(read, others, suppressed, pulses, words):
    found = read(**others)
    assert (found.suppressed, found.pulses) == (suppressed, pulses)
    assert (found.warnings == []) if words is None else (words in found.warnings[0])


def test_two_numbers_of_pulses_are_refused(read):
    with pytest.raises(InputError, match="is 3, and BackgroundSuppressionPulseTime lists 2"):
        read(BackgroundSuppression=True, BackgroundSuppressionNumberPulses=3, BackgroundSuppressionPulseTime=[1.0, 2.0])


@pytest.mark.parametrize(
    ("delays", "words"),
    [
        ([0, *[1.0] * 4, *[2.0] * 4], None),
        ([0, 1.0, 1.0, 1.0, float(np.float32(1.0004)), *[2.0] * 4], None),  # rounded in the file
        ([0, *[1.0] * 5, *[2.0] * 3], "3 control and 2 label volumes at a delay of 1 s"),
        ([0, *[0, 1.8] * 4], "4 control and 0 label volumes at a delay of 0 s"),
    ],
)
def test_controls_and_labels_match_within_each_delay(read, delays, words):
    """Their totals match in all of these."""
    if words is None:
        read(PostLabelingDelay=delays)
        return
    with pytest.raises(InputError, match=words) as caught:
        read(PostLabelingDelay=delays)
    assert "sub-1_aslcontext.tsv" in str(caught.value)


def test_m0_may_have_a_repetition_time_for_each_volume(tmp_path, read):
    of = {"series": read()}
    image = tmp_path / "sub-1_m0scan.nii.gz"
    image.with_name("sub-1_m0scan.json").write_text('{"RepetitionTimePreparation": [2.0, 10.0]}')
    np.testing.assert_allclose(read_m0_sidecar(image, volumes=2, **of)[0], [2.0, 10.0])
    with pytest.raises(InputError, match=r"length 2, and the image has 3 volumes; .*--set m0scan\.Repetition"):
        read_m0_sidecar(image, volumes=3, **of)
    overrides = parse_set(["m0scan.RepetitionTimePreparation=8"], known=M0_FIELDS)
    np.testing.assert_allclose(read_m0_sidecar(image, volumes=3, overrides=overrides, **of)[0], 8.0)
    image.with_name("sub-1_m0scan.json").unlink()
    with pytest.raises(InputError, match=r"give --set m0scan\.RepetitionTimePreparation=value"):
        read_m0_sidecar(image, **of)


SCHEMA = """
MagneticFieldStrength MRAcquisitionType EchoTime RepetitionTimePreparation SliceTiming FlipAngle
ArterialSpinLabelingType PostLabelingDelay BackgroundSuppression M0Type TotalAcquiredPairs VascularCrushing
AcquisitionVoxelSize LabelingOrientation LabelingDistance LabelingLocationDescription LookLocker LabelingEfficiency
M0Estimate BackgroundSuppressionNumberPulses BackgroundSuppressionPulseTime VascularCrushingVENC LabelingDuration
LabelingPulseAverageGradient LabelingPulseMaximumGradient LabelingPulseAverageB1 LabelingPulseDuration
LabelingPulseFlipAngle LabelingPulseInterval PCASLType CASLType BolusCutOffFlag PASLType LabelingSlabThickness
BolusCutOffDelayTime BolusCutOffTechnique IntendedFor
"""
"""Fields of the groups MRIASL* in rules/sidecars/asl.yaml of the BIDS schema (1.10)."""


def test_the_table_of_fields_is_complete():
    assert set(SCHEMA.split()) | {"SliceEncodingDirection"} == set(FIELDS)


def test_no_field_that_is_used_goes_unread():
    """Each is looked for by its name where sidecars are read, and none that is of no consequence is."""
    code = Path(asl.__file__).read_text()
    for name, field in FIELDS.items():
        assert (f'"{name}"' in code) == (field.use is not Use.NOTED), name


def test_a_bolus_that_is_not_cut_off_is_refused(read):
    """QUIPSS I saturates the slices and leaves the label as it is."""
    for technique in ("Q2TIPS", "QUIPSSII"):
        assert read(**PASL, BolusCutOffTechnique=technique).protocol.label_duration == pytest.approx(0.8)
    for technique in ("QUIPSS", "QUIPSS I"):
        with pytest.raises(InputError, match=r"BolusCutOffTechnique: .* does not end the bolus"):
            read(**PASL, BolusCutOffTechnique=technique)
