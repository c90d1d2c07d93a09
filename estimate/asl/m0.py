r"""The equilibrium magnetisation that turns a difference into a flow.

Formulas take M0 of TISSUE and its partition coefficient; M0 of blood, which an estimate gives, is M0b = M0/\lambda.
Measured with a repetition time below `LONG`, it has not fully recovered:

    M_0 = S / (1 - e^{-TR/T_1})        (Alsop et al., MRM 2015 73:102; T1 of grey matter)
"""

import numpy as np
from jaxtyping import Float

from simulate.base.types import ASLProtocol

LONG = 5.0
"""TR [s] from which on M0 has recovered."""


def included_m0(data: np.ndarray, protocol: ASLProtocol) -> tuple[np.ndarray, float]:
    """(mean M0 image, its TR [s]) from the m0scan volumes of a series."""
    return _mean_of(data, protocol, "m0scan")


def control_as_m0(data: np.ndarray, protocol: ASLProtocol) -> tuple[np.ndarray, float]:
    """(mean control image, its TR [s]), which stands in where M0 was not measured and nothing suppressed."""
    return _mean_of(data, protocol, "control")


def _mean_of(data: np.ndarray, protocol: ASLProtocol, kind: str) -> tuple[np.ndarray, float]:
    chosen = np.asarray(protocol.volume_types) == kind
    return data[..., chosen].mean(-1, dtype=float), float(np.asarray(protocol.repetition_time)[chosen].mean())


def recovered(m0: Float[np.ndarray, "..."], repetition_time: float, t1: float) -> Float[np.ndarray, "..."]:
    """M0 that was measured before it had recovered; unchanged from a TR of `LONG` on."""
    return m0 if repetition_time >= LONG else m0 / -np.expm1(-repetition_time / t1)
