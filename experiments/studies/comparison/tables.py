"""What the comparison found, as tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from experiments.report.tables import Table
from experiments.studies.bootstrap import mean_interval, ratio_interval
from experiments.studies.comparison.found import PARAMETERS
from experiments.studies.comparison.records import BASE, UNSEEN, Comparison
from experiments.studies.comparison.scores import COMMON, ERROR, MAIN, MEASURES
from experiments.studies.comparison.summary import RIVALS
from experiments.studies.comparison.sweeps import swept
from experiments.studies.regions import REGIONS, RIM

INTERVAL = ("mean", "low 95 %", "high 95 %")


def tables(found: Comparison) -> dict[str, Table]:
    """Everything; and of the rim, of ratios, of intervals' coverage, of the sweeps and of the inputs."""
    return {
        "": _everything(found), "rim": _rim(found), "ratios": _ratios(found), "coverage": _coverage(found),
        "sweeps": _sweeps(found), "inputs": _inputs(found),
    }  # fmt: skip


def _everything(found: Comparison) -> Table:
    head = ["generator", "sweep", "value", "region", "estimator", "parameter", "measure", *INTERVAL, "phantoms"]
    return Table(head, list(_every_row(found)))


def _every_row(found: Comparison) -> Iterator[list[str]]:
    for generator, sweep, label in found.cases():
        records = found.of(generator, sweep, label)
        for region in REGIONS:
            for estimator in found.estimators():
                for parameter in PARAMETERS:
                    for measure in MEASURES:
                        values = found.values(records, estimator, region, parameter, measure)
                        sound = np.isfinite(values)
                        if not np.any(sound):
                            continue
                        numbers = [f"{x:.4f}" for x in mean_interval(values)]
                        names = [generator, sweep, label, region, estimator, parameter, measure]
                        yield [*names, *numbers, str(int(np.sum(sound)))]


def _rim(found: Comparison) -> Table:
    """The rim in the base condition, one row for each generator and estimator."""
    more = [f"{p} {what}" for what in ("coverage", "repeatability") for p in MAIN]
    common = [f"{p} {COMMON}" for p in ("Fp", "PS")]
    head = ["generator", "estimator", *(f"{p} {ERROR}" for p in PARAMETERS), *common]
    rows = []
    for generator in found.generators():
        records = found.of(generator)
        for estimator in found.estimators():

            def mean(parameter: str, measure: str, e: str = estimator, r: Any = records) -> float:
                return mean_interval(found.values(r, e, RIM, parameter, measure)).value

            numbers = [mean(p, ERROR) for p in PARAMETERS] + [mean(p, COMMON) for p in ("Fp", "PS")]
            numbers += [mean(p, "coverage") for p in MAIN]
            numbers += [found.repeatability(records, estimator, RIM, p) for p in MAIN]
            numbers += [mean("Fp", "failures"), 1e3 * found.seconds_per_voxel(records, estimator)]
            cells = [f"{x:.3f}" if np.isfinite(x) else "" for x in numbers]
            rows.append([generator, estimator, *cells])
    return Table([*head, *more, "failures of Fp", "ms/voxel"], rows)


def _ratios(found: Comparison) -> Table:
    """QTMnet's errors over each rival's, in the rim, on the same phantoms."""
    rows = []
    for generator in found.generators():
        records = found.of(generator)
        for rival in RIVALS:
            for parameter, measure in [*((p, ERROR) for p in PARAMETERS), ("Fp", COMMON), ("PS", COMMON)]:
                ours, theirs = (
                    found.values(records, e, RIM, parameter, measure, keep_gaps=True) for e in ("QTMnet", rival)
                )
                numbers = [f"{x:.3f}" for x in ratio_interval(ours, theirs)]
                rows.append([generator, rival, parameter, measure, *numbers])
    return Table(["generator", "rival", "parameter", "measure", "ratio", *INTERVAL[1:]], rows)


def _coverage(found: Comparison) -> Table:
    """Share of truths in QTMnet's 90 % intervals: mean over phantoms, how sure that is, their percentiles."""
    head = ["generator", "sweep", "value", "region", "parameter", *INTERVAL]
    rows = []
    for generator, sweep, label in found.cases():
        if sweep not in (BASE, UNSEEN):
            continue
        records = found.of(generator, sweep, label)
        for region in REGIONS:
            for parameter in PARAMETERS:
                values = found.values(records, "QTMnet", region, parameter, "coverage")
                if values:
                    numbers = [*mean_interval(values), *np.percentile(values, (5, 95))]
                    cells = [f"{x:.3f}" for x in numbers]
                    rows.append([generator, sweep, label, region, parameter, *cells, str(len(values))])
    return Table([*head, "phantoms' 5 %", "phantoms' 95 %", "phantoms"], rows)


def _inputs(found: Comparison) -> Table:
    """The automatic input against the exact one."""
    rows = []
    for generator, sweep, label in found.cases():
        inputs = [
            r["automatic input"] for r in found.of(generator, sweep, label) if r["scores"] and r["kind"] == "fast"
        ]
        sound = [i for i in inputs if i]
        if not inputs:
            continue
        numbers = [f"{np.median([i[n] for i in sound]):.3f}" if sound else "" for n in ("peak", "area", "arrival")]
        rows.append([generator, sweep, label, *numbers, f"{len(sound)} of {len(inputs)}"])
    return Table(["generator", "sweep", "value", "peak", "area", "arrival [s]", "found in"], rows)


def _sweeps(found: Comparison) -> Table:
    """One row for each condition: errors in the rim, of QTMnet in the base on the same phantoms as well."""
    head = ["generator", "sweep", "value", "rims"]
    head += [f"{who} {p}" for who in ("QTMnet", "QTMnet in the base", "2CXM (exact AIF and delay)") for p in MAIN]
    rows = []
    for s in swept(found):
        numbers = [*(each[p] for each in (s.error, s.in_base, s.rival, s.covers) for p in MAIN), s.warned]
        cells = [f"{x:.3f}" if np.isfinite(x) else "" for x in numbers]
        rows.append([s.generator, s.sweep, s.label, str(s.rims), *cells])
    return Table([*head, *(f"QTMnet covers {p}" for p in MAIN), "QTMnet warns of"], rows)
