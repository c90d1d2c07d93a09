"""Which volumes of an ASL series belong together: those that were labelled for as long and waited for as long."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from simulate.base.errors import InputError
from simulate.base.types import ASLProtocol

SAME = 1e-3
"""Durations and delays [s] nearer than this are one: files round them (1.8, 1.79999995), protocols differ by more."""

LABELLED = ("control", "label", "deltam")


class Schemes(NamedTuple):
    """Of g pairs of label duration and delay, in increasing order.

    label_duration, post_label_delay : (g,) [s], means of what files have rounded.
    group : (n,) number of each volume's pair; -1 for those that belong to none (m0scan, noRF).
    """

    label_duration: Float[np.ndarray, " g"]
    post_label_delay: Float[np.ndarray, " g"]
    group: Int[np.ndarray, " n"]


def schemes_of(protocol: ASLProtocol, where: object = "ASL series") -> Schemes:
    """Sort the volumes of a series.

    where : the file to name in an error.

    Raises InputError where a duration and delay has not as many controls as labels.
    """
    kinds = np.asarray(protocol.volume_types)
    labelled = np.isin(kinds, LABELLED)
    columns = [np.asarray(c, float)[labelled] for c in (protocol.label_duration, protocol.post_label_delay)]
    numbers = np.stack([_alike(c) for c in columns], axis=1)
    unique, which = np.unique(numbers, axis=0, return_inverse=True)
    group = np.full(len(kinds), -1)
    group[labelled] = which.ravel()
    duration, delay = (np.array([c[which.ravel() == g].mean() for g in range(len(unique))]) for c in columns)
    for number in range(len(unique)):
        control, label = (int(np.sum((group == number) & (kinds == kind))) for kind in ("control", "label"))
        if control != label:
            raise InputError(
                where, "volume_type",
                f"has {control} control and {label} label volumes at a delay of {delay[number]:g} s (label of "
                f"{duration[number]:g} s)",
                "give every control the delay of its label, and remove volumes without a partner",
            )  # fmt: skip
    return Schemes(duration, delay, group)


def _alike(values: np.ndarray) -> np.ndarray:
    """(n,) rank of each value, the same for those that are the same but for rounding."""
    order = np.argsort(values, kind="stable")
    rank = np.zeros(len(values), int)
    rank[order[1:]] = np.cumsum(np.diff(values[order]) > SAME)
    return rank
