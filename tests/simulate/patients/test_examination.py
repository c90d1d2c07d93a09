"""One visit: its input, its images, its series and its labelling follow from one tissue."""

from functools import cache

import numpy as np
import pytest

from estimate.signal.t10 import VFA, measure_t10
from simulate.base.constants import BRAIN_DENSITY
from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.inputs.random import AREA_WINDOW, POPULATION_AREA
from simulate.kinetics.tissue import tissue_concentration
from simulate.patients.examination import ANGLES, Visit, examine_patient
from simulate.patients.images import AFTER, concentration_after
from simulate.patients.inlet import ONSET, TAIL, TAIL_AT, patient_input
from simulate.patients.person import draw_person
from simulate.patients.tissue import PatientTissue
from simulate.phantoms.priors import Region
from simulate.scanner.structural import WEIGHTINGS, Weighting, structural_signal

VISIT = Visit(cell=2.0, slab=(20, 20, 8), terminals=300, frames=40, spacing=4.0, delays=(1.0, 2.0), pairs=2, sigma=0.0)


def patient(**changes):
    drawn = draw_person(11, 3, 4).changed(enhancing=True, PS=12 / 6000, necrotic=False, diameter=22.0, mixing=1.0)
    return drawn.changed(**changes)


@cache
def visit():
    return examine_patient(patient(), VISIT)


@pytest.mark.parametrize("number", range(6))
def test_an_input_has_a_patients_tail(number):
    """Its level two minutes after arrival over the peak is what was drawn, .1 to .4 of it."""
    person = draw_person(1, number, 4)
    aif = patient_input(person, 330.0)
    rng = person.rng("input")
    rng.uniform(size=2)
    wanted = np.exp(rng.uniform(*np.log(TAIL)))
    onset = aif.times[np.argmax(aif.curve > 1e-4 * aif.curve.max())]
    assert ONSET[0] - 0.5 < onset < ONSET[1] + 2
    found = np.interp(onset + TAIL_AT, aif.times, aif.curve) / aif.curve.max()
    assert found == pytest.approx(wanted, rel=0.05)
    since = (aif.times > onset) & (aif.times < onset + AREA_WINDOW)
    area = np.trapezoid(aif.curve[since], aif.times[since])
    assert abs(np.log(area / POPULATION_AREA)) < 1.2
    assert aif.times[-1] >= 330


@pytest.mark.parametrize(("mixing", "model"), [(1.0, "2cxm"), (0.25, "tanks-4"), (0.0, "dp")])
def test_uptake_at_the_late_image_is_that_of_the_kinetic_model(mixing, model):
    """Five minutes after the bolus vp ca + K exp(-K/ve t)*ca is within 3 % of the whole model."""
    person = patient(mixing=mixing)
    aif = patient_input(person, 340.0)
    fields = {
        "Fp": np.asarray([35, 60, 15, 40.0]) / 6000, "PS": np.asarray([12, 4, 0.6, 0.1]) / 6000,
        "vp": np.asarray([0.05, 0.06, 0.02, 0.03]), "ve": np.asarray([0.26, 0.15, 0.2, 0.16]),
    }  # fmt: skip
    tissue = Tissue(**{name: each.reshape(2, 2, 1) for name, each in fields.items()})
    body = PatientTissue(tissue, None, None, None, np.full((2, 2, 1), 1), None, None, None, 2.0, np.eye(4))
    onset = aif.times[np.argmax(aif.curve > 0)]
    whole = tissue_concentration(tissue, aif.curve, np.asarray([onset + AFTER]), aif_times=aif.times, model=model)
    np.testing.assert_allclose(concentration_after(person, body, aif), np.asarray(whole)[..., 0], rtol=0.03)


def test_signals_of_structural_images():
    """Limits: nothing recovered, all recovered, the null of fluid; and nothing where nothing is."""
    assert structural_signal(0.8, 1.0, 1e9, Weighting(1e-9, 0.0)) == pytest.approx(0, abs=1e-8)
    assert structural_signal(0.8, 1e-3, 1e9, Weighting(5.0, 0.0)) == pytest.approx(0.8)
    assert structural_signal(0.8, 1.0, 0.1, Weighting(50.0, 0.1)) == pytest.approx(0.8 * np.exp(-1))
    null = 1.5 * np.log(2)
    assert structural_signal(1.0, 1.5, 9.0, Weighting(500.0, 0.0, null)) == pytest.approx(0, abs=1e-12)
    assert structural_signal(1.0, 0.0, 0.1, Weighting(1.0, 0.0)) == 0
    fluid, tissue = (structural_signal(1.0, t1, t2, WEIGHTINGS["flair"]) for t1, t2 in ((4.2, 0.8), (1.4, 0.08)))
    assert fluid < tissue


