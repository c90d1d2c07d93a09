"""The tissue of one patient: parameters and relaxation of every cell of the brain, from person, brain and lesion."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulate.base.types import Tissue
from simulate.base.units import from_clinical
from simulate.patients import healthy
from simulate.patients.brain import Brain
from simulate.patients.healthy import HEALTHY
from simulate.patients.lesion import Lesion
from simulate.patients.person import Person
from simulate.phantoms.fields import smooth_field
from simulate.phantoms.priors import Region
from simulate.phantoms.supply import supply

GRAIN = 5.0
"""Correlation length of texture [mm]."""

RELAXATION_TEXTURE = 0.25
"""Texture of T1 and T2 over that of perfusion (chosen)."""

LATE_SUPPLY = (0.2, 3.0)
"""Range of the largest additional delay of a territory, and of the tumour [s]; one for each patient (chosen: label that
is under way for much longer would leave no tumour to see by ASL, which sees them)."""

PIAL = {"Fp": from_clinical("Fp", 0.2), "PS": from_clinical("PS", 0.001), "vp": 0.001, "ve": 0.01}
"""Of cerebrospinal fluid: next to nothing, but vessels may run through it, as they do in sulci."""


@dataclass(frozen=True)
class PatientTissue:
    """On the grid of a `Brain`.

    Attributes
    ----------
    tissue : Tissue
        Fp, PS [1/s], vp, ve; 0 outside of the brain.
    t10, t2 : (x, y, z) array [s]
        Relaxation as the scanner finds it; 0 outside.
    density : (x, y, z) array
        Of protons, of that of water.
    region : (x, y, z) int array
        Values of `Region`.
    supply_delay, supply_dispersion, irregularity : (x, y, z) array
        See `simulate.phantoms.tumour.Phantom`.
    cell : float [mm]
        Edge of a cell.
    affine : (4, 4) array [mm]
        Cell index to position, RAS.
    """

    tissue: Tissue
    t10: Any
    t2: Any
    density: Any
    region: Any
    supply_delay: Any
    supply_dispersion: Any
    irregularity: Any
    cell: float
    affine: Any


def patient_tissue(person: Person, brain: Brain, tumour: Lesion) -> PatientTissue:
    """Every cell's tissue; the median over a tumour's solid part is what the person was drawn with.

    Parameters
    ----------
    person : Person
        Whose `rng("texture")` draws the texture, `rng("brain tissue")` how this brain differs from others.
    brain, tumour : Brain, Lesion
        Where which tissue is.

    Returns
    -------
    PatientTissue
        On the brain's grid.
    """
    rng, region, cell = person.rng("texture"), tumour.region, (brain.cell, brain.cell, brain.cell)
    drawn = _by_region(person)
    names = ("Fp", "PS", "vp", "ve", "t10", "t2")
    values = {name: np.zeros(region.shape, np.float32) for name in (*names, "density")}
    share = np.exp(np.minimum(tumour.inside, 0) / person.infiltration)[region == Region.INFILTRATION]
    for name in names:
        grain = smooth_field(rng, region.shape, cell, GRAIN).astype(np.float32)
        weaker = RELAXATION_TEXTURE if name in ("t10", "t2") else 1.0
        for which, tissue in drawn.items():
            here = region == which
            values[name][here] = tissue[name] * np.exp(weaker * tissue["texture"] * grain[here])
        here = region == Region.INFILTRATION
        solid, white = drawn[Region.RIM], drawn[Region.WHITE_MATTER]
        mixed = share * solid[name] + (1 - share) * white[name]
        values[name][here] = mixed * np.exp(weaker * white["texture"] * grain[here])
    for which, tissue in drawn.items():
        values["density"][region == which] = tissue["density"]
    values["density"][region == Region.INFILTRATION] = drawn[Region.OEDEMA]["density"]
    fluid = region == Region.CSF
    for name, value in PIAL.items():
        values[name][fluid] = value
    values["ve"] = np.minimum(values["ve"], 0.95 - values["vp"])
    late = float(person.rng("supply").uniform(*LATE_SUPPLY))
    delay, dispersion = supply(person.rng("supply of places"), tumour.tumour, cell, late)
    return PatientTissue(
        tissue=Tissue(values["Fp"], values["PS"], values["vp"], values["ve"]),
        t10=values["t10"] * person.scanner.t1, t2=values["t2"] * person.scanner.t2, density=values["density"],
        region=region, supply_delay=delay, supply_dispersion=dispersion,
        irregularity=np.where(tumour.tumour, person.irregularity, 0.0), cell=brain.cell, affine=brain.affine,
    )  # fmt: skip


def _by_region(person: Person) -> dict[Region, dict[str, float]]:
    """Internal units: what this person's regions are like, before texture."""
    rng = person.rng("brain tissue")
    years = person.age - healthy.MEAN_AGE
    flow = np.exp(healthy.GLOBAL_FLOW * rng.standard_normal() + healthy.FLOW_PER_YEAR * years)
    leak, volume = np.exp(
        np.asarray([healthy.PERMEABILITY, healthy.VOLUME]) * rng.standard_normal(2)
    )  # fmt: skip
    found = {
        which: {
            "Fp": from_clinical("Fp", tissue.Fp * flow), "PS": from_clinical("PS", tissue.PS * leak),
            "vp": tissue.vp * np.sqrt(flow) * volume, "ve": tissue.ve * volume, "texture": tissue.texture,
            "t10": tissue.t10, "t2": tissue.t2, "density": tissue.density,
        }
        for which, tissue in HEALTHY.items()
    }  # fmt: skip
    solid = {name: getattr(person, name) for name in ("Fp", "PS", "vp", "ve", "t10", "t2", "texture")}
    found[Region.RIM] = solid | {"density": HEALTHY[Region.OEDEMA].density}
    return found
