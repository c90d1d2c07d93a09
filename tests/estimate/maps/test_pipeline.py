"""From series to maps: what went in comes out, and no voxel knows of its neighbours."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

import estimate.signal.voxels
from estimate.maps.pipeline import estimate_maps
from estimate.signal.t10 import VFA
from simulate.base.errors import InputError
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import Maps, Series
from simulate.base.units import from_clinical
from simulate.inputs.arterial_input import ArterialInput
from tests.phantom import AFFINE, HAEMATOCRIT, SHAPE, TIMES, VFA_ANGLES, VFA_TR

pytestmark = pytest.mark.x64  # maps against the truth to nine digits; test_estimate_dce runs in float32

PARAMETERS = ("Fp", "PS", "vp", "ve")


@pytest.fixture(scope="module")
def fixed_aif(phantom):
    return ArterialInput(jnp.asarray(TIMES), jnp.asarray(phantom.plasma), "known")


@pytest.fixture(scope="module")
def clean(phantom, fixed_aif):
    """The estimate of the undamaged signal with the known input."""
    return estimate_maps(phantom.signal(), aif=fixed_aif, haematocrit=HAEMATOCRIT, t10=phantom.t10)


@pytest.fixture(scope="module")
def found(phantom):
    """The estimate of the undamaged signal with the input found in the images."""
    return estimate_maps(phantom.signal(), haematocrit=HAEMATOCRIT, t10=phantom.t10)


def largest_error(estimate, phantom):
    """Largest relative error of any parameter in any voxel of tissue."""
    pairs = [(from_clinical(n, estimate.maps[n]), getattr(phantom.tissue, n)) for n in PARAMETERS]
    return max(np.max(np.abs(found / true - 1)[phantom.inside]) for found, true in pairs)


def assert_same_maps(a, b, *, where=...):
    """To the bit, NaN for NaN."""
    assert set(a.maps.values) == set(b.maps.values)
    for name in a.maps.values:
        np.testing.assert_array_equal(a.maps[name][where], b.maps[name][where], err_msg=name)


# -- recovery ---------------------------------------------------------------------------------------------


def test_tissue_is_recovered_with_the_input_found_in_the_images(phantom, found):
    """Without noise, with an input that is linear between the frames, only float32 maps limit accuracy."""
    np.testing.assert_array_equal(found.aif.mask, phantom.artery)
    factor = found.aif.details["factor on what was measured"]
    assert factor == pytest.approx(1.0, abs=0.1)  # a wide artery has nearly no correction
    np.testing.assert_allclose(found.aif.curve, factor * phantom.plasma, rtol=1e-9, atol=1e-9)
    scaled = Maps({n: factor * found.maps[n] for n in PARAMETERS}, found.maps.affine)  # the scale law
    assert largest_error(replace(found, maps=scaled), phantom) < 1e-5
    assert not np.any(found.status[phantom.inside])
    np.testing.assert_array_equal(found.maps.affine, AFFINE)
    assert {values.dtype for values in found.maps.values.values()} == {np.dtype(np.float32)}


BLOOD_T1 = 1.6
"""Of the phantom's artery [s]."""


def measured(aif):
    """Before it is set right."""
    return np.asarray(aif.curve) / aif.details.get("factor on what was measured", 1.0)


def test_blood_has_its_own_t1_whatever_the_map_says(phantom):
    """T10 too long makes concentration too low; the T1 of blood, given, makes the input right again."""
    series, wrong = phantom.signal(), 1.4 * phantom.t10
    found = estimate_maps(series, haematocrit=HAEMATOCRIT, t10=wrong).aif
    assert measured(found).max() < 0.75 * phantom.plasma.max()
    assert np.asarray(found.curve).max() > 1.1 * measured(found).max()
    assert any("times that of blood" in sentence for sentence in found.warnings)
    for aif in ("auto", phantom.artery):
        mended = estimate_maps(series, aif=aif, aif_t1=BLOOD_T1, haematocrit=HAEMATOCRIT, t10=wrong).aif
        np.testing.assert_allclose(measured(mended), phantom.plasma, rtol=1e-9, atol=1e-9)
    assert mended.warnings == ()
    lu = estimate_maps(series, aif_t1="blood", haematocrit=HAEMATOCRIT, t10=wrong).aif
    assert measured(found).max() < measured(lu).max() < phantom.plasma.max()  # 1.67 s by the formula: a little too long


