"""The comparison's estimators without a network: each takes an examination and gives parameters of its scored voxels.

What each is given of the input is in its name. Networks have no absolute scale of their own and are given the input's
area, which the fits are given with their input (`experiments.studies.comparison.scores` also compares after one common
factor).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter

from estimate.arterial.scale import population_scale
from estimate.kinetics.fit import fit_kinetics
from estimate.kinetics.linear import linear_2cxm
from estimate.kinetics.model import FitModel
from estimate.transport_mapping.inversion import plasma_volume, two_compartments
from experiments.studies.comparison.found import PARAMETERS, Found, derived, nothing
from experiments.studies.comparison.inputs import Input, automatic_input, exact_input
from experiments.studies.comparison.local_fit import local_fit
from experiments.studies.comparison.scans import Examination
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import AREA_WINDOW

Estimator = Callable[[Examination], Found]

AUTOMATIC, EXACT = "2CXM, automatic AIF, delay", "2CXM, exact AIF, delay"
FLOOR = "matched model, true local input, arterial volume"
"""The main rivals of QTMnet, and a fit that knows everything but the tissue."""


def _named(fit: Any) -> Found:
    names = ("Fp", "PS", "vp", "ve")
    found = {n: np.asarray(getattr(fit.tissue, n), float) for n in names} | {"Ktrans": np.asarray(fit.Ktrans, float)}
    return found | {f"{n}_stderr": np.asarray(fit.stderr[n], float) for n in (*names, "Ktrans")}


QTM_STEPS = 30


def _fit(exam: Examination, aif: ArterialInput, **options: Any) -> Any:
    curves = exam.curves[exam.scored]
    return fit_kinetics(
        curves, exam.centres, aif.curve, aif_times=aif.times, frame_duration=exam.spacing, **options
    )  # fmt: skip


def kinetic(given: Input, exam: Examination, **options: Any) -> Found:
    """A fit of `fit_kinetics` with one input for all voxels."""
    aif = given(exam)
    return nothing(exam) if aif is None else derived(_named(_fit(exam, aif, **options)))


def pooled_choice(exam: Examination) -> Found:
    """2CXM or DP with exact input and delay, whichever leaves less over the 3^3 voxels around (residuals pooled among
    the scored)."""
    both = [_fit(exam, exam.aif, model=model, fit_delay=True) for model in ("2cxm", "dp")]
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
    """A fit that knows each voxel's local arterial input, begun at the truth."""
    curves = exam.curves[exam.scored]
    given = (exam.local_aif, exam.local_aif_times)
    return derived(local_fit(model, curves, exam.centres, exam.spacing, *given, exam.tissue))


def linear(exam: Examination) -> Found:
    """2CXM by linear least squares with the exact input at the frames."""
    aif = np.interp(exam.centres, exam.aif.times, exam.aif.curve)
    tissue = linear_2cxm(exam.curves[exam.scored].astype(float), exam.centres, aif)
    found = {n: np.asarray(getattr(tissue, n)) for n in ("Fp", "PS", "vp", "ve")}
    return derived(found | {"Ktrans": np.asarray(tissue.Ktrans)})


def etm_or_patlak(given: Input, exam: Examination) -> Found:
    """Extended Tofts or Patlak, by AICc; neither has a flow."""
    aif = given(exam)
    if aif is None:
        return nothing(exam)
    etm, patlak = (_fit(exam, aif, model=model, fit_delay=True) for model in ("etm", "patlak"))
    etm_better = np.asarray(etm.aicc) <= np.asarray(patlak.aicc)
    found = {
        "vp": np.where(etm_better, etm.tissue.vp, patlak.tissue.vp),
        "ve": np.where(etm_better, etm.tissue.ve, np.nan),
        "Ktrans": np.where(etm_better, etm.Ktrans, patlak.Ktrans),
    }
    return derived({name: np.asarray(values, float) for name, values in found.items()})


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
    """Those that take ten seconds and more: plug flow's model has no fast fit, nor have local arterial inputs.

    mixing : of the truth, known to the floor alone.
    """
    matched = FitModel("2cxm" if mixing == 1 else "dp", arterial_volume=True)
    return {
        "{2CXM, DP}, exact AIF, delay": pooled_choice,
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
        "linear 2CXM, exact AIF": linear,
        "constant": partial(constant, centre),
        POPULATION_FLOOR: truth_at_population_scale,
    }
