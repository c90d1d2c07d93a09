"""What the sweeps say: under which conditions QTMnet holds, where it breaks, and whether it says so itself."""

from typing import Any, NamedTuple

import numpy as np

from experiments.studies.comparison.estimators import EXACT
from experiments.studies.comparison.records import BASE, SCALE, Comparison
from experiments.studies.comparison.scores import ERROR, MAIN
from experiments.studies.regions import RIM

WORSE, COVERING = 1.5, 0.8
"""A condition breaks QTMnet where its error in any main parameter grows by more than this factor, or its 90 % intervals
cover less than this share of one and less than in the base: few phantoms may fall short there already."""


class Swept(NamedTuple):
    """What a condition does, in the rim: means over phantoms, by parameter, of QTMnet's error there and, on the same
    phantoms, in the base; of 2CXM's with exact AIF and delay; of what QTMnet's 90 % intervals cover, there and in the
    base; and the share of voxels that it warns of. rims : how many."""

    generator: str
    sweep: str
    label: str
    rims: int
    error: dict[str, float]
    in_base: dict[str, float]
    rival: dict[str, float]
    covers: dict[str, float]
    in_base_covers: dict[str, float]
    warned: float


def swept(found: Comparison) -> list[Swept]:
    """One for each condition with a rim."""
    out = []
    for generator, sweep, label in _conditions(found):
        there, base = _same_phantoms(found, generator, sweep, label)
        out.append(
            Swept(
                generator, sweep, label, len(found.values(there, "QTMnet", RIM, "Fp", ERROR)),
                {p: _mean(found, there, "QTMnet", p) for p in MAIN},
                {p: _mean(found, base, "QTMnet", p) for p in MAIN},
                {p: _mean(found, there, EXACT, p) for p in MAIN},
                {p: _mean(found, there, "QTMnet", p, "coverage") for p in MAIN},
                {p: _mean(found, base, "QTMnet", p, "coverage") for p in MAIN},
                _plain_mean(found.unfamiliar(there, "QTMnet", RIM)),
            )
        )  # fmt: skip
    return out


def of_the_sweeps(found: Comparison) -> list[str]:
    """For each generator a sentence on what QTMnet stands and what breaks it; then the scale's law."""
    sentences, conditions = [], swept(found)
    for generator in found.generators():
        stands, breaks = [], []
        for s in conditions:
            if s.generator == generator and s.sweep != SCALE:
                harm = _harm(s)
                (stands if harm is None else breaks).append(f"{s.sweep} {s.label}{harm or ''}")
        if stands or breaks:
            sentences.append(
                f"On {generator} truth QTMnet stands (no error in the rim more than {WORSE:g} times that of the base, "
                f"intervals cover {100 * COVERING:.0f} % or what they cover in the base): "
                f"{', '.join(stands) or 'nothing'}. It does not stand: {'; '.join(breaks) or 'nothing else'}."
            )
    return sentences + _of_the_scale(found)


def _harm(s: Swept) -> str | None:
    """What a condition does to QTMnet, in words; None where it stands it."""
    worst, least = max(MAIN, key=lambda p: s.error[p] / s.in_base[p]), min(MAIN, key=lambda p: s.covers[p])
    covering = all(s.covers[p] >= min(COVERING, s.in_base_covers[p]) for p in MAIN)
    if covering and s.error[worst] <= WORSE * s.in_base[worst]:
        return None
    return (
        f" ({worst} off by {s.error[worst]:.3f}, in the base by {s.in_base[worst]:.3f}, {EXACT} by "
        f"{s.rival[worst]:.3f}; intervals cover {100 * s.covers[least]:.0f} % of {least}; "
        f"{100 * s.warned:.0f} % of the voxels are marked as unfamiliar)"
    )


def _of_the_scale(found: Comparison) -> list[str]:
    """Everything measured times a: Fp, PS, vp and ve must be times a as well."""
    off = []
    for generator, sweep, label in _conditions(found):
        if sweep == SCALE:
            there, base = _same_phantoms(found, generator, sweep, label)
            for parameter in MAIN:
                moved, still = (
                    np.asarray(found.values(records, "QTMnet", RIM, parameter, "bias", keep_gaps=True))
                    for records in (there, base)
                )
                off.append(np.nanmax(np.abs(np.exp(moved - still) / float(label) - 1), initial=0.0))
    if not off:
        return []
    return [f"Where all that is measured is scaled, QTMnet's Fp, PS, vp and ve are, to {max(off):.0e} at worst."]


def _conditions(found: Comparison) -> list[tuple[str, str, str]]:
    """Those away from the base in which there is a rim."""
    known = [case for case in found.cases() if case[1] != BASE and case[0] in found.generators()]
    return [case for case in known if found.values(found.of(*case), "QTMnet", RIM, "Fp", ERROR)]


def _same_phantoms(found: Comparison, generator: str, sweep: str, label: str) -> tuple[list[Any], list[Any]]:
    """Records of a condition, and of the base on its phantoms with its inlets."""
    there = [r for r in found.of(generator, sweep, label) if r["scores"]]
    which = {(r["phantom"], r["inlet"]) for r in there}
    return there, [r for r in found.of(generator) if (r["phantom"], r["inlet"]) in which]


def _mean(found: Comparison, records: list[Any], estimator: str, parameter: str, measure: str = ERROR) -> float:
    return _plain_mean(found.values(records, estimator, RIM, parameter, measure))


def _plain_mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
