"""One unit system inside (s, mm, mmol/L, fractions), clinical units at files, tables and figures.

>>> to_clinical("Fp", 0.005)
30.0
"""

from typing import Any

ML_PER_100ML_PER_MIN = 6000.0
"""1/s expressed in mL/100 mL/min: 100 mL x 60 s."""

PER_MINUTE = 60.0
"""1/s expressed in 1/min."""

PASCAL_PER_MMHG = 133.322
"""Pressures are in Pa inside and in mmHg at the surface."""

CLINICAL_UNITS: dict[str, tuple[str, float]] = {
    "Fp": ("mL/100 mL/min", ML_PER_100ML_PER_MIN),
    "PS": ("mL/100 mL/min", ML_PER_100ML_PER_MIN),
    "Ktrans": ("1/min", PER_MINUTE),
    "kep": ("1/min", PER_MINUTE),
    "vp": ("fraction", 1.0),
    "ve": ("fraction", 1.0),
    "va": ("fraction", 1.0),
    "E": ("fraction", 1.0),
    "vp_vessels": ("fraction", 1.0),
    "vp_total": ("fraction", 1.0),
    "through_flow": ("mL/100 mL/min", ML_PER_100ML_PER_MIN),
    "speed": ("mm/s", 1.0),
    "velocity_x": ("mm/s", 1.0),
    "velocity_y": ("mm/s", 1.0),
    "velocity_z": ("mm/s", 1.0),
    "dispersion": ("s", 1.0),
    "delay": ("s", 1.0),
    "MTT": ("s", 1.0),
    "vp_ve_ratio": ("1", 1.0),
    "speed_one_compartment": ("mm/s", 1.0),
    "residual": ("1", 1.0),
    "residual_one_compartment": ("1", 1.0),
    "CBF": ("mL/100 g/min", ML_PER_100ML_PER_MIN),
    "CBF_GM": ("mL/100 g/min", ML_PER_100ML_PER_MIN),
    "CBF_WM": ("mL/100 g/min", ML_PER_100ML_PER_MIN),
    "ATT": ("s", 1.0),
    "aBV": ("fraction", 1.0),
    "aBAT": ("s", 1.0),
    "T10": ("s", 1.0),
    "T10_tissue": ("s", 1.0),
    "T1": ("s", 1.0),
    "T1_tissue": ("s", 1.0),
    "M0": ("signal", 1.0),
    "TTP": ("s", 1.0),
    "peak": ("mmol/L", 1.0),
    "IAUC60": ("mmol s/L", 1.0),
    "rss": ("(mmol/L)^2", 1.0),
    "aicc": ("1", 1.0),
    "model": ("code", 1.0),
    "status": ("bit mask", 1.0),
    "S0": ("signal", 1.0),
}
"""Map name -> (unit written into every output, factor from internal units)."""


def _base_name(name: str) -> str:
    return name.removesuffix("_stderr")


def clinical_unit(name: str) -> str:
    """Unit in which the map `name` (or its `_stderr`) is written."""
    return CLINICAL_UNITS[_base_name(name)][0]


def to_clinical(name: str, value: Any) -> Any:
    """Convert from internal units (1/s, s, fractions) to the clinical unit of `name`.

    Parameters
    ----------
    name : str
        Of a map, or its `_stderr` (`simulate.base.units.CLINICAL_UNITS`).
    value : float or array
        In internal units.

    Returns
    -------
    float or array
        In the clinical unit.

    Raises
    ------
    KeyError
        For a name that has no unit.
    """
    return value * CLINICAL_UNITS[_base_name(name)][1]


def from_clinical(name: str, value: Any) -> Any:
    """Convert from the clinical unit of `name` to internal units.

    Parameters
    ----------
    name : str
        Of a map, or its `_stderr` (`simulate.base.units.CLINICAL_UNITS`).
    value : float or array
        In the clinical unit.

    Returns
    -------
    float or array
        In internal units (1/s, s, fractions).

    Raises
    ------
    KeyError
        For a name that has no unit.
    """
    return value / CLINICAL_UNITS[_base_name(name)][1]
