"""Every way to perfusion maps that is compared, on one examination."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from classify.datasets.dce import DCECase
from estimate.arterial.scale import CBFMap
from estimate.asl.differences import differences
from estimate.asl.multi_delay import fit_asl
from estimate.kinetics.fit import fit_kinetics
from estimate.maps.pipeline import estimate_maps
from estimate.signal.concentration import concentration_from_signal
from estimate.signal.t10 import VFA, measure_t10
from simulate.base.constants import ASL_TISSUE_T1
from simulate.base.errors import InputError
from simulate.base.status import NO_ESTIMATE
from simulate.base.types import ASLProtocol, Series
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput

PARAMETERS = ("Fp", "PS", "vp", "ve", "Ktrans")

TRUTH, EXACT, AUTOMATIC = "truth", "2CXM, exact AIF, delay", "2CXM, automatic AIF, delay"
EITHER = "{2CXM, DP}, exact AIF, delay"
POPULATION, VESSELS, BY_ASL = "QTMnet, population scale", "QTMnet, vessels' scale", "QTMnet, ASL scale"
CBF = "ASL, CBF"
CURVES = "peak and IAUC60"

ROWS = (TRUTH, EXACT, EITHER, AUTOMATIC, POPULATION, VESSELS, BY_ASL, CBF, CURVES)
"""In the order of the tables."""

DP_VOXELS = 16
"""Of the solid part that are fitted with plug flow, which takes a second each: a median of as many has a standard error
of a third of the scatter within a tumour, a sixth of that between patients."""


class Estimated(NamedTuple):
    """values : parameter -> values of solid voxels (n,), clinical units, NaN where there is none.
    maps : parameter -> (x, y, z), or empty where a row is not mapped everywhere.
    """

    values: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]


def estimated(case: DCECase) -> Mapping[str, Estimated | str]:
    """row -> what it gives, or why it gives nothing; rows that need a truth are left out of real patients."""
    found: dict[str, Estimated | str] = {}
    automatic = _tried(lambda: _maps(case, method="2cxm", aif="auto", fit_delay=True))
    rows: dict[str, Callable[[], Any]] = {
        AUTOMATIC: lambda: _again(automatic),
        POPULATION: lambda: _maps(case, method="qtmnet"),
        VESSELS: lambda: _maps(case, method="qtmnet", scale="vessels", aif="auto"),
        CURVES: lambda: _curves(case, automatic),
    }
    if case.truth is not None:
        truth = case.truth
        rows[TRUTH] = lambda: {name: np.asarray(truth[name]) for name in PARAMETERS}
    if case.true_aif is not None:
        rows[EXACT] = lambda: _maps(case, method="2cxm", aif=case.true_aif, fit_delay=True)
    if case.asl is not None:
        cbf = _cbf(case)
        rows[CBF] = lambda: {"CBF": np.asarray(cbf.cbf)}
        rows[BY_ASL] = lambda: _maps(case, method="qtmnet", scale="asl", cbf=cbf)
    for row in ROWS:
        if row in rows:
            tried = _tried(rows[row])
            found[row] = tried if isinstance(tried, str) else _of_solid(case, tried)
    if case.true_aif is not None:
        found[EITHER] = Estimated(_either(case, case.true_aif), {})
    return {row: found[row] for row in ROWS if row in found}


def _tried(make: Callable[[], Any]) -> Any:
    """What it makes, or the sentence by which it is refused."""
    try:
        return make()
    except InputError as refused:
        return str(refused)


def _again(found: Any) -> Any:
    """What was tried before, or its refusal once more."""
    if isinstance(found, str):
        raise InputError("", "", found, "")
    return found


def _of_solid(case: DCECase, maps: dict[str, np.ndarray]) -> Estimated:
    return Estimated({name: each[case.solid] for name, each in maps.items()}, maps)


def _maps(case: DCECase, **options: Any) -> dict[str, np.ndarray]:
    """Maps of `estimate_maps` on all tissue, as it finds them with T1 measured."""
    found = estimate_maps(
        case.series, t10=case.t10, mask=case.inside, haematocrit=case.haematocrit, **options
    )  # fmt: skip
    names = (*PARAMETERS, "peak", "IAUC60")
    sound = (found.status & int(NO_ESTIMATE)) == 0
    return {name: np.where(sound, found.maps[name], np.nan) for name in names if name in found.maps.values}


def _curves(case: DCECase, automatic: Any) -> dict[str, np.ndarray]:
    """Peak and area of the concentration, which no model needs."""
    found = _maps(case, method="patlak", aif="parker") if isinstance(automatic, str) else automatic
    return {name: found[name] for name in ("peak", "IAUC60")}


def _cbf(case: DCECase) -> CBFMap:
    """Of the labelled images by the multi-delay model, every voxel of the series with that of the coarser one it is in,
    where it is sound."""
    stored = case.asl
    protocol = ASLProtocol(
        volume_types=tuple(str(stored["volume_types"]).split()), labelling=str(stored["labelling"]),
        slice_times=np.zeros(0),
        **{
            name: np.asarray(stored[name], float) for name in (
                "label_duration", "post_label_delay", "repetition_time", "label_efficiency", "t1_blood",
            )
        },
    )  # fmt: skip
    found = differences(np.asarray(stored["data"]), protocol)
    m0 = np.asarray(stored["data"])[..., 0] / -np.expm1(-float(protocol.repetition_time[0]) / ASL_TISSUE_T1)
    fit = fit_asl(
        found.value, found.label_duration + found.post_label_delay, m0=np.maximum(m0, 1e-3),
        label_duration=found.label_duration, t1_blood=float(protocol.t1_blood), model="recommended",
        repeats=found.repeats, labelling=protocol.labelling, label_efficiency=float(protocol.label_efficiency),
    )  # fmt: skip
    sound = np.asarray(fit.status) == 0
    fold = [n // m for n, m in zip(case.inside.shape, sound.shape, strict=True)]
    cbf, error = (
        np.kron(np.where(sound, np.asarray(each), np.nan), np.ones(fold)) for each in (fit.cbf, fit.stderr["CBF"])
    )
    return CBFMap(cbf, error)


def _either(case: DCECase, aif: ArterialInput) -> dict[str, np.ndarray]:
    """The model that leaves less over all of the chosen voxels together, 2CXM or plug flow."""
    rng = np.random.default_rng(0)
    where = np.argwhere(case.solid)
    chosen = where[rng.permutation(len(where))[:DP_VOXELS]]
    chosen = np.resize(chosen, (DP_VOXELS, 3))  # small tumours repeat theirs: one program for all
    at = tuple(chosen.T)
    t10 = case.t10
    if isinstance(t10, VFA):
        t10 = measure_t10(t10, 1.0, case.solid).t1
    t10 = np.broadcast_to(np.asarray(t10, float), case.inside.shape)
    protocol = case.series.protocol
    series = Series(np.asarray(case.series.data)[at], protocol, np.eye(4), "signal")
    curves, _ = concentration_from_signal(series, t10=t10[at])
    fits = [
        fit_kinetics(
            np.nan_to_num(np.asarray(curves.data, np.float32)), protocol.frame_centres, aif.curve, aif_times=aif.times,
            frame_duration=protocol.frame_duration, model=model, fit_delay=True,
        ) for model in ("2cxm", "dp")
    ]  # fmt: skip
    best = fits[int(np.nansum(fits[1].rss) < np.nansum(fits[0].rss))]
    values = {name: np.asarray(getattr(best.tissue, name)) for name in ("Fp", "PS", "vp", "ve")}
    values["Ktrans"] = np.asarray(best.Ktrans)
    return {name: np.asarray(to_clinical(name, each), float) for name, each in values.items()}
