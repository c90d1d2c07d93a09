r"""Shapley values of groups of an input's elements: regions, modalities, parameters.

    \phi_i = \sum_{S without i} |S|! (g - |S| - 1)! / g!  [v(S + i) - v(S)],     \sum_i \phi_i = f(x) - f(baseline)

where v(S) is f with the groups of S as in x and all others as in the baseline. By enumeration of all 2^g coalitions, or
by sampling orders in which the groups come in, each with its reverse.
"""

from collections.abc import Callable
from math import factorial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float, PyTree

from classify.attribution.function import Function, admitted, check_values, compiled, in_batches, like
from classify.attribution.parts import mixed, spread
from classify.attribution.sampling import at_least_two
from simulate.base.errors import InputError

MOST_GROUPS = 16
"""By enumeration: 65,536 values of f."""


class Shapley(NamedTuple):
    """What each group is worth.

    Attributes
    ----------
    values : (g,) array [logit]
        Of sum delta.
    stderr : (g,) array [logit]
        Of sampling; 0 by enumeration.
    delta : float [logit]
        f(x) - f(baseline).
    """

    values: Float[np.ndarray, " g"]
    stderr: Float[np.ndarray, " g"]
    delta: float


def shapley(
    f: Function, x: PyTree[ArrayLike], baseline: PyTree[ArrayLike], groups: PyTree[ArrayLike], *, batch: int = 16
) -> Shapley:
    """Shapley values of groups, exactly, by all coalitions.

    Shapley, 1953; Lundberg and Lee, NeurIPS 2017.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX.
    x : pytree of arrays
        What is explained.
    baseline : pytree of arrays like x
        What stands where a group is absent: the answer depends on it.
    groups : int array over the leading axes of x, or pytree of such or of numbers in the structure of x
        Number of each element's group, from 0, such as a segmentation, or one number for each modality.
    batch : int
        Coalitions at a time.

    Returns
    -------
    Shapley
        Complete to rounding, without error.

    Raises
    ------
    InputError
        Where there are more than 16 groups, their numbers have gaps, shapes do not fit, f gives no number, or
        anything is not finite.
    """
    game, count = _game(f, x, baseline, groups, batch)
    if count > MOST_GROUPS:
        problem = f"are {count}, of {2**count:,} coalitions"
        raise InputError("groups", "", problem, f"merge them to {MOST_GROUPS}, or sample them (sampled_shapley)")
    sets = np.arange(2**count)
    members = (sets[:, None] >> np.arange(count)) & 1 == 1
    values = game(members)
    sizes = members.sum(axis=1)
    chance = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    found = np.zeros(count)
    for i in range(count):
        without = sets[~members[:, i]]
        found[i] = chance[sizes[without]] @ (values[without + (1 << i)] - values[without])
    return Shapley(found, np.zeros(count), float(values[-1] - values[0]))


def sampled_shapley(
    f: Function,
    x: PyTree[ArrayLike],
    baseline: PyTree[ArrayLike],
    groups: PyTree[ArrayLike],
    *,
    key: jax.Array,
    pairs: int = 100,
    batch: int = 16,
) -> Shapley:
    """Shapley values of many groups, by orders in which they come in.

    Each order goes with its reverse, which removes what pairs of groups do together from the error. Castro et al.,
    Computers & Operations Research 36:1726, 2009; Mitchell et al., JMLR 23:43, 2022.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX.
    x : pytree of arrays
        What is explained.
    baseline : pytree of arrays like x
        What stands where a group is absent.
    groups : int array over the leading axes of x, or pytree of such or of numbers in the structure of x
        Number of each element's group, from 0.
    key : JAX key
        Of the orders.
    pairs : int
        Orders, each with its reverse, 2 at the least.
    batch : int
        Coalitions at a time.

    Returns
    -------
    Shapley
        Complete to rounding, with standard errors over the pairs.

    Raises
    ------
    InputError
        As `shapley`, for any number of groups; where pairs is below 2.
    """
    at_least_two("pairs", pairs)
    game, count = _game(f, x, baseline, groups, batch)
    orders = jax.vmap(lambda own: jax.random.permutation(own, count))(jax.random.split(key, pairs))
    place = np.stack([orders, count - 1 - orders], axis=1)  # (pairs, 2, g): when each group comes in
    present = place[:, :, None] < np.arange(1, count)[:, None]  # (pairs, 2, g-1, g)
    ends = np.stack([np.zeros(count, bool), np.ones(count, bool)])
    values = game(np.concatenate([ends, present.reshape(-1, count)]))
    between = values[2:].reshape(pairs, 2, count - 1)
    first, last = (np.broadcast_to(v, (pairs, 2, 1)) for v in values[:2])
    gains = np.diff(np.concatenate([first, between, last], axis=2), axis=2)
    worth = np.take_along_axis(gains, place, axis=2).mean(axis=1)  # (pairs, g)
    return Shapley(worth.mean(axis=0), worth.std(axis=0, ddof=1) / np.sqrt(pairs), float(values[1] - values[0]))


def _game(
    f: Function, x: PyTree[ArrayLike], baseline: PyTree[ArrayLike], groups: PyTree[ArrayLike], batch: int
) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """Values (n,) of coalitions (n, g), and the number g of groups."""
    x = admitted(f, x)
    baseline, labels = like("baseline", baseline, x), spread("groups", groups, x)
    found = np.unique(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(labels)]))
    count = len(found)
    if not np.array_equal(found, np.arange(count)):
        problem = f"are numbered {found[:8].tolist()}" + (" ..." if count > 8 else "")
        raise InputError("groups", "", problem, "number them 0, 1, 2, ... without gaps, the background among them")
    labels = jax.tree.map(lambda leaf: leaf.astype(int), labels)
    program = compiled(_of_coalitions, f)

    def game(coalitions: np.ndarray) -> np.ndarray:
        values = in_batches(lambda some: program(x, baseline, labels, some), coalitions, batch)
        check_values(values, "of coalitions")
        return values

    return game, count


def _of_coalitions(
    f: Function, x: PyTree[jax.Array], baseline: PyTree[jax.Array], labels: PyTree[jax.Array], coalitions: jax.Array
) -> jax.Array:
    """Values (b,) of f where only the groups of each coalition (b, g) are as in x."""
    return jax.vmap(lambda one: f(mixed(jax.tree.map(lambda leaf: one[leaf], labels), x, baseline)))(coalitions)
