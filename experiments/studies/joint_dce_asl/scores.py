"""How far estimates on one phantom are from its truth, and the means over phantoms."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from estimate.qtmnet.prediction import TO_ONE_SIGMA
from experiments.studies.joint_dce_asl.flows import FLOWS
from experiments.studies.joint_dce_asl.scales import PARAMETERS, SCALES
from experiments.studies.regions import FEWEST, REGIONS

LOWEST = 1e-3
"""Of the median truth: a flow below zero is as wrong as can be, and counts as this."""


def region_errors(
    region: np.ndarray, found: Mapping[str, Any], truth: Mapping[str, Any], stderr: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """region -> parameter -> [median |error|, median error], with `stderr` also coverage: logarithmic, but ATT's in s.

    stderr : of QTMnet; NaN where it states no interval.
    """
    out: dict[str, Any] = {}
    for name, which in REGIONS.items():
        inside = (region == which) & (np.asarray(truth["Fp" if "Fp" in truth else "CBF"]) > 0)
        if inside.sum() >= FEWEST:
            out[name] = {
                parameter: _errors(
                    parameter, np.asarray(values)[inside], np.asarray(truth[parameter])[inside],
                    None if stderr is None else stderr[parameter][inside],
                )
                for parameter, values in found.items()
            }  # fmt: skip
    return out


def _errors(parameter: str, estimate: np.ndarray, true: np.ndarray, stderr: np.ndarray | None) -> list[float]:
    if parameter == "ATT":
        error, sigma = estimate - true, stderr
    else:
        error = np.log(np.maximum(estimate, LOWEST * np.median(true)) / np.where(true > 0, true, np.nan))
        sigma = None if stderr is None else stderr / estimate
    found = [float(np.nanmedian(np.abs(error))), float(np.nanmedian(error))]
    if sigma is not None:
        stated = np.isfinite(sigma) & np.isfinite(error)
        if stated.any():
            found.append(float(np.mean((np.abs(error) <= TO_ONE_SIGMA * sigma)[stated])))
    return found


class Row(NamedTuple):
    """What one way of scaling, or of measuring flow, does to one parameter in one region: means over phantoms of the
    median |ln(estimate/truth)| and of the median ln(estimate/truth), of the share of truths in QTMnet's 90 % intervals
    (NaN of other estimates), and how many phantoms."""

    way: str
    region: str
    parameter: str
    error: float
    bias: float
    coverage: float
    phantoms: int


def rows_of(records: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Over the phantoms that have the region. records : of `compare_on_phantom`."""
    rows = []
    for way in (*SCALES, *FLOWS):
        for region in (*REGIONS, "all"):
            for parameter in (*PARAMETERS, "CBF", "ATT", "scale"):
                errors = [r[way][region][parameter] for r in records if parameter in r[way].get(region, {})]
                if errors:
                    error, bias = np.mean([e[:2] for e in errors], axis=0)
                    covered = [e[2] for e in errors if len(e) > 2]
                    coverage = float(np.mean(covered)) if covered else float("nan")
                    rows.append(Row(way, region, parameter, float(error), float(bias), coverage, len(errors)))
    return rows
