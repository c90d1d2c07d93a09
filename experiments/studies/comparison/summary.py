"""The comparison's numbers of the rim that are worth quoting, as one dictionary for a file."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.studies.bootstrap import Interval, mean_interval, ratio_interval
from experiments.studies.comparison.estimators import AUTOMATIC, EXACT, FLOOR
from experiments.studies.comparison.found import PARAMETERS
from experiments.studies.comparison.records import BASE, MIXED, UNSEEN, Comparison
from experiments.studies.comparison.scores import ERROR, MAIN
from experiments.studies.comparison.sweeps import swept
from experiments.studies.regions import RIM

RIVALS = (AUTOMATIC, EXACT, FLOOR)

MOST = 0.9
"""Share of a scan's scored voxels from which on the scan as a whole counts as marked."""

FEWEST_RIMS = 10
"""Below which nothing is said of how errors go together."""


def summary(found: Comparison) -> dict[str, Any]:
    """Ready for JSON: errors, ratios, coverage as [mean, low 95 %, high 95 %] over phantoms; checksums of weights."""

    def numbers(values: Sequence[float]) -> list[float | None]:
        return [round(x, 4) if np.isfinite(x) else None for x in values]

    def ratio_to(rival: str, parameter: str, records: list[dict[str, Any]]) -> Interval:
        pair = (found.values(records, e, RIM, parameter, ERROR, keep_gaps=True) for e in ("QTMnet", rival))
        return ratio_interval(*pair)

    versions = {r["network"]: r["weights"] for r in found.records if r["kind"] == "network"}
    out: dict[str, Any] = {"weights": versions, "rims": {}, "errors": {}, "ratios": {}, "feed": {}}
    for generator in found.generators():
        records = found.of(generator)
        out["rims"][generator] = len(found.values(records, "QTMnet", RIM, "Fp", ERROR))
        out["errors"][generator] = {
            estimator: {
                p: numbers(mean_interval(v))
                for p in PARAMETERS if (v := found.values(records, estimator, RIM, p, ERROR))
            } for estimator in found.estimators()
        }  # fmt: skip
        out["ratios"][generator] = {
            rival: {p: numbers(ratio_to(rival, p, records)) for p in PARAMETERS} for rival in RIVALS
        }
        if (effect := dispersion_effect(found, generator)) is not None:
            out["feed"][generator] = {k: round(v, 4) for k, v in effect._asdict().items()}
    mixed = found.of(MIXED)
    covers = {p: found.values(mixed, "QTMnet", RIM, p, "coverage") for p in PARAMETERS}
    out["coverage"] = {p: [*numbers(mean_interval(v)), len(v)] for p, v in covers.items() if v}
    out["marked"] = {
        kind: [round(sum(shares), 1), len(shares)]
        for kind, sweeps in (("familiar", (BASE,)), ("unseen injection", (UNSEEN,)))
        if (shares := [
            float(np.mean(list(r["unfamiliar"]["QTMnet"].values())) > MOST) for r in found.records
            if r["sweep"] in sweeps and r["unfamiliar"].get("QTMnet")
        ])
    }  # fmt: skip
    out["sweeps"] = [
        s._asdict() | {name: dict(zip(MAIN, numbers([getattr(s, name)[p] for p in MAIN]), strict=True)) for name in (
            "error", "in_base", "rival", "covers", "in_base_covers",
        )} | {"warned": numbers([s.warned])[0]}
        for s in swept(found)
    ]  # fmt: skip
    return out


class DispersionEffect(NamedTuple):
    """How QTMnet's bias in Fp goes with the peak that the bolus lost by dispersion on its way to the rim: correlation
    over so many rims; the share lost that halves them, and the median |log error| of the half that lost less, and of
    the other."""

    correlation: float
    rims: int
    lost: float
    sharp: float
    spread: float


def dispersion_effect(found: Comparison, generator: str) -> DispersionEffect | None:
    """None where there are too few rims to say."""
    records = found.of(generator)
    bias, error = (found.values(records, "QTMnet", RIM, "Fp", m, keep_gaps=True) for m in ("bias", ERROR))
    spread, bias, error = np.array(found.local_peaks(records, RIM)), np.array(bias), np.array(error)
    known = np.isfinite(spread) & np.isfinite(bias)
    if known.sum() < FEWEST_RIMS:
        return None
    spread, bias, error = spread[known], bias[known], error[known]
    sharp = spread > np.median(spread)
    return DispersionEffect(
        float(np.corrcoef(spread, bias)[0, 1]), len(bias), float(-np.expm1(np.median(spread))),
        float(error[sharp].mean()), float(error[~sharp].mean()),
    )  # fmt: skip
