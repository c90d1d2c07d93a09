"""What tissue is like, by region: named ranges with their sources. Wide and overlapping on purpose.

Flow and transit time are drawn together, so that no combination gives an absurd mean transit time.
"""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from simulate.base.units import from_clinical


class Region(IntEnum):
    """Values of a phantom's region map."""

    OUTSIDE = 0
    WHITE_MATTER = 1
    GREY_MATTER = 2
    CSF = 3
    RIM = 4  # the enhancing, solid part of a tumour
    CORE = 5  # necrosis
    OEDEMA = 6
    INFILTRATION = 7  # white matter with tumour cells in it


Range = tuple[float | int, float | int]


@dataclass(frozen=True)
class Prior:
    """Ranges of one tissue.

    Attributes
    ----------
    Fp : (2,) tuple of float [mL/100 mL/min]
        Plasma flow, log-uniform.
    PS : (2,) tuple of float [mL/100 mL/min]
        Permeability-surface product, log-uniform.
    vp : (2,) tuple of float [fraction]
        Plasma volume, to which vp = Fp MTT is clipped.
    ve : (2,) tuple of float [fraction]
        Extravascular extracellular volume, uniform.
    t10 : (2,) tuple of float [s]
        T1 before contrast, uniform.
    MTT : (2,) tuple of float [s]
        vp/Fp, log-uniform.
    texture : float
        Standard deviation of the logarithm of each parameter within the region.
    """

    Fp: Range
    PS: Range
    vp: Range
    ve: Range
    t10: Range
    MTT: Range = (2.0, 12.0)
    texture: float = 0.2

    def shifted(self, width: float, t10: float) -> "Prior":
        """Other ranges of Fp, PS, vp and ve about the same centres, in logarithms, and another T10.

        Parameters
        ----------
        width : float
            How many times as long the ranges are; volumes stay below .95.
        t10 : float
            Factor on T10.

        Returns
        -------
        Prior
            With these ranges.
        """

        def wider(given: Range) -> Range:
            centre, half = np.sqrt(given[0] * given[1]), (given[1] / given[0]) ** (width / 2)
            return float(centre / half), float(centre * half)

        low, high = wider(self.ve)
        return replace(
            self, Fp=wider(self.Fp), PS=wider(self.PS), vp=wider(self.vp), ve=(low, min(high, 0.95)),
            t10=(t10 * self.t10[0], t10 * self.t10[1]),
        )  # fmt: skip

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """One tissue.

        Parameters
        ----------
        rng : numpy.random.Generator
            What draws.

        Returns
        -------
        dict of float
            Fp, PS [1/s], vp, ve [fractions] and t10 [s] by name.
        """

        def log_uniform(low: float | int, high: float | int) -> float:
            return float(np.exp(rng.uniform(np.log(low), np.log(high))))

        Fp = from_clinical("Fp", log_uniform(*self.Fp))
        return {
            "Fp": Fp,
            "PS": from_clinical("PS", log_uniform(*self.PS)),
            "vp": float(np.clip(Fp * log_uniform(*self.MTT), *self.vp)),
            "ve": float(rng.uniform(*self.ve)),
            "t10": float(rng.uniform(*self.t10)),
        }


# Flows: Larsson et al., MRM 2009 62:1270 (grey 72, white 30, tumour 56±45 mL/100 g/min of blood; PS of tumour 3±5);
# Wolf et al., JMRI 2005 22:475 (high grade 95±72, low grade 43±22). Widened, and times 1-Hct for plasma.
# T10 about that of `simulate.base.constants.T10`; the rest chosen.
WHITE_MATTER = Prior((8, 30), (0.02, 0.2), (0.006, 0.02), (0.1, 0.25), (0.95, 1.15))
GREY_MATTER = Prior((20, 70), (0.02, 0.3), (0.015, 0.05), (0.1, 0.25), (1.4, 1.9))
LOW_GRADE = Prior((8, 25), (0.05, 1.0), (0.01, 0.03), (0.05, 0.25), (1.3, 2.0), texture=0.25)
GLIOBLASTOMA_RIM = Prior((15, 90), (2, 30), (0.03, 0.12), (0.15, 0.5), (1.2, 2.0), texture=0.3)
NECROSIS = Prior((0.3, 2.0), (0.01, 0.05), (0.002, 0.006), (0.3, 0.8), (1.6, 2.4), texture=0.2)
# white matter, wetter: slower flow, wide extracellular space, tight barrier
OEDEMA = Prior((6, 20), (0.02, 0.3), (0.005, 0.015), (0.2, 0.45), (1.4, 2.0))

ANAPLASTIC = Prior((10, 60), (0.3, 8), (0.015, 0.07), (0.1, 0.4), (1.2, 2.0), texture=0.3)
"""Grade 3: between the other two (chosen)."""

SOLID_PART = {2: LOW_GRADE, 3: ANAPLASTIC, 4: GLIOBLASTOMA_RIM}
"""Prior of a tumour's solid part by its grade."""
