"""What the comparison found, as tables, sentences and pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.report.tables import write_table
from experiments.studies.comparison.estimators import AUTOMATIC, EXACT, FLOOR, POPULATION_FLOOR
from experiments.studies.comparison.found import PARAMETERS
from experiments.studies.comparison.records import BASE, MIXED, UNSEEN, Comparison
from experiments.studies.comparison.scans import REGIONS
from experiments.studies.comparison.scores import ERROR, MAIN, MEASURES, RIM, macro, ratio
from experiments.studies.comparison.summary import RIVALS, feed_of, summary
from experiments.studies.comparison.sweeps import of_the_sweeps, sweep_rows, sweeps_figure
from simulate.files.atomic import prepare_output_folder, temporary_sibling, write_atomically

COMMON = "after one factor"
SCALE_FREE = ("MTT", "kep", "E")


def write_comparison(out: Path, found: Comparison) -> None:
    """table.csv (everything), table.md (with the findings), figures, and tables of the rim, of ratios, of intervals'
    coverage, of the sweeps and of the inputs."""
    folder = prepare_output_folder(out)
    what = ["generator", "sweep", "value", "region", "estimator", "parameter", "measure"]
    head = [*what, "mean", "low 95 %", "high 95 %", "phantoms"]
    write_table(folder, head, list(_every_row(found)), findings(found))
    tables = {
        "rim": _rim_rows(found), "ratios": _ratio_rows(found), "coverage": _coverage_rows(found),
        "sweeps": sweep_rows(found), "inputs": _input_rows(found),
    }  # fmt: skip
    for name, rows in tables.items():
        write_table(prepare_output_folder(folder / name), rows[0], rows[1:], [])
    write_atomically(folder / "summary.json", json.dumps(summary(found), indent=1) + "\n")
    for name, figure in (("base", base_figure(found)), ("sweeps", sweeps_figure(found))):
        with temporary_sibling(folder / f"{name}.png") as path:
            figure.savefig(path, dpi=110)


def _cell(text: Any) -> str:
    text = str(text)
    return f'"{text}"' if "," in text else text


def _every_row(found: Comparison) -> Any:
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
                        numbers = [f"{x:.4f}" for x in macro(values)]
                        names = [generator, sweep, label, region, estimator, parameter, measure]
                        yield [*(_cell(n) for n in names), *numbers, str(int(np.sum(sound)))]


def _rim_rows(found: Comparison) -> list[list[str]]:
    """The rim in the base condition, one row for each generator and estimator."""
    more = [f"{p} {what}" for what in ("coverage", "repeatability") for p in MAIN]
    common = [f"{p} {COMMON}" for p in ("Fp", "PS")]
    head = ["generator", "estimator", *(f"{p} {ERROR}" for p in PARAMETERS), *common]
    rows = [[*head, *more, "failures of Fp", "ms/voxel"]]
    for generator in found.generators():
        records = found.of(generator)
        for estimator in found.estimators():

            def mean(parameter: str, measure: str, e: str = estimator, r: Any = records) -> float:
                return macro(found.values(r, e, RIM, parameter, measure))[0]

            numbers = [mean(p, ERROR) for p in PARAMETERS] + [mean(p, COMMON) for p in ("Fp", "PS")]
            numbers += [mean(p, "coverage") for p in MAIN]
            numbers += [found.repeatability(records, estimator, RIM, p) for p in MAIN]
            numbers += [mean("Fp", "failures"), 1e3 * found.seconds_per_voxel(records, estimator)]
            cells = [f"{x:.3f}" if np.isfinite(x) else "" for x in numbers]
            rows.append([_cell(generator), _cell(estimator), *cells])
    return rows


def _ratio_rows(found: Comparison) -> list[list[str]]:
    """QTMnet's errors over each rival's, in the rim, on the same phantoms."""
    rows = [["generator", "rival", "parameter", "measure", "ratio", "low 95 %", "high 95 %"]]
    for generator in found.generators():
        records = found.of(generator)
        for rival in RIVALS:
            for parameter, measure in [*((p, ERROR) for p in PARAMETERS), ("Fp", COMMON), ("PS", COMMON)]:
                ours, theirs = (
                    found.values(records, e, RIM, parameter, measure, keep_gaps=True) for e in ("QTMnet", rival)
                )
                numbers = [f"{x:.3f}" for x in ratio(ours, theirs)]
                rows.append([_cell(generator), _cell(rival), parameter, measure, *numbers])
    return rows


def _coverage_rows(found: Comparison) -> list[list[str]]:
    """Share of truths in QTMnet's 90 % intervals: mean over phantoms, how sure that is, their percentiles."""
    head = ["generator", "sweep", "value", "region", "parameter", "mean", "low 95 %", "high 95 %"]
    rows = [[*head, "phantoms' 5 %", "phantoms' 95 %", "phantoms"]]
    for generator, sweep, label in found.cases():
        if sweep not in (BASE, UNSEEN):
            continue
        records = found.of(generator, sweep, label)
        for region in REGIONS:
            for parameter in PARAMETERS:
                values = found.values(records, "QTMnet", region, parameter, "coverage")
                if values:
                    numbers = [*macro(values), *np.percentile(values, (5, 95))]
                    cells = [f"{x:.3f}" for x in numbers]
                    rows.append([_cell(generator), sweep, label, region, parameter, *cells, str(len(values))])
    return rows


