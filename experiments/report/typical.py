"""Voxels worth looking at: the middle of the distribution, its ends, and the worst fit."""

import jax
import numpy as np

from estimate.examination.checked import DCEExamination
from estimate.kinetics.fit import MODEL_CODES
from estimate.maps.pipeline import voxels_of
from estimate.signal.voxels import Estimate
from experiments.report.figures.curves import TypicalVoxel, significant
from simulate.base.exchange import LIMITS
from simulate.base.status import NO_ESTIMATE
from simulate.base.types import Tissue
from simulate.base.units import clinical_unit, from_clinical
from simulate.kinetics.tissue import tissue_concentration

_curve = jax.jit(tissue_concentration, static_argnames="model")  # compiled once for all the voxels


def typical_voxels(exam: DCEExamination, estimate: Estimate) -> list[TypicalVoxel]:
    """Measured and fitted curves at the 10th, 50th and 90th percentile of Ktrans, and the largest misfit.

    Of PS where there is no Ktrans; without a model there is no fitted curve and no misfit.
    """
    by = next(name for name in ("Ktrans", "PS") if name in estimate.maps.values)
    sound = ((estimate.status & int(NO_ESTIMATE)) == 0) & np.isfinite(estimate.maps[by])
    if not sound.any():
        return []
    places = np.argwhere(sound)
    order = np.argsort(estimate.maps[by][sound])
    chosen = [(f"{p}th percentile of {by}", order[int(p / 100 * (order.size - 1))]) for p in (10, 50, 90)]
    if "rss" in estimate.maps.values:
        misfit = estimate.maps["rss"][sound] / np.maximum(estimate.maps["peak"][sound], 1e-6) ** 2
        chosen.append(("largest misfit", int(np.argmax(misfit))))
    indices = np.array([places[k] for _, k in chosen])
    curves = voxels_of(exam).concentration(tuple(indices.T))[0]
    names = {code: name for name, code in MODEL_CODES.items()}
    times = np.asarray(estimate.protocol.frame_centres)
    return [
        _voxel(label, tuple(map(int, index)), times, curve, estimate, names)
        for (label, _), index, curve in zip(chosen, indices, curves, strict=True)
    ]


def _voxel(
    label: str,
    index: tuple,
    times: np.ndarray,
    measured: np.ndarray,
    estimate: Estimate,
    names: dict[int, str],
) -> TypicalVoxel:
    model = names[int(estimate.maps["model"][index])] if "model" in estimate.maps.values else estimate.method
    values, lines = dict(LIMITS), [model]
    for name in LIMITS:
        if name not in estimate.maps.values or not np.isfinite(estimate.maps[name][index]):
            continue
        shown = float(estimate.maps[name][index])
        values[name] = float(from_clinical(name, shown))
        error = estimate.maps.values.get(f"{name}_stderr")
        spread = "" if error is None else f" ± {significant(float(error[index]))}"
        unit = clinical_unit(name).replace("fraction", "")
        lines.append(f"{name} {significant(shown)}{spread} {unit}".strip())
    fitted = None
    if model in MODEL_CODES:
        assert estimate.aif is not None
        aif = estimate.aif
        fitted = np.asarray(_curve(Tissue(**values), aif.curve, times, model=model, aif_times=aif.times))
    return TypicalVoxel(index, label, times, measured, fitted, ", ".join(lines))
