"""From a measured DCE series to perfusion maps: T1, concentration, arterial input, fit. Draws nothing.

The series is worked through in blocks of voxels, so beside the series itself and the maps nothing large
is held.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from estimate.arterial import LOWEST_PEAK, ArterialInput, aif_from_roi, find_aif_among, population_aif
from estimate.baseline import detect_baseline, estimate_onset
from estimate.kinetic_fit import FIT_MODELS, fit_kinetics
from estimate.qtmnet.inference import answer
from estimate.qtmnet.maps import parameters, status_of, warnings_of
from estimate.qtmnet.scale import SOURCES, asl_scale, describe, population_scale, vessel_scale
from estimate.qtmnet.targets import SCORED
from estimate.qtmnet.weights import SHIPPED, load_trained
from estimate.relaxometry import block_concentration, vfa_t1
from estimate.semiquantitative import semiquantitative
from simulate.base.errors import InputError
from simulate.base.files import sha256_of
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


METHODS = (*FIT_MODELS, "qtmnet")

FEWEST_FRAMES = 20
"""QTMnet refuses shorter series."""


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
    scale: str = "population",
    cbf: np.ndarray | None = None,
    weights: Path | None = None,
    progress: Progress | None = None,
) -> Estimate:
    """Perfusion maps of a DCE series.

    Parameters
    ----------
    series : (*space, t) signal or concentration with its protocol.
    method : a model of `fit_kinetics`, or "qtmnet", which needs no arterial input (three-dimensional series only).
    aif : an `ArterialInput`; a boolean array (*space), the region of an artery; "auto", found in the images;
        "parker" or "georgiou", the population's, arriving when contrast first appears.
    haematocrit : of the vessels in which the input is measured, turns blood into plasma.
    t10 : T1 before contrast [s] (a number or a map), or the images to find it from; a series of
        concentrations needs none.
    b1 : transmit field relative to nominal (a number or a map).
    mask : (*space) voxels to estimate; all by default. The input is looked for in the whole image.
    fit_delay, arterial_volume, bounds : see `fit_kinetics`.
    scale : of qtmnet, where its absolute values come from (`estimate.qtmnet.scale`): "population"; "vessels", the
        area of `aif`; "asl", a map `cbf` (*space) [mL/100 g/min].
    weights : of qtmnet; those that ship by default.

    Raises
    ------
    InputError where something the user gave cannot be used.
    """
    if method not in METHODS:
        raise InputError("method", method, "is no method", f"choose one of {', '.join(METHODS)}")
    voxels = _Voxels(series, t10, b1, _whole(mask, series.data.shape[:-1], "mask"))
    report = progress or (lambda *_: None)
    times = np.asarray(voxels.protocol.frame_centres, dtype=float)

    def arterial_input() -> ArterialInput:
        return aif if isinstance(aif, ArterialInput) else _arterial_input(voxels, aif, times, haematocrit, report)

    if method == "qtmnet":
        _check_for_qtmnet(voxels, scale, cbf)
        found = arterial_input() if scale == "vessels" else None
        return _qtmnet(voxels, scale, found, cbf, haematocrit, weights or SHIPPED, report)
    return _fit(voxels, method, arterial_input(), times, fit_delay, arterial_volume, bounds, report)


def _fit(
    voxels: "_Voxels", method: str, aif: ArterialInput, times: np.ndarray, fit_delay: bool, arterial_volume: bool,
    bounds: dict[str, tuple[float, float]] | None, report: Progress,
) -> Estimate:  # fmt: skip
    arrays: dict[str, np.ndarray] = {}
    total, done = int(voxels.mask.sum()), 0
    report(f"fitting {method}", done, total)
    for where, concentration, before, t10_here in voxels.blocks():
        fit = fit_kinetics(
            concentration, times, aif.curve, aif_times=aif.times, model=method, fit_delay=fit_delay,
            arterial_volume=arterial_volume, bounds=bounds,
        )  # fmt: skip
        # a frame without concentration is why the curve is not finite: say the cause
        status = np.where(before != 0, before, np.asarray(fit.status))
        found = _named_maps(fit, fit_delay, arterial_volume)
        found |= _plain_maps(concentration, times, voxels.protocol, t10_here)
        _scatter(arrays, voxels.mask.shape, where, found, status)
        done += len(where[0])
        report(f"fitting {method}", done, total)
    status = arrays.pop("status").astype(np.int32)
    return Estimate(Maps(arrays, voxels.series.affine), status, aif, voxels.protocol, method)


def _plain_maps(concentration: np.ndarray, times: np.ndarray, protocol: DCEProtocol, t10: np.ndarray) -> dict[str, Any]:
    """What needs no model."""
    semi = semiquantitative(concentration, times, arrival=times[protocol.baseline - 1])
    return {"peak": semi.peak, "TTP": semi.TTP, "IAUC60": semi.IAUC60, "T10": t10}


def _check_for_qtmnet(voxels: "_Voxels", scale: str, cbf: np.ndarray | None) -> None:
    """Refuse what QTMnet cannot work with."""
    frames = voxels.series.data.shape[-1]
    if scale not in SOURCES:
        raise InputError("--scale", scale, "is no source of the scale", f"choose one of {', '.join(SOURCES)}")
    if scale == "asl" and cbf is None:
        raise InputError("--scale", "asl", "needs a map of CBF from arterial spin labelling", "give --cbf cbf.nii.gz")
    if voxels.series.data.ndim != 4:
        raise InputError("series", "", "is not a volume over time", "give a four-dimensional series")
    if frames < FEWEST_FRAMES:
        raise InputError(
            "series", "", f"has {frames} frames", f"QTMnet needs {FEWEST_FRAMES} and more; fit a model instead"
        )
    if voxels.protocol.baseline < 2:
        raise InputError(
            "series", "BaselineVolumes", "shows contrast from its first frames on",
            "QTMnet needs two frames and more before contrast; fit a model instead",
        )  # fmt: skip


def _qtmnet(
    voxels: "_Voxels", scale: str, aif: ArterialInput | None, cbf: np.ndarray | None, haematocrit: float,
    weights: Path, report: Progress,
) -> Estimate:  # fmt: skip
    """The whole image through the network; voxels that have no curve are left out of it."""
    trained, protocol = load_trained(weights), voxels.protocol
    times = np.asarray(protocol.frame_centres, dtype=float)
    arrays: dict[str, np.ndarray] = {}
    for where, concentration, before, t10_here in voxels.blocks():
        _scatter(arrays, voxels.mask.shape, where, _plain_maps(concentration, times, protocol, t10_here), before)

    def blocks() -> Iterator[tuple]:
        for where, concentration, before, _ in voxels.blocks():
            sound = (before & int(NO_ESTIMATE)) == 0
            yield tuple(axis[sound] for axis in where), concentration[sound]

    total = int(((arrays["status"] & int(NO_ESTIMATE)) == 0).sum())
    report("qtmnet", 0, max(total, 1))
    if total == 0:
        raise InputError("series", "", "no voxel of the mask has a curve", "give a mask that covers enhancing tissue")
    found = answer(
        trained, blocks, voxels.mask.shape, np.asarray(protocol.times), float(protocol.frame_duration),
        progress=lambda done, total: report("qtmnet", done, total),
    )  # fmt: skip
    if found.facts.arrival <= times[1]:
        raise InputError("series", "", "contrast is there from the first frames on", "fit a model instead")
    where = tuple(np.concatenate(axis) for axis in zip(*(place for place, _ in blocks()), strict=True))
    if scale == "vessels":
        assert aif is not None
        chosen = vessel_scale(aif)
    elif scale == "asl":
        flow = np.exp(found.value[:, SCORED.index("Fp")]) * found.level
        chosen = asl_scale(flow, np.asarray(cbf)[where], haematocrit=haematocrit)
    else:
        chosen = population_scale()
    values = parameters(found, chosen, trained.widening)
    _scatter(arrays, voxels.mask.shape, where, values, status_of(found, values, np.zeros(len(where[0]), np.int32)))
    status = arrays.pop("status").astype(np.int32)
    facts = {"scale": describe(chosen), "weights": _weights_facts(weights, trained.facts)}
    return Estimate(
        Maps(arrays, voxels.series.affine), status, aif, protocol, "qtmnet", facts, warnings_of(found, times)
    )


def _weights_facts(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    made = facts.get("provenance", {})
    return {"file": path.name, "sha256": sha256_of(path), "trained": made.get("time"), "seed": made.get("seed")}


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