def test_contrast_in_images_is_that_of_the_textbook():
    """White matter is brightest on T1, fluid on T2 and dark on FLAIR; contrast brightens a leaky rim, hardly brain."""
    found = visit()
    mean = {
        (name, which): found.images[name][found.region == which].mean()
        for name in ("t1", "t1ce", "t2", "flair")
        for which in (Region.WHITE_MATTER, Region.GREY_MATTER, Region.CSF, Region.RIM)
    }
    for low, high in ((Region.GREY_MATTER, Region.WHITE_MATTER), (Region.CSF, Region.GREY_MATTER)):
        assert mean["t1", low] < mean["t1", high]
        assert mean["t2", low] > mean["t2", high]
    assert mean["flair", Region.CSF] < mean["flair", Region.GREY_MATTER] < mean["flair", Region.RIM]
    gain = {which: mean["t1ce", which] / mean["t1", which] for which in (Region.RIM, Region.WHITE_MATTER)}
    assert gain[Region.RIM] > 1.2
    assert gain[Region.WHITE_MATTER] < 1.1
    for image in found.images.values():
        assert image.dtype == np.int16
        assert np.all(image[found.region == Region.OUTSIDE] == 0)


def test_both_tracers_see_one_flow():
    """CBF = Fp/(1 - Hct)/density of every cell, mean over the coarser voxels of the labelled images."""
    found, person = visit(), patient()
    flow = np.asarray(found.truth["Fp"]).reshape(10, 2, 10, 2, 4, 2).mean((1, 3, 5))
    expected = flow / (1 - person.haematocrit) / BRAIN_DENSITY
    ratio = np.asarray(found.asl.truth["CBF"]) / np.where(flow > 1, expected, np.nan)
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.06)  # red cells go their own ways at bifurcations
    rim = found.slab.region == Region.RIM
    assert np.median(found.truth["Fp"][rim]) == pytest.approx(6000 * person.Fp, rel=0.2)


def test_the_series_holds_what_it_should():
    """Noise and nothing else before contrast; T1 by the flip angles; an artery that carries the input."""
    found, person = visit(), patient()
    protocol = found.protocol
    inside = found.slab.region > 0
    before = found.dce[..., : protocol.baseline]
    sigma = np.sqrt(before[inside].var(axis=-1, ddof=1).mean())
    assert before[inside].mean() / sigma == pytest.approx(person.scanner.snr, rel=0.1)
    assert np.all(np.abs(np.diff(before[inside].mean(axis=0))) < 4 * sigma / np.sqrt(inside.sum()))
    vfa = VFA(found.vfa, np.asarray(ANGLES), protocol.repetition_time)
    t1 = measure_t10(vfa, 1.0, inside).t1
    plain = inside & (found.slab.artery == 0)
    error = np.log(np.asarray(t1)[plain] / found.truth["T10"][plain])
    assert abs(np.median(error)) < 0.02
    # the artery: its cross-section in every slice, and arterial blood's enhancement where it takes most of a voxel
    across = found.slab.artery.sum(axis=(0, 1)) * VISIT.cell**2
    assert np.all((np.pi / 4 * 2.1**2 < across) & (across < np.pi / 4 * 4.8**2))
    signal = found.dce[inside] - found.dce[inside][:, : protocol.baseline].mean(axis=1, keepdims=True)
    share = found.slab.artery[inside]
    height = signal[share > 0.5].max(axis=1) / share[share > 0.5]
    assert np.median(height) > 8 * np.median(signal[share == 0].max(axis=1))
    first = protocol.times[np.argmax(signal[share > 0.5].mean(axis=0))]
    assert first == pytest.approx(found.aif.times[np.argmax(found.aif.curve)], abs=2 * VISIT.spacing)


def test_a_visit_is_the_same_every_time():
    once, again = visit(), examine_patient(patient(), VISIT)
    np.testing.assert_array_equal(once.dce, again.dce)
    np.testing.assert_array_equal(once.images["t1ce"], again.images["t1ce"])
    np.testing.assert_array_equal(np.asarray(once.asl.data), np.asarray(again.asl.data))


def test_a_slab_larger_than_the_head_is_refused():
    with pytest.raises(InputError, match=r"slab: shape: of \(99, 20, 8\) cells is larger than the brain's grid"):
        examine_patient(patient(), VISIT._replace(slab=(99, 20, 8)))
