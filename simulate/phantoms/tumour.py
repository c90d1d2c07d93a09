"""Random tumours in brain-like surroundings: where which tissue is, and what it is like."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key
from scipy.ndimage import binary_erosion

from simulate.base.constants import T10
from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.phantoms.fields import smooth_field
from simulate.phantoms.priors import (
    GREY_MATTER,
    NECROSIS,
    OEDEMA,
    SOLID_PART,
    WHITE_MATTER,
    Prior,
    Region,
)
from simulate.phantoms.supply import supply
from simulate.vessels.domain import connected_components


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Phantom:
    """Tissue on a grid of cells (x, y, z), before vessels are grown into it.

    Attributes
    ----------
    tissue : Tissue
        Fp, PS [1/s], vp, ve of the capillary-tissue unit of each cell; 0 where there is none.
    t10 : (x, y, z) array [s]
        T1 before contrast.
    region : (x, y, z) int array
        Values of `Region`.
    supply_delay : (x, y, z) array [s]
        Of the supply on its way to this place.
    supply_dispersion : (x, y, z) array [s]
        Likewise.
    irregularity : (x, y, z) array
        How tumour-like its vessels are, 0 to 1.
    mixing : float
        1/N of the N stirred tanks of every capillary; 1 is 2CXM, 0 plug flow.
    cell : (3,) tuple of float [mm]
        Edges of a cell.
    grade : int
        Of the tumour, 2 to 4; 0 without one.
    """

    tissue: Tissue
    t10: Any
    region: Any
    supply_delay: Any
    supply_dispersion: Any
    irregularity: Any
    mixing: Any
    cell: tuple[float, float, float] = field(metadata={"static": True})
    grade: int = field(metadata={"static": True})

    @property
    def model(self) -> str:
        """Name of the kinetic model that makes every cell's curve, as `tissue_concentration` knows it."""
        if self.mixing == 0:
            return "dp"
        return "2cxm" if self.mixing == 1 else f"tanks-{round(1 / self.mixing)}"


@dataclass(frozen=True)
class Morphology:
    """Shape of a tumour: ranges (chosen, uniform).

    Attributes
    ----------
    radius : (2,) tuple of float
        Over half the shortest edge of the grid.
    lobes : (2,) tuple of float
        Relative depth of lobulation.
    rim : (2,) tuple of float [mm]
        Thickness around a necrotic core (grade 4).
    oedema : (2,) tuple of float [mm]
        Its reach.
    infiltration : (2,) tuple of float [mm]
        Its reach.
    """

    radius: tuple[float, float] = (0.4, 0.6)
    lobes: tuple[float, float] = (0.15, 0.35)
    rim: tuple[float, float] = (4.0, 9.0)
    oedema: tuple[float, float] = (4.0, 14.0)
    infiltration: tuple[float, float] = (1.5, 5.0)


def tumour_phantom(
    key: Key[Array, ""],
    *,
    shape: tuple[int, int, int] = (32, 32, 32),
    cell: tuple[float, float, float] = (2.0, 2.0, 2.0),
    grade: int = 4,
    mixing: float = 1.0,
    morphology: Morphology = Morphology(),
    late_supply: float = 4.0,
    texture: float = 1.0,
    width: float = 1.0,
    t10: float = 1.0,
) -> Phantom:
    """Draw a tumour of this grade in grey and white matter with CSF between.

    Lobulated outline, a necrotic core behind a rim of uneven thickness (grade 4), oedema and infiltrated white
    matter around; every region's tissue is drawn from its prior, with texture inside. The supply of the block
    and, more so, of the tumour arrives late and dispersed.

    Parameters
    ----------
    key : jax.random key
        Of all that is drawn.
    shape : (3,) tuple of int
        Cells of the grid.
    cell : (3,) tuple of float [mm]
        Edges of a cell.
    grade : int
        2, 3 or 4; 0 draws no tumour.
    mixing : float
        1 for 2CXM capillaries, 1/N for N tanks, 0 for plug flow.
    morphology : Morphology
        Ranges of its shape.
    late_supply : float [s]
        Largest additional delay of a territory.
    texture : float
        Factor on how much tissue varies within a region, over the priors' own.
    width : float
        Factor on the length of the priors' ranges, see `Prior.shifted`.
    t10 : float
        Factor on T10, likewise.

    Returns
    -------
    Phantom
        Without vessels, see `vascularise`.

    Raises
    ------
    InputError
        For an unknown grade, a mixing outside 0 to 1, a grid of fewer than 8 cells along an axis, or a factor that is
        not above zero.
    """
    if grade not in (0, *SOLID_PART):
        raise InputError("tumour_phantom", "grade", f"is {grade}", "give 2, 3 or 4, or 0 for no tumour")
    if not 0 <= mixing <= 1:
        raise InputError("tumour_phantom", "mixing", f"is {mixing}", "give 1/N of N tanks, or 0 for plug flow")
    if min(shape) < 8 or min(cell) <= 0:
        raise InputError("tumour_phantom", "shape", f"is {shape} cells of {cell} mm", "give 8 or more along each axis")
    if min(texture, width, t10) <= 0:
        problem = f"are {texture}, {width} and {t10}"
        raise InputError("tumour_phantom", "texture, width, t10", problem, "give factors above zero")
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    region, depth = _regions(rng, shape, cell, grade, morphology)
    priors = {which: prior.shifted(width, t10) for which, prior in _priors(grade).items()}
    tissue, relaxation = _tissue(rng, region, depth, cell, priors, morphology, texture)
    in_tumour = np.isin(region, (Region.RIM, Region.CORE))
    delay, dispersion = supply(rng, in_tumour, cell, late_supply)
    irregular = np.where(in_tumour, {0: 0.0, 2: 0.3, 3: 0.6, 4: 1.0}[grade], 0.0)
    return Phantom(tissue, relaxation, region, delay, dispersion, irregular, float(mixing), cell, grade)


