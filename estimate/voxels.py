"""A series as its voxels: blocks of concentration curves in, maps out. Every method works on these."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from estimate.arterial import ArterialInput
from estimate.baseline import detect_baseline
from estimate.relaxometry import block_concentration, vfa_t1
from estimate.semiquantitative import semiquantitative
from simulate.base.errors import InputError
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import DCEProtocol, Maps, Series
from simulate.base.units import to_clinical

CHUNK = 131072
"""Voxels converted and fitted at a time: 50 MB of concentration at 100 frames."""

Progress = Callable[[str, int, int], None]
"""Called with (what is going on, voxels done, voxels in all)."""


@dataclass(frozen=True)
class VFA:
    """Variable-flip-angle images for T1: signal (*space, n), flip_angles (n,) [degrees], TR [s]."""

    signal: Any
    flip_angles: Any
    repetition_time: float


@dataclass(frozen=True)
class Estimate:
    """Maps (clinical units, NaN outside the mask), status bits, the input used, and the protocol as used.

    aif : None where the method needs none.      facts : what else made the maps, by name (the scale, the weights).
    warnings : sentences that the reader must not miss.
    """

    maps: Maps
    status: Any
    aif: ArterialInput | None
    protocol: DCEProtocol
    method: str
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def whole_mask(mask: np.ndarray | None, shape: tuple[int, ...], what: str) -> np.ndarray:
    if mask is None:
        return np.ones(shape, bool)
    inside = np.asarray(np.asarray(mask) != 0)
    if inside.shape != shape:
        raise InputError(what, "shape", f"{inside.shape}, the series {shape}", "give one on the series' grid")
    if not inside.any():
        raise InputError(what, "", "holds no voxel", "give one that covers the tissue of interest")
    return inside


class Voxels:
    """The series, ready to be read as blocks of concentration curves."""

    def __init__(self, series: Series, t10: Any, b1: Any, mask: np.ndarray):
        self.series, self.t10, self.b1, self.mask = series, t10, b1, mask
        protocol = series.protocol
        if protocol.baseline == 0:
            protocol = replace(protocol, baseline=detect_baseline(np.asarray(series.data)))
        self.protocol = replace(protocol, times=jnp.asarray(protocol.times))
        if series.quantity == "signal" and t10 is None:
            raise InputError("t10", "", "T1 before contrast is not known", "give VFA images or seconds")

    def blocks(self, mask: np.ndarray | None = None) -> Iterator[tuple]:
        """(indices, concentration (v, t), status before any fit (v,), T10 (v,)) of the mask's voxels."""
        indices = np.nonzero((self.mask if mask is None else mask).T)[::-1]  # first axis fastest, as in NIfTI
        for start in range(0, len(indices[0]), CHUNK):
            where = tuple(axis[start : start + CHUNK] for axis in indices)
            yield where, *self.concentration(where)

    def concentration(self, where: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Concentration (v, t), status before any fit (v,) and T10 (v,) of the voxels at these indices."""
        curves = np.stack([frame[where] for frame in np.moveaxis(self.series.data, -1, 0)], axis=-1)
        padded = np.zeros((-len(curves) % 1024 + len(curves), curves.shape[1]), curves.dtype)
        padded[: len(curves)] = curves  # few distinct shapes, so that little is compiled
        count = len(curves)
        if self.series.quantity == "concentration":
            return curves, np.zeros(count, np.int32), np.full(count, np.nan)
        b1 = self._here(self.b1, where, len(padded))
        t10 = self._t10(where, b1)
        concentration, status = block_concentration(padded, self.protocol, t10=t10, b1=b1)
        return np.array(concentration[:count]), np.asarray(status)[:count], np.asarray(t10)[:count]

    def _t10(self, where: tuple, b1: np.ndarray) -> np.ndarray:
        if not isinstance(self.t10, VFA):
            return self._here(self.t10, where, len(b1))
        signal = np.stack([frame[where] for frame in np.moveaxis(self.t10.signal, -1, 0)], axis=-1)
        signal = np.pad(signal, ((0, len(b1) - len(signal)), (0, 0)))
        return np.asarray(vfa_t1(signal, self.t10.flip_angles, self.t10.repetition_time, b1=b1).t1)

    def _here(self, value: Any, where: tuple, size: int) -> np.ndarray:
        """A number or a map at the block's voxels, padded with ones."""
        value = np.asarray(value, dtype=np.asarray(self.series.data).dtype)
        here = np.ones(size, value.dtype)
        here[: len(where[0])] = value[where] if value.ndim else value
        return here


def concentration_at(series: Series, protocol: DCEProtocol, t10: Any, b1: Any, where: tuple) -> np.ndarray:
    """Concentration (v, t) of single voxels, as it was fitted; `protocol` is that of the estimate."""
    everywhere = np.ones(series.data.shape[:-1], bool)
    return Voxels(replace(series, protocol=protocol), t10, b1, everywhere).concentration(where)[0]


def plain_maps(concentration: np.ndarray, times: np.ndarray, protocol: DCEProtocol, t10: np.ndarray) -> dict[str, Any]:
    """What needs no model."""
    semi = semiquantitative(concentration, times, arrival=times[protocol.baseline - 1])
    return {"peak": semi.peak, "TTP": semi.TTP, "IAUC60": semi.IAUC60, "T10": t10}


def scatter(arrays: dict, shape: tuple, where: tuple, found: dict[str, Any], status: np.ndarray) -> None:
    """Put one block's results into the images, in clinical units."""
    blank = (status & int(NO_ESTIMATE)) != 0
    for name, values in found.items():
        image = arrays.setdefault(name, np.full(shape, 0 if name == "model" else np.nan, np.float32))
        values = np.asarray(to_clinical(name, np.asarray(values)), np.float32)
        image[where] = values if name in ("T10", "model") else np.where(blank, np.nan, values)
    if "status" not in arrays:
        arrays["status"] = np.full(shape, int(Status.OUTSIDE), np.int32)
    arrays["status"][where] = status