def test_warnings_of_the_input_are_those_of_the_maps(phantom):
    known = ArterialInput(jnp.asarray(TIMES), jnp.asarray(phantom.plasma), "mine", warnings=("Drawn by hand.",))
    found = estimate_maps(phantom.signal(), aif=known, haematocrit=HAEMATOCRIT, t10=phantom.t10)
    assert found.warnings[0] == "Drawn by hand."


@pytest.mark.parametrize(("aif_t1", "sentence"), [(25.0, "25 s is no T1 of blood; give seconds"), (-1.0, "is no T1")])
def test_a_t1_that_blood_cannot_have(phantom, aif_t1, sentence):
    with pytest.raises(InputError, match=sentence):
        estimate_maps(phantom.signal(), aif_t1=aif_t1, haematocrit=HAEMATOCRIT, t10=phantom.t10)


def test_a_series_of_concentrations_has_no_t1_to_set(phantom):
    series = Series(phantom.concentration, phantom.protocol, AFFINE, "concentration")
    with pytest.raises(InputError, match="is of an input that is measured in a series of signals; leave it out"):
        estimate_maps(series, aif_t1="blood", haematocrit=HAEMATOCRIT)


def test_a_drawn_artery_and_a_population_input(phantom):
    """The drawn region gives the known input; the phantom's is Parker's, sampled, and arrives when it did."""
    series = phantom.signal()
    drawn = estimate_maps(series, aif=phantom.artery, haematocrit=HAEMATOCRIT, t10=phantom.t10)
    np.testing.assert_allclose(drawn.aif.curve, phantom.plasma, rtol=1e-9, atol=1e-9)
    assert largest_error(drawn, phantom) < 1e-5
    parker = estimate_maps(series, aif="parker", haematocrit=HAEMATOCRIT, t10=phantom.t10)
    assert parker.aif.details["onset [s]"] == pytest.approx(16.0, abs=2.0)
    assert largest_error(parker, phantom) < 0.35


def test_concentration_and_signal_give_the_same_maps(phantom, fixed_aif, clean):
    series = Series(phantom.concentration, phantom.protocol, AFFINE, "concentration")
    estimate = estimate_maps(series, aif=fixed_aif, haematocrit=HAEMATOCRIT)
    assert largest_error(estimate, phantom) < 1e-5
    for name in (*PARAMETERS, "Ktrans", "peak", "TTP", "IAUC60"):
        there = np.isfinite(clean.maps[name])
        np.testing.assert_allclose(estimate.maps[name][there], clean.maps[name][there], rtol=1e-3)


def test_a_t10_map_flip_angles_and_a_number_agree(phantom, fixed_aif, clean):
    """The map against VFA images of the same T1; the number against both where the map holds that number."""
    series, given = phantom.signal(), {"aif": fixed_aif, "haematocrit": HAEMATOCRIT}
    vfa = estimate_maps(series, **given, t10=VFA(phantom.vfa(), VFA_ANGLES, VFA_TR))
    np.testing.assert_allclose(vfa.maps["T10"], phantom.t10, rtol=1e-5)
    assert largest_error(vfa, phantom) < 1e-4
    number = estimate_maps(series, **given, t10=float(phantom.t10[-1, -1, 0]))
    assert_same_maps(number, clean, where=(slice(None), -1))


