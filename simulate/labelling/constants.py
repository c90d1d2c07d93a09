"""Constants of arterial spin labelling, by labelling and by field [T].

Where no other source is named: the consensus of Alsop et al., MRM 2015 73:102.
"""

from simulate.base.errors import InputError

PARTITION_COEFFICIENT = 0.9
"""Blood-brain partition coefficient of water λ [mL/g]."""

BRAIN_DENSITY = 1.05
"""g/mL: CBF is per mass of tissue, a simulated flow per volume."""

T1_BLOOD: dict[float, float] = {
    1.5: 1.350,
    3.0: 1.650,
    7.0: 2.087,  # Zhang et al., MRM 2013 70:1082
}
"""Longitudinal relaxation time of arterial blood [s]."""

T1_TISSUE = 1.3
"""Of grey matter at 3 T [s], for label that has left the blood and for M0 measured with a short TR."""

LABEL_EFFICIENCY: dict[str, float] = {
    "pcasl": 0.85,
    "pasl": 0.98,
    "casl": 0.68,  # Wang et al., Radiology 2005 235:218
}
"""Share of the largest possible inversion α, before background suppression."""

SUPPRESSION_EFFICIENCY = 0.95
"""What every inversion pulse of background suppression leaves of it."""

LABELLINGS = tuple(LABEL_EFFICIENCY)


def t1_of_blood(field_strength: float) -> float:
    """T1 of arterial blood [s] at a header's field within 10 % of a tabulated one.

    Raises InputError for another field.
    """
    for nominal, value in T1_BLOOD.items():
        if abs(field_strength - nominal) <= 0.1 * nominal:
            return value
    known = ", ".join(f"{field:g}" for field in T1_BLOOD)
    raise InputError(
        "MagneticFieldStrength", "", f"is {field_strength:g} T, and T1 of blood is tabulated at {known} T", "give it"
    )
