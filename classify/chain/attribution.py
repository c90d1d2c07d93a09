r"""A logit taken apart down to the measured frames, complete at every level.

The path leads straight from the mean before contrast, repeated, to the measured series. Arterial input, T10, baseline
and the voxels' weights are held as they are at the measured end, and maps are 0 at the path's start: a kinetic model is
homogeneous (a C has the parameters a \theta), so that along the concentration the maps vanish linearly, though the fit
of an empty curve is nothing. With x_1 - x_0 = D and the notation of `classify.attribution.path`,

    \Delta = logit(measured) - logit(maps of 0) = \sum_{pv} A_{pv} = \sum_{vt} A_{vt} = \sum_k A_k
    maps      A_{pv} = \sum_k G_{k,pv} (J_k D)_{pv}
    frames    A_{vt} = \sum_k (J_k^T G_k)_{vt} D_{vt}
    features  A_k    = \int dlogit/d\phi_k  d\phi_k

Maps and frames have the same sum to rounding, whatever the nodes; it misses \Delta by the `gap`, which is stated
relative to max(|\Delta|, .1 \sum |A_{pv}|), since a plain ratio explodes where \Delta is near 0. Where it exceeds the
tolerance more nodes are taken. Integrated gradients: Sundararajan et al., ICML 2017.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from classify.attribution.completeness import completeness_gap
from classify.attribution.path import Rule, rule
from classify.chain.chain import Chain
from classify.chain.errors import AttributionErrors, attribution_errors, noise_before_contrast
from classify.chain.walk import Known, Walk
from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent

NODES = ((2, 16), (3, 24), (5, 32), (8, 48))
"""(of the estimator, of the head), taken one after the other until the gap is small enough."""


class ChainAttribution(NamedTuple):
    """Parts of `delta`, the difference that the measured frames make to a logit.

    Attributes
    ----------
    logit : float
        Of the measured frames.
    logit_at_zero : float
        Where all maps are 0.
    maps : (p, v) array
        By the names of the chain.
    frames : (v, t) array
        By voxel and frame.
    context : (v, t) array or None
        Of frames, what came by what voxels say of the scan as a whole; None where no estimator reads that.
    features : (k,) array or None
        None where the chain has none.
    gap : float
        Share by which the parts miss delta: over max(abs(delta), 0.1 sum of abs(maps)).
    excluded : (p,) array
        Share of voxels of no weight, by the names of the chain.
    nodes : tuple of int
        Of the estimators and of the head that were needed.
    errors : AttributionErrors or None
        Of the parts, by the noise of the frames, where they were asked for.
    """

    logit: float
    logit_at_zero: float
    maps: np.ndarray
    frames: np.ndarray
    context: np.ndarray | None
    features: np.ndarray | None
    gap: float
    excluded: np.ndarray
    nodes: tuple[int, int]
    errors: AttributionErrors | None

    @property
    def delta(self) -> float:
        """What all parts add up to, but for the gap."""
        return self.logit - self.logit_at_zero


def chain_attribution(
    chain: Chain,
    frames: Any,
    *,
    baseline: int,
    tolerance: float = 0.01,
    nodes: Sequence[tuple[int, int]] = NODES,
    errors: int = 0,
    noise: float | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> ChainAttribution:
    """Attribute a chain's logit to features, maps and frames.

    Parameters
    ----------
    chain : Chain
        With its estimators' weights as they are at the measured frames.
    frames : (v, t) array
        The measured signal.
    baseline : int
        Number of frames before contrast, whose mean is where the path starts.
    tolerance : float
        Gap at which no more nodes are taken.
    nodes : sequence of (int, int)
        Nodes of the estimators and of the head to try.
    errors : int
        Draws of the frames' noise from which standard errors are taken; 0 for none. 64 know them to a tenth.
    noise : float
        Standard deviation of the signal in one frame; by the frames before contrast where it is left out.
    seed : int
        Of the draws.
    progress : callable
        Told of every node and of every draw.

    Returns
    -------
    ChainAttribution
        The last one that was tried; its gap says whether the tolerance was reached.

    Raises
    ------
    InputError
        Where there are no frames before contrast, for a single draw, for one frame before contrast where the noise is
        taken from them, and for a logit that is not finite at either end of the path.
    """
    frames = np.asarray(frames)
    if not 0 < baseline < frames.shape[1]:
        raise InputError("baseline", "", f"is {baseline} of {frames.shape[1]} frames", "give those before contrast")
    if errors == 1:
        raise InputError("errors", "", "is 1: one draw has no scatter", "give 64, or 0 for none")
    if errors and noise is None:
        noise = noise_before_contrast(frames, baseline)
    walk = Walk(chain, frames, baseline, progress)
    known: list[Known] = []
    for number in nodes:
        taken = rule(*number)
        known.clear()  # before the next are there too
        known += walk.known(taken)
        found = _attribution(walk, taken, known, number)
        if not np.isfinite(found.delta):
            raise InputError(
                "chain", "", f"goes from a logit of {found.logit_at_zero:.3g} to one of {found.logit:.3g}",
                "give estimators whose maps are finite at these frames, and a head that is finite at maps of 0",
            )  # fmt: skip
        if found.gap <= tolerance:
            break
    if not errors:
        return found
    assert noise is not None
    return found._replace(errors=attribution_errors(walk, taken, known, noise=noise, draws=errors, seed=seed))


def _attribution(walk: Walk, nodes: Rule, known: list[Known], number: tuple[int, int]) -> ChainAttribution:
    parts = walk.parts(nodes, known)
    back = np.sum([each.back(G) for G, each in zip(parts.cotangents, known, strict=True)], axis=0)
    context = None
    if any(each.own is not None for each in known):
        own = [(each.own or each.back)(G) for G, each in zip(parts.cotangents, known, strict=True)]
        context = (back - np.sum(own, axis=0)) * walk.direction
    return ChainAttribution(
        parts.logit, parts.at_zero, parts.maps, back * walk.direction, context, parts.features,
        gap=completeness_gap(parts.maps, parts.logit - parts.at_zero),
        excluded=np.concatenate([np.mean(np.asarray(e.weight) == 0, axis=1) for e in walk.chain.estimators]),
        nodes=number, errors=None,
    )  # fmt: skip
