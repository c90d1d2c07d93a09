"""Physical constants, each once, with its unit and source: contrast agents, blood, tissue and labelled water.

Some quantities have two values because two fields fix them for two purposes; their names say which is which:

T1 of grey matter at 3 T: `T10` is what relaxometry finds (1.82 s, excised tissue at 37 °C) and stands for tissue in a
simulated image; `ASL_TISSUE_T1` (1.3 s, in vivo) is the convention for label that has left the blood and for M0, which
CBF needs to be comparable between centres. Magnetisation transfer makes T1 depend on how it is measured.

T1 of blood: `blood_t1` is that of one person's blood, by field and haematocrit, for signals of contrast; `ASL_BLOOD_T1`
is what the consensus on ASL fixes for everybody.

What simulations choose (pressures, speeds, levels) stands beside the function that takes it.
"""

from collections.abc import Iterable

from simulate.base.errors import InputError
from simulate.base.units import from_clinical

FIELD_TOLERANCE = 0.1
"""Share by which a header's field may differ from the nominal one: magnets of 3 T write 3 or 2.89."""


def same_field(field_strength: float, nominal: float) -> bool:
    """Whether the two [T] are one kind of magnet."""
    return abs(field_strength - nominal) <= FIELD_TOLERANCE * nominal


def nominal_field(field_strength: float, tabulated: Iterable[float], *, what: str, cure: str) -> float:
    """Which of the tabulated fields [T] a header's is.

    Raises InputError, which names what is tabulated, where it is none of them.
    """
    tabulated = tuple(tabulated)
    for nominal in tabulated:
        if same_field(field_strength, nominal):
            return nominal
    known = ", ".join(f"{field:g}" for field in tabulated)
    problem = f"is {field_strength:g} T, and {what} is tabulated at {known} T"
    raise InputError("MagneticFieldStrength", "", problem, cure)


# -- contrast agents --------------------------------------------------------------------------------------

RELAXIVITY: dict[str, dict[float, float]] = {
    "gadopentetate": {1.5: 4.1, 3.0: 3.7},
    "gadobutrol": {1.5: 5.2, 3.0: 5.0},
    "gadoterate": {1.5: 3.6, 3.0: 3.5},
    "gadoteridol": {1.5: 4.1, 3.0: 3.7},
    "gadobenate": {1.5: 6.3, 3.0: 5.5},
    "gadoxetate": {1.5: 6.9, 3.0: 6.2},
}
"""Longitudinal relaxivity r1 [1/(s mmol/L)] by agent and field [T], in bovine PLASMA at 37 °C (Rohrer et al., Invest
Radiol 2005 40:715). In water it is lower, in whole blood others find less at 3 T (gadobutrol 3.5, gadoterate 2.7:
Szomolanyi et al., Invest Radiol 2019 54:559)."""

USUAL_RELAXIVITY = 4.5
"""r1 [1/(s mmol/L)] where nothing says which agent was given: between those above (chosen)."""

PLASMA_DIFFUSIVITY = 4e-4
"""Of a small gadolinium chelate in plasma [mm^2/s]: free diffusion in water at 37 °C (chosen, one digit)."""

INTERSTITIAL_DIFFUSIVITY = 2e-4
"""Of a small gadolinium chelate in the interstitium [mm^2/s] (1.5e-4 to 2.6e-4 in the literature; chosen)."""


# -- blood ------------------------------------------------------------------------------------------------

HAEMATOCRIT = 0.42
"""Share of red cells in the blood of large vessels where nobody measured it: a typical adult's (Lu et al., MRM 2004
52:679)."""

PLASMA_VISCOSITY = 1.1e-3
"""Of blood plasma at 37 °C [Pa s]; 1.0 to 1.2 mPa s in the literature."""

BLOOD_T1_AT_1_5T = 1.441
"""T1 of blood at 1.5 T [s], measured at one haematocrit (Stanisz et al., MRM 2005 54:507)."""


