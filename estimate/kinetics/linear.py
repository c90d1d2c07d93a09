r"""2CXM by linear least squares (Flouri et al., MRM 2016 76:998): fast, and biased where there is noise.

C = -\alpha \iint C - \beta \int C + \gamma \iint ca + Fp \int ca,
vp = Fp^2/(\beta Fp - \gamma),   vp + ve = \gamma/\alpha,   PS = ve \alpha vp/Fp
"""

import numpy as np
from jaxtyping import Float
from scipy.integrate import cumulative_trapezoid

from simulate.base.types import Tissue


def linear_2cxm(
    curves: Float[np.ndarray, "v t"], times: Float[np.ndarray, " t"], aif: Float[np.ndarray, " t"]
) -> Tissue:
    """Fp, PS [1/s], vp, ve (v,) of curves [mmol/L]; aif is plasma at the same times [s]. Not bounded: any number."""

    def integral(y: np.ndarray) -> np.ndarray:
        return cumulative_trapezoid(y, times, initial=0, axis=-1)

    ca = np.broadcast_to(aif, curves.shape)
    A = np.stack([-integral(integral(curves)), -integral(curves), integral(integral(ca)), integral(ca)], axis=-1)
    Q, R = np.linalg.qr(A)
    rhs = np.einsum("vtp,vt->vp", Q, curves)[..., None]
    with np.errstate(all="ignore"):
        singular = np.abs(np.linalg.det(R)) < 1e-300
        R[singular] = np.eye(4)
        al, be, ga, Fp = np.where(singular, np.nan, np.linalg.solve(R, rhs)[..., 0].T)
        vp = Fp**2 / (be * Fp - ga)
        ve = ga / al - vp
        return Tissue(Fp, ve * al * vp / Fp, vp, ve)
