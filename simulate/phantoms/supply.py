"""How late and how dispersed the blood of a place arrives, before any vessel is resolved."""

from typing import Any

import numpy as np

from simulate.phantoms.fields import smooth_field


def supply(rng: np.random.Generator, in_tumour: Any, cell: tuple[float, float, float], late: float) -> tuple[Any, Any]:
    """Delay and dispersion [s] of the supply: smooth over space, a territory that is late, the tumour later still.

    Parameters
    ----------
    rng : numpy.random.Generator
        What draws.
    in_tumour : (x, y, z) bool array
        Where the tumour is.
    cell : (3,) tuple of float [mm]
        Edges of a cell.
    late : float [s]
        Largest additional delay of a territory, and of the tumour.

    Returns
    -------
    tuple of two (x, y, z) arrays [s]
        Delay and dispersion.
    """
    shape = in_tumour.shape
    smooth = smooth_field(rng, shape, cell, 14.0)
    territory = smooth_field(rng, shape, cell, 25.0) > 0.8
    delay = rng.uniform(0, 1.5) + 0.4 * smooth + rng.uniform(0, late) * territory + rng.uniform(0, late) * in_tumour
    delay = np.maximum(delay, 0.0)
    dispersion = rng.uniform(0.2, 0.8) * delay * np.exp(0.2 * smooth_field(rng, shape, cell, 14.0))
    return delay, np.minimum(dispersion, 4.0)
