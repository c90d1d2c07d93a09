r"""Signal of structural images: what weighting makes of proton density, T1 and T2.

    spin echo                \rho (1 - e^{-TR/T_1}) e^{-TE/T_2}
    inversion recovery       \rho |1 - 2 e^{-TI/T_1} + e^{-TR/T_1}| e^{-TE/T_2}     FLAIR: TI nulls fluid

of an ideal inversion and 90° pulse (Bernstein, King & Zhou, Handbook of MRI Pulse Sequences, 2004, ch. 14 and 16).
"""

from typing import Any, NamedTuple

import numpy as np


class Weighting(NamedTuple):
    """TR, TE [s]; TI [s] of inversion recovery, 0 of a spin echo."""

    repetition_time: float
    echo_time: float
    inversion_time: float = 0.0


WEIGHTINGS = {
    "t1": Weighting(0.65, 0.010),
    "t1ce": Weighting(0.65, 0.010),
    "t2": Weighting(4.5, 0.100),
    "flair": Weighting(9.0, 0.120, 2.5),
}
"""Usual ones at 3 T (chosen); t1ce is t1 after contrast."""


def structural_signal(density: Any, t1: Any, t2: Any, weighting: Weighting) -> Any:
    """Signal of every voxel.

    Parameters
    ----------
    density : (...) array
        Of protons, of that of water.
    t1, t2 : (...) array [s]
        Relaxation; 0 where there is nothing.
    weighting : Weighting
        Times of the sequence.

    Returns
    -------
    (...) array
        In the unit of the density; 0 where T1 or T2 is 0.
    """
    there = (np.asarray(t1) > 0) & (np.asarray(t2) > 0)
    t1, t2 = (np.where(there, t, 1.0) for t in (t1, t2))
    long = np.exp(-weighting.repetition_time / t1)
    recovered = 1 - long
    if weighting.inversion_time:
        recovered = np.abs(1 - 2 * np.exp(-weighting.inversion_time / t1) + long)
    return np.where(there, density * recovered * np.exp(-weighting.echo_time / t2), 0.0)
