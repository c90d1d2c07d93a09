"""A series as its voxels: blocks of concentration curves in, maps out. Every method works on these."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from estimate.signal.concentration import block_concentration
from estimate.signal.errors import SignalErrors, signal_errors
from estimate.signal.semiquantitative import semiquantitative
from estimate.signal.t10 import CHUNK, T10, VFA, measure_t10
from estimate.signal.vfa import T1_BOUNDS
from simulate.base.status import NO_ESTIMATE, Status, at_bound
from simulate.base.types import DCEProtocol, Maps, Series
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput


@dataclass(frozen=True)
class Estimate:
    """Maps of an examination with all that made them.

    Attributes
    ----------
    maps : Maps
        In clinical units, NaN outside the mask.
    status : (...) int array
        Bits of `Status`.
    aif : ArterialInput
        The input used; None where the method needs none.
    protocol : DCEProtocol
        As used.
    method : str
        See `estimate_maps`.
    facts : dict
        What else made the maps, by name (the scale, the weights).
    warnings : list of str
        Sentences that the reader must not miss.
    """

    maps: Maps
    status: Any
    aif: ArterialInput | None
    protocol: DCEProtocol
    method: str
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Voxels:
    """The series, ready to be read as blocks of concentration curves."""

    def __init__(
        self, series: Series, t10: Any, b1: Any, mask: np.ndarray, *, r2star: float = 0.0, ceiling: float = np.inf
    ):
        """As a `DCEExamination` has them: found sound, with the number of frames before contrast known."""
        self.series, self.t10, self.b1, self.mask = series, t10, b1, mask
        self.r2star, self.ceiling = r2star, ceiling
        # rounded like all that is computed, but on the host, where arithmetic compiles nothing
        self.protocol = replace(series.protocol, times=np.asarray(jnp.asarray(series.protocol.times)))

    def blocks(self, mask: np.ndarray | None = None) -> Iterator[tuple]:
        """(indices, concentration (v, t), status before any fit (v,), T10 (v,)) of the mask's voxels."""
        indices = np.nonzero((self.mask if mask is None else mask).T)[::-1]  # first axis fastest, as in NIfTI
        for start in range(0, len(indices[0]), CHUNK):
            where = tuple(axis[start : start + CHUNK] for axis in indices)
            yield where, *self.concentration(where)

    def concentration(self, where: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Concentration (v, t), status before any fit (v,) and T10 (v,) of the voxels at these indices."""
        signal = self._curves(where)
        if self.series.quantity == "concentration":
            finite = np.isfinite(signal).all(axis=-1)
            return signal, np.where(finite, 0, int(Status.NOT_FINITE)).astype(np.int32), np.full(len(signal), np.nan)
        b1, t10 = (self._here(each, where) for each in (self.b1, self._t1.t1))
        found, status = block_concentration(signal, self.protocol, t10=t10, b1=b1, r2star=self.r2star)
        concentration, status = np.array(found), np.array(status)
        cut = (signal >= self.ceiling).any(axis=-1) & ((status & int(NO_ESTIMATE)) == 0)
        status |= np.where(cut, int(Status.SATURATED), 0).astype(status.dtype) | self._t10_status(where, t10)
        concentration[(status & int(NO_ESTIMATE)) != 0] = np.nan
        return concentration, status, t10

    def _t10_status(self, where: tuple, t10: np.ndarray) -> np.ndarray:
        """(v,) what is wrong with T10: its measurement's own bits, and values that nothing in the body has."""
        measured = np.asarray(self._t1.status, np.int32)
        own = measured[where] if measured.ndim else np.zeros(len(t10), np.int32)
        return own | np.where(t10 > T1_BOUNDS[1], at_bound("T10"), 0).astype(np.int32)

    def errors(self, where: tuple) -> SignalErrors | None:
        """What noise of the signal and the error of a measured T10 do to the concentrations there; None where the
        series holds concentrations, of whose making nothing is known."""
        if self.series.quantity == "concentration":
            return None
        b1, t10, stderr = (self._here(each, where) for each in (self.b1, self._t1.t1, self._t1.stderr))
        found = signal_errors(self._curves(where), self.protocol, t10=t10, t10_stderr=stderr, b1=b1, r2star=self.r2star)
        return jax.tree.map(np.asarray, found)

    @property
    def t10_error(self) -> str:
        """What the standard errors know of T10's, in words."""
        if self.series.quantity == "concentration":
            return "unknown: the series holds concentrations"
        if not isinstance(self.t10, VFA):
            return "taken as exact: a given T10 has no standard error"
        if not np.any(self._t1.stderr):
            return "unknown: two flip angles leave no residual to tell the noise from"
        return f"in the standard errors, from {len(np.ravel(self.t10.flip_angles))} flip angles"

    @property
    def t10_misfit(self) -> float:
        """What the signal equation leaves of the images of variable flip angles, as a share of their signal."""
        return 0.0 if self.series.quantity == "concentration" else self._t1.misfit

    @property
    def _precision(self) -> type[np.floating]:
        """Of all that is computed: double where the series is, else single. Many images are stored as whole numbers."""
        return np.float64 if np.asarray(self.series.data).dtype == np.float64 else np.float32

    def _curves(self, where: tuple) -> np.ndarray:
        """(v, t) measured curves of the voxels at these indices."""
        curves = np.empty((len(where[0]), self.series.data.shape[-1]), self._precision)
        for number, frame in enumerate(np.moveaxis(self.series.data, -1, 0)):
            curves[:, number] = frame[where]
        return curves

    @cached_property
    def _t1(self) -> T10:
        """T10 before contrast with its standard error, as given or from the images of variable flip angles."""
        if not isinstance(self.t10, VFA):
            return T10(self.t10, 0.0)
        return measure_t10(self.t10, self.b1, self.mask)

    def _here(self, value: Any, where: tuple) -> np.ndarray:
        """(v,) a number or a map at these voxels."""
        value = np.asarray(value, self._precision)
        return value[where] if value.ndim else np.full(len(where[0]), value)


def plain_maps(concentration: np.ndarray, times: np.ndarray, protocol: DCEProtocol, t10: np.ndarray) -> dict[str, Any]:
    """What needs no model."""
    arrival = times[protocol.baseline - 1]
    semi = semiquantitative(concentration, times, arrival=arrival)
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
