"""The median of some of a scan's values: in JAX, or in NumPy, which compiles nothing for another number of them."""

from typing import Any

from jaxtyping import ArrayLike, Bool, Float


def median_of(values: Float[Any, " v"], which: Bool[Any, " v"], otherwise: Float[ArrayLike, ""]) -> Any:
    """The lower median of the values of `which`, and `otherwise` where there are none."""
    xp = values.__array_namespace__()
    ordered = xp.sort(xp.where(which, values, xp.inf))
    found = ordered[xp.maximum(xp.sum(which) - 1, 0) // 2]
    return xp.where(xp.isfinite(found), found, otherwise).astype(values.dtype)
