r"""What the voxels of a vessel tell about its curve: numbers that do not change with the unit of concentration.

An artery two voxels wide and more holds voxels of pure blood, beside each other and of one area; a thinner one shares
every voxel with tissue, and lowers all of them. T1 before contrast of pure blood is known.

    width       ln of the area in the 3^3 voxels around a chosen one over three times its own: the vessel's
                cross-section in voxels, up to 9
    flat        ln of the twelfth highest area among the 3^3 voxels around those of the highest areas over their own:
                near 0 in the middle of a wide vessel, where many are pure
    count       ln of the number of voxels with 0.9 of the measured area and more, per voxel of the vessel's length: a
                long thin vessel has as many of them as a short wide one
    size        ln of the number of the vessel's voxels
    purest      ln of the third highest area among voxels that touch and have a first pass (a vein's, too: the area of
                plasma is the same in every vessel) over the measured
    attempt     of the search, from 0: with what limits it was found
    t1          ln of the chosen voxels' T1 before contrast over that of blood
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from estimate.arterial.search import FEWEST, Vessel

WINDOW = 60.0
"""Seconds of an area: the first pass and what recirculates at once."""

FULL = 0.2
"""Share of the measured area below which a voxel beside the vessel counts as empty: it may be no candidate at all."""

HIGH = 0.9
HIGHEST, AROUND = 5, 12
LEAST_FLAT = 0.02
"""Of `flat`: a lone voxel of few that enhance has nothing beside it."""

LEAST = 0.5
"""Of `purest`, where the few voxels of a vessel do not touch each other."""


class CandidateT1(NamedTuple):
    """T1 before contrast [s] where an artery is looked for: (v,) as measured of every candidate, and that of blood."""

    measured: Float[np.ndarray, " v"]
    blood: float


KnownT1 = CandidateT1 | Literal["blood"] | None
"""As measured; "blood" where the curves were made with that of blood; None where it is not known."""


class Evidence(NamedTuple):
    """See the module.

    t1 : None where it is not known, or where the curves were made with that of blood (`in_blood`).
    """

    width: float
    flat: float
    count: float
    size: float
    purest: float
    attempt: int
    t1: float | None
    in_blood: bool


def weigh(curves: np.ndarray, where: np.ndarray, times: np.ndarray, vessel: Vessel, t1: KnownT1) -> Evidence:
    """Evidence on the vessel's area. curves : (v, t) of all candidates, in the order of `where`."""
    spacing = float(np.median(np.diff(times)))
    here = _area(curves, times, np.full(len(curves), vessel.half_time), spacing)
    measured = np.median(curves[vessel.chosen], axis=0)
    area = float(_area(measured[None], times, np.array([vessel.half_time]), spacing)[0])
    full = np.where(here > FULL * area, here, 0.0)
    own = _area(curves, times, np.maximum(_half_times(curves, times), vessel.half_time), spacing)
    ratio = None
    if isinstance(t1, CandidateT1):
        ratio = float(np.log(np.median(t1.measured[vessel.chosen]) / t1.blood))
    high = np.sum(here[vessel.group] > HIGH * area)
    return Evidence(
        width=_width(full, where, vessel.chosen),
        flat=_flatness(full, where, vessel.group),
        count=float(np.log(max(high, 1) / _length(where, vessel.group))),
        size=float(np.log(vessel.group.size)),
        purest=float(np.log(max(_supported(np.where(vessel.usable, own, 0.0), where) / area, LEAST))),
        attempt=vessel.attempt,
        t1=ratio,
        in_blood=t1 == "blood",
    )


def _area(curves: np.ndarray, times: np.ndarray, start: np.ndarray, spacing: float) -> np.ndarray:
    """(v,) over `WINDOW` from two frames before `start` (v,), which lies on the rise."""
    inside = (times > start[:, None] - 2 * spacing) & (times < start[:, None] + WINDOW)
    return np.sum(curves * inside, axis=-1) * spacing


def _half_times(curves: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(v,) the last frame before its peak in which a curve is below half of it."""
    top = np.argmax(curves, axis=-1)
    frames = np.arange(times.size)
    below = (curves < np.max(curves, axis=-1)[:, None] / 2) & (frames < top[:, None])
    return times[np.max(np.where(below, frames, 0), axis=-1)]


def _width(area: np.ndarray, where: np.ndarray, chosen: np.ndarray) -> float:
    """A vessel goes on beyond the faces of the image: most images have few slices."""
    image = np.zeros(where.shape)
    image[where] = area
    around = 3**image.ndim * ndimage.uniform_filter(image, 3, mode="nearest")[where][chosen]
    return float(np.log(np.median(around / (3 * area[chosen]))))


def _flatness(area: np.ndarray, where: np.ndarray, group: np.ndarray) -> float:
    image = np.zeros(where.shape)
    image[where] = area
    highest = group[np.argsort(area[group])[-HIGHEST:]]
    twelfth = ndimage.rank_filter(image, -AROUND, size=3, mode="nearest")[where][highest]
    return float(np.log(max(np.median(twelfth / area[highest]), LEAST_FLAT)))


def _length(where: np.ndarray, group: np.ndarray) -> float:
    """Extent of the vessel along its longest direction [voxels]."""
    places = np.stack([axis[group] for axis in np.nonzero(where)], axis=-1).astype(float)
    places -= places.mean(axis=0)
    along = places @ np.linalg.svd(places, full_matrices=False)[2][0]
    return float(np.ptp(along)) + 1


def _supported(area: np.ndarray, where: np.ndarray) -> float:
    """Highest over all voxels of the third highest area among it and those that touch it: no lone spike."""
    image = np.zeros(where.shape)
    image[where] = area
    return float(np.max(ndimage.rank_filter(image, -FEWEST, size=3, mode="constant")))
