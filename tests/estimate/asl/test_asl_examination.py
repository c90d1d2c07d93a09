"""An ASL examination is checked once, in Python as on the command line: units, volumes without a signal, scales."""

from dataclasses import replace

import numpy as np
import pytest

from estimate.asl.examination import ASLOptions, Calibration, examine_asl
from estimate.asl.quantify import quantify
from simulate.base.errors import InputError
from simulate.base.status import Status
from simulate.files.bids.asl import ASLSidecar
from tests.asl_examination import AFFINE, M0, SHAPE, series

ORIGIN = ("LabelingEfficiency", "MagneticFieldStrength", "LabelingDuration", "PostLabelingDelay")


@pytest.fixture(scope="module")
def measured():
    return series((1.8,), sigma=0.001, pairs=4)


def known(protocol, **others):
    origin = dict.fromkeys(ORIGIN, "sidecar")
    return replace(ASLSidecar(protocol, False, None, "Included", None, 3.0, origin, []), **others)


def refused(words, data, protocol, *args, **others):
    with pytest.raises(InputError, match=words):
        examine_asl(data, AFFINE, known(protocol, **others), *args)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("label_duration", 1800.0, "label_duration: is 1800, and must be in seconds above 0 and below 10"),
        ("post_label_delay", 1800.0, "post_label_delay: is 1800"),
        ("label_efficiency", 85.0, "label_efficiency: is 85, and must be in a fraction"),
        ("label_efficiency", 0.0, "label_efficiency: is 0"),
    ],
)
def test_numbers_in_other_units(measured, field, value, words):
    data, protocol = measured
    own = np.full_like(np.asarray(getattr(protocol, field), float), value)
    refused(words, data, replace(protocol, **{field: own if own.ndim else value}))


@pytest.mark.parametrize("time", [2000.0, np.nan, 0.0])
def test_a_repetition_time_of_m0_that_is_none(measured, time):
    data, protocol = measured
    words = "repetition_time of M0: is .*, and must be in seconds above 0 and below 60"
    refused(words, data, protocol, Calibration(np.full(SHAPE, M0), time), m0_type="Separate")


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_a_volume_without_a_signal_is_named(measured, empty):
    data, protocol = measured
    broken = data.copy()
    broken[..., 3] = empty
    refused(r"volume 4: holds (zeros alone|no finite number); leave it and its partner out", broken, protocol)


def test_options_of_another_method(measured):
    data, protocol = measured
    refused("model: gkm: is of a fit of several delays", data, protocol, None, "auto", ASLOptions(model="gkm"))
    refused("model: foo: is no model", data, protocol, None, "auto", ASLOptions(model="foo"))


@pytest.mark.parametrize("factor", [1 / 50, 1.0, 40.0])
def test_an_m0_on_another_scale_is_told_of(measured, factor):
    """Exported with another slope; with background suppression nobody can tell."""
    data, protocol = measured
    m0 = np.asarray(protocol.volume_types) == "m0scan"
    scaled = np.where(m0, data, factor * data)
    warnings = examine_asl(scaled, AFFINE, known(protocol)).warnings
    assert any("on different scales" in line for line in warnings) == (factor != 1)
    assert not examine_asl(scaled, AFFINE, known(protocol, suppressed=True, pulses=2)).warnings


def test_voxels_that_were_cut_off_are_saturated(measured):
    """CSF of M0 stands at the largest number of 12 bits."""
    data, protocol = measured
    data = data.copy()
    m0 = np.asarray(protocol.volume_types) == "m0scan"
    data[:2, :, :, m0] = 4095.0
    found = quantify(examine_asl(data, AFFINE, known(protocol), mask=np.ones(SHAPE, bool)))
    assert (found.status[:2] == int(Status.SATURATED)).all()
    assert not (found.status[2:] & int(Status.SATURATED)).any()
    assert np.isnan(found.maps["CBF"][:2]).all()
    assert any("cut off at the largest number" in line for line in found.warnings)