def _regions(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    cell: tuple[float, float, float],
    grade: int,
    form: Morphology,
) -> tuple[Int[np.ndarray, "*space"], Float[np.ndarray, "*space"]]:
    """Region of every cell, and its depth [mm] below the surface of the tumour (negative outside)."""
    folds = smooth_field(rng, shape, cell, 9.0)
    region = np.full(shape, int(Region.WHITE_MATTER))
    region[folds > 0.15] = Region.GREY_MATTER
    region[folds > 1.35] = Region.CSF
    extent = np.asarray(shape) * np.asarray(cell)
    at = (np.indices(shape) + 0.5) * np.reshape(cell, (3, 1, 1, 1))
    if grade:
        centre = extent * rng.uniform(0.42, 0.58, 3)
        radius = rng.uniform(*form.radius) * extent.min() / 2
        stretch = np.exp(rng.normal(0, 0.15, 3))
        away = np.sqrt(sum(((at[i] - centre[i]) * stretch[i]) ** 2 for i in range(3)))
        lobes = rng.uniform(*form.lobes) * smooth_field(rng, shape, cell, 0.9 * radius)
        depth = radius * (1 + lobes) - away
        uneven = 1 + 0.3 * smooth_field(rng, shape, cell, 8.0)
        region[(depth > -rng.uniform(*form.oedema) * uneven) & (region != Region.GREY_MATTER)] = Region.OEDEMA
        region[(depth > -rng.uniform(*form.infiltration) * uneven) & (region != Region.CSF)] = Region.INFILTRATION
        region[depth > 0] = Region.RIM
        if grade == 4:
            inner = binary_erosion(depth > 0, border_value=1)  # a rim of at least one cell
            region[inner & (depth > rng.uniform(*form.rim) * uneven)] = Region.CORE
    else:
        depth = np.full(shape, -np.inf)
    return _connected(region), depth


def _connected(region: Int[np.ndarray, "*space"]) -> Int[np.ndarray, "*space"]:
    """Islands that no vessel can reach turn into CSF."""
    components, count = connected_components(region != Region.CSF)
    if count > 1:
        largest = np.argmax(np.bincount(components.ravel())[1:]) + 1
        region = np.where((components > 0) & (components != largest), int(Region.CSF), region)
    return region


def _priors(grade: int) -> dict[int, Prior]:
    return {
        Region.WHITE_MATTER: WHITE_MATTER,
        Region.GREY_MATTER: GREY_MATTER,
        Region.RIM: SOLID_PART.get(grade, WHITE_MATTER),
        Region.CORE: NECROSIS,
        Region.OEDEMA: OEDEMA,
    }


def _tissue(
    rng: np.random.Generator, region: Any, depth: Any, cell: tuple[float, float, float], priors: dict[int, Prior],
    form: Morphology, texture: float,
) -> tuple[Tissue, Any]:  # fmt: skip
    """Parameters and T10 of every cell: what its region's prior draws, times a smooth texture."""
    values = {name: np.zeros(region.shape) for name in ("Fp", "PS", "vp", "ve", "t10")}
    drawn = {which: prior.draw(rng) for which, prior in priors.items()}
    grain = {name: smooth_field(rng, region.shape, cell, 5.0) for name in ("Fp", "PS", "vp", "ve", "t10")}
    for name, field_ in values.items():
        for which, prior in priors.items():
            strength = texture * prior.texture if name != "t10" else 0.25 * prior.texture
            textured = drawn[which][name] * np.exp(strength * grain[name] - strength**2 / 2)
            field_[region == which] = textured[region == which]
        # tumour cells among white matter, ever fewer with the distance
        share = np.exp(np.minimum(depth, 0) / np.mean(form.infiltration))
        mixed = share * drawn[Region.RIM][name] + (1 - share) * drawn[Region.WHITE_MATTER][name]
        field_[region == Region.INFILTRATION] = mixed[region == Region.INFILTRATION]
    fluid = region == Region.CSF
    values["t10"][fluid] = T10["csf"][3.0]
    values["ve"] = np.minimum(values["ve"], 0.95 - values["vp"])
    return Tissue(values["Fp"], values["PS"], values["vp"], values["ve"]), values["t10"]
