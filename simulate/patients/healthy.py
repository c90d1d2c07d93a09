"""What the brain around a tumour is like: medians, and scatter between patients, with sources."""

from typing import NamedTuple

from simulate.base.constants import T10
from simulate.patients.gliomas import Spread
from simulate.phantoms.priors import Region


class Healthy(NamedTuple):
    """Of one kind of tissue, clinical units.

    Fp, PS, vp, ve : medians at the age of 50.      texture : deviation of the logarithm within it.
    t10, t2 : relaxation at 3 T [s].      density : of protons, of that of water.
    """

    Fp: float
    PS: float
    vp: float
    ve: float
    texture: float
    t10: float
    t2: float
    density: float


HEALTHY: dict[Region, Healthy] = {
    Region.GREY_MATTER: Healthy(40.0, 0.10, 0.030, 0.16, 0.2, 1.44, 0.078, 0.82),
    Region.WHITE_MATTER: Healthy(15.0, 0.06, 0.012, 0.16, 0.2, 0.87, 0.064, 0.70),
    Region.OEDEMA: Healthy(11.0, 0.08, 0.010, 0.30, 0.2, 1.45, 0.130, 0.82),
    Region.CORE: Healthy(0.8, 0.02, 0.004, 0.50, 0.2, 2.0, 0.250, 0.92),
    Region.CSF: Healthy(0.0, 0.0, 0.0, 0.0, 0.0, T10["csf"][3.0], 0.8, 1.0),
}
"""Flows: grey 72, white 30 mL/100 g/min of blood (Larsson et al., MRM 2009 62:1270), times 1-Hct for plasma. T1 of
white and grey matter lies between .70 and 1.08, 1.14 and 1.82 s, which methods find at 3 T (geometric means; scatter of
methods is a scanner's, `simulate.patients.scanners`). T2 of white and grey matter 64 and 78 ms, of CSF .4 to 2 s by
method. Oedema, necrosis and densities chosen."""

GLOBAL_FLOW, PERMEABILITY, VOLUME = 0.2, 0.5, 0.15
"""Scatter between patients of the logarithm: of all flows of the brain together, of PS, and of volumes (chosen)."""

FLOW_PER_YEAR = -0.0045
"""Of ln Fp: flow falls by .45 % a year (Parkes et al., MRM 2004 51:736)."""

MEAN_AGE = 50.0
"""At which the medians hold [years]."""

CORTEX = Spread(2.7, 0.05)
"""Thickness of the cortical ribbon at that age [mm]; 2.5 to 3 in the literature."""

CORTEX_PER_YEAR = -0.0035
"""Of its logarithm (Storsve et al., J Neurosci 2014 34:8488: -.35 % a year)."""

VENTRICLES = Spread(25.0, 0.35)
"""Volume of the lateral ventricles at that age [mL] (chosen)."""

VENTRICLES_PER_YEAR = 0.3
"""Growth [mL a year] (Pfefferbaum et al., Arch Neurol 1994 51:874, men of 21 to 70)."""
