"""Physical bounds of the kinetic parameters."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from estimate.kinetics.model import FitModel
from simulate.base.errors import InputError
from simulate.base.units import from_clinical

BOUNDS: dict[str, tuple[float, float]] = {
    # The OSIPI code collection's recommended ranges, with Fp widened from 200 to 600 mL/100 mL/min
    # (kidney cortex and myocardium). The lower ends of the positive parameters stand for zero.
    "Fp": (1e-6, 0.1),  # 1/s: 0.006 - 600 mL/100 mL/min
    "PS": (1e-7, 5 / 60),  # 1/s: 0.0006 - 500 mL/100 mL/min
    "vp": (1e-4, 1.0),
    "ve": (1e-3, 1.0),  # with vp in the model: of the space that vp leaves, so that vp + ve <= 1
    "va": (0.0, 1.0),
    "delay": (-10.0, 10.0),  # s
}
"""Range (low, high) of every parameter that `fit_kinetics` stays in unless told, in internal units."""


FINEST = 1e-3
"""Share of a default lower limit down to which a lower one may be set: along a path to nothing its parameters get that
small."""


def resolve_bounds(given: dict[str, tuple[float, float]] | None) -> dict[str, tuple[float, float]]:
    """The default bounds with the user's own (internal units) in place; a lower one of 0 is the default.

    Raises InputError for an unknown name, an empty range, or one outside the physical range.
    """
    bounds = dict(BOUNDS)
    for name, (low, high) in (given or {}).items():
        if name not in BOUNDS:
            raise InputError("bounds", name, "no such parameter", f"use one of {', '.join(BOUNDS)}")
        floor = BOUNDS[name][0] if name != "delay" else -np.inf
        ceiling = 1.0 if name in ("vp", "ve", "va") else np.inf
        low = max(low, FINEST * floor) if low > 0 or name == "delay" else floor
        if not (low < high <= ceiling):
            cure = "give low < high in internal units (1/s, fractions, s)"
            raise InputError("bounds", name, f"({low:g}, {high:g}) is no physical range", cure)
        bounds[name] = (low, high)
    return bounds


def box(model: FitModel, bounds: dict[str, tuple[float, float]], dtype: DTypeLike) -> tuple[Array, Array]:
    """Lower and upper corner (p, 1) in the solver's coordinates."""

    def coordinate(name: str, end: int) -> float:
        value = bounds[name][end]
        return value if name in ("va", "delay") else float(np.log(value))

    corners = [[coordinate(name, end) for name in model.parameters] for end in (0, 1)]
    lower, upper = (jnp.asarray(corner, dtype)[:, None] for corner in corners)
    return lower, upper


def near_bound(u: Array, lower: Array, upper: Array) -> Array:
    """Which coordinates (p, v) lie on a bound, within a thousandth of the range."""
    reach = 1e-3 * (upper - lower)
    return (u <= lower + reach) | (u >= upper - reach)


TYPICAL = {
    # where to begin when no candidate fits: well inside the box, of no further consequence
    "Fp": from_clinical("Fp", 20.0),
    "PS": from_clinical("PS", 3.0),
    "vp": 0.05,
    "ve": 0.2,
    "va": 0.01,
    "delay": 0.0,
}
