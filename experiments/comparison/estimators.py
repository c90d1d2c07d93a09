"""The estimators of the comparison: each takes an examination and gives parameters of its scored voxels.

What each is told of the input is in its name. QTMnet has no absolute scale of its own; it is given the input's area,
which the fits are given with their input (`experiments.comparison.scores` also compares after one common factor).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter

from estimate.arterial import ArterialInput, find_aif
from estimate.compressed_model import FitModel
from estimate.input_scale import InputScale, population_scale, vessel_scale
from estimate.kinetic_fit import fit_kinetics
from estimate.linear_least_squares import linear_2cxm
from estimate.qtm import two_compartments
from estimate.qtm.inversion import plasma_volume
from estimate.qtmnet.contrast.inference import answer
from estimate.qtmnet.contrast.maps import parameters, unphysical, with_scale_error
from estimate.qtmnet.weights import Trained
from experiments.comparison.local_fit import local_fit
from experiments.comparison.scans import HAEMATOCRIT, Examination
from simulate.base.errors import InputError
from simulate.inlets import AREA_WINDOW

Found = dict[str, np.ndarray]
Estimator = Callable[[Examination], Found]

AUTOMATIC, EXACT = "2CXM, automatic AIF, delay", "2CXM, exact AIF, delay"
FLOOR = "matched model, true local input, arterial volume"
"""The main rivals of QTMnet, and a fit that is told everything."""

PARAMETERS = ("Fp", "PS", "vp", "ve", "Ktrans", "MTT", "kep", "E")


def derived(found: Found) -> Found:
    """MTT, kep and E beside what an estimator gives; each model's own Ktrans is kept."""
    found = dict(found)
    with np.errstate(all="ignore"):
        if "Fp" in found:
            found.setdefault("MTT", (found["vp"] + found["ve"]) / found["Fp"])
            found.setdefault("E", found["Ktrans"] / found["Fp"])
        found.setdefault("kep", found["Ktrans"] / found["ve"])
    return found


def _named(fit: Any) -> Found:
    names = ("Fp", "PS", "vp", "ve")
    found = {n: np.asarray(getattr(fit.tissue, n), float) for n in names} | {"Ktrans": np.asarray(fit.Ktrans, float)}
    return found | {f"{n}_stderr": np.asarray(fit.stderr[n], float) for n in (*names, "Ktrans")}


def _nothing(exam: Examination) -> Found:
    return {name: np.full(len(exam.scored), np.nan) for name in PARAMETERS}


QTM_STEPS = 30

Input = Callable[[Examination], tuple[np.ndarray, np.ndarray]]


def exact_input(exam: Examination) -> tuple[np.ndarray, np.ndarray]:
    """Where it was measured: that of the block, but for conditions that delay or disperse it."""
    return exam.aif_times, exam.aif


def automatic_input(exam: Examination) -> tuple[np.ndarray, np.ndarray]:
    """The picker's, from the block and the slices beside it; NaN where it finds none."""
    found = _picked(exam)
    if found is None:
        return exam.centres, np.full(exam.centres.shape, np.nan)
    return np.asarray(found.times), np.asarray(found.curve)


def _picked(exam: Examination) -> ArterialInput | None:
    block = exam.curves.reshape(exam.side, exam.side, exam.side, -1)
    try:
        return find_aif(np.concatenate([block, exam.artery], axis=2), exam.centres, haematocrit=HAEMATOCRIT)
    except InputError:
        return None


def kinetic(given: Input, exam: Examination, **options: Any) -> Found:
    """A fit of `fit_kinetics` with one input for all voxels."""
    knots, curve = given(exam)
    if not np.isfinite(curve).all():
        return _nothing(exam)
    return derived(_named(fit_kinetics(exam.curves[exam.scored], exam.centres, curve, aif_times=knots, **options)))


def pooled_choice(given: Input, exam: Examination) -> Found:
    """2CXM or DP with delay, whichever leaves less over the 3^3 voxels around (residuals pooled among the scored)."""
    knots, curve = given(exam)
    both = [
        fit_kinetics(exam.curves[exam.scored], exam.centres, curve, aif_times=knots, model=model, fit_delay=True)
        for model in ("2cxm", "dp")
    ]
    rss = np.stack([np.asarray(fit.rss, float) for fit in both])
    around = np.stack([_pooled(exam, r) for r in rss])
    first = around[0] <= around[1]
    named = [_named(fit) for fit in both]
    return derived({name: np.where(first, named[0][name], named[1][name]) for name in named[0]})


def _pooled(exam: Examination, values: np.ndarray) -> np.ndarray:
    """Mean over the scored voxels within one voxel of each."""
    total, count = np.zeros((2, exam.side**3))
    np.add.at(total, exam.scored, values * (exam.region > 0))
    np.add.at(count, exam.scored, exam.region > 0)
    shape = (exam.side,) * 3
    total, count = (uniform_filter(a.reshape(shape), 3, mode="constant").ravel() for a in (total, count))
    return total[exam.scored] / np.maximum(count[exam.scored], 1e-9)


def with_local_input(model: FitModel, exam: Examination) -> Found:
    """A fit that knows what truly feeds each voxel, begun at the truth."""
    curves = exam.curves[exam.scored]
    return derived(local_fit(model, curves, exam.centres, exam.supply, exam.supply_times, exam.tissue))


