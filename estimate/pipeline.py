"""From a measured DCE series to perfusion maps: T1, concentration, arterial input, fit. Draws nothing.

The series is worked through in blocks of voxels, so beside the series itself and the maps nothing large
is held.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from estimate.arterial import LOWEST_PEAK, ArterialInput, aif_from_roi, find_aif_among, population_aif
from estimate.baseline import detect_baseline, estimate_onset
from estimate.kinetic_fit import FIT_MODELS, fit_kinetics
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
    """Maps (clinical units, NaN outside the mask), status bits, the input used, and the protocol as used."""

    maps: Maps
    status: Any
    aif: ArterialInput
    protocol: DCEProtocol
    method: str


def estimate_maps(
    series: Series,
    *,
    method: str = "2cxm",
    aif: ArterialInput | np.ndarray | Literal["auto", "parker", "georgiou"] = "auto",
    haematocrit: float,
    t10: float | np.ndarray | VFA | None = None,
    b1: float | np.ndarray = 1.0,
    mask: np.ndarray | None = None,
    fit_delay: bool = False,
    arterial_volume: bool = False,
    bounds: dict[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Perfusion maps of a DCE series.

    Parameters
    ----------
    series : (*space, t) signal or concentration with its protocol.
    method : a model of `fit_kinetics`.
    aif : an `ArterialInput`; a boolean array (*space), the region of an artery; "auto", found in the images;
        "parker" or "georgiou", the population's, arriving when contrast first appears.
    haematocrit : of the vessels in which the input is measured, turns blood into plasma.
    t10 : T1 before contrast [s] (a number or a map), or the images to find it from; a series of
        concentrations needs none.
    b1 : transmit field relative to nominal (a number or a map).
    mask : (*space) voxels to estimate; all by default. The input is looked for in the whole image.
    fit_delay, arterial_volume, bounds : see `fit_kinetics`.

    Raises
    ------
    InputError where something the user gave cannot be used.
    """
    if method not in FIT_MODELS:
        raise InputError("method", method, "is no model", f"choose one of {', '.join(FIT_MODELS)}")
    voxels = _Voxels(series, t10, b1, _whole(mask, series.data.shape[:-1], "mask"))
    protocol = voxels.protocol
    times = np.asarray(protocol.frame_centres, dtype=float)
    report = progress or (lambda *_: None)
    if not isinstance(aif, ArterialInput):
        aif = _arterial_input(voxels, aif, times, haematocrit, report)
    arrays: dict[str, np.ndarray] = {}
    total = int(voxels.mask.sum())
    done = 0
    report(f"fitting {method}", done, total)
    for where, concentration, before, t10_here in voxels.blocks():
        semi = semiquantitative(concentration, times, arrival=times[protocol.baseline - 1])
        fit = fit_kinetics(
            concentration, times, aif.curve, aif_times=aif.times, model=method, fit_delay=fit_delay,
            arterial_volume=arterial_volume, bounds=bounds,
        )  # fmt: skip
        # a frame without concentration is why the curve is not finite: say the cause
        status = np.where(before != 0, before, np.asarray(fit.status))
        found = _named_maps(fit, fit_delay, arterial_volume)
        found |= {"peak": semi.peak, "TTP": semi.TTP, "IAUC60": semi.IAUC60, "T10": t10_here}
        _scatter(arrays, voxels.mask.shape, where, found, status)
        done += len(where[0])
        report(f"fitting {method}", done, total)
    status = arrays.pop("status").astype(np.int32)
    return Estimate(Maps(arrays, series.affine), status, aif, protocol, method)


def _whole(mask: np.ndarray | None, shape: tuple[int, ...], what: str) -> np.ndarray:
    if mask is None:
        return np.ones(shape, bool)
    inside = np.asarray(np.asarray(mask) != 0)
    if inside.shape != shape:
        raise InputError(what, "shape", f"{inside.shape}, the series {shape}", "give one on the series' grid")
    if not inside.any():
        raise InputError(what, "", "holds no voxel", "give one that covers the tissue of interest")
    return inside


class _Voxels:
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
    return _Voxels(replace(series, protocol=protocol), t10, b1, everywhere).concentration(where)[0]


def _arterial_input(
    voxels: _Voxels, aif: str | np.ndarray, times: np.ndarray, haematocrit: float, report: Progress
) -> ArterialInput:
    """Measure the input in the image, or place the population's where contrast first appears."""
    report("arterial input", 0, 1)
    if isinstance(aif, np.ndarray):
        region = _whole(aif, voxels.mask.shape, "arterial region")
        curves = np.concatenate([block[1] for block in voxels.blocks(region)])
        found = aif_from_roi(curves, times, np.ones(len(curves), bool), haematocrit=haematocrit)
        return replace(found, mask=region)
    everywhere = np.ones(voxels.mask.shape, bool)
    if aif == "auto":
        where, curves = _artery_candidates(voxels, everywhere)
        return find_aif_among(curves, where, times, haematocrit=haematocrit)
    onset = estimate_onset(np.asarray(voxels.series.data), times)
    name = "parker" if aif == "parker" else "georgiou"
    return population_aif(name, times, haematocrit=haematocrit, onset=onset)


def _artery_candidates(voxels: _Voxels, everywhere: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that might be arterial, and their curves in the order of the image: all that enhance enough."""
    where = np.zeros(everywhere.shape, bool)
    kept: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for indices, curves, _, _ in voxels.blocks(everywhere):
        high = np.max(curves, axis=-1) > LOWEST_PEAK  # False where a frame is NaN
        chosen = tuple(axis[high] for axis in indices)
        where[chosen] = True
        kept.append(curves[high])
        places.append(np.asarray(np.ravel_multi_index(chosen, where.shape)))
    order = np.argsort(np.concatenate(places))
    return where, np.concatenate(kept)[order]


def _named_maps(fit: Any, fit_delay: bool, arterial_volume: bool) -> dict[str, Any]:
    """Every map of a fit, in internal units; NaN where the model lacks the parameter or it was not fitted."""
    names = ["Fp", "PS", "vp", "ve", "Ktrans", "delay"] + ["va"] * arterial_volume
    values = {n: fit.Ktrans if n == "Ktrans" else getattr(fit.tissue, n) for n in names}
    lacking = {"Fp": Status.NO_FP, "vp": Status.NO_VP, "ve": Status.NO_VE}
    for name, flag in lacking.items():
        values[name] = np.where(np.asarray(fit.status) & int(flag), np.nan, values[name])
    if not fit_delay:
        values["delay"] = np.full(np.shape(fit.rss), np.nan)
    errors = {f"{n}_stderr": fit.stderr[n] for n in names}
    return values | errors | {"rss": fit.rss, "aicc": fit.aicc, "model": fit.model}


def _scatter(arrays: dict, shape: tuple, where: tuple, found: dict[str, Any], status: np.ndarray) -> None:
    """Put one block's results into the images, in clinical units."""
    blank = (status & int(NO_ESTIMATE)) != 0
    for name, values in found.items():
        image = arrays.setdefault(name, np.full(shape, 0 if name == "model" else np.nan, np.float32))
        values = np.asarray(to_clinical(name, np.asarray(values)), np.float32)
        image[where] = values if name in ("T10", "model") else np.where(blank, np.nan, values)
    if "status" not in arrays:
        arrays["status"] = np.full(shape, int(Status.OUTSIDE), np.int32)
    arrays["status"][where] = status
