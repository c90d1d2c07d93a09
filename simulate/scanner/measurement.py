"""What a scanner makes of concentration: the signal of every cell, its mean over a voxel, noise.

    concentration of cells --spoiled gradient echo--> signal --voxel average--> voxels --noise--> series

The way back, as a user goes it with the T1 that he believes, is `estimate.signal.concentration.block_concentration`.
"""

from functools import partial

import jax
from jax import Array
from jaxtyping import ArrayLike, Float, Key, Real

from simulate.base.types import DCEProtocol
from simulate.scanner.noise import Noise, rician, with_noise
from simulate.scanner.spgr import spgr_signal
from simulate.scanner.voxels import voxel_average

PROTON_DENSITY = 1000.0
"""S0 of tissue and blood [signal] (chosen); air has none."""


@partial(jax.jit, static_argnames=("coarsen", "noise"))
def measure(
    key: Key[Array, ""],
    concentration: Float[ArrayLike, "*c t"],
    protocol: DCEProtocol,
    *,
    t10: Real[ArrayLike, "*#c"],
    s0: Real[ArrayLike, "*#c"] = 1.0,
    b1: Real[ArrayLike, "*#c"] = 1.0,
    r2star: Real[ArrayLike, ""] = 0.0,
    coarsen: int = 1,
    snr: Real[ArrayLike, ""],
    noise: Noise = rician,
    baseline: Real[Array, " t"] | None = None,
) -> Float[Array, "*v t"]:
    """The signal that a scanner records on voxels of a concentration in cells.

    Parameters
    ----------
    key : jax.random key
        Of the noise.
    concentration : (..., t) array [mmol/L]
        In cells, for `coarsen` above 1 on a grid of three axes.
    protocol : DCEProtocol
        How it is measured.
    t10 : float or (...) array [s]
        T1 of the cells before contrast.
    s0 : float or (...) array
        Equilibrium signal of the cells.
    b1 : float or (...) array
        True over nominal flip angle in the cells.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity of the agent.
    coarsen : int
        Cells along the edge of a voxel.
    snr : float
        Mean signal before contrast over the standard deviation of one complex channel; inf for no noise.
    noise : function
        `rician` or `gaussian`.
    baseline : (t,) array
        1 in the frames before contrast and 0 after; the protocol's by default.

    Returns
    -------
    (..., t) array
        Signal of the voxels, in the unit of s0.
    """
    signal = spgr_signal(concentration, protocol, t10=t10, s0=s0, b1=b1, r2star=r2star)
    voxels = voxel_average(signal, coarsen)
    return with_noise(key, voxels, protocol, snr=snr, noise=noise, baseline=baseline)
