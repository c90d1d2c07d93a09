"""Physical constants: the values that their sources print, and what has to hold between them."""

import pytest

from simulate.base.constants import (
    ASL_BLOOD_T1,
    ASL_TISSUE_T1,
    BRAIN_DENSITY,
    HAEMATOCRIT,
    LABEL_EFFICIENCY,
    PARTITION_COEFFICIENT,
    RELAXIVITY,
    SUPPRESSION_EFFICIENCY,
    T10,
    USUAL_RELAXIVITY,
    WATER_EXCHANGE_RATE,
    WATER_PERMEABILITY,
    asl_blood_t1,
    blood_t1,
    nominal_field,
    same_field,
)
from simulate.base.errors import InputError
from simulate.base.units import to_clinical
from simulate.phantoms.priors import GREY_MATTER, SOLID_PART, WHITE_MATTER

ROHRER_PLASMA = {  # 1.5 and 3 T: Rohrer et al., Invest Radiol 2005 40:715, bovine plasma at 37 °C
    "gadopentetate": (4.1, 3.7),
    "gadobutrol": (5.2, 5.0),
    "gadoterate": (3.6, 3.5),
    "gadoteridol": (4.1, 3.7),
    "gadobenate": (6.3, 5.5),
    "gadoxetate": (6.9, 6.2),
}


def test_relaxivities_are_those_of_rohrer_in_plasma():
    assert {agent: (of[1.5], of[3.0]) for agent, of in RELAXIVITY.items()} == ROHRER_PLASMA


def test_relaxivity_falls_with_field_for_every_agent():
    assert all(fields[1.5] > fields[3.0] > 0 for fields in RELAXIVITY.values())


def test_an_unknown_agent_is_taken_for_one_between_the_known():
    known = [fields[3.0] for fields in RELAXIVITY.values()]
    assert min(known) < USUAL_RELAXIVITY < max(known)


def test_relaxation_of_tissue_is_that_of_stanisz():
    """Stanisz et al., MRM 2005 54:507, tables 1 and 2."""
    assert T10["white matter"] == {1.5: 0.884, 3.0: 1.084}
    assert T10["grey matter"] == {1.5: 1.124, 3.0: 1.820}


def test_white_matter_relaxes_before_grey_and_grey_before_fluid():
    assert T10["white matter"][3.0] < T10["grey matter"][3.0] < T10["csf"][3.0]


def test_phantoms_draw_t10_about_the_table():
    for tissue, prior in (("white matter", WHITE_MATTER), ("grey matter", GREY_MATTER)):
        assert prior.t10[0] <= T10[tissue][3.0] <= prior.t10[1]
    assert all(prior.t10[0] <= T10["tumour"][3.0] <= prior.t10[1] for prior in SOLID_PART.values())


def test_blood_at_the_usual_haematocrit_and_without_red_cells():
    """Lu et al., MRM 2004 52:679: 1.664 +- 0.014 s at 0.42."""
    assert blood_t1(3.0, HAEMATOCRIT) == pytest.approx(1.664, abs=0.014)
    assert blood_t1(2.89, 0.0) == pytest.approx(1 / 0.38)
    assert blood_t1(1.5, HAEMATOCRIT) == 1.441


def test_labelled_water_has_the_constants_of_the_consensus():
    """Alsop et al., MRM 2015 73:102, table 3; 7 T: Zhang et al., MRM 2013 70:1082."""
    assert PARTITION_COEFFICIENT == 0.9
    assert (LABEL_EFFICIENCY["pcasl"], LABEL_EFFICIENCY["pasl"], SUPPRESSION_EFFICIENCY) == (0.85, 0.98, 0.95)
    assert ASL_BLOOD_T1 == {1.5: 1.350, 3.0: 1.650, 7.0: 2.087}
    assert asl_blood_t1(2.89) == 1.650


def test_the_two_t1_of_blood_agree_at_the_usual_haematocrit():
    assert ASL_BLOOD_T1[3.0] == pytest.approx(blood_t1(3.0, HAEMATOCRIT), rel=0.02)


def test_label_in_tissue_relaxes_as_grey_matter_in_vivo():
    """Wansapura et al., JMRI 1999 9:531: 1.331 s, well below that of excised tissue."""
    assert pytest.approx(1.331, abs=0.05) == ASL_TISSUE_T1
    assert 0.8 * T10["grey matter"][3.0] > ASL_TISSUE_T1


def test_exchange_of_water_is_permeability_over_the_volume_of_capillaries():
    """Shao et al., MRM 2023 89:1990: PSw 151.6 mL/100 g/min, capillaries of 1.2 mL/100 g in grey matter."""
    assert to_clinical("PS", WATER_PERMEABILITY) / BRAIN_DENSITY == pytest.approx(151.6, rel=0.1)
    assert pytest.approx(0.012 * BRAIN_DENSITY, rel=0.2) == WATER_PERMEABILITY / WATER_EXCHANGE_RATE


@pytest.mark.parametrize(("written", "nominal"), [(2.89, 3.0), (3.0, 3.0), (2.7, 3.0), (1.494, 1.5), (6.98, 7.0)])
def test_a_magnet_is_known_by_a_field_within_ten_percent(written, nominal):
    assert same_field(written, nominal)
    assert nominal_field(written, (1.5, 3.0, 7.0), what="", cure="") == nominal


def test_an_untabulated_field_is_refused_with_what_is_known_and_a_cure():
    with pytest.raises(InputError, match=r"MagneticFieldStrength: is 7 T, .* at 1.5, 3 T; give T10 of blood"):
        blood_t1(7.0, HAEMATOCRIT)
    with pytest.raises(InputError, match=r"is 4.7 T, and T1 of blood is tabulated at 1.5, 3, 7 T; give it"):
        asl_blood_t1(4.7)
