r"""The equilibrium magnetisation that turns a difference into a flow.

Formulas take M0 of TISSUE and its partition coefficient; M0 of blood, which an estimate gives, is M0b = M0/\lambda.
Measured with a repetition time below `LONG`, it has not fully recovered: each image shows the share

    r_i = 1 - e^{-TR_i/T_1}        (Alsop et al., MRM 2015 73:102; T1 of grey matter)

of it, 1 from `LONG` on. Several images, of one TR or of several, give by least squares

    M_0 = \sum_i r_i S_i / \sum_i r_i^2
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from simulate.base.types import ASLProtocol

LONG = 5.0
"""TR [s] from which on M0 has recovered."""


class M0Images(NamedTuple):
    """data : (*space, m) images of M0.      repetition_time : (m,) of each [s]."""

    data: Float[np.ndarray, "*space m"]
    repetition_time: Float[np.ndarray, " m"]


def images_in_series(data: np.ndarray, protocol: ASLProtocol, kind: str) -> M0Images:
    """The m0scan volumes of a series; or the controls, which stand in where M0 was not measured, nothing suppressed."""
    chosen = np.asarray(protocol.volume_types) == kind
    return M0Images(data[..., chosen], np.asarray(protocol.repetition_time, float)[chosen])


def equilibrium(images: M0Images, t1: float, *, correct: bool = True) -> Float[np.ndarray, "*space"]:
    """M0 (*space) of tissue of T1 [s]; not `correct`: the mean of the images as they are."""
    times = images.repetition_time
    share = np.where(times < LONG, -np.expm1(-times / t1), 1.0) if correct else np.ones(len(times))
    return np.sum(np.asarray(images.data, float) * share, axis=-1) / np.sum(share**2)
