"""Features from which a Cox model cannot be fitted, each refused by its name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from classify.survival.separation import separating
from simulate.base.errors import InputError


def checked_features(
    where: str, features: Any, names: Sequence[str] | None, subjects: int
) -> tuple[Float[np.ndarray, "n p"], tuple[str, ...]]:
    """Features in float64, fewer than subjects, and a name for each."""
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or len(x) != subjects or x.shape[1] == 0:
        raise InputError(where, "features", f"have the shape {x.shape}", f"give (n, p) for {subjects} subjects")
    called = tuple(names) if names is not None else tuple(f"feature {k}" for k in range(x.shape[1]))
    if len(called) != x.shape[1]:
        raise InputError(where, "names", f"are {len(called)} for {x.shape[1]} features", "give one per column")
    if not np.isfinite(x).all():
        wrong = ", ".join(name for name, column in zip(called, x.T, strict=True) if not np.isfinite(column).all())
        raise InputError(where, wrong, "is not finite in some subjects", "leave those out, or fill in within each fold")
    if x.shape[1] >= subjects:
        raise InputError(
            where, "features", f"are {x.shape[1]}, the subjects {subjects}", "take fewer features than subjects"
        )
    return x, called


def refuse_dependence(where: str, x: Float[np.ndarray, "n p"], names: tuple[str, ...]) -> None:
    """Of those in view at the first event: the likelihood compares nobody else."""
    z = np.zeros_like(x)
    for k, name in enumerate(names):
        if np.ptp(x[:, k]) == 0:
            raise InputError(where, name, f"is {x[0, k]:g} in all subjects in view at the first event", "leave it out")
        z[:, k] = (x[:, k] - x[:, k].mean()) / x[:, k].std()
        if np.linalg.matrix_rank(z[:, : k + 1], tol=1e-8 * np.sqrt(len(x))) <= k:
            raise InputError(where, name, "is a combination of the features before it", "leave it or another one out")


def refuse_separation(where: str, z: np.ndarray, time: np.ndarray, event: np.ndarray, names: tuple[str, ...]) -> None:
    """Name the features by which the likelihood rises for ever."""
    direction = separating(z, time, event)
    if direction is None:
        return
    guilty = [name for name, each in zip(names, direction, strict=True) if abs(each) > 1e-6 * np.abs(direction).max()]
    raise InputError(
        where, " + ".join(guilty), "separates the events from all others in view, so that the coefficient is infinite",
        "fit with firth=True, or leave it out",
    )  # fmt: skip
