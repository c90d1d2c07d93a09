r"""Which model, voxel by voxel.

AICc alone cannot tell models apart that make the same curve: Tofts tissue equals 2CUM with Fp = Ktrans, vp = ve and
PS = 0, and 2CXM has one-compartment limits for PS -> 0 and PS -> \infty. One of such a pair reads leakage as flow. So

1. a parameter on its bound is no evidence for the model that has it, and an exchange model whose PS the data do not
   determine has not seen exchange: these are refused where any other model is left;
2. models within `EQUAL` of the smallest AICc describe the data as well (Burnham & Anderson 2002, sec. 2.6), and of
   equals the one with the fewest parameters is taken;
3. where another model that the data still support, refused or not, has another Ktrans, the voxel is MODEL_AMBIGUOUS:
   its curve does not tell which.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simulate.base.runtime import is_traced
from simulate.base.status import NO_ESTIMATE, Status
from simulate.kinetics.compartments import COMPARTMENT_MODELS

EQUAL = 2.0
"""Difference in AICc up to which two models are equals."""

SUPPORTED = 20.0
"""Difference in AICc up to which chance may have preferred a superfluous parameter in one of the 100,000 voxels of an
image: a chi-square of one degree of freedom exceeds 22 in 3 of a million."""

OTHER_KTRANS = 0.2
"""Difference of the logarithms of Ktrans from which on equals say different things (chosen)."""

_EXCHANGE = ("2cxm", "2cum")
"""Models that tell flow from leakage."""


def select(fits: dict[str, Any]) -> Any:
    """Of the fits (`KineticFit` by model's name) voxel by voxel the one to believe."""
    if is_traced(fits):
        return _select(jnp, fits)
    with np.errstate(all="ignore"):  # by NumPy nothing is compiled
        return jax.device_put(_select(np, jax.tree.map(np.asarray, fits)))


def _select(xp: Any, fits: dict[str, Any]) -> Any:
    names, each = list(fits), list(fits.values())
    aicc = xp.stack([xp.where(xp.isnan(fit.aicc), xp.inf, fit.aicc) for fit in each])
    refused = xp.stack([_refused(name, fit.status) for name, fit in fits.items()])
    alive = xp.where(refused.all(axis=0), True, ~refused)
    kept = xp.where(alive, aicc, xp.inf)
    equals = kept <= kept.min(axis=0) + EQUAL
    count = np.array([len(COMPARTMENT_MODELS[name].parameters) for name in names]).reshape(-1, *[1] * (aicc.ndim - 1))
    fewest = xp.where(equals, count, 99)
    best = xp.argmin(xp.where(fewest == fewest.min(axis=0), kept, xp.inf), axis=0)

    def choose(*arrays: Any) -> Any:
        return xp.take_along_axis(xp.stack(arrays), best[None], axis=0)[0]

    chosen = jax.tree.map(choose, *each)
    Ktrans = xp.stack([fit.Ktrans for fit in each])
    apart = ~(xp.abs(xp.log(Ktrans / chosen.Ktrans)) <= OTHER_KTRANS)
    ambiguous = (apart & (aicc <= choose(*aicc) + SUPPORTED)).any(axis=0) & ((chosen.status & int(NO_ESTIMATE)) == 0)
    flag = xp.where(ambiguous, np.int32(Status.MODEL_AMBIGUOUS), np.int32(0))
    return replace(chosen, status=chosen.status | flag)


def _refused(name: str, status: Any) -> Any:
    """Where a fit is no evidence for its model."""
    refusing = Status.AT_BOUND | (Status.PS_NOT_IDENTIFIABLE if name in _EXCHANGE else Status.OK)
    return (status & int(refusing)) != 0
