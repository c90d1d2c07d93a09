"""Random tumours: shapes, regions and tissues that one would believe."""

import jax
import numpy as np
import pytest
from scipy.ndimage import label

from simulate.base.errors import InputError
from simulate.phantoms.fields import smooth_field
from simulate.phantoms.priors import GLIOBLASTOMA_RIM, GREY_MATTER, NECROSIS, Region
from simulate.phantoms.tumour import tumour_phantom


def phantoms(count=12, **options):
    return [tumour_phantom(jax.random.key(i), shape=(24, 24, 24), **options) for i in range(count)]


def test_a_smooth_field_has_unit_variance_and_the_correlation_that_was_asked_for():
    cell, length = (1.0, 1.0, 2.0), 4.0
    fields = np.stack([smooth_field(np.random.default_rng(i), (32, 32, 16), cell, length) for i in range(60)])
    assert np.mean(fields) == pytest.approx(0.0, abs=0.05)
    assert np.var(fields) == pytest.approx(1.0, abs=0.08)
    for axis, edge in zip((1, 2, 3), cell, strict=True):
        lag = int(length / edge)
        ahead = np.take(fields, range(lag, fields.shape[axis]), axis)
        behind = np.take(fields, range(fields.shape[axis] - lag), axis)
        # exp(-x^2/(2 l^2)) at x = l, with the filter exp(-(k l)^2/4)
        assert np.mean(ahead * behind) == pytest.approx(np.exp(-0.5), abs=0.05)


def test_a_glioblastoma_has_a_core_inside_a_rim_inside_brain():
    for phantom in phantoms():
        rim, core = phantom.region == Region.RIM, phantom.region == Region.CORE
        assert 100 < rim.sum() < 8000
        if not core.any():  # small tumours may be solid throughout
            continue
        padded = np.pad(core, 1)
        beside = np.zeros_like(padded)
        for axis in range(3):
            for step in (-1, 1):
                beside |= np.roll(padded, step, axis)
        around = beside[1:-1, 1:-1, 1:-1] & ~core
        assert np.all(rim[around]), "the core touches nothing but the rim"


def test_tissue_stays_near_its_prior():
    """Within the prior's range widened by three times its texture; medians of many phantoms inside the range."""
    medians = []
    for phantom in phantoms():
        inside = phantom.region == Region.RIM
        flow = 6000 * phantom.tissue.Fp[inside]
        reach = np.exp(4 * GLIOBLASTOMA_RIM.texture)
        assert flow.min() > GLIOBLASTOMA_RIM.Fp[0] / reach
        assert flow.max() < GLIOBLASTOMA_RIM.Fp[1] * reach
        medians.append(np.median(flow))
        assert np.all(phantom.tissue.vp + phantom.tissue.ve < 1)
        transit = phantom.tissue.vp[inside] / phantom.tissue.Fp[inside]
        assert 2.0 / 1.8 < np.median(transit) < 12.0 * 1.8
    assert np.std(np.log(medians)) > 0.3, "phantoms differ"
    grey = phantoms(1)[0]
    assert (
        GREY_MATTER.Fp[0] / 1.6
        < np.median(6000 * grey.tissue.Fp[grey.region == Region.GREY_MATTER])
        < 1.6 * GREY_MATTER.Fp[1]
    )


def test_priors_are_widened_about_their_centres_and_relax_otherwise():
    wide, usual = GLIOBLASTOMA_RIM.shifted(1.5, 1.3), GLIOBLASTOMA_RIM
    for name in ("Fp", "PS", "vp", "ve"):
        (low, high), (a, b) = getattr(wide, name), getattr(usual, name)
        assert low * high == pytest.approx(a * b)  # the same centre
        assert np.log(high / low) == pytest.approx(1.5 * np.log(b / a))
    assert wide.t10 == pytest.approx((1.3 * usual.t10[0], 1.3 * usual.t10[1]))
    assert wide.MTT == usual.MTT
    fluid = NECROSIS.shifted(1.5, 1.0)
    assert fluid.ve[1] == 0.95  # and no more than a voxel holds
    plain, shifted = (tumour_phantom(jax.random.key(3), shape=(16, 16, 16), width=w) for w in (1.0, 1.5))
    np.testing.assert_array_equal(plain.region, shifted.region)  # the same tumour of other tissue
    assert np.all(shifted.tissue.vp + shifted.tissue.ve <= 0.95 + 1e-12)
    with pytest.raises(InputError, match="above zero"):
        tumour_phantom(jax.random.key(3), shape=(16, 16, 16), width=0.0)


def test_necrosis_has_hardly_any_flow_and_csf_none():
    for phantom in phantoms(6):
        core, fluid = phantom.region == Region.CORE, phantom.region == Region.CSF
        assert np.all(6000 * phantom.tissue.Fp[core] < 2 * NECROSIS.Fp[1])
        assert np.all(phantom.tissue.Fp[fluid] == 0)
        assert np.all(phantom.t10[fluid] > 4)


def test_all_tissue_hangs_together():
    for phantom in phantoms():
        assert label(phantom.tissue.Fp > 0, np.ones((3, 3, 3)))[1] == 1


def test_tumours_are_supplied_late():
    delays = [
        np.mean(p.precapillary_delay[p.region == Region.RIM])
        - np.mean(p.precapillary_delay[p.region == Region.WHITE_MATTER])
        for p in phantoms()
    ]
    assert np.mean(delays) > 0.8
    assert all(np.all(p.precapillary_dispersion <= 4) for p in phantoms(3))


def test_without_a_tumour_there_is_none():
    phantom = phantoms(1, grade=0)[0]
    assert not np.isin(phantom.region, (Region.RIM, Region.CORE, Region.INFILTRATION, Region.OEDEMA)).any()
    assert np.all(phantom.irregularity == 0)


def test_the_model_of_the_truth_is_named():
    assert [phantoms(1, mixing=m)[0].model for m in (1.0, 0.25, 0.0)] == ["2cxm", "tanks-4", "dp"]


def test_the_same_key_draws_the_same_phantom():
    one, other = phantoms(1)[0], phantoms(1)[0]
    assert jax.tree.all(jax.tree.map(np.array_equal, one, other))


@pytest.mark.parametrize(
    ("options", "words"),
    [({"grade": 5}, "grade"), ({"mixing": 1.5}, "mixing"), ({"shape": (4, 24, 24)}, "8 or more")],
)
def test_impossible_phantoms_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        tumour_phantom(jax.random.key(0), **options)
