r"""CBF of grey and of white matter in voxels that hold both, by linear regression (Asllani et al., MRM 2008 60:1362).

Within a window around each voxel the flows of both tissues are taken to be constant, so that

    CBF_j = P_{g,j} f_g + P_{w,j} f_w + noise

determines them by least squares, unless the shares are proportional to each other all over it.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import uniform_filter

WINDOW = 5
"""Voxels along an edge of the window, within the slice."""

LEAST = 0.1
"""Share of a tissue in a voxel below which its flow is not reported there."""

_FEW = 1e-3


def partial_volume_corrected(
    cbf: Float[np.ndarray, "x y z"], grey: Float[np.ndarray, "x y z"], white: Float[np.ndarray, "x y z"],
    mask: Bool[np.ndarray, "x y z"],
) -> dict[str, Float[np.ndarray, "x y z"]]:  # fmt: skip
    """CBF_GM and CBF_WM in the unit of `cbf`; NaN where a tissue is not, or its share is the same all over a window."""
    used = mask & np.isfinite(cbf)
    flow, g, w = (np.where(used, np.nan_to_num(a), 0.0).astype(float) for a in (cbf, grey, white))

    def around(x: np.ndarray) -> np.ndarray:
        return WINDOW**2 * uniform_filter(x, WINDOW, mode="constant", axes=(0, 1))

    gg, ww, gw, gf, wf = (around(a * b) for a, b in ((g, g), (w, w), (g, w), (g, flow), (w, flow)))
    mixed = (gg > _FEW) & (ww > _FEW)
    unclear = mixed & (gg * ww - gw**2 < 1e-3 * gg * ww)
    gg, ww = gg + _FEW**2, ww + _FEW**2  # where a tissue is absent from the window, the other's flow is the mean
    determinant = gg * ww - gw**2
    found = {"CBF_GM": (ww * gf - gw * wf, g), "CBF_WM": (gg * wf - gw * gf, w)}
    return {
        name: np.where(used & (share > LEAST) & ~unclear, top / determinant, np.nan).astype(np.float32)
        for name, (top, share) in found.items()
    }
