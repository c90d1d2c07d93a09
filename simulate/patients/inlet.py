"""The arterial input of a virtual patient: Parker's and Georgiou's forms between which people lie, with a tail as
measured inputs have it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import georgiou_shape, parker_shape
from simulate.inputs.random import AREA_WINDOW, POPULATION_AREA
from simulate.inputs.transit import disperse
from simulate.patients.person import Person

TAIL = (0.1, 0.4)
"""Plasma concentration `TAIL_AT` after arrival over the peak, log-uniform: measured inputs have it; the inputs of
training reach far beyond."""

TAIL_AT = 120.0
"""s."""

STRETCH, WASHOUT, DISPERSION = (0.8, 1.5), (0.8, 1.25), (0.0, 2.0)
"""Ranges: of the first pass in time, of the rates of the washout (log-uniform), and s by which heart and lungs stir
(chosen)."""

AREA = 0.3
"""Deviation of the logarithm of the area over the population's: dose by weight, cardiac output (chosen)."""

ONSET = (18.0, 24.0)
"""s from the first frame to arrival."""

SHARE = (0.25, 1.0)
"""Of Parker's form in the area; Georgiou's falls off too fast for the highest tails (chosen)."""

STEP = 0.25
"""s between the knots."""

_TAILS = np.geomspace(0.02, 30.0, 60)


def patient_input(person: Person, duration: float) -> ArterialInput:
    """Plasma concentration at the inlet of the slab, over `duration` [s] from the first frame."""
    rng = person.rng("input")
    stretch, washout, wanted = (
        float(np.exp(rng.uniform(*np.log(ends)))) for ends in (STRETCH, WASHOUT, TAIL)
    )  # fmt: skip
    share, stirred = float(rng.uniform(*SHARE)), float(rng.uniform(*DISPERSION))
    area = POPULATION_AREA * float(np.exp(AREA * rng.standard_normal()))
    onset = float(rng.uniform(*ONSET))
    since = STEP * np.arange(int(np.ceil((duration + 10) / STEP)))
    curves = np.asarray(_curves(jnp.asarray(since, float), stretch, washout, share, stirred), float)
    ratios = np.asarray([np.interp(TAIL_AT, since, curve) / curve.max() for curve in curves])
    curve = np.asarray([np.interp(np.log(wanted), np.log(ratios), column) for column in curves.T])
    curve *= area / (STEP * curve[since < AREA_WINDOW].sum())
    times = STEP * np.arange(len(since) + int(ONSET[1] / STEP))  # as many for everybody: one program
    return ArterialInput(times, np.interp(times - onset, since, curve, left=0.0), "inlet of the slab")


@jax.jit
def _curves(since: Any, stretch: Any, washout: Any, share: Any, stirred: Any) -> Any:
    """(60, k) the form with every tail of `_TAILS`."""

    def one(tail: Any) -> Any:
        forms = [
            form(since, stretch=stretch, tail=tail, washout=washout) for form in (parker_shape, georgiou_shape)
        ]  # fmt: skip
        forms = [form / jnp.sum(form) for form in forms]
        return disperse(share * forms[0] + (1 - share) * forms[1], since, time_constant=stirred)

    return jax.vmap(one)(jnp.asarray(_TAILS, since.dtype))
