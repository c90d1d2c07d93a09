"""Brain and lesion: volumes in mL and mm whatever the grid, on both sides, with age."""

import numpy as np
import pytest
from scipy.ndimage import label

from simulate.base.errors import InputError
from simulate.patients.brain import brain, grid_shape, volume_ml
from simulate.patients.gliomas import RIM
from simulate.patients.lesion import lesion
from simulate.patients.person import draw_person
from simulate.patients.tissue import patient_tissue
from simulate.phantoms.priors import Region


def anatomy(cell=3.0, age=50.0, seed=0):
    return brain(np.random.default_rng(seed), cell=cell, age=age)


@pytest.mark.parametrize("cell", [2.0, 3.0])
def test_a_brain_is_as_large_as_a_brain(cell):
    """Grown-ups have 1.0 to 1.4 L of tissue, somewhat more grey than white matter by most counts."""
    found = anatomy(cell)
    grey, white = (volume_ml(found.region, which, cell) for which in (Region.GREY_MATTER, Region.WHITE_MATTER))
    assert 1000 < grey + white < 1400
    assert 0.7 < grey / white < 1.7
    assert found.region.shape == grid_shape(cell)


def test_the_head_lies_in_its_affine():
    found = anatomy()
    at = np.argwhere(found.region > 0) @ found.affine[:3, :3].T + found.affine[:3, 3]
    np.testing.assert_allclose(found.positions()[:, 0, 0, 0], found.affine[:3, 3])
    assert abs(at[:, 0].mean()) < 2
    left, right = (np.count_nonzero(s * at[:, 0] > 0) for s in (-1, 1))
    assert left / right == pytest.approx(1, abs=0.05)


def test_ventricles_grow_and_the_cortex_thins_with_age():
    fluid, grey = [], []
    for age in (25.0, 80.0):
        some = [anatomy(age=age, seed=seed) for seed in range(4)]
        inner = [each.region[:, 20:45, 22:30][(slice(15, 35),)] for each in some]
        fluid.append(np.mean([np.count_nonzero(each == Region.CSF) for each in inner]))
        grey.append(np.mean([volume_ml(each.region, Region.GREY_MATTER, 3.0) for each in some]))
    assert fluid[1] > 1.15 * fluid[0]
    assert grey[1] < grey[0]


@pytest.mark.parametrize("cell", [2.0, 3.0])
def test_a_tumour_has_its_volume_whatever_the_grid(cell):
    for number in range(3):
        person = draw_person(0, number, 4)
        found = lesion(anatomy(cell), person)
        volume = np.count_nonzero(found.tumour) * cell**3
        assert volume == pytest.approx(np.pi / 6 * person.diameter**3, rel=0.03)
        assert label(found.tumour)[1] == 1
        at = np.argwhere(found.tumour) @ anatomy(cell).affine[:3, :3].T + anatomy(cell).affine[:3, 3]
        assert np.all(at[:, 0] > 0) or np.all(at[:, 0] < 0)  # on one side


def test_a_core_lies_behind_its_rim():
    person = draw_person(0, 1, 4).changed(necrotic=True, diameter=40.0, rim=RIM.median)
    found = lesion(anatomy(2.0), person)
    core, rim = found.region == Region.CORE, found.region == Region.RIM
    assert core.any()
    assert rim.any()
    assert np.median(found.inside[core]) > RIM.median
    assert 0.6 * RIM.median < np.quantile(found.inside[core], 0.02)
    whole = lesion(anatomy(2.0), person.changed(necrotic=False))
    np.testing.assert_array_equal(whole.tumour, found.tumour)
    assert not np.any(whole.region == Region.CORE)


def test_the_solid_part_has_the_tissue_that_was_drawn():
    """Medians over the solid part, relaxation times a factor of the scanner's."""
    person = draw_person(0, 2, 4)
    anatomy_ = anatomy(2.0)
    tumour = lesion(anatomy_, person)
    body = patient_tissue(person, anatomy_, tumour)
    rim = body.region == Region.RIM
    for name in ("Fp", "PS", "vp", "ve"):
        assert np.median(getattr(body.tissue, name)[rim]) == pytest.approx(getattr(person, name), rel=0.15)
    assert np.median(body.t10[rim]) == pytest.approx(person.t10 * person.scanner.t1, rel=0.05)
    white, grey = (body.region == which for which in (Region.WHITE_MATTER, Region.GREY_MATTER))
    assert np.median(body.tissue.Fp[grey]) / np.median(body.tissue.Fp[white]) == pytest.approx(40 / 15, rel=0.1)
    assert np.all(body.tissue.vp + body.tissue.ve <= 0.95 + 1e-6)
    assert np.all(body.tissue.Fp[body.region == Region.OUTSIDE] == 0)


def test_what_the_grid_cannot_hold_is_refused():
    person = draw_person(0, 0, 4).changed(necrotic=False)
    with pytest.raises(InputError, match="of 190 mm is larger than a hemisphere holds"):
        lesion(anatomy(), person.changed(diameter=190.0))
    with pytest.raises(InputError, match="fills a third of the hemisphere"):
        lesion(anatomy(), person.changed(diameter=95.0))
    with pytest.raises(InputError, match="give a larger tumour or smaller cells"):
        lesion(anatomy(4.0), person.changed(diameter=9.0))
    with pytest.raises(InputError, match="brain: cell: is 9 mm"):
        anatomy(9.0)
