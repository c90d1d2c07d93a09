r"""How much what is made of voxels' parameters may rest on each of them.

    w = \prod_k 1/(1 + (3 stderr_k/\theta_k)^2)

over the parameters k that have to be known, and 0 where one of them lies on a bound. Along a path in the signal what is
made of voxels that are all counted alike jumps by a multiple of itself, with those that jump from one minimum to
another, and no attribution closes. What is made of those with an error below a third alone closes, but says nothing of
a tumour's voxels beyond it.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from estimate.kinetics.fit import IDENTIFIABLE
from estimate.kinetics.frames import FrameFit
from simulate.base.status import NO_ESTIMATE, Status


def reliability(fit: FrameFit, names: tuple[str, ...] = ("Fp", "PS", "vp")) -> Float[Array, " v"]:
    """Weights of voxels in whatever is made of their parameters: 1 where all of `names` are known, 0 where one is not.

    Each of `names` counts by `trust`; all have to be off their bounds, as has a delay where one is fitted, and the fit
    has to have converged. All of Fp, PS and vp together serve each of them best; another one need not be known for
    that, such as ve where little comes back. The weights are constants to differentiation.

    Parameters
    ----------
    fit : FrameFit
        Of `fit_frames`.
    names : tuple of str
        Of its parameters.

    Returns
    -------
    (v,) array
        From 0 to 1.
    """
    good = (fit.status & int(NO_ESTIMATE | Status.NOT_CONVERGED)) == 0
    for name in (*names, "delay"):
        good = good & ~fit.at_bound.get(name, jnp.zeros_like(good))
    weight = jnp.where(good, 1.0, 0.0).astype(jnp.result_type(*fit.values.values()))
    for name in names:
        weight = weight * trust(fit.values[name], fit.stderr[name])
    return jax.lax.stop_gradient(weight)


def trust(value: ArrayLike, stderr: ArrayLike) -> Array:
    """1/(1 + (stderr/(`IDENTIFIABLE` value))^2), elementwise: half where a value is just identifiable, 0 where there is
    no error or no value."""
    share = jnp.abs(stderr) / (IDENTIFIABLE * jnp.abs(value))
    return jnp.where(jnp.isfinite(share), 1 / (1 + jnp.minimum(share, 1e9) ** 2), 0.0)