@pytest.mark.parametrize("stored", ["int16", "uint16", "int32", "float64"])
def test_the_type_that_a_series_is_stored_in_is_of_no_consequence(phantom, fixed_aif, stored):
    """Maps beside a series of whole numbers keep their decimals: T10 of 1.4 s is not 1 s, a B1 of .95 is not 0."""
    series = phantom.signal(b1=0.95)
    whole = np.round(series.data * (30000 / series.data.max()))
    given = {"aif": fixed_aif, "b1": 0.95}
    as_floats, as_stored = (
        estimate_maps(replace(series, data=whole.astype(kind)), t10=1.4, **given) for kind in ("float32", stored)
    )
    for name in ("Fp", "PS", "T10", "peak"):
        np.testing.assert_allclose(as_stored.maps[name], as_floats.maps[name], rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(as_stored.maps["T10"], 1.4, rtol=1e-6)


def test_haematocrit_is_asked_for_where_blood_becomes_plasma(phantom, fixed_aif):
    """A curve of plasma needs none, and none is made up."""
    series = phantom.signal()
    assert estimate_maps(series, aif=fixed_aif, t10=phantom.t10).aif is fixed_aif
    for aif in ("auto", "parker", phantom.artery):
        with pytest.raises(InputError, match="haematocrit: is needed to turn blood into plasma"):
            estimate_maps(series, aif=aif, t10=phantom.t10)
    with pytest.raises(InputError, match=r"0\.42 for 42 %"):
        estimate_maps(series, aif="auto", t10=phantom.t10, haematocrit=42.0)


def test_the_baseline_is_detected_where_it_is_not_given(phantom, fixed_aif, clean):
    series = replace(phantom.signal(), protocol=replace(phantom.protocol, baseline=0))
    series = replace(series, data=series.data * (1 + 1e-6 * np.sin(np.arange(TIMES.size))))  # noise to count in
    estimate = estimate_maps(series, aif=fixed_aif, haematocrit=HAEMATOCRIT, t10=phantom.t10)
    assert abs(estimate.protocol.baseline - clean.protocol.baseline) <= 1
    assert largest_error(estimate, phantom) < 0.01


def test_a_b1_map_undoes_the_error_of_the_transmit_field(phantom, fixed_aif):
    """T1 and concentration both rest on the flip angle: all is right with the map, and wrong without."""
    series = phantom.signal(b1=phantom.b1)
    vfa = VFA(phantom.vfa(b1=phantom.b1), VFA_ANGLES, VFA_TR)
    known = estimate_maps(series, aif=fixed_aif, haematocrit=HAEMATOCRIT, t10=vfa, b1=phantom.b1)
    np.testing.assert_allclose(known.maps["T10"], phantom.t10, rtol=1e-5)
    assert largest_error(known, phantom) < 1e-4
    ignored = estimate_maps(series, aif=fixed_aif, haematocrit=HAEMATOCRIT, t10=vfa)
    assert largest_error(ignored, phantom) > 0.1


# -- voxels with something wrong ----------------------------------------------------------------------------

ACROSS = np.arange(TIMES.size)
DAMAGE = {
    "zero": (lambda s: 0 * s, Status.NO_SIGNAL),
    "constant": (lambda s: 0 * s + 100, Status.NO_SIGNAL),
    "negative": (lambda s: -s, Status.NO_SIGNAL),
    "NaN in one frame": (lambda s: np.where(ACROSS == 20, np.nan, s), Status.NOT_FINITE),
    "NaN before contrast": (lambda s: np.where(ACROSS == 0, np.nan, s), Status.NOT_FINITE),
    "infinite": (lambda s: np.where(ACROSS == 20, np.inf, s), Status.NOT_FINITE),
    "saturated": (lambda s: np.where(ACROSS == 14, 50 * s, s), Status.SATURATED),
    "dropped out": (lambda s: np.where(ACROSS == 30, 0.0, s), Status.SATURATED),
}


def test_a_bad_voxel_says_why_and_changes_no_other(phantom, fixed_aif, clean):
    """Every damaged voxel has its status and no estimate; every other voxel is the same to the bit."""
    series = phantom.signal()
    places = [(3 + i // 4, 3 + i % 4, i % 2) for i in range(len(DAMAGE))]
    damaged = np.zeros(SHAPE, bool)
    data = series.data.copy()
    for place, (damage, _) in zip(places, DAMAGE.values(), strict=True):
        data[place], damaged[place] = damage(data[place]), True
    estimate = estimate_maps(replace(series, data=data), aif=fixed_aif, t10=phantom.t10, mask="none")
    for place, (name, (_, status)) in zip(places, DAMAGE.items(), strict=True):
        assert Status(int(estimate.status[place])) == status, name
    for name in set(estimate.maps.values) - {"T10", "model"}:
        assert np.isnan(estimate.maps[name][damaged]).all(), name
    np.testing.assert_array_equal(estimate.maps["model"][damaged], 0)
    np.testing.assert_array_equal(estimate.status[~damaged], clean.status[~damaged])
    assert_same_maps(estimate, clean, where=~damaged)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan])
def test_a_voxel_without_t10_or_b1_has_no_estimate(phantom, fixed_aif, clean, wrong):
    """Without T1 or flip angle there is no concentration, which is not the same as a saturated signal."""
    for name in ("t10", "b1"):
        given = {"t10": phantom.t10.copy(), "b1": np.ones(SHAPE)}
        given[name][4, 4, 0] = wrong
        estimate = estimate_maps(phantom.signal(), aif=fixed_aif, haematocrit=HAEMATOCRIT, **given)
        assert Status(int(estimate.status[4, 4, 0])) == Status.NO_SIGNAL, name
        assert np.isnan(estimate.maps["Fp"][4, 4, 0])
        np.testing.assert_array_equal(estimate.maps["Fp"][5:], clean.maps["Fp"][5:])


def test_an_image_without_any_sound_voxel_is_all_status(phantom, fixed_aif):
    series = replace(phantom.signal(), data=np.full((*SHAPE, TIMES.size), 5.0))
    estimate = estimate_maps(series, aif=fixed_aif, t10=phantom.t10, mask="none")
    assert (estimate.status == int(Status.NO_SIGNAL)).all()
    assert np.isnan(estimate.maps["Ktrans"]).all()


def test_outside_the_mask_nothing_is_estimated_and_inside_nothing_changes(phantom, fixed_aif, clean):
    mask = phantom.inside.copy()
    mask[-1] = False
    estimate = estimate_maps(phantom.signal(), aif=fixed_aif, haematocrit=HAEMATOCRIT, t10=phantom.t10, mask=mask)
    assert (estimate.status[~mask] == int(Status.OUTSIDE)).all()
    assert not np.any(estimate.status[mask] & int(NO_ESTIMATE))
    for name in set(estimate.maps.values) - {"model"}:
        assert np.isnan(estimate.maps[name][~mask]).all(), name
    assert_same_maps(estimate, clean, where=mask)


def test_a_streamed_series_gives_the_same_maps(phantom, found, monkeypatch):
    """Blocks of 100 voxels, the last one shorter, with the input found in the images block by block."""
    monkeypatch.setattr(estimate.signal.voxels, "CHUNK", 100)
    seen = []
    streamed = estimate_maps(
        phantom.signal(), haematocrit=HAEMATOCRIT, t10=phantom.t10, progress=lambda *step: seen.append(step)
    )
    assert [done for what, done, total in seen if what == "fitting 2cxm"] == [0, 100, 192]
    np.testing.assert_array_equal(streamed.aif.mask, phantom.artery)
    np.testing.assert_array_equal(streamed.status, found.status)
    assert_same_maps(streamed, found)


# -- what the caller can mend -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "3cxm"}, "method: 3cxm"),
        ({"t10": None}, "t10"),
        ({"mask": np.ones((8, 8, 2), bool)}, "mask: shape"),
        ({"mask": np.zeros(SHAPE, bool)}, "mask: holds no voxel"),
        ({"aif": np.ones((8, 8, 2), bool)}, "arterial region: shape"),
    ],
)
def test_what_cannot_be_used_is_refused_before_the_fit(phantom, monkeypatch, wrong, words):
    monkeypatch.setattr(estimate.maps.pipeline, "fit_kinetics", lambda *a, **k: pytest.fail("the fit began"))
    given = {"aif": "auto", "t10": 1.2} | wrong
    with pytest.raises(InputError, match=words):
        estimate_maps(phantom.signal(), haematocrit=HAEMATOCRIT, **given)
