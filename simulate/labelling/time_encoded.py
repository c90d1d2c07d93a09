r"""Time-encoded labelling: blocks of label and control by a Hadamard matrix, so that every acquisition sees all delays.

n acquisitions with n - 1 blocks each: block b of acquisition a is label where H_{a,b+1} = -1. With d_b the difference
that block b alone would make (duration \tau_b, and as delay everything after it),

    S_a = control - \sum_b [H_{a,b+1} = -1] d_b     =>     d_b = (2/n) \sum_a H_{a,b+1} S_a

so each d_b has the noise of n/2 pairs, all that there are (Günther, ISMRM 2007; Teeuwisse et al., MRM 2014 72:1712).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Bool, Float
from scipy.linalg import hadamard

from simulate.base.errors import InputError


class TimeEncoding(NamedTuple):
    """labelled : (n, b) which blocks are label.      label_duration, post_label_delay : (b,) of every block [s]."""

    labelled: Bool[np.ndarray, "n b"]
    label_duration: Float[np.ndarray, " b"]
    post_label_delay: Float[np.ndarray, " b"]

    @property
    def times(self) -> Float[np.ndarray, " b"]:
        """(b,) from the start of every block to the readout [s]."""
        return self.label_duration + self.post_label_delay


def time_encoding(block_durations: Sequence[float] | np.ndarray, post_label_delay: float) -> TimeEncoding:
    """The scheme of b = 3, 7, 15, ... blocks in the order in which they are made.

    Parameters
    ----------
    block_durations : (b,) array [s]
        In that order.
    post_label_delay : float [s]
        After the last block.

    Returns
    -------
    TimeEncoding
        Which blocks of which acquisition are label (b + 1, b), with the duration and delay of every block (b,) [s].

    Raises
    ------
    InputError
        Where b + 1 is no power of two.
    """
    duration = np.asarray(block_durations, float)
    order = duration.size + 1
    if order < 4 or order & (order - 1):
        raise InputError("time_encoding", "block_durations", f"are {duration.size}", "give 3, 7, 15, ... blocks")
    after = np.cumsum(duration[::-1])[::-1] - duration
    return TimeEncoding(hadamard(order)[:, 1:] < 0, duration, after + post_label_delay)


def encode(
    block_differences: Float[ArrayLike, "*s b"], encoding: TimeEncoding, control: Any = 0.0
) -> Float[Array, "*s n"]:
    """The n acquisitions from what every block alone would take from `control` (*s) or one number."""
    taken = jnp.asarray(block_differences) @ jnp.asarray(encoding.labelled.T, float)
    return jnp.asarray(control, float)[..., None] - taken


def decode(acquired: Float[ArrayLike, "*s n"], encoding: TimeEncoding) -> Float[Array, "*s b"]:
    """Differences of every block; control cancels."""
    signs = np.where(encoding.labelled, -1.0, 1.0)
    return 2 / len(signs) * (jnp.asarray(acquired) @ jnp.asarray(signs))
