"""The part of a patient's brain that is perfused vessel by vessel: a slab around the tumour, and an artery in it."""

from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.ndimage import distance_transform_edt

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.examinations.perfused import PerfusedPhantom, vascularise
from simulate.patients.gliomas import Spread
from simulate.patients.person import Person
from simulate.patients.tissue import PatientTissue
from simulate.phantoms.priors import Region
from simulate.phantoms.tumour import Phantom

ARTERY = Spread(3.2, 0.15)
"""Diameter of the artery in view [mm]: an internal carotid or the stem of a middle cerebral artery."""

CLEAR = 10.0
"""mm between it and the tumour, where there is room."""

_FINE = 8
"""Points along a cell's edge by which the artery's share is counted."""

_ATTEMPTS = 5
"""Sets of vessels to try: in one of a hundred a branch is too narrow for blood."""


class Slab(NamedTuple):
    """perfused : its vessels and tissue.      artery (x, y, z) : share of each cell that the artery takes.
    first (3,) : index of its first cell in the brain.      affine (4, 4) [mm].
    """

    perfused: PerfusedPhantom
    artery: Any
    first: tuple[int, int, int]
    affine: Any

    @property
    def region(self) -> Any:
        """(x, y, z) values of `Region`."""
        return self.perfused.phantom.region


def slab_of(person: Person, body: PatientTissue, shape: tuple[int, int, int], *, terminals: int) -> Slab:
    """Cut out a slab of so many cells around the tumour, and grow its vessels.

    Raises InputError for a slab that is larger than the brain's grid, or vessels that cannot be grown.
    """
    if any(n > m for n, m in zip(shape, body.region.shape, strict=True)):
        problem = f"of {shape} cells is larger than the brain's grid of {body.region.shape}"
        raise InputError("slab", "shape", problem, "ask for fewer cells, or smaller ones")
    tumour = np.isin(body.region, (Region.RIM, Region.CORE))
    middle = np.rint(np.argwhere(tumour).mean(axis=0)).astype(int)
    first = [
        int(np.clip(at - n // 2, 0, m - n)) for at, n, m in zip(middle, shape, body.region.shape, strict=True)
    ]  # fmt: skip
    cut = tuple(slice(a, a + n) for a, n in zip(first, shape, strict=True))
    edge = (body.cell, body.cell, body.cell)
    phantom = Phantom(
        tissue=Tissue(*(np.asarray(getattr(body.tissue, name))[cut] for name in ("Fp", "PS", "vp", "ve"))),
        t10=body.t10[cut], region=body.region[cut], supply_delay=body.supply_delay[cut],
        supply_dispersion=body.supply_dispersion[cut], irregularity=body.irregularity[cut], mixing=person.mixing,
        cell=edge, grade=person.grade,
    )  # fmt: skip
    affine = np.array(body.affine)
    affine[:3, 3] = affine[:3, :3] @ first + affine[:3, 3]
    perfused = _with_vessels(person, phantom, terminals)
    return Slab(perfused, _artery(person, phantom), (first[0], first[1], first[2]), affine)


def _with_vessels(person: Person, phantom: Phantom, terminals: int) -> PerfusedPhantom:
    key = jax.random.key(int(person.rng("vessels").integers(2**31)))
    for attempt in range(_ATTEMPTS):
        try:
            return vascularise(
                jax.random.fold_in(key, attempt), phantom, terminals=terminals, haematocrit=person.haematocrit
            )  # fmt: skip
        except InputError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _artery(person: Person, phantom: Phantom) -> np.ndarray:
    """A straight one through all slices, within the brain and beside the tumour."""
    rng = person.rng("artery")
    diameter = ARTERY.median * float(np.exp(ARTERY.sd * rng.standard_normal()))
    shape, cell = phantom.region.shape, phantom.cell[0]
    inside = (phantom.region > 0).mean(axis=2)
    tumour = np.isin(phantom.region, (Region.RIM, Region.CORE)).any(axis=2)
    away = np.asarray(distance_transform_edt(~tumour, sampling=cell))
    edge = np.zeros(shape[:2], bool)
    margin = int(np.ceil(diameter / 2 / cell)) + 1
    edge[margin:-margin, margin:-margin] = True
    free = edge & (inside > 0.5)
    far = free & (away > CLEAR)
    places = np.argwhere(far) if far.any() else np.argwhere(away == np.where(free, away, -1.0).max())
    centre = (places[rng.integers(len(places))] + rng.random(2)) * cell
    fine = [(np.arange(_FINE * n) + 0.5) * cell / _FINE for n in shape[:2]]
    disc = (fine[0][:, None] - centre[0]) ** 2 + (fine[1] - centre[1]) ** 2 < (diameter / 2) ** 2
    share = disc.reshape(shape[0], _FINE, shape[1], _FINE).mean((1, 3))
    return np.repeat(share[:, :, None], shape[2], axis=2).astype(np.float32)
