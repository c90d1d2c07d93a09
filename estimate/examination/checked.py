"""One validated examination: the series, what is known about it, and what is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from estimate.arterial.scale import CBFMap
from estimate.examination.input import Asked, checked_aif, checked_aif_t1, checked_haematocrit, needed
from estimate.examination.named import Names, called
from estimate.examination.relaxation import checked_b1, checked_t10, t10_warnings
from estimate.examination.request import check_options, needs_input
from estimate.examination.series import baseline_warnings, check_baseline, checked_series, steady_state_warnings
from estimate.examination.without_input import METHODS as WITHOUT_INPUT
from estimate.examination.without_input import check_request
from estimate.networks.tree_file import read_facts
from estimate.signal.ceiling import ceiling_of
from estimate.signal.mask import mask_of, tissue_mask
from estimate.signal.t10 import VFA
from simulate.base.errors import InputError
from simulate.base.types import Series
from simulate.inputs.arterial_input import ArterialInput

LARGEST_R2STAR = 1000.0
"""Transverse relaxivity [1/(s mmol/L)] that no agent reaches; in 1/(s mol/L) all exceed it."""

LIKELY_CBF = 2.0, 300.0
"""Range [mL/100 g/min] of the median of any map of blood flow; in mL/g/min it is below 2, in mL/100 g/s as well."""


@dataclass(frozen=True)
class DCEExamination:
    """Everything that an estimate needs, found sound; made by `examine`, read-only from there on.

    Attributes
    ----------
    series : Series
        Its baseline known.
    method : str
        See `estimate_maps`.
    aif : ArterialInput, (...) bool array or str
        See `estimate_maps`.
    aif_t1 : str or float [s]
        See `estimate_maps`.
    haematocrit : float [fraction]
        See `estimate_maps`.
    t10 : float, (...) array [s] or VFA
        See `estimate_maps`.
    b1 : float or (...) array
        See `estimate_maps`.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity, 0 where T2* is not corrected for.
    mask : (...) bool array
        Voxels to estimate.
    mask_source : str
        Where it comes from, in words.
    ceiling : float
        Signal at which the images were cut off, infinite where they were not.
    fit_delay : bool
        See `fit_kinetics`.
    arterial_volume : bool
        See `fit_kinetics`.
    bounds : dict of (low, high)
        See `fit_kinetics`.
    scale : str
        See `estimate_maps`.
    cbf : CBFMap
        See `estimate_maps`.
    weights : path
        See `estimate_maps`.
    warnings : tuple of str
        Sentences on what contradicts itself without hindering the work.
    names : dict of str
        What the user called an argument.
    """

    series: Series
    method: str
    aif: Asked
    aif_t1: float | Literal["measured", "blood"]
    haematocrit: float | None
    t10: float | np.ndarray | VFA | None
    b1: float | np.ndarray
    r2star: float
    mask: np.ndarray
    mask_source: str
    ceiling: float
    fit_delay: bool
    arterial_volume: bool
    bounds: dict[str, tuple[float, float]] | None
    scale: str
    cbf: CBFMap | None
    weights: Path | None
    warnings: tuple[str, ...] = ()
    names: Mapping[str, object] = field(default_factory=dict)

    @property
    def times(self) -> np.ndarray:
        """(t,) centres of the frames [s]."""
        return np.asarray(self.series.protocol.frame_centres, dtype=float)


def examine(
    series: Series,
    *,
    method: str = "2cxm",
    aif: ArterialInput | np.ndarray | str = "auto",
    aif_t1: float | str = "measured",
    haematocrit: float | None = None,
    t10: float | np.ndarray | VFA | None = None,
    b1: float | np.ndarray = 1.0,
    r2star: float = 0.0,
    mask: np.ndarray | str | None = "auto",
    fit_delay: bool = False,
    arterial_volume: bool = False,
    bounds: dict[str, tuple[float, float]] | None = None,
    scale: str = "population",
    cbf: CBFMap | np.ndarray | None = None,
    weights: Path | None = None,
    names: Names | None = None,
) -> DCEExamination:
    """Check all that was given, before any long work; the arguments are those of `estimate_maps`.

    Parameters
    ----------
    series : Series
        Signal or concentration (..., t) with its protocol.
    method : str
        See `estimate_maps`.
    aif : ArterialInput, (...) bool array or str
        See `estimate_maps`.
    aif_t1 : str or float [s]
        See `estimate_maps`.
    haematocrit : float [fraction]
        See `estimate_maps`.
    t10 : float, (...) array [s] or VFA
        See `estimate_maps`.
    b1 : float or (...) array
        See `estimate_maps`.
    r2star : float [1/(s mmol/L)]
        See `estimate_maps`.
    mask : (...) array or str
        See `estimate_maps`.
    fit_delay : bool
        See `fit_kinetics`.
    arterial_volume : bool
        See `fit_kinetics`.
    bounds : dict of (low, high)
        See `fit_kinetics`.
    scale : str
        See `estimate_maps`.
    cbf : CBFMap or (...) array [mL/100 g/min]
        See `estimate_maps`.
    weights : path
        See `estimate_maps`.
    names : dict of str
        What the user called an argument, to name it in errors: {"t10": "t10.nii.gz"}.

    Returns
    -------
    DCEExamination
        What `estimate_examination` takes.

    Raises
    ------
    InputError
        For the first thing that cannot be used: what, which part of it, and the cure.
    """
    names = names or {}
    check_options(
        method, fit_delay=fit_delay, arterial_volume=arterial_volume, bounds=bounds, scale=scale,
        with_cbf=cbf is not None, with_weights=weights is not None,
    )  # fmt: skip
    if weights is not None:
        read_facts(weights)
    where = called(names, "series")
    declared = bool(series.protocol.baseline)
    series = checked_series(series, where)
    shape, quantity = series.data.shape[:-1], series.quantity
    if method in WITHOUT_INPUT:
        baseline = series.protocol.baseline
        check_request(method, scale, with_cbf=cbf is not None, shape=series.data.shape, baseline=baseline)
    check_baseline(series.protocol.baseline, quantity, where)
    haematocrit = checked_haematocrit(haematocrit, called(names, "haematocrit"))
    used = needs_input(method, scale)
    asked = "auto"
    if used:
        asked = checked_aif(aif, series, haematocrit, called(names, "aif"), called(names, "haematocrit"))
    if scale == "asl":
        needed(haematocrit, called(names, "haematocrit"), "CBF into plasma flow")
    ceiling = ceiling_of(series.data) if quantity == "signal" else np.inf
    region, source = mask_of(
        mask, shape, called(names, "mask"),
        lambda: (tissue_mask(series.data, quantity), "tissue, found in the images"),
    )  # fmt: skip
    t10 = checked_t10(t10, shape, quantity, called(names, "t10"))
    warnings = t10_warnings(t10, region)
    if quantity == "signal":
        warnings += [*steady_state_warnings(series), *(baseline_warnings(series) if declared else [])]
    return DCEExamination(
        series=series, method=method, aif=asked, aif_t1=checked_aif_t1(aif_t1, asked, quantity, used=used),
        haematocrit=haematocrit, t10=t10, warnings=tuple(warnings),
        b1=checked_b1(b1, shape, called(names, "b1")), r2star=_checked_r2star(r2star, series),
        mask=region, mask_source=source, ceiling=ceiling, fit_delay=fit_delay, arterial_volume=arterial_volume,
        bounds=bounds, scale=scale, cbf=_checked_cbf(cbf, shape, called(names, "cbf")), weights=weights, names=names,
    )  # fmt: skip


def _checked_r2star(r2star: float, series: Series) -> float:
    if not 0 <= r2star < LARGEST_R2STAR:
        raise InputError("r2star", f"{r2star:g}", "is no relaxivity", "give 1/(s mmol/L), e.g. 5.7, or leave it out")
    if r2star > 0 and series.quantity != "signal":
        raise InputError("r2star", "", "is of signals, and the series holds concentrations", "leave it out")
    if r2star > 0 and not float(series.protocol.echo_time) > 0:
        raise InputError("r2star", "EchoTime", "is needed to correct for T2*, and not known", "give EchoTime in s")
    return float(r2star)


def _checked_cbf(cbf: Any, shape: tuple[int, ...], where: str) -> CBFMap | None:
    if cbf is None:
        return None
    cbf = cbf if isinstance(cbf, CBFMap) else CBFMap(np.asarray(cbf))
    for what, values in (("CBF map", cbf.cbf), ("standard error of the CBF", cbf.stderr)):
        if values is not None and np.shape(values) != shape:
            raise InputError(where, what, f"has shape {np.shape(values)}, the series {shape}", "resample it")
    values = np.asarray(cbf.cbf)
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size and not LIKELY_CBF[0] <= np.median(positive) <= LIKELY_CBF[1]:
        problem = f"has a median of {np.median(positive):g}"
        raise InputError(where, "CBF map", problem, "give mL/100 g/min, of which grey matter has about 60")
    return cbf
