"""Windows of time over a curve that is known at knots: how they split, and sums over what lies between.

A mean over a window is the sum of its head (up to the next knot), the whole intervals, and its tail. Nothing
is the difference of two long integrals: sums over intervals are compensated, so float32 keeps its digits.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float


class Windows(NamedTuple):
    """Windows [start, start + length], split at the knots; every entry has the shape of the times.

    begun : whether it ends after the first knot.      first : index of the knot before the start.
    since : from that knot to the start [s].      head : length before the next knot or the end [s].
    last : index of the knot before the end.      tail : length after that knot [s], 0 within one interval.
    length : of the whole window, what lies before the first knot included [s]; 0 is a sample.
    """

    begun: Array
    first: Array
    since: Array
    head: Array
    last: Array
    tail: Array
    length: Array


def split_windows(knots: Array, times: Array, duration: Any) -> Windows:
    """Split windows of this duration [s] centred at the times [s]; after the last knot is one endless interval."""
    clock = knots - knots[0]
    centre = times - knots[0]
    half = jnp.asarray(duration, centre.dtype) / 2
    start, end = centre - half, centre + half
    begun = end >= 0
    low, high = jnp.where(start >= 0, start, 0.0), jnp.where(begun, end, 0.0)
    final = knots.size - 1
    first = jnp.clip(jnp.searchsorted(clock, low, side="right") - 1, 0, final)
    last = jnp.clip(jnp.searchsorted(clock, high, side="right") - 1, 0, final)
    one = first == last
    head = jnp.where(one, high, clock[jnp.minimum(first + 1, final)]) - low
    tail = jnp.where(one, 0.0, high - clock[last])
    return Windows(begun, first, low - clock[first], head, last, tail, end - start)


def next_knot(values: Float[Array, " k"]) -> Float[Array, " k"]:
    """The values one knot later; the last stays. (A gather: JAX transposes its derivative in any precision.)"""
    return values[np.minimum(np.arange(values.size) + 1, values.size - 1)]


def add_exactly(total: tuple[Array, Array], value: Array) -> tuple[Array, Array]:
    """A sum kept as two numbers, and one value more (Knuth's TwoSum)."""
    high, low = total
    new = high + value
    part = new - high
    return new, low + ((high - (new - part)) + (value - part))


def running_sums(values: Float[Array, "*s k"]) -> tuple[Array, Array]:
    """Sums of all values before each, as an unevaluated sum of two numbers."""
    zero = jnp.zeros_like(values[..., 0])
    _, (high, low) = jax.lax.scan(lambda t, v: (add_exactly(t, v), t), (zero, zero), jnp.moveaxis(values, -1, 0))
    return jnp.moveaxis(high, 0, -1), jnp.moveaxis(low, 0, -1)


def sum_of_whole(sums: tuple[Array, Array], windows: Windows) -> Array:
    """The part of a sum over intervals that belongs to those wholly inside each window."""
    after = jnp.minimum(windows.first + 1, windows.last)
    high, low = (take_at(part, windows.last) - take_at(part, after) for part in sums)
    return high + low


def take_at(values: Array, index: Array) -> Array:
    """Values (*s, k) at the knots of this index (*#s, t)."""
    if values.ndim == 1:
        return values[index]
    return jnp.take_along_axis(values, jnp.broadcast_to(index, (*values.shape[:-1], index.shape[-1])), axis=-1)


def from_first_knot(knots: Any, times: Any) -> tuple[Array, Array]:
    """Knots and times counted from the first knot: a scanner's clock at 40,000 s has few digits in float32.

    NumPy's arrays are shifted in their own float64 before they become JAX's.
    """
    knots, times = (x if isinstance(x, jax.Array) else np.asarray(x, float) for x in (knots, times))
    return jnp.asarray(knots - knots[0], float), jnp.asarray(times - knots[0], float)
