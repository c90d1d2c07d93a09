"""Sensitivity-n: whether the parts of any n elements say what taking these elements out does."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float, Int, PyTree

from classify.attribution.function import Function, admitted, check_values, compiled, in_batches, like, reals
from classify.attribution.judges.correlation import chance_correlation, pearson
from classify.attribution.judges.orders import numpy_generator, places, with_first
from classify.attribution.parts import as_vector, spread
from simulate.base.errors import InputError

FEWEST = 3
"""Subsets: of two any correlation is 1 or -1."""


class SensitivityN(NamedTuple):
    """Correlations of summed parts with what taking the elements out does to a logit.

    Attributes
    ----------
    sizes : (k,) int array
        n, the number of elements taken out.
    correlation : (k,) array
        Pearson's over subsets of that size; 1 is perfect, 0 where nothing varies.
    chance : float
        Standard deviation around 0 for an attribution that knows nothing.
    """

    sizes: Int[np.ndarray, " k"]
    correlation: Float[np.ndarray, " k"]
    chance: float


def sensitivity_n(
    f: Function,
    x: PyTree[ArrayLike],
    baseline: PyTree[ArrayLike],
    attribution: PyTree[ArrayLike],
    *,
    sizes: Sequence[int],
    key: jax.Array,
    subsets: int = 100,
    batch: int = 8,
) -> SensitivityN:
    """Correlate sums of parts with differences of the logit, over random subsets of elements.

    Ancona et al., ICLR 2018.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX.
    x : pytree of arrays
        What was explained.
    baseline : pytree of arrays like x
        What stands where an element is taken out.
    attribution : array over the leading axes of x, or pytree of such in the structure of x
        By voxel (with all of its channels), or by element.
    sizes : sequence of int
        Numbers of elements, from 1 to all but one.
    key : JAX key
        Of the subsets.
    subsets : int
        Of each size, 3 at the least.
    batch : int
        Values of f at a time.

    Returns
    -------
    SensitivityN
        By size, beside chance.

    Raises
    ------
    InputError
        Where a size or the number of subsets is out of range, shapes do not fit, f gives no number, or anything is not
        finite.
    """
    x = admitted(f, x)
    baseline, scores = like("baseline", baseline, x), reals("attribution", attribution)
    spread("attribution", scores, x)  # refused before any work
    vector, back = as_vector(scores)
    _check_numbers(sizes, len(vector), subsets)
    program, generator = compiled(with_first, f), numpy_generator(key)
    whole, taken = len(vector), np.asarray(sizes)
    counts = np.append(whole - taken, whole)
    removed, summed = np.zeros((subsets, len(taken))), np.zeros((subsets, len(taken)))
    for k in range(subsets):
        order = generator.permutation(whole)
        tree = spread("attribution", back(places(order)), x)
        values = in_batches(lambda some, tree=tree: program(x, baseline, tree, some), counts, batch)
        check_values(values, "with elements taken out")
        removed[k] = values[-1] - values[:-1]
        summed[k] = np.cumsum(vector[order[::-1]], dtype=float)[taken - 1]  # the last of the order are out
    found = np.array([pearson(a, b) for a, b in zip(summed.T, removed.T, strict=True)])
    return SensitivityN(taken, found, chance_correlation(subsets))


def _check_numbers(sizes: Sequence[int], whole: int, subsets: int) -> None:
    if subsets < FEWEST:
        raise InputError("subsets", "", f"is {subsets}", f"take {FEWEST} at the least")
    if len(sizes) == 0 or not all(0 < n < whole for n in sizes):
        problem = f"are {list(sizes)} of {whole} elements"
        raise InputError("sizes", "", problem, f"take numbers from 1 to {whole - 1}")
