r"""Standard errors of a logit's parts, from the noise of the frames.

Frames are drawn with noise in place of their own, and the maps estimated again: they move by \Delta at the measured
end, and by a \Delta at place a of the path, since maps are homogeneous in the concentrations. The head's integral is
then done again, as far as it bends. Voxels' weights, and what switches in a scan, are each draw's own: an
attribution holds them at what the measured scan has, but another scan of the same patient would have others, and errors
that hold them too come out up to five times too small. Inputs and T10 are held: what their errors do is asked of
`chain_sensitivities`. By the Jacobian alone, J \epsilon, errors would be too small as well, since voxels near the limit
of what can be believed have skewed estimates.
"""

from typing import Any, NamedTuple

import numpy as np

from classify.attribution.path import Rule
from classify.chain.walk import Known, Walk
from simulate.base.errors import InputError

TOGETHER = 65_536
"""Voxels of scans with drawn noise that are estimated at once."""


class AttributionErrors(NamedTuple):
    """Standard deviations over the noise of the frames; the bias that noise gives to an estimator is not in them.

    Attributes
    ----------
    logit : float
        Of the logit, and of delta.
    maps : (p, v) array
        Of the maps' parts.
    voxels : (v,) array
        Of each voxel's sum over its maps.
    features : (k,) array or None
        Of the features' parts.
    noise : float
        Standard deviation of the signal in one frame that was taken.
    draws : int
        Of noise that were made.
    """

    logit: float
    maps: np.ndarray
    voxels: np.ndarray
    features: np.ndarray | None
    noise: float
    draws: int


def noise_before_contrast(frames: np.ndarray, baseline: int) -> float:
    """Standard deviation of the signal in one frame, by the frames before contrast of all voxels together.

    Parameters
    ----------
    frames : (v, t) array
        The measured signal.
    baseline : int
        Number of frames before contrast.

    Returns
    -------
    float
        In the signal's unit. The root of the mean variance: that of a receiver is the same in all voxels.

    Raises
    ------
    InputError
        For fewer than two frames, from which there is no telling.
    """
    if baseline < 2:
        raise InputError("baseline", "", f"is {baseline}: one frame has no scatter", "give the noise of the signal")
    before = np.asarray(frames, float)[:, :baseline]
    return float(np.sqrt(np.nanmean(np.nanvar(before, axis=1, ddof=1))))


def attribution_errors(
    walk: Walk, nodes: Rule, known: list[Known], *, noise: float, draws: int, seed: int
) -> AttributionErrors:
    """By so many draws of Gaussian noise."""
    rng = np.random.default_rng(seed)
    sums: dict[str, list[Any]] = {"logit": [], "maps": [], "voxels": [], "features": []}
    scans = max(1, TOGETHER // len(walk.frames))
    about = [each.without_noise(walk.frames, noise) for each in walk.chain.estimators]
    for first in range(0, draws, scans):
        walk.progress("errors of the attribution", first, draws)
        drawn = noise * rng.standard_normal((min(scans, draws - first), *walk.frames.shape))
        again = [each.measured_again(base + drawn) for base, each in zip(about, walk.chain.estimators, strict=True)]
        maps, weight = (np.concatenate(each, axis=1) for each in zip(*again, strict=True))
        for moved, own in zip(maps - known[-1].maps, weight, strict=True):
            there = [each.moved(moved, a) for a, each in zip(nodes.estimator, known, strict=True)]
            parts = walk.parts(nodes, there, own)
            found = {"logit": np.asarray(parts.logit), "maps": parts.maps, "voxels": parts.maps.sum(axis=0)}
            found |= {} if parts.features is None else {"features": parts.features}
            for name, value in found.items():
                _add(sums[name], value)
    spread = {name: np.sqrt(total[1] / (draws - 1)) for name, total in sums.items() if total}
    return AttributionErrors(
        float(spread["logit"]), spread["maps"], spread["voxels"], spread.get("features"), noise, draws
    )


def _add(so_far: list[Any], value: np.ndarray) -> None:
    """Welford's mean, sum of squared deviations, and count: memory does not grow with draws."""
    if not so_far:
        so_far += [np.array(value, float), np.zeros(np.shape(value)), np.asarray(1.0)]
        return
    so_far[2] = so_far[2] + 1
    away = value - so_far[0]
    so_far[0] = so_far[0] + away / so_far[2]
    so_far[1] = so_far[1] + away * (value - so_far[0])
