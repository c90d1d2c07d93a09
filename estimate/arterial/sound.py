"""What an arterial input has to be, wherever it comes from: finite, in order, in seconds, with its bolus in view."""

import numpy as np
from jaxtyping import Num

from estimate.signal.baseline import curve_noise
from simulate.base.errors import InputError

_FAR_LONGER = 100.0
"""Times as long as the series, a curve is in milliseconds: in seconds nobody would give it."""

_ROUNDING = 1e-3  # s; a table of times printed with three decimals still covers its series

ARRIVED = 0.1
"""Share of the peak at which the bolus has arrived."""

LARGEST_PEAK = 100.0
"""Concentration [mmol/L] that no injection reaches, in plasma or tissue; in micromoles every one exceeds it."""

FEWEST_FOR_NOISE = 15
"""Knots of a curve of which the differences tell its noise, and not the bolus itself."""

PEAK_TO_NOISE = 5.0
"""Of a curve with a bolus, at least. The highest of 100 frames of noise alone is 2.5."""


def check_input(
    where: object, times: Num[np.ndarray, " k"], curve: Num[np.ndarray, " k"], series_times: Num[np.ndarray, " t"]
) -> None:
    """Refuse a table that cannot be the input of a series at these times [s].

    It is not continued beyond its ends: what is not measured is not known.
    """
    if times.ndim != 1 or times.shape != curve.shape or times.size < 2:
        problem = f"has times of shape {times.shape} and a curve of {curve.shape}"
        raise InputError(where, "shape", problem, "give two numbers and more, a time for each")
    if not (np.isfinite(times).all() and np.isfinite(curve).all()):
        index = int(np.argmin(np.isfinite(times) & np.isfinite(curve)))
        raise InputError(where, "", f"holds no finite number at its row {index + 1}", "leave that row out")
    step = np.diff(times)
    if not (step > 0).all():
        index = int(np.argmin(step > 0))
        problem = f"time {times[index + 1]:g} s does not come after {times[index]:g} s"
        raise InputError(where, "times", problem, "sort the times, each once")
    _check_range(where, times, series_times)


def check_bolus(where: object, times: np.ndarray, curve: np.ndarray) -> None:
    """Refuse a plasma curve that shows no bolus, or only its end."""
    peak = float(curve.max())
    noise = float(curve_noise(curve[None])[0]) if curve.size >= FEWEST_FOR_NOISE else 0.0
    if peak > LARGEST_PEAK:
        problem = f"reaches {peak:g} mmol/L: it looks like micromoles, or like a signal"
        raise InputError(where, "concentration", problem, "give mmol/L")
    if not peak > PEAK_TO_NOISE * noise:
        problem = f"shows no bolus: its peak is {peak:.2f} mmol/L" + (f", its noise {noise:.2f}" if noise else "")
        cure = "give an input that begins before contrast arrives; of a series that began too late none can be measured"
        raise InputError(where, "concentration", problem, cure)
    if curve[0] > max(ARRIVED * peak, 3 * noise):
        problem = f"starts at {curve[0]:.2f} of at most {peak:.2f} mmol/L: its bolus came before {times[0]:g} s"
        raise InputError(where, "concentration", problem, "give an input that begins before contrast arrives")


def arrival_time(times: np.ndarray, curve: np.ndarray) -> float:
    """First knot [s] that reaches `ARRIVED` of the peak."""
    return float(times[np.argmax(curve > ARRIVED * curve.max())])


def _check_range(where: object, times: np.ndarray, series_times: np.ndarray) -> None:
    first, last = float(series_times[0]), float(series_times[-1])
    # float32 holds the clock of a scanner, seconds since midnight, to 4 ms
    slack = max(_ROUNDING, float(np.spacing(np.float32(max(abs(first), abs(last))))))
    if times[0] <= first + slack and times[-1] >= last - slack:
        if times[-1] - times[0] > _FAR_LONGER * max(last - first, 1.0):
            problem = f"covers {times[0]:g} to {times[-1]:g} s, and the series {first:g} to {last:g} s alone"
            raise InputError(where, "time", problem, "these look like milliseconds: give seconds")
        return
    problem = f"covers {times[0]:g} to {times[-1]:g} s, the series {first:g} to {last:g} s"
    cure = f"give a curve that covers the series, on its clock, which starts at {first:g} s"
    if last > first and 0.8 < 60 * (times[-1] - times[0]) / (last - first) < 1.25:
        cure = "these look like minutes: give seconds"
    raise InputError(where, "time", problem, cure)
