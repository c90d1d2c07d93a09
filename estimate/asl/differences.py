"""Control minus label: the volumes of a series, sorted by what was labelled and how long it was waited."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num

from simulate.base.schemes import schemes_of
from simulate.base.types import ASLProtocol


class Differences(NamedTuple):
    """Of g pairs of label duration and delay, in increasing order.

    value : (*space, g) mean difference, in the unit of the series.
    variance : (*space, g) of that mean, from its repeats; NaN where there is but one.
    repeats : (g,) pairs (or deltam volumes) behind each.
    label_duration, post_label_delay : (g,) [s], of the first slice.
    """

    value: Float[np.ndarray, "*space g"]
    variance: Float[np.ndarray, "*space g"]
    repeats: Int[np.ndarray, " g"]
    label_duration: Float[np.ndarray, " g"]
    post_label_delay: Float[np.ndarray, " g"]


def differences(data: Num[np.ndarray, "*space n"], protocol: ASLProtocol) -> Differences:
    """Mean and scatter of control minus label.

    The k-th control is taken with the k-th label of the same duration and delay, whichever of them came first; deltam
    volumes are differences already.

    Raises InputError where there are not as many controls as labels at each duration and delay.
    """
    kinds, schemes = np.asarray(protocol.volume_types), schemes_of(protocol)
    value, variance, repeats = [], [], []
    for number in range(len(schemes.post_label_delay)):
        here = schemes.group == number
        single = _pairs(data, here & (kinds == "control"), here & (kinds == "label"), here & (kinds == "deltam"))
        count = single.shape[-1]
        value.append(single.mean(-1))
        spread = single.var(-1, ddof=1) / count if count > 1 else np.full(single.shape[:-1], np.nan, single.dtype)
        variance.append(spread)
        repeats.append(count)
    return Differences(
        np.stack(value, -1), np.stack(variance, -1), np.array(repeats), schemes.label_duration,
        schemes.post_label_delay,
    )  # fmt: skip


def _pairs(data: np.ndarray, control: np.ndarray, label: np.ndarray, done: np.ndarray) -> np.ndarray:
    """(*space, k) single differences."""
    own = data[..., control].astype(np.float32) - data[..., label].astype(np.float32)
    return np.concatenate([own, data[..., done].astype(np.float32)], axis=-1)