def _input_rows(found: Comparison) -> list[list[str]]:
    """The automatic input against the exact one."""
    rows = [["generator", "sweep", "value", "peak", "area", "arrival [s]", "found in"]]
    for generator, sweep, label in found.cases():
        inputs = [
            r["automatic input"] for r in found.of(generator, sweep, label) if r["scores"] and r["kind"] == "fast"
        ]
        sound = [i for i in inputs if i]
        if not inputs:
            continue
        numbers = [f"{np.median([i[n] for i in sound]):.3f}" if sound else "" for n in ("peak", "area", "arrival")]
        rows.append([_cell(generator), sweep, label, *numbers, f"{len(sound)} of {len(inputs)}"])
    return rows


def findings(found: Comparison) -> list[str]:
    """A sentence for each finding, written from the numbers."""
    sentences = []
    for generator in found.generators():
        records = found.of(generator)

        def errors(estimator: str, names: Sequence[str], measure: str = ERROR, r: Any = records) -> str:
            means = [macro(found.values(r, estimator, RIM, p, measure))[0] for p in names]
            return ", ".join(f"{p} {m:.3f}" for p, m in zip(names, means, strict=True))

        rims = sum(np.isfinite(found.values(records, "QTMnet", RIM, "Fp", ERROR)))
        fitted = len(found.values(records, FLOOR, RIM, "Fp", ERROR)) > 0  # a part of the phantoms, or none
        floor = f"the floor (matched model, true local input) {errors(FLOOR, MAIN)}; " if fitted else ""
        sentences.append(
            f"On {generator} truth ({rims} tumour rims), median |log error|: QTMnet {errors('QTMnet', MAIN)}; "
            f"2CXM with the exact AIF and delay {errors(EXACT, MAIN)}; {floor}"
            f"a constant {errors('constant', MAIN)}."
        )
        sentences.append(
            f"On {generator} truth with the population's scale: QTMnet {errors('QTMnet, population scale', MAIN)}; the "
            f"truth itself {errors(POPULATION_FLOOR, MAIN)}."
        )
        better, worse = [], []
        for name, measure in [*((p, ERROR) for p in SCALE_FREE), ("Fp", COMMON), ("PS", COMMON)]:
            pair = [found.values(records, e, RIM, name, measure, keep_gaps=True) for e in ("QTMnet", AUTOMATIC)]
            value, low, high = ratio(pair[0], pair[1])
            words = f"{name} {value:.2f} [{low:.2f}, {high:.2f}]"
            (better if high < 1 else worse).append(words)
        sentences.append(
            f"On {generator} truth QTMnet's error over that of 2CXM with automatic AIF and delay (Fp and PS after one "
            f"factor): "
            f"lower in {', '.join(better) or 'nothing'}; not lower in {', '.join(worse) or 'nothing'}."
        )
        sentences += _of_the_feed(found, generator)
    return sentences + _of_the_intervals(found) + of_the_sweeps(found)


def _of_the_intervals(found: Comparison) -> list[str]:
    """Coverage on capillaries of the kinds that the intervals were calibrated with."""
    records = found.of(MIXED)
    shares = {p: found.values(records, "QTMnet", RIM, p, "coverage") for p in PARAMETERS}
    if not any(shares.values()):
        return []
    means = {p: [100 * x for x in macro(v)] for p, v in shares.items() if v}
    words = ", ".join(f"{p} {mean:.0f} % [{low:.0f}, {high:.0f}]" for p, (mean, low, high) in means.items())
    return [f"With capillaries {MIXED}, QTMnet's 90 % intervals cover in {len(shares['Fp'])} rims: {words}."]


def _of_the_feed(found: Comparison, generator: str) -> list[str]:
    """Whether the error in Fp is that of a bolus spread on its way to the rim."""
    feed = feed_of(found, generator)
    if feed is None:
        return []
    return [
        f"On {generator} truth QTMnet's bias in Fp goes with the peak that the bolus has lost on its way to the rim, "
        f"r = {feed.correlation:.2f} over {feed.rims} rims: median |log error| {feed.sharp:.3f} in the half that "
        f"lost less than {100 * feed.lost:.0f} %, {feed.spread:.3f} in the other."
    ]


def base_figure(found: Comparison) -> Figure:
    """Errors of the main parameters in the rim, every estimator, both generators."""
    generators, names = found.generators(), found.estimators()
    figure = Figure(figsize=(15, 0.36 * len(names) + 1.6), layout="constrained")
    panels = figure.subplots(1, len(MAIN), sharey=True)
    for axes, parameter in zip(panels, MAIN, strict=True):
        for k, generator in enumerate(generators):
            values = [macro(found.values(found.of(generator), e, RIM, parameter, ERROR)) for e in names]
            mean, low, high = np.array(values).T
            at = np.arange(len(names)) + 0.3 * (k - 0.5)
            axes.errorbar(mean, at, xerr=[mean - low, high - mean], fmt="os"[k], ms=4, label=generator)
        axes.set(title=parameter, xlabel="median |log error| in the rim", xscale="log")
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    panels[-1].legend(fontsize=8)
    return figure