def linear(given: Input, exam: Examination) -> Found:
    """2CXM by linear least squares with the input at the frames."""
    knots, curve = given(exam)
    tissue = linear_2cxm(exam.curves[exam.scored].astype(float), exam.centres, np.interp(exam.centres, knots, curve))
    found = {n: np.asarray(getattr(tissue, n)) for n in ("Fp", "PS", "vp", "ve")}
    return derived(found | {"Ktrans": np.asarray(tissue.Ktrans)})


def etm_or_patlak(given: Input, exam: Examination) -> Found:
    """Extended Tofts or Patlak, by AICc; neither has a flow."""
    knots, curve = given(exam)
    etm, patlak = (
        fit_kinetics(exam.curves[exam.scored], exam.centres, curve, aif_times=knots, model=model, fit_delay=True)
        for model in ("etm", "patlak")
    )
    etm_better = np.asarray(etm.aicc) <= np.asarray(patlak.aicc)
    found = {
        "vp": np.where(etm_better, etm.tissue.vp, patlak.tissue.vp),
        "ve": np.where(etm_better, etm.tissue.ve, np.nan),
        "Ktrans": np.where(etm_better, etm.Ktrans, patlak.Ktrans),
    }
    return derived({name: np.asarray(values, float) for name, values in found.items()})


SCALES = ("known", "vessels", "population")
"""Where QTMnet's input area may come from: told, of the picker's vessels, the population's."""


def qtmnet(trained: Trained, exam: Examination, *, scales: Sequence[str] = ("known",)) -> dict[str, Found]:
    """The network's one answer, at each of the scales, with errors that hold the scale's; `unfamiliar` among it are the voxels that it warns of.

    One that is told the input gets the exact one.
    """
    if not exam.view.size:
        return {scale: _nothing(exam) | {"unfamiliar": np.zeros(len(exam.scored), bool)} for scale in scales}
    shape = (exam.side,) * 3
    shown = (np.unravel_index(exam.view, shape), exam.curves[exam.view])
    aif = (*exact_input(exam), exam.area)
    found = answer(trained, lambda: [shown], shape, exam.start, exam.spacing, aif=aif)
    row = np.zeros(len(exam.curves), int)  # what is scored and not shown does not count: any will do
    row[exam.view] = np.arange(len(exam.view))
    named = {}
    for scale in scales:
        chosen = _input_scale(scale, exam)
        if chosen is None:
            named[scale] = _nothing(exam)
            continue
        values = with_scale_error(parameters(found, chosen, trained.widening), chosen)
        values["unfamiliar"] = found.unfamiliar | unphysical(values)
        named[scale] = {name: value[row[exam.scored]] for name, value in values.items()}
    return named


def _input_scale(scale: str, exam: Examination) -> InputScale | None:
    """None where the picker finds no vessel."""
    if scale == "known":
        return InputScale(exam.area, 0.0, "known")
    if scale == "population":
        return population_scale()
    picked = _picked(exam)
    return None if picked is None else vessel_scale(picked)


POPULATION_FLOOR = "truth, population scale"


def truth_at_population_scale(exam: Examination) -> Found:
    """The truth, but for the input's area: nothing without another source of the scale can be nearer."""
    factor = exam.area / population_scale().area
    return derived({name: factor * exam.truth[name] for name in ("Fp", "PS", "vp", "ve", "Ktrans")})


def qtm(cell: float, exam: Examination) -> Found:
    """QTM with two compartments, given the input's area; it has no flow and no transfer constant."""
    volume = exam.curves.reshape(exam.side, exam.side, exam.side, -1)
    solved = two_compartments(volume, exam.centres, (cell, cell, cell), steps=QTM_STEPS)
    vp = plasma_volume(solved, exam.centres, exam.onset, AREA_WINDOW, exam.area)
    found = {"vp": vp, "PS": vp * solved.PS_over_vp, "ve": vp * solved.PS_over_vp / solved.PS_over_ve}
    found["kep"] = solved.PS_over_ve
    return {name: np.asarray(values, float).ravel()[exam.scored] for name, values in found.items()}


def constant(centre: dict[str, float], exam: Examination) -> Found:
    """The same answer everywhere."""
    return {name: np.full(len(exam.scored), centre[name]) for name in PARAMETERS}


def slow_estimators(mixing: float) -> dict[str, Estimator]:
    """Those that take ten seconds and more: plug flow's model has no fast fit, nor has an input of each voxel's own.

    mixing : of the truth, known to the floor alone.
    """
    matched = FitModel("2cxm" if mixing == 1 else "dp", arterial_volume=True)
    return {
        "{2CXM, DP}, exact AIF, delay": partial(pooled_choice, exact_input),
        "2CXM, true local input": partial(with_local_input, FitModel("2cxm")),
        "2CXM, true local input, arterial volume": partial(with_local_input, FitModel("2cxm", arterial_volume=True)),
        FLOOR: partial(with_local_input, matched),
    }


def fast_estimators(centre: dict[str, float]) -> dict[str, Estimator]:
    """Those without a network that take a second or less. centre : the constant's answer."""
    return {
        "2CXM, automatic AIF": partial(kinetic, automatic_input),
        AUTOMATIC: partial(kinetic, automatic_input, fit_delay=True),
        "2CXM, exact AIF": partial(kinetic, exact_input),
        EXACT: partial(kinetic, exact_input, fit_delay=True),
        "ETM/Patlak, automatic AIF, delay": partial(etm_or_patlak, automatic_input),
        "linear 2CXM, exact AIF": partial(linear, exact_input),
        "constant": partial(constant, centre),
        POPULATION_FLOOR: truth_at_population_scale,
    }
