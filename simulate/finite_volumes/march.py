r"""Stirred volumes through time: the theta scheme with one factorisation.

    (V - \theta h M) c_\theta = V c_0 + \theta h b <c_a>,      c_1 = c_0 + (c_\theta - c_0)/\theta.

c_\theta is the concentration at t_0 + \theta h and <c_a> the exact mean of the input over the step h. theta 1 is
implicit Euler: first order, and positive for any h, since the matrix is an M-matrix factorised without pivoting.
theta 1/2 is the implicit midpoint rule (Crank-Nicolson for a linear system): second order, but volumes that are
washed out much faster than h overshoot after a kink of the input. Their c_\theta does not, and so it is what is read.

All fluxes of a step are taken at c_\theta, and so is the ledger's outflow: V c_1 - V c_0 = h (b <c_a> - o c_\theta)
holds to rounding. NumPy and SciPy in float64: what is checked here is mass to 1e-12, and a sparse factorisation is
not worth compiling.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from simulate.base.errors import InputError
from simulate.finite_volumes.compartments import Compartments

MOST_VOLUMES = 2_000_000
MOST_STEPS = 1_000_000
MOST_CURVES = 500_000_000
"""Numbers in all curves that are read: 4 GB."""


class March(NamedTuple):
    """Curves at the wanted times, and amounts at every step (k+1 step ends, the first is the start).

    curves : (r, t) of what was observed.      steps : (k+1,) [s].      inflow, outflow : (k+1,) amounts until then
        [mmol/L mm^3].      held : (g, k+1) amounts in the parts, computed from concentrations.
    """

    curves: Any
    steps: Any
    inflow: Any
    outflow: Any
    held: Any


def march(
    compartments: Compartments,
    aif: Any,
    aif_times: Any,
    times: Any,
    *,
    step: float,
    theta: float = 0.5,
    observe: Any = None,
    parts: Sequence[slice] = (slice(None),),
) -> March:
    """Concentrations after an input, none being there before.

    Parameters
    ----------
    aif, aif_times : (k,) plasma concentration outside [mmol/L] at its knots [s]; linear between them, zero before
        the first, constant after the last.
    times : (t,) ascending [s]; c_theta is interpolated linearly between steps, at a kink of the input to first order.
    step : [s].      theta : 1/2 (second order) to 1 (positive).
    observe : (r, u) sparse, what is read as a combination of the u volumes; all of them by default.
    parts : slices of the volumes whose contents the ledger tells apart.

    Raises
    ------
    InputError for a theta outside 1/2 to 1, times or knots that do not ascend, an aif that does not match its
    knots, and sizes beyond the module's limits.
    """
    aif, knots, times = (np.asarray(a, float) for a in (aif, aif_times, times))
    _check_march(aif, knots, times, step, theta)
    observe = sparse.eye_array(compartments.volume.size, format="csr") if observe is None else observe
    number = max(int(np.ceil((times[-1] - knots[0]) / step + 1 - theta)), 1)
    check_size(compartments.volume.size, number, observe.shape[0] * times.size)

    edges = knots[0] + step * np.arange(number + 1)
    mean_input = np.diff(_integral(aif, knots, edges)) / step
    curves, wanted = np.zeros((observe.shape[0], times.size)), int(np.searchsorted(times, knots[0]))
    outflow, held = np.zeros(number + 1), np.zeros((len(parts), number + 1))
    before, read_at = np.zeros(compartments.volume.size), knots[0]
    for k, (within, after) in enumerate(_steps(compartments, mean_input, step, theta)):
        outflow[k + 1] = outflow[k] + step * (compartments.outlet @ within)
        amounts = compartments.volume * after
        held[:, k + 1] = [np.sum(amounts[part]) for part in parts]
        reached = edges[k] + theta * step
        while wanted < times.size and times[wanted] <= reached:
            weight = (times[wanted] - read_at) / (reached - read_at)
            curves[:, wanted] = observe @ ((1 - weight) * before + weight * within)
            wanted += 1
        before, read_at = within, reached
    inflow = np.concatenate([[0.0], np.cumsum(step * np.sum(compartments.inlet) * mean_input)])
    return March(curves, edges, inflow, outflow, held)


def _steps(compartments: Compartments, mean_input: Any, step: float, theta: float) -> Iterator[tuple[Any, Any]]:
    """(c_theta, c_1) of every step."""
    system = sparse.diags_array(compartments.volume) - theta * step * compartments.matrix
    # no pivoting: the columns of an M-matrix are dominated by their diagonals, and its factors keep their signs
    solve = splu(
        system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    ).solve
    state = np.zeros(compartments.volume.size)
    for mean in mean_input:
        within = solve(compartments.volume * state + compartments.inlet * (theta * step * mean))
        state = within if theta == 1 else state + (within - state) / theta
        yield within, state


def check_size(volumes: int, steps: int, numbers: int) -> None:
    """Raise InputError, before any long work, for more than a machine can do in an hour."""
    for name, value, most, cure in (
        ("volumes", volumes, MOST_VOLUMES, "take fewer volumes per vessel, tanks or cells"),
        ("steps", steps, MOST_STEPS, "take a longer step or fewer minutes"),
        ("curves", numbers, MOST_CURVES, "ask for fewer times"),
    ):
        if value > most:
            raise InputError("finite volumes", name, f"{value} are more than {most}", cure)


def _check_march(aif: Any, knots: Any, times: Any, step: float, theta: float) -> None:
    if not 0.5 <= theta <= 1:
        raise InputError("march", "theta", f"is {theta}", "give 0.5 (second order) to 1 (positive)")
    if not step > 0:
        raise InputError("march", "step", f"is {step} s", "give a positive step")
    for name, values in (("aif_times", knots), ("times", times)):
        if values.size == 0 or not (np.diff(values) > 0).all():
            raise InputError("march", name, "are none or do not ascend", "sort them and drop repetitions")
    if aif.shape != knots.shape or not np.isfinite(aif).all():
        raise InputError("march", "aif", f"{aif.shape} at {knots.shape} knots", "give one finite value at each knot")


def _integral(aif: Any, knots: Any, at: Any) -> Any:
    """Integral of the piecewise-linear input from the first knot."""
    until = np.concatenate([[0.0], np.cumsum(np.diff(knots) * (aif[1:] + aif[:-1]) / 2)])
    last = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, knots.size - 1)
    return until[last] + (at - knots[last]) * (aif[last] + np.interp(at, knots, aif)) / 2
