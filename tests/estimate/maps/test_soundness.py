"""Which voxels of a map are sound: by its own bits and error, and by what spoils every map."""

import numpy as np
import pytest

from estimate.maps.soundness import share_sound, sound
from simulate.base.status import Status
from simulate.base.types import Maps

VALUES = {"Fp": np.full(4, 30.0), "ve": np.full(4, 0.2), "Ktrans": np.full(4, 0.1), "peak": np.full(4, 1.0)}
ERRORS = {"Fp_stderr": np.full(4, 3.0), "ve_stderr": np.full(4, 0.02), "Ktrans_stderr": np.full(4, 0.01)}


def all_sound(bits, **changes):
    maps = Maps({**VALUES, **ERRORS, **changes})
    return {name: bool(sound(maps, np.full(4, int(bits)), name).all()) for name in VALUES}


@pytest.mark.parametrize(
    "spoils_all",
    [
        Status.NOT_FINITE, Status.NO_SIGNAL, Status.SATURATED, Status.OUTSIDE, Status.NOT_CONVERGED, Status.UNFAMILIAR,
        Status.T10_AT_BOUND | Status.AT_BOUND,
    ],
)  # fmt: skip
def test_what_spoils_every_map(spoils_all):
    assert not any(all_sound(spoils_all).values())


def test_a_parameter_s_own_bits_spoil_its_map_alone():
    at_bound = all_sound(Status.VE_AT_BOUND | Status.AT_BOUND)
    assert at_bound == {"Fp": True, "ve": False, "Ktrans": True, "peak": True}
    vague = all_sound(Status.FP_NOT_IDENTIFIABLE | Status.NOT_IDENTIFIABLE)
    assert vague == {"Fp": False, "ve": True, "Ktrans": True, "peak": True}
    assert not all_sound(Status.MODEL_AMBIGUOUS)["Ktrans"]


def test_what_a_model_lacks_is_no_fault():
    """etm has no Fp, tofts no vp: the voxel is as sound as with 2CXM."""
    assert all(all_sound(Status.NO_FP | Status.NO_VP | Status.NO_VE).values())


def test_a_standard_error_above_a_third_is_no_estimate():
    vague = all_sound(Status.OK, Ktrans_stderr=np.full(4, 0.05))
    assert vague == {"Fp": True, "ve": True, "Ktrans": False, "peak": True}
    assert not all_sound(Status.OK, Fp_stderr=np.full(4, np.nan))["Fp"]


def test_the_share_is_of_the_voxels_estimated():
    status = np.array([0, int(Status.OUTSIDE), int(Status.NOT_CONVERGED), 0])
    assert share_sound(Maps(VALUES), status, "Fp") == pytest.approx(2 / 3)
    assert share_sound(Maps(VALUES), np.full(4, int(Status.OUTSIDE)), "Fp") == 0
