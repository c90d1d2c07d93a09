"""A labelled series as the scanner gives it: its protocol, and the volumes by the equations of `asl_series`."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Key

from simulate.base.constants import ASL_TISSUE_T1, PARTITION_COEFFICIENT
from simulate.base.errors import InputError
from simulate.base.types import ASLProtocol
from simulate.labelling.difference import asl_difference


def asl_protocol(
    post_label_delays: Sequence[float] | np.ndarray, *, label_duration: Any = 1.8, pairs: int = 8,
    labelling: str = "pcasl", repetition_time: float = 5.0, label_efficiency: float = 0.85, t1_blood: float = 1.65,
    slice_times: Sequence[float] | np.ndarray = (), m0_repetition_time: float | None = 8.0,
) -> ASLProtocol:  # fmt: skip
    """A protocol of control-label pairs at every delay, after one M0 volume.

    Parameters
    ----------
    post_label_delays : (d,) array [s]
        For pasl inversion times.
    label_duration : float or (d,) array [s]
        Of every delay.
    pairs : int
        Of control and label at every delay.
    labelling : str
        "pcasl", "casl" or "pasl".
    repetition_time : float [s]
        Of control and label.
    label_efficiency : float
        alpha, that of background suppression's pulses included.
    t1_blood : float [s]
        T1 of arterial blood.
    slice_times : (z,) array [s]
        Readout of every slice after the first; none for a 3-D readout.
    m0_repetition_time : float [s]
        Of the M0 volume; None leaves it out.

    Returns
    -------
    ASLProtocol
        Of 1 + 2 x pairs x d volumes.
    """
    delays = np.asarray(post_label_delays, float)
    durations = np.broadcast_to(np.asarray(label_duration, float), delays.shape)
    per_pair = 2 * pairs
    before = 0 if m0_repetition_time is None else 1
    kinds = ("m0scan",) * before + ("control", "label") * (pairs * len(delays))
    return ASLProtocol(
        volume_types=kinds,
        labelling=labelling,
        label_duration=np.concatenate([np.zeros(before), np.repeat(durations, per_pair)]),
        post_label_delay=np.concatenate([np.zeros(before), np.repeat(delays, per_pair)]),
        repetition_time=np.array([m0_repetition_time or 0.0] * before + [repetition_time] * per_pair * len(delays)),
        label_efficiency=label_efficiency,
        t1_blood=t1_blood,
        slice_times=np.asarray(slice_times, float),
    )


def asl_series(
    key: Key[Array, ""] | None,
    cbf: Float[ArrayLike, "x y z"],
    att: Float[ArrayLike, "x y z"],
    protocol: ASLProtocol,
    *,
    m0: ArrayLike = 1.0,
    t1_tissue: ArrayLike = ASL_TISSUE_T1,
    partition_coefficient: float = PARTITION_COEFFICIENT,
    model: str = "gkm",
    residual: float | None = None,
    sigma: float = 0.0,
    abv: ArrayLike = 0.0,
    abat: ArrayLike = 0.0,
) -> Float[Array, "x y z n"]:
    r"""A labelled series as the scanner gives it: control, label and M0 volumes of known tissue, with noise.

    s is what a preparation leaves of static tissue: its recovery after TR, or `residual` of background suppression::

        control   s M_0            m0scan   M_0 (1 - e^{-TR/T_{1t}})
        label     s M_0 - \Delta M(t_z),     t_z = label duration + delay + the slice's own readout time

    Parameters
    ----------
    key : jax.random key
        Of the noise; None for none.
    cbf : (x, y, z) array [mL/100 g/min]
        Cerebral blood flow.
    att : (x, y, z) array [s]
        Arterial transit time.
    protocol : ASLProtocol
        See `asl_protocol`.
    m0 : float or (x, y, z) array
        Equilibrium magnetisation, in the unit of the result.
    t1_tissue : float or (x, y, z) array [s]
        T1 of tissue.
    partition_coefficient : float [mL/g]
        See `asl_difference`, which makes the difference.
    model : str
        Likewise.
    residual : float
        Share of static signal that background suppression leaves; by default nothing is suppressed.
    sigma : float
        Standard deviation of Gaussian noise in every volume, in the unit of m0; needs a key.
    abv : float or (x, y, z) array [fraction]
        Arterial blood volume, see `asl_difference`.
    abat : float or (x, y, z) array [s]
        Arterial arrival, see `asl_difference`.

    Returns
    -------
    (x, y, z, n) array
        One volume for each of the protocol, in the unit of m0.

    Raises
    ------
    InputError
        For noise without a key, or an unknown labelling or model.
    """
    cbf, att, m0, t1, abv, abat = jnp.broadcast_arrays(
        *(jnp.asarray(a, float) for a in (cbf, att, m0, t1_tissue, abv, abat))
    )
    slices = np.asarray(protocol.slice_times)
    late = jnp.asarray(slices if slices.size else np.zeros(cbf.shape[2]))

    def one(late: Array, *maps: Array) -> Array:
        cbf, att, m0, t1, abv, abat = maps
        return asl_difference(
            cbf, att, jnp.asarray(protocol.times) + late, labelling=protocol.labelling,
            label_duration=jnp.asarray(protocol.label_duration), m0=m0, label_efficiency=protocol.label_efficiency,
            partition_coefficient=partition_coefficient, t1_blood=protocol.t1_blood, t1_tissue=t1, model=model,
            abv=abv, abat=abat,
        )  # fmt: skip

    difference = jax.vmap(one, in_axes=(0, *[2] * 6), out_axes=2)(late, cbf, att, m0, t1, abv, abat)
    return labelled_volumes(key, difference, protocol, m0=m0, t1_tissue=t1, residual=residual, sigma=sigma)


def labelled_volumes(
    key: Key[Array, ""] | None,
    difference: Float[Array, "x y z n"],
    protocol: ASLProtocol,
    *,
    m0: Any,
    t1_tissue: Any,
    residual: float | None = None,
    sigma: float = 0.0,
) -> Float[Array, "x y z n"]:
    """Volumes from what label takes away at the time of each; see `asl_series`."""
    if sigma > 0 and key is None:
        raise InputError("asl_series", "key", "is needed for noise", "give jax.random.key(seed)")
    m0, t1 = (jnp.broadcast_to(jnp.asarray(a, float), difference.shape[:-1])[..., None] for a in (m0, t1_tissue))
    kinds = np.asarray(protocol.volume_types)
    recovery = -jnp.expm1(-jnp.asarray(protocol.repetition_time) / t1)
    static = m0 * jnp.where(kinds == "m0scan", recovery, recovery if residual is None else residual)
    signal = static - jnp.where(kinds == "label", difference, 0.0)
    signal = jnp.where(kinds == "deltam", difference, signal)
    return signal if key is None else signal + sigma * jax.random.normal(key, signal.shape, signal.dtype)
