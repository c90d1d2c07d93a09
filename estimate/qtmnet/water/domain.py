"""Which examinations of labelled water the network was trained on: a series outside is warned of."""

from typing import NamedTuple

from simulate.base.constants import ASL_BLOOD_T1

READOUTS = 8
"""Delays that every examination is padded to."""

T1B = ASL_BLOOD_T1[3.0]


class Labelling(NamedTuple):
    """Ranges of the protocol (chosen): uniform, durations and noise log-uniform.

    delays : their number.      first, last : post-labelling delays [s]; those between are spread evenly, give or take
    a fifth of their distance.      duration : of the label [s].      repeats : pairs at a delay, in half of the
    examinations 1 to this, else alike.      inlet_delay : from the labelling plane to the block [s].
    noise : of a pair's difference over M0, after averaging where repeats are alike.
    """

    delays: tuple[int, int] = (3, READOUTS)
    first: tuple[float, float] = (0.1, 1.2)
    last: tuple[float, float] = (1.8, 3.6)
    duration: tuple[float, float] = (0.5, 2.6)
    repeats: int = 4
    inlet_delay: tuple[float, float] = (0.3, 1.2)
    noise: tuple[float, float] = (2e-4, 5e-3)


TRAINING = Labelling()
"""The ranges of the training."""
