r"""Where absolute values come from: the area A of the input that nobody measured.

Tissue curves alone leave one number open (C is unchanged under ca -> a ca, theta -> theta/a): theta is known as
theta A. Each source gives A [mmol/L s], the plasma input's area over `AREA_WINDOW` after its arrival, with the
standard deviation of its logarithm:

    population   the median of the inputs that the network was trained with; wide
    vessels      the area of a blood curve, found in the images, drawn or given
    asl          what makes the plasma flow agree with that of arterial spin labelling, which is absolute
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from simulate.base.constants import BRAIN_DENSITY
from simulate.base.errors import InputError
from simulate.base.units import from_clinical
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import AMPLITUDE, AREA_WINDOW, POPULATION_AREA

SOURCES = ("population", "vessels", "asl")


@dataclass(frozen=True)
class InputScale:
    """area : A [mmol/L s].      spread : standard deviation of its logarithm.      source : in words."""

    area: float
    spread: float
    source: str


class CBFMap(NamedTuple):
    """CBF from spin labelling.

    Attributes
    ----------
    cbf : (...) array [mL/100 g/min]
        NaN where it is not to be used.
    stderr : (...) array [mL/100 g/min]
        Its standard error, or None.
    """

    cbf: Any
    stderr: Any = None

    def at(self, where: Any) -> "CBFMap":
        """That of some voxels.

        Parameters
        ----------
        where : (...) bool array or index
            Which.

        Returns
        -------
        CBFMap
            Of v voxels.
        """
        return CBFMap(np.asarray(self.cbf)[where], None if self.stderr is None else np.asarray(self.stderr)[where])


def population_scale() -> InputScale:
    """The middle of the training's inputs; its spread is that of a uniform amplitude."""
    low, high = AMPLITUDE

    def moment(x: float) -> tuple[float, float]:  # antiderivatives of ln x and ln^2 x
        return x * np.log(x) - x, x * np.log(x) ** 2 - 2 * x * np.log(x) + 2 * x

    (a1, a2), (b1, b2) = moment(low), moment(high)
    mean, square = (b1 - a1) / (high - low), (b2 - a2) / (high - low)
    area = POPULATION_AREA * (low + high) / 2
    return InputScale(area, float(np.sqrt(square - mean**2)), "population: the inlets that QTMnet was trained with")


def vessel_scale(aif: ArterialInput) -> InputScale:
    """The area of a measured plasma curve over the window after its arrival, at 10 % of its peak, as sure as the curve.

    Where the curve's own error is not known, the spread is 0 and the source says so.

    Raises InputError where the curve ends before half of the window has passed.
    """
    times, curve = np.asarray(aif.times, float), np.asarray(aif.curve, float)
    top = int(np.argmax(curve))
    threshold = 0.1 * curve[top]
    below = np.flatnonzero(curve[: top + 1] < threshold)
    rise = slice(int(below[-1]), int(below[-1]) + 2) if below.size else slice(0, 1)
    arrival = float(np.interp(threshold, curve[rise], times[rise]))
    end = min(arrival + AREA_WINDOW, times[-1])
    if end - arrival < AREA_WINDOW / 2:
        problem = f"the arterial curve ends {end - arrival:.0f} s after its arrival"
        raise InputError("--scale", "vessels", problem, "use --scale population")
    knots = np.unique(np.concatenate([[arrival, end], times[(times > arrival) & (times < end)]]))
    area = float(np.trapezoid(np.interp(knots, times, curve), knots)) * AREA_WINDOW / (end - arrival)
    known = np.isfinite(aif.spread)
    words = "" if known else ", whose own error is not known"
    return InputScale(area, aif.spread if known else 0.0, f"vessels: {aif.source}{words}")


def asl_scale(
    flow_times_area: Float[np.ndarray, " v"], cbf: CBFMap, *, haematocrit: float, own_error: float
) -> InputScale:
    """The area that makes median plasma flows agree.

    flow_times_area : Fp A [mmol/L] of the network's voxels.      cbf : there, (v,). Voxels of one scan err together, so
    however many there are, the scale is no surer than the flow of one.
    own_error : of the network, standard deviation of the logarithm of what all Fp A of a scan are wrong by together.

    Raises InputError where fewer than ten voxels have both.
    """
    flow = np.asarray(cbf.cbf)
    both = np.isfinite(flow_times_area) & np.isfinite(flow) & (flow > 0)
    if both.sum() < 10:
        problem = f"only {both.sum()} voxels have a CBF and an estimate"
        raise InputError("--scale", "asl", problem, "give a CBF map that covers the mask")
    Fp = from_clinical("CBF", flow[both]) * BRAIN_DENSITY * (1 - haematocrit)
    each = np.log(flow_times_area[both] / Fp)
    scatter = 1.2533 * np.std(each) / np.sqrt(both.sum())  # of a median
    theirs, words = 0.0, ", whose own error is not known"
    if cbf.stderr is not None:
        relative = np.asarray(cbf.stderr)[both] / flow[both]
        if np.isfinite(relative).any():
            theirs, words = float(np.median(relative[np.isfinite(relative)])), " and its standard error"
    spread = float(np.sqrt(own_error**2 + theirs**2 + scatter**2))
    return InputScale(float(np.exp(np.median(each))), spread, f"asl: CBF of {both.sum()} voxels{words}")


def describe(scale: InputScale, maps: Sequence[str]) -> dict[str, Any]:
    """For maps.json. maps : those that are divided by the area, all voxels of which are wrong by its error together."""
    return {
        "source": scale.source, "input area over 90 s [mmol/L s]": scale.area, "sd of its logarithm": scale.spread,
        "maps": list(maps),
    }  # fmt: skip
