"""How a logit moves with what an attribution holds fixed: T10, arterial input, haematocrit, scale."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from classify.chain.chain import Chain
from simulate.base.progress import Progress, silent


def chain_sensitivities(chain: Chain, frames: Any, *, progress: Progress = silent) -> dict[str, dict[str, np.ndarray]]:
    """Derivatives of a chain's logit at the measured frames by all that was given to its estimators.

    The input stands beside the frames, not in the attribution: scaling it undoes scaling the concentrations, so along a
    path of both the maps would stay as they are.

    Parameters
    ----------
    chain : Chain
        With its estimators' weights as they are at the measured frames.
    frames : (v, t) array
        The measured signal.
    progress : callable
        Told of every estimator.

    Returns
    -------
    dict of dict of array
        By the estimator's label, then by what is held: "T10" (v,) [1/s]; a fit's "AIF" (k,) by the samples of its input
        [1/(mmol/L)] and "haematocrit" by the one with which blood became plasma; QTMnet's "log area" by the logarithm
        of the area of the input that sets its scale.
    """
    maps = np.concatenate([np.asarray(each.at(frames).maps) for each in chain.estimators])
    cotangent = np.asarray(jax.grad(chain.logit)(jnp.asarray(maps)))
    ends = np.cumsum([len(each.names) for each in chain.estimators])[:-1]
    found = {}
    for number, (each, part) in enumerate(zip(chain.estimators, np.split(cotangent, ends), strict=True)):
        progress("sensitivities", number, len(ends) + 1)
        found[each.label] = each.sensitivities(frames, part)
    return found
