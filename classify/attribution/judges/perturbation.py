"""What becomes of a logit as elements are put in, or taken out, in the order of an attribution."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import ArrayLike, Float, PyTree

from classify.attribution.function import Function, admitted, check_values, compiled, in_batches, like, reals
from classify.attribution.judges.orders import numpy_generator, places, with_first
from classify.attribution.parts import as_vector, spread
from classify.attribution.sampling import at_least_two


class InsertionDeletion(NamedTuple):
    """Curves of a logit, and the areas under them beside those of elements in random order.

    Attributes
    ----------
    share : (k,) array
        Of the elements put in or taken out, from 0 to 1.
    insertion : (k,) array [logit]
        From the baseline to x, the largest parts first.
    deletion : (k,) array [logit]
        From x to the baseline, the largest parts first.
    insertion_auc : float [logit]
        The larger, the better.
    deletion_auc : float [logit]
        The smaller, the better.
    chance : float [logit]
        Mean of either area over random orders.
    chance_spread : float [logit]
        Its standard deviation from order to order.
    """

    share: Float[np.ndarray, " k"]
    insertion: Float[np.ndarray, " k"]
    deletion: Float[np.ndarray, " k"]
    insertion_auc: float
    deletion_auc: float
    chance: float
    chance_spread: float


def insertion_deletion(
    f: Function,
    x: PyTree[ArrayLike],
    baseline: PyTree[ArrayLike],
    attribution: PyTree[ArrayLike],
    *,
    key: jax.Array,
    steps: int = 20,
    orders: int = 20,
    batch: int = 8,
) -> InsertionDeletion:
    """Insert and delete elements in the order of their attribution, the most positive first.

    Petsiuk et al., BMVC 2018. For a linear f, gradients times x - baseline have the largest and smallest areas there
    are.

    Parameters
    ----------
    f : callable
        Of x to a logit, by JAX.
    x : pytree of arrays
        What was explained.
    baseline : pytree of arrays like x
        What stands where an element is absent.
    attribution : array over the leading axes of x, or pytree of such in the structure of x
        By voxel (with all of its channels), or by element.
    key : JAX key
        Of random orders, and of the order among equals.
    steps : int
        Into which the elements are divided.
    orders : int
        Random ones, for the chance level, 2 at the least.
    batch : int
        Values of f at a time.

    Returns
    -------
    InsertionDeletion
        Curves, areas, and chance.

    Raises
    ------
    InputError
        Where shapes do not fit, f gives no number, orders is below 2, or anything is not finite.
    """
    at_least_two("orders", orders)
    x = admitted(f, x)
    baseline, scores = like("baseline", baseline, x), reals("attribution", attribution)
    spread("attribution", scores, x)  # refused before any work
    vector, back = as_vector(scores)
    some = np.round(np.linspace(0, len(vector), steps + 1)).astype(int)
    counts = np.union1d(some, len(vector) - some)  # the same from either end
    program = compiled(with_first, f)
    share = counts / len(vector)

    def curve(falling: np.ndarray) -> np.ndarray:
        order = spread("attribution", back(places(falling)), x)
        values = in_batches(lambda some: program(x, baseline, order, some), counts, batch)
        check_values(values, "between baseline and x")
        return values

    generator = numpy_generator(key)
    falling = np.lexsort((generator.random(len(vector)), -vector))
    insertion = curve(falling)
    deletion = curve(falling[::-1])[::-1]  # the last to be put in are the first to be taken out
    areas = [np.trapezoid(curve(generator.permutation(len(vector))), share) for _ in range(orders)]
    return InsertionDeletion(
        share,
        insertion,
        deletion,
        float(np.trapezoid(insertion, share)),
        float(np.trapezoid(deletion, share)),
        float(np.mean(areas)),
        float(np.std(areas, ddof=1)),
    )
