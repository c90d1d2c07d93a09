"""What enters is checked once, before any long work, in Python as on the command line: kinds, with several of each."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from estimate.arterial.scale import CBFMap
from estimate.examination.checked import examine
from estimate.maps.pipeline import estimate_examination, estimate_maps, voxels_of
from estimate.signal.baseline import detect_baseline
from estimate.signal.t10 import VFA, measure_t10
from simulate.base.errors import InputError
from simulate.base.status import Status, at_bound
from simulate.base.types import DCEProtocol, Series
from simulate.inputs.arterial_input import ArterialInput
from simulate.scanner.spgr import spgr_signal
from tests.phantom import AFFINE, HAEMATOCRIT, SHAPE, TIMES, VFA_ANGLES, VFA_TR

FRAMES = TIMES.size


@pytest.fixture
def given(phantom):
    """All that a fit needs; a test puts one wrong thing in its place."""
    aif = ArterialInput(jnp.asarray(TIMES), jnp.asarray(phantom.plasma), "known")
    return {"series": phantom.signal(), "aif": aif, "t10": phantom.t10, "haematocrit": HAEMATOCRIT}


def refused(given, words, **wrong):
    with pytest.raises(InputError, match=words) as caught:
        examine(**(given | wrong))
    assert caught.value.cure
    return str(caught.value)


# -- shapes and orders ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("t10", np.ones((8, 8, 2)), "t10: T10 map: has shape"),
        ("t10", np.ones(SHAPE[:2]), "t10: T10 map: has shape"),
        ("b1", np.ones((8, 7, 3)), "b1: B1 map: has shape"),
        ("mask", np.ones((3, 8, 8), bool), "mask: shape"),
        ("aif", np.ones((8, 8), bool), "aif: arterial region: shape"),
        ("t10", VFA(np.ones((*SHAPE, 3)), (3.0, 10.0), 0.005), "t10: VFA images: has shape"),
        ("t10", VFA(np.ones((8, 8, 2, 2)), (3.0, 10.0), 0.005), "t10: VFA images: has shape"),
    ],
)
def test_images_of_another_shape(given, name, value, words):
    refused(given, words, **{name: value})


def with_times(series, times):
    return replace(series, protocol=replace(series.protocol, times=times))


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (TIMES[::-1], "does not increase from frame 1"),
        (np.where(np.arange(FRAMES) == 7, TIMES[6], TIMES), "does not increase from frame 7"),
        (np.where(np.arange(FRAMES) == 7, np.nan, TIMES), "does not increase"),
        (TIMES[:-1], "has shape .* and 59 times"),
    ],
)
def test_times_out_of_order(given, times, words):
    refused(given, words, series=with_times(given["series"], times))


@pytest.mark.parametrize(
    ("times", "curve", "words"),
    [
        (TIMES, np.where(np.arange(FRAMES) == 20, np.nan, 1.0), "no finite number at its row 21"),
        (np.where(np.arange(FRAMES) == 20, np.inf, TIMES), np.ones(FRAMES), "no finite number at its row 21"),
        (TIMES[::-1], np.ones(FRAMES), "does not come after"),
        (np.where(np.arange(FRAMES) == 20, TIMES[19], TIMES), np.ones(FRAMES), "does not come after"),
        (TIMES[:-5], np.ones(FRAMES - 5), "covers 0 to .* s, the series 0 to 270 s"),
        (TIMES / 60, np.ones(FRAMES), "these look like minutes"),
        (TIMES * 1000, np.ones(FRAMES), "these look like milliseconds"),
    ],
)
def test_inputs_that_are_no_curve_of_this_series(given, times, curve, words):
    refused(given, words, aif=ArterialInput(jnp.asarray(times), jnp.asarray(curve), "mine"))


# -- a bolus that nobody saw arrive -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (np.exp(-TIMES / 60), "starts at 1.00 of at most 1.00 mmol/L: its bolus came before 0 s"),
        (2 + np.exp(-(((TIMES - 20) / 8) ** 2)), "starts at 2.00"),
        (np.full(FRAMES, -1e-3), "shows no bolus: its peak is -0.00"),
        (np.random.default_rng(0).normal(0, 0.1, FRAMES), "shows no bolus"),
    ],
)
def test_an_input_without_its_bolus(given, curve, words):
    refused(given, words, aif=ArterialInput(jnp.asarray(TIMES), jnp.asarray(curve), "mine"))


def test_a_bolus_before_the_first_frame_whatever_the_source(phantom, given):
    """The series begins when contrast is there: a longer curve, a region and the search find the same cure."""
    late = slice(12, None)
    series = replace(
        given["series"], data=given["series"].data[..., late],
        protocol=replace(phantom.protocol, times=TIMES[late], baseline=0),
    )  # fmt: skip
    for aif in (given["aif"], phantom.artery, "auto", "parker"):
        refused(given, "begins before contrast|contrast from its first frames", series=series, aif=aif)
    known = replace(series, protocol=replace(series.protocol, baseline=3))  # whoever says so is told by the curve
    refused(given, "its bolus arrives at .* s, and the first frame is at 24 s", series=known)
    with pytest.raises(InputError, match=r"shows no bolus|its bolus came before"):
        estimate_maps(known, aif=phantom.artery, t10=phantom.t10, haematocrit=HAEMATOCRIT)


def test_concentrations_may_begin_late_where_the_input_is_known_from_before(phantom, given):
    """They need no baseline of their own."""
    protocol = replace(phantom.protocol, times=TIMES[9:], baseline=1)
    series = Series(phantom.concentration[..., 9:], protocol, AFFINE, "concentration")
    assert examine(**(given | {"series": series})).aif is given["aif"]


@pytest.mark.parametrize("empty", [0.0, np.nan])
@pytest.mark.parametrize("frame", [0, 20, FRAMES - 1])
def test_a_frame_without_a_signal_is_named(given, empty, frame):
    """An interrupted scan: as it is every voxel would be saturated or not finite."""
    data = np.array(given["series"].data)
    data[..., frame] = empty
    refused(
        given, rf"frame {frame + 1}: holds (zeros alone|no finite number)", series=replace(given["series"], data=data)
    )


@pytest.mark.parametrize(("told", "warned"), [(7, False), (8, False), (9, False), (12, True), (30, True)])
def test_frames_said_to_be_before_contrast_that_show_it(given, told, warned):
    """The images show eight."""
    series = replace(given["series"], protocol=replace(given["series"].protocol, baseline=told))
    warnings = examine(**(given | {"series": series})).warnings
    assert any(f"BaselineVolumes is {told}, and contrast shows" in line for line in warnings) == warned


@pytest.mark.parametrize(("factor", "warned"), [(1.0, False), (1.01, False), (1.5, True), (3.0, True), (0.8, True)])
def test_a_first_frame_before_the_steady_state_is_told_of(phantom, given, factor, warned):
    data = np.array(given["series"].data)
    data[..., 0] *= factor
    warnings = examine(**(given | {"series": replace(given["series"], data=data)})).warnings
    assert any("magnetisation was not steady yet" in line for line in warnings) == warned


# -- units and numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("t10", 1200.0, "1200 s is no T1"),
        ("t10", np.full(SHAPE, 1200.0), "median of 1200; convert it to seconds"),
        ("t10", np.zeros(SHAPE), "no positive value"),
        ("t10", None, "T1 before contrast is not known"),
        ("b1", 95.0, "is 95; give a ratio"),
        ("b1", np.full(SHAPE, 95.0), "median of 95; give the ratio to the nominal field"),
        ("haematocrit", 42.0, "give a fraction, 0.42 for 42 %"),
        ("haematocrit", np.nan, "give a fraction"),
        ("mask", np.zeros(SHAPE), "holds no voxel"),
        ("mask", np.full(SHAPE, 0.3), "holds no voxel, its largest value is 0.3"),
        ("aif", "parkr", "is none of auto, parker, georgiou"),
        ("aif", np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3, "holds the labels 1, 2"),
        ("mask", "some", "is none of auto, none"),
        ("bounds", {"Ktrans": (0.0, 1.0)}, "no such parameter"),
        ("r2star", -1.0, "is no relaxivity"),
        ("r2star", 5700.0, "is no relaxivity"),
        ("b1", 15.0, "is 15; give a ratio"),
        ("b1", np.full(SHAPE, 0.03), "median of 0.03"),
        ("mask", np.linspace(0, 255.5, 192).reshape(SHAPE), "holds parts of up to 255.5, and 1 is a whole voxel"),
        ("r2star", 5.7, "EchoTime: is needed to correct for T2"),
        ("cbf", np.full(SHAPE, 60.0), 'is used with `scale="asl"` alone'),
    ],
)
def test_numbers_that_cannot_be(given, name, value, words):
    refused(given, words, **{name: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("repetition_time", 4.0), ("flip_angle", 0.0), ("flip_angle", np.nan), ("relaxivity", 0.0),
        ("field_strength", 3000.0), ("echo_time", 2.3), ("frame_duration", -1.0), ("frame_duration", 60.0),
        ("baseline", 60), ("baseline", -1),
    ],
)  # fmt: skip
def test_a_protocol_that_cannot_be(given, field, value):
    series = given["series"]
    wrong = replace(series, protocol=replace(series.protocol, **{field: value}))
    refused(given, field if field != "frame_duration" else "FrameDuration", series=wrong)


def test_amounts_in_micromoles_and_signals_taken_for_concentrations(phantom, given):
    aif = ArterialInput(jnp.asarray(TIMES), jnp.asarray(1000 * phantom.plasma), "mine")
    refused(given, "it looks like micromoles, or like a signal; give mmol/L", aif=aif)
    for data in (given["series"].data, 1000 * phantom.concentration):
        series = Series(data, phantom.protocol, AFFINE, "concentration")
        refused(given, "is said to hold concentrations in mmol/L", series=series)


@pytest.mark.parametrize(
    ("factor", "offset", "words"),
    [(1000.0, 0.0, "milliseconds"), (1 / 60, 0.0, "minutes"), (1.0, 1.7e9, "subtract the first")],
)
def test_times_in_other_units(given, factor, offset, words):
    refused(given, words, series=with_times(given["series"], factor * TIMES + offset))


@pytest.mark.parametrize(
    "knots", [[(0, 0), (10, 0), (20, 6), (40, 2), (300, 0.5)], [(0, 0), (18, 0), (180, 2), (280, 2)]]
)
def test_an_input_of_few_knots_is_an_input(given, knots):
    times, curve = np.array(knots, float).T
    aif = ArterialInput(jnp.asarray(times), jnp.asarray(curve), "drawn")
    assert examine(**(given | {"aif": aif})).aif is aif


def test_a_t10_map_without_t1_in_tissue_is_told_of(phantom, given):
    t10 = np.where(phantom.inside, phantom.t10, 0.0)
    assert any("holds no T1 in 14 % of the voxels" in line for line in examine(**(given | {"t10": t10})).warnings)
    assert not examine(**(given | {"t10": t10, "mask": phantom.inside})).warnings


def test_a_cbf_in_other_units(given):
    asked = {"method": "qtmnet", "scale": "asl", "aif": "auto"}
    refused(given, "median of 0.6; give mL/100 g/min", cbf=np.full(SHAPE, 0.6), **asked)
    refused(given, "CBF map: has shape", cbf=np.ones((2, 2, 2)), **asked)
    wrong = CBFMap(np.full(SHAPE, 60.0), np.ones(3))
    refused(given, "standard error of the CBF: has shape", cbf=wrong, **asked)


def test_errors_name_what_the_user_named(given):
    line = refused(given, "median of 1200", t10=np.full(SHAPE, 1200.0), names={"t10": "sub-1_T1map.nii.gz"})
    assert line.startswith("sub-1_T1map.nii.gz: T10 map: has a median of 1200; convert it to seconds")


# -- frames before contrast -----------------------------------------------------------------------------------


def test_the_baseline_is_unknown_until_somebody_knows_it(phantom, given):
    """One frame by default would count the time to peak from the first frame, and S0 from one."""
    assert DCEProtocol(TIMES, 0.004, 15.0).baseline == 0
    unknown = replace(given["series"], protocol=replace(phantom.protocol, baseline=0))
    assert examine(**(given | {"series": unknown})).series.protocol.baseline == 8


@pytest.mark.parametrize("stored", ["as it is", "float32", "12 bits", "8 bits", "a scaled integer"])
def test_the_baseline_of_noise_free_and_quantised_series(phantom, stored):
    data = np.asarray(phantom.signal().data)
    data = {
        "as it is": data,
        "float32": data.astype(np.float32),
        "12 bits": np.round(data * 4000 / data.max()).astype(np.int16),
        "8 bits": np.round(data * 250 / data.max()).astype(np.uint8),
        "a scaled integer": (np.round(data * 500 / data.max()) * np.float32(0.37)).astype(np.float32),
    }[stored]
    assert 7 <= detect_baseline(data) <= 9  # contrast arrives at 16 s, the ninth frame


# -- signals that were cut off, T1 that ended on its bound ------------------------------------------------------


def cut(series, share):
    data = np.round(np.asarray(series.data) * (4095 / (share * series.data.max())))
    return replace(series, data=np.minimum(data, 4095).astype(np.int16))


def test_voxels_at_the_largest_number_are_saturated_and_the_reader_is_told(phantom, given):
    series = cut(given["series"], 0.6)
    found = estimate_maps(**(given | {"series": series, "method": "patlak"}))
    over = (np.asarray(series.data) == 4095).any(axis=-1)
    assert over.any()
    assert not over.all()
    assert (found.status[over] == int(Status.SATURATED)).all()
    assert not (found.status[~over] & int(Status.SATURATED)).any()
    assert np.isnan(found.maps["Ktrans"][over]).all()
    assert any("cut off at a signal of 4095" in line for line in found.warnings)


def test_an_artery_that_was_cut_off_is_refused_or_warned_of(phantom, given):
    series, some = cut(given["series"], 0.6), phantom.artery.copy()
    asked = given | {"series": series, "method": "patlak"}
    with pytest.raises(InputError, match="none of its 27 voxels has a concentration in every frame"):
        estimate_maps(**(asked | {"aif": phantom.artery}))
    data = np.array(series.data)
    data[0, 0] = np.minimum(np.round(np.asarray(given["series"].data[0, 0]) * 4000 / given["series"].data.max()), 4000)
    some = estimate_maps(**(asked | {"aif": some, "series": replace(series, data=data)}))
    assert any("24 of the 27 voxels of the arterial region are saturated" in line for line in some.warnings)


def test_t1_on_its_bound_reaches_every_map_s_status(phantom, given):
    """Flip angles that are wrong make T1 end at 10 s: Fp would be off by as much, with a status of ok."""
    images = phantom.vfa()
    images[4, 4] = [100.0, 20.0, 8.0]
    vfa = VFA(images, VFA_ANGLES, VFA_TR)
    pinned = (np.asarray(measure_t10(vfa, 1.0, phantom.inside).status) & int(Status.T10_AT_BOUND)) != 0
    assert pinned[4, 4].all()
    assert pinned.sum() == 3
    found = estimate_maps(**(given | {"t10": vfa, "method": "patlak"}))
    assert (found.status[pinned] & at_bound("T10") == at_bound("T10")).all()
    assert not (found.status[~pinned] & int(Status.T10_AT_BOUND)).any()


@pytest.mark.parametrize("wrong", ["order", "scale", None])
def test_flip_angles_that_do_not_obey_the_equation_are_told_of(phantom, given, wrong):
    """Angles listed backwards, or one image exported with another slope."""
    images, angles = phantom.vfa(), VFA_ANGLES[::-1] if wrong == "order" else VFA_ANGLES
    images[..., 1] *= 2 if wrong == "scale" else 1
    found = estimate_maps(**(given | {"t10": VFA(images, angles, VFA_TR), "method": "patlak"}))
    assert any("differ from the signal equation" in line for line in found.warnings) == (wrong is not None)


def test_a_map_of_t1_that_nothing_has_is_at_its_bound(phantom, given):
    t10 = phantom.t10.copy()
    t10[5, 5, 1] = 40.0
    found = estimate_maps(**(given | {"t10": t10, "method": "patlak"}))
    assert Status(int(found.status[5, 5, 1])) & Status.T10_AT_BOUND
    assert not found.status[5, 4, 1] & int(Status.T10_AT_BOUND)


def test_a_voxel_of_flip_angles_that_was_cut_off_is_saturated(phantom, given):
    images = np.round(phantom.vfa() * (4095 / (0.8 * phantom.vfa().max())))
    vfa = VFA(np.minimum(images, 4095).astype(np.int16), VFA_ANGLES, VFA_TR)
    over = (images >= 4095).any(-1)
    assert 3 < over.sum() < over.size
    exam = examine(**(given | {"t10": vfa, "mask": "none"}))
    _, status, _ = voxels_of(exam).concentration(np.nonzero(over))
    assert (status & int(Status.SATURATED)).all()


def test_the_status_says_which_parameter_is_at_its_bound(phantom, given):
    """Bounds below the truth: every voxel ends on that of Fp; with those that leave it room, none does."""
    narrow = estimate_maps(**(given | {"bounds": {"Fp": (1e-5, 0.003)}})).status[phantom.inside]
    assert ((narrow & at_bound("Fp")) == at_bound("Fp")).mean() > 0.95
    assert not (narrow & int(Status.OUTSIDE | Status.T10_AT_BOUND | Status.DELAY_AT_BOUND)).any()
    assert not (estimate_maps(**given).status[phantom.inside] & int(Status.FP_AT_BOUND)).any()


# -- T2* --------------------------------------------------------------------------------------------------------


def test_t2_star_is_corrected_for_where_it_is_asked_for(phantom, given):
    """Signals that the agent's T2* lowers by a tenth at a tissue's peak, and by more in blood."""
    protocol = replace(phantom.protocol, echo_time=0.004)
    signal = spgr_signal(phantom.concentration, protocol, t10=phantom.t10, s0=1000.0, r2star=20.0)
    series = Series(np.asarray(signal), protocol, AFFINE)
    everywhere = np.nonzero(phantom.inside)

    def concentration(**options):
        exam = examine(**(given | {"series": series} | options))
        return voxels_of(exam).concentration(everywhere)[0]

    true = phantom.concentration[phantom.inside]
    np.testing.assert_allclose(concentration(r2star=20.0), true, rtol=1e-3, atol=1e-4)
    assert np.max(np.abs(concentration() - true)) > 0.05 * true.max()
    found = estimate_examination(examine(**(given | {"series": series, "r2star": 20.0, "method": "patlak"})))
    assert np.isfinite(found.maps["Ktrans_stderr"][phantom.inside]).all()
