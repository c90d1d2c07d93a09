"""Means of samples that come one by one, and how many it takes."""

import jax
from jaxtyping import ArrayLike, PyTree

from simulate.base.errors import InputError


def at_least_two(name: str, count: int) -> None:
    """A spread needs two samples."""
    if count < 2:
        raise InputError(name, "", f"is {count}", "take 2 at the least, or no error can be told")


def moments(
    mean: PyTree[jax.Array], squares: PyTree[jax.Array], new: PyTree[jax.Array], k: ArrayLike
) -> tuple[PyTree[jax.Array], PyTree[jax.Array]]:
    """Mean and sum of squared deviations with sample k (from 0) added, after Welford (Technometrics 1962)."""
    after = jax.tree.map(lambda m, a: m + (a - m) / (k + 1), mean, new)
    return after, jax.tree.map(lambda s, m, n, a: s + (a - m) * (a - n), squares, mean, after, new)