def blood_t1(field_strength: float, haematocrit: float) -> float:
    """T1 of arterial blood without contrast: 1/(0.52 haematocrit + 0.38) s at 3 T (Lu et al., MRM 2004 52:679).

    At 1.5 T it is the one measured value, whatever the haematocrit.

    Parameters
    ----------
    field_strength : float [T]
        1.5 or 3.
    haematocrit : float [fraction]
        Share of red cells in the blood.

    Returns
    -------
    float [s]
        T1.

    Raises
    ------
    InputError
        For another field.
    """
    fields = (1.5, 3.0)
    if nominal_field(field_strength, fields, what="T1 of blood", cure="give T10 of blood in seconds") == 3.0:
        return 1 / (0.52 * haematocrit + 0.38)
    return BLOOD_T1_AT_1_5T


# -- tissue -----------------------------------------------------------------------------------------------

T10: dict[str, dict[float, float]] = {
    # excised, at 37 °C: Stanisz et al., MRM 2005 54:507
    "white matter": {1.5: 0.884, 3.0: 1.084},
    "grey matter": {1.5: 1.124, 3.0: 1.820},
    # long, and hardly dependent on field (chosen: 4 to 4.5 s in the literature)
    "csf": {1.5: 4.2, 3.0: 4.2},
    # the fixed value of Tietze et al., PLoS One 2015 10:e0123890, for gliomas, which range from 1.2 to 2.2 s
    "tumour": {3.0: 1.5},
}
"""Longitudinal relaxation time of tissue without contrast [s] by field [T]; blood has `blood_t1`."""

BRAIN_DENSITY = 1.05
"""Of brain [g/mL]: CBF is per mass of tissue, a simulated flow per volume."""

MURRAY_EXPONENT = 2.7
"""Of the radius with which flow goes at a bifurcation; between 2.4 and 3 in the literature (chosen)."""


# -- labelled water; where no other source is named: the consensus of Alsop et al., MRM 2015 73:102 ---------

PARTITION_COEFFICIENT = 0.9
"""Blood-brain partition coefficient of water λ [mL/g]."""

ASL_BLOOD_T1: dict[float, float] = {
    1.5: 1.350,
    3.0: 1.650,
    7.0: 2.087,  # Zhang et al., MRM 2013 70:1082
}
"""Longitudinal relaxation time of arterial blood [s] by field [T]."""

ASL_TISSUE_T1 = 1.3
"""Of grey matter at 3 T [s], for label that has left the blood and for M0 measured with a short TR; taken at any field
unless another is given. 1.33 s in vivo by Wansapura et al., JMRI 1999 9:531."""

LABEL_EFFICIENCY: dict[str, float] = {
    "pcasl": 0.85,
    "pasl": 0.98,
    "casl": 0.68,  # Wang et al., Radiology 2005 235:218
}
"""Share of the largest possible inversion α, before background suppression."""

LABELLINGS = tuple(LABEL_EFFICIENCY)

SUPPRESSION_EFFICIENCY = 0.95
"""What every inversion pulse of background suppression leaves of it."""

WATER_PERMEABILITY = from_clinical("PS", 150.0)
"""PSw [1/s] of capillaries of the brain to water; 152 mL/100 g/min in grey matter (Shao et al., MRM
2023 89:1990), 100 to 200 in the literature."""

WATER_EXCHANGE_RATE = 1.7
"""k_w [1/s] of `WATER_PERMEABILITY` over the blood volume of capillaries, 100/min: 105/min in the brain (Shao et al.,
MRM 2019 81:3065)."""


def asl_blood_t1(field_strength: float) -> float:
    """T1 of arterial blood [s] that ASL takes at a header's field.

    Raises InputError for a field that is not in `ASL_BLOOD_T1`.
    """
    return ASL_BLOOD_T1[nominal_field(field_strength, ASL_BLOOD_T1, what="T1 of blood", cure="give it")]
