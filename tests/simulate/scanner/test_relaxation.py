"""Relaxation constants."""

import pytest

from simulate.base.errors import InputError
from simulate.scanner.relaxation import RELAXIVITY, T1, blood_t1, nominal_field


def test_relaxivity_falls_with_field_for_every_agent():
    assert all(fields[1.5] > fields[3.0] > 0 for fields in RELAXIVITY.values())


def test_white_matter_relaxes_before_grey_and_grey_before_fluid():
    assert T1["white matter"][3.0] < T1["grey matter"][3.0] < T1["csf"][3.0]


def test_blood_at_the_usual_haematocrit_and_without_red_cells():
    assert blood_t1(3.0, 0.42) == pytest.approx(1.671, abs=1e-3)
    assert blood_t1(2.89, 0.0) == pytest.approx(1 / 0.38)
    assert blood_t1(1.5, 0.42) == 1.441


def test_an_untabulated_field_is_refused_with_a_cure():
    with pytest.raises(InputError, match="give T10"):
        nominal_field(7.0)
