"""A tumour in a brain: where, of which shape, with core, oedema and infiltration; in mm, whatever the grid."""

from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt, label

from simulate.base.errors import InputError
from simulate.patients.brain import Brain
from simulate.patients.person import Person
from simulate.phantoms.fields import smooth_field
from simulate.phantoms.priors import Region

LOWEST, MIDLINE = -14.0, 12.0
"""mm: gliomas of grown-ups lie above the tentorium, and beside the midline (chosen)."""

UNEVEN, UNEVEN_LENGTH = 0.25, 8.0
"""Deviation of a rim's and a margin's thickness, and over how many mm it changes (chosen)."""

STRETCH = 0.15
"""Deviation of the logarithm of a tumour's axes (chosen)."""

FEWEST_CELLS = 30
"""Of the solid part: fewer cannot hold the medians that a study reads."""


class Lesion(NamedTuple):
    """region (x, y, z) values of `Region`, of the whole brain.      inside (x, y, z) mm into the tumour, negative
    outside of it.      centre (3,) mm.
    """

    region: Any
    inside: Any
    centre: Any

    @property
    def tumour(self) -> Bool[np.ndarray, "x y z"]:
        """Solid part and core."""
        return np.isin(self.region, (Region.RIM, Region.CORE))


def lesion(brain: Brain, person: Person) -> Lesion:
    """Put a person's tumour into the white matter of a brain.

    Parameters
    ----------
    brain : Brain
        Healthy.
    person : Person
        Its `rng("lesion")` draws place and shape.

    Returns
    -------
    Lesion
        Its tumour takes the volume of a sphere of `person.diameter`.

    Raises
    ------
    InputError
        Where the grid cannot hold it: too large for a hemisphere, or too few cells.
    """
    rng, cell = person.rng("lesion"), (brain.cell,) * 3
    where = f"patient {person.number}"
    cells = np.pi / 6 * person.diameter**3 / brain.cell**3
    if cells < FEWEST_CELLS:
        problem = f"is {person.diameter:g} mm, {cells:.0f} cells of {brain.cell:g} mm"
        raise InputError(where, "diameter", problem, "give a larger tumour or smaller cells")
    at = brain.positions()
    centre = _centre(rng, brain, at, person)
    room = np.isin(brain.region, (Region.WHITE_MATTER, Region.GREY_MATTER)) & (at[2] > LOWEST - 12)
    room |= (brain.region == Region.CSF) & (brain.depth > 0) & (brain.depth < 20)  # tumours close sulci
    room &= at[0] * np.sign(centre[0]) > 0  # and stay on their side
    stretch = np.exp(STRETCH * rng.standard_normal(3))
    stretch /= np.prod(stretch) ** (1 / 3)
    away = np.sqrt(sum(((at[i] - centre[i]) * stretch[i]) ** 2 for i in range(3)))
    radius = person.diameter / 2
    lobes = person.lobes * smooth_field(rng, away.shape, cell, 0.9 * radius)
    tumour = _of_volume(radius * lobes - away, room, round(cells), where)
    outside, within = (
        np.asarray(distance_transform_edt(part, sampling=brain.cell)) for part in (~tumour, tumour)
    )  # fmt: skip
    inside = np.where(tumour, within, -outside)
    uneven = np.exp(UNEVEN * smooth_field(rng, away.shape, cell, UNEVEN_LENGTH))
    region = np.array(brain.region)
    white = region == Region.WHITE_MATTER
    region[white & (outside < person.oedema * uneven)] = Region.OEDEMA
    tissue = np.isin(brain.region, (Region.WHITE_MATTER, Region.GREY_MATTER))
    region[tissue & (outside < person.infiltration * uneven)] = Region.INFILTRATION
    region[tumour] = Region.RIM
    if person.necrotic:
        region[_core(inside, person.rim * uneven)] = Region.CORE
    return Lesion(region, inside, centre)


def _centre(rng: np.random.Generator, brain: Brain, at: Any, person: Person) -> Float[np.ndarray, "3"]:
    """A place of white matter with room around it."""
    free = (brain.region == Region.WHITE_MATTER) & (at[2] > LOWEST) & (np.abs(at[0]) > MIDLINE)
    for share in (0.45, 0.35, 0.25):  # of the diameter below the outline: large ones reach the cortex
        places = np.argwhere(free & (brain.depth > share * person.diameter))
        if len(places):
            return at[(slice(None), *places[rng.integers(len(places))])]
    raise InputError(
        f"patient {person.number}", "diameter", f"of {person.diameter:g} mm is larger than a hemisphere holds",
        "give a smaller tumour",
    )  # fmt: skip


def _of_volume(level: Any, room: Any, cells: int, where: str) -> Bool[np.ndarray, "x y z"]:
    """The highest so many cells that hang together."""
    if np.count_nonzero(room) < 3 * cells:
        raise InputError(where, "diameter", "is of a tumour that fills a third of the hemisphere", "give a smaller one")
    ranked = np.sort(level[room])[::-1]
    wanted = cells
    for _ in range(4):  # what does not hang together is dropped, and made up for
        numbers, count = cast(tuple[Any, int], label(room & (level >= ranked[min(wanted, len(ranked)) - 1])))
        whole = numbers == np.argmax(np.bincount(numbers.ravel())[1:]) + 1 if count else room
        missing = cells - np.count_nonzero(whole)
        if missing <= 0.01 * cells:
            break
        wanted += missing
    return whole


def _core(inside: Any, rim: Any) -> Bool[np.ndarray, "x y z"]:
    """What lies deeper than the rim is thick; of a tumour whose rim fills it, its deepest fiftieth."""
    core = inside > rim
    if core.any():
        return core
    depths = inside[inside > 0]
    return inside >= np.quantile(depths, 0.98)
