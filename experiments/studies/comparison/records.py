"""The scores of all examinations, and how they are put together."""

from dataclasses import dataclass
from typing import Any

import numpy as np

BASE = "base"

MIXED = "as in training"
"""The generator whose capillaries are of all kinds that intervals were calibrated with: for networks alone."""

SCALE = "scale of the contrast"
"""The sweep of a factor on everything that is measured."""

TISSUE = "tissue prior"
"""The sweep to tissue unlike the training's."""

UNSEEN = "inlet family"
"""The sweep to an input of a family that no network was trained with."""


@dataclass(frozen=True)
class Comparison:
    """All scores.

    records : one per examination and kind of estimator: generator, sweep, label, phantom, inlet, kind, scores
    (estimator -> region -> parameter -> measure), seconds and voxels by estimator, errors of the automatic input, local
    peak (region -> see `experiments.studies.comparison.scores.local_peaks`), unfamiliar (network -> region -> share of
    voxels that it warns of).
    """

    records: list[dict[str, Any]]

    def generators(self) -> list[str]:
        """Those on which estimators are compared."""
        return list(dict.fromkeys(r["generator"] for r in self.records if r["generator"] != MIXED))

    def sweeps(self) -> list[str]:
        return list(dict.fromkeys(r["sweep"] for r in self.records))

    def labels(self, sweep: str) -> list[str]:
        return list(dict.fromkeys(r["label"] for r in self.records if r["sweep"] == sweep))

    def estimators(self) -> list[str]:
        return list(dict.fromkeys(name for r in self.records for name in r["scores"]))

    def cases(self) -> list[tuple[str, str, str]]:
        return list(dict.fromkeys((r["generator"], r["sweep"], r["label"]) for r in self.records))

    def of(self, generator: str, sweep: str = BASE, label: str = "") -> list[dict[str, Any]]:
        asked = {"generator": generator, "sweep": sweep, "label": label}
        return [r for r in self.records if all(r[k] == v for k, v in asked.items())]

    def values(
        self, records: list[dict[str, Any]], estimator: str, region: str, parameter: str, measure: str,
        *, keep_gaps: bool = False,
    ) -> list[float]:  # fmt: skip
        """One value per phantom that has the region, the mean over its inlets; with `keep_gaps` NaN for the others."""
        found = [(r, r["scores"].get(estimator, {}).get(region, {}).get(parameter, {}).get(measure)) for r in records]
        means = _by_phantom(found)
        return means if keep_gaps else [m for m in means if np.isfinite(m)]

    def local_peaks(self, records: list[dict[str, Any]], region: str) -> list[float]:
        """ln of what is left of the bolus's peak in the region, one value per phantom; NaN where it has none."""
        return _by_phantom([(r, r["local peak"].get(region)) for r in records])

    def unfamiliar(self, records: list[dict[str, Any]], network: str, region: str) -> list[float]:
        """Share of the region's voxels of which the network warns, one value per phantom."""
        means = _by_phantom([(r, r["unfamiliar"].get(network, {}).get(region)) for r in records])
        return [m for m in means if np.isfinite(m)]

    def repeatability(self, records: list[dict[str, Any]], estimator: str, region: str, parameter: str) -> float:
        """CoV of a region's median over redraws of inlet and noise: rms over phantoms of the SD of its bias."""
        by_phantom: dict[int, list[float]] = {}
        for r in records:
            value = r["scores"].get(estimator, {}).get(region, {}).get(parameter, {}).get("bias")
            if value is not None:
                by_phantom.setdefault(r["phantom"], []).append(value)
        spread = [np.var(v, ddof=1) for v in by_phantom.values() if len(v) > 1]
        return float(np.sqrt(np.mean(spread))) if spread else float("nan")

    def seconds_per_voxel(self, records: list[dict[str, Any]], estimator: str) -> float:
        """Median over examinations, of those that the estimator works on: all of a block, or the scored ones alone."""
        times = [r["seconds"][estimator] / r["voxels"][estimator] for r in records if estimator in r["seconds"]]
        return float(np.median(times)) if times else float("nan")


def _by_phantom(found: list[tuple[dict[str, Any], float | None]]) -> list[float]:
    """Means over the records of each phantom, NaN where none has a value."""
    values: dict[int, list[float]] = {}
    for record, value in found:
        values.setdefault(record["phantom"], []).extend([] if value is None else [value])
    return [float(np.mean(v)) if v else float("nan") for _, v in sorted(values.items())]
