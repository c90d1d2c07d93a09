"""Relaxation constants of contrast agents and tissues, by nominal field strength [T]."""

from simulate.base.errors import InputError

RELAXIVITY: dict[str, dict[float, float]] = {
    "gadopentetate": {1.5: 4.1, 3.0: 3.7},
    "gadobutrol": {1.5: 5.2, 3.0: 5.0},
    "gadoterate": {1.5: 3.6, 3.0: 3.5},
    "gadoteridol": {1.5: 4.1, 3.0: 3.7},
    "gadobenate": {1.5: 6.3, 3.0: 5.5},
    "gadoxetate": {1.5: 8.1, 3.0: 6.4},
}
"""Longitudinal relaxivity r1 [1/(s mmol/L)] in plasma at 37 °C (Rohrer et al., Invest Radiol 2005 40:715)."""

T1: dict[str, dict[float, float]] = {
    # Stanisz et al., MRM 2005 54:507
    "white matter": {1.5: 0.884, 3.0: 1.084},
    "grey matter": {1.5: 1.124, 3.0: 1.820},
    # long, and hardly dependent on field
    "csf": {1.5: 4.2, 3.0: 4.2},
    # the fixed value of Tietze et al., PLoS One 2015 10:e0123890, for gliomas, which range from 1.2 to 2.2 s
    "tumour": {3.0: 1.5},
}
"""Longitudinal relaxation time without contrast T10 [s]; blood has `blood_t1`."""

BLOOD_T1_AT_1_5T = 1.441
"""T1 of blood at 1.5 T [s] (Stanisz 2005), measured at one haematocrit."""


def nominal_field(field_strength: float) -> float:
    """1.5 or 3.0 T for a header's field within 10 % of it (a "3 T" magnet may say 2.89)."""
    for nominal in (1.5, 3.0):
        if abs(field_strength - nominal) <= 0.1 * nominal:
            return nominal
    raise InputError(
        "MagneticFieldStrength",
        "",
        f"no relaxation constants are tabulated at {field_strength:g} T",
        "give T10 and the relaxivity yourself (known: 1.5 T and 3 T)",
    )


def blood_t1(field_strength: float, haematocrit: float) -> float:
    """T1 of blood [s]: 1/(0.52 haematocrit + 0.38) at 3 T (Lu et al., MRM 2004 52:679).

    At 1.5 T it is the one measured value, whatever the haematocrit. ASL recommends constants of its own.
    """
    if nominal_field(field_strength) == 3.0:
        return 1 / (0.52 * haematocrit + 0.38)
    return BLOOD_T1_AT_1_5T
