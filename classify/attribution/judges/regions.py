"""Whether an attribution lies where its cause is known to be: magnitudes against a mask."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike

from classify.attribution.function import check_finite
from classify.attribution.grids import check_one_grid
from classify.statistics.delong import auc
from simulate.base.errors import InputError


class Localisation(NamedTuple):
    """Scores of an attribution's magnitude against a mask, beside chance.

    Attributes
    ----------
    pointing : float
        1 where the largest magnitude lies in the mask, 0 where not; among several largest their share in it.
    energy : float
        Share of the sum of magnitudes that lies in the mask.
    auc : float
        Probability that a voxel of the mask has a larger magnitude than one outside, ties by half.
    chance : float
        Share of the voxels that the mask has: what pointing and energy reach without knowing anything.
    chance_auc : float
        The same for the AUC, 0.5.
    """

    pointing: float
    energy: float
    auc: float
    chance: float
    chance_auc: float = 0.5


def localisation(
    attribution: ArrayLike,
    mask: ArrayLike,
    *,
    inside: ArrayLike | None = None,
    affine: Any = None,
    mask_affine: Any = None,
) -> Localisation:
    """Score where an attribution points: pointing game, energy in the mask, AUC.

    Judged are magnitudes; give max(a, 0) where only what speaks for the class is to count. Zhang et al., ECCV 2016
    (pointing game); Wang et al., CVPR workshop 2020 (energy).

    Parameters
    ----------
    attribution : (...) array
        Of any unit, not all of it 0.
    mask : (...) bool array
        Where the cause is.
    inside : (...) bool array, optional
        Voxels that are compared at all, such as the brain: chance depends on them.
    affine : (d+1, d+1) array, optional
        Of the attribution's voxels to positions [mm].
    mask_affine : (d+1, d+1) array, optional
        Of the mask's.

    Returns
    -------
    Localisation
        Each score with its chance level.

    Raises
    ------
    InputError
        Where the mask lies on another grid or holds none or all of the voxels, or where the attribution is 0
        everywhere or not finite.
    """
    check_finite("attribution", "", attribution, "mend the attribution")
    size, flags = np.abs(np.asarray(attribution, float)), np.asarray(mask, bool)
    check_one_grid("mask", flags.shape, size.shape, mask_affine, affine)
    if inside is not None:
        check_one_grid("inside", np.shape(inside), size.shape)
        size, flags = (each[np.asarray(inside, bool)] for each in (size, flags))
    if not 0 < flags.sum() < flags.size:
        problem = f"holds {int(flags.sum())} of {flags.size} voxels"
        raise InputError("mask", "", problem, "give one with voxels inside and outside")
    if not size.any():
        raise InputError("attribution", "", "is 0 in all voxels compared", "an attribution of nothing points nowhere")
    return Localisation(
        pointing=float(flags[size == size.max()].mean()),
        energy=float(size[flags].sum() / size.sum()),
        auc=float(auc(flags.ravel(), size.ravel())[0]),
        chance=float(flags.mean()),
    )
