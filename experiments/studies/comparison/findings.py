"""What the comparison found, as sentences written from the numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.studies.bootstrap import mean_interval, ratio_interval
from experiments.studies.comparison.estimators import AUTOMATIC, EXACT, FLOOR, POPULATION_FLOOR
from experiments.studies.comparison.found import PARAMETERS
from experiments.studies.comparison.records import MIXED, Comparison
from experiments.studies.comparison.scores import COMMON, ERROR, MAIN
from experiments.studies.comparison.summary import dispersion_effect
from experiments.studies.comparison.sweeps import of_the_sweeps
from experiments.studies.regions import RIM

SCALE_FREE = ("MTT", "kep", "E")


def findings(found: Comparison) -> list[str]:
    """A sentence for each finding, written from the numbers."""
    sentences = []
    for generator in found.generators():
        records = found.of(generator)

        def errors(estimator: str, names: Sequence[str], measure: str = ERROR, r: Any = records) -> str:
            means = [mean_interval(found.values(r, estimator, RIM, p, measure)).value for p in names]
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
            value, low, high = ratio_interval(pair[0], pair[1])
            words = f"{name} {value:.2f} [{low:.2f}, {high:.2f}]"
            (better if high < 1 else worse).append(words)
        sentences.append(
            f"On {generator} truth QTMnet's error over that of 2CXM with automatic AIF and delay (Fp and PS after one "
            f"factor): "
            f"lower in {', '.join(better) or 'nothing'}; not lower in {', '.join(worse) or 'nothing'}."
        )
        sentences += _of_the_dispersion(found, generator)
    return sentences + _of_the_intervals(found) + of_the_sweeps(found)


def _of_the_intervals(found: Comparison) -> list[str]:
    """Coverage on capillaries of the kinds that the intervals were calibrated with."""
    records = found.of(MIXED)
    shares = {p: found.values(records, "QTMnet", RIM, p, "coverage") for p in PARAMETERS}
    if not any(shares.values()):
        return []
    means = {p: [100 * x for x in mean_interval(v)] for p, v in shares.items() if v}
    words = ", ".join(f"{p} {mean:.0f} % [{low:.0f}, {high:.0f}]" for p, (mean, low, high) in means.items())
    return [f"With capillaries {MIXED}, QTMnet's 90 % intervals cover in {len(shares['Fp'])} rims: {words}."]


def _of_the_dispersion(found: Comparison, generator: str) -> list[str]:
    """Whether the error in Fp is that of a bolus dispersed on its way to the rim."""
    effect = dispersion_effect(found, generator)
    if effect is None:
        return []
    return [
        f"On {generator} truth QTMnet's bias in Fp goes with the peak that the bolus has lost on its way to the rim, "
        f"r = {effect.correlation:.2f} over {effect.rims} rims: median |log error| {effect.sharp:.3f} in the half that "
        f"lost less than {100 * effect.lost:.0f} %, {effect.spread:.3f} in the other."
    ]
