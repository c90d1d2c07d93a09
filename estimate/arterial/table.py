"""An arterial input as a table: two columns of CSV that say whether they hold blood or plasma.

# kind: plasma
# time unit: s
# sd of the logarithm of its area: 0.08
time_s,concentration_mmol_per_L
0.0,0.0

The third line, how far the whole curve may be off, is absent where that is not known. A table of blood may say
`# haematocrit: 0.42`. NumPy reads either kind by `numpy.genfromtxt(path, delimiter=",")[1:]`, pandas by
`pandas.read_csv(path, comment="#")`.
"""

import math
import os
import re
from pathlib import Path
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from estimate.arterial.given import check_haematocrit
from estimate.arterial.sound import check_input
from simulate.base.errors import InputError
from simulate.files.atomic import write_atomically
from simulate.files.tables import cells, read_lines, table_text
from simulate.inputs.arterial_input import SPREAD, ArterialInput
from simulate.inputs.transit import blood_to_plasma, plasma_to_blood

Kind = Literal["blood", "plasma"]

_SECONDS = ("s", "sec", "secs", "second", "seconds")
_OTHER_TIMES = {
    "minutes": {"min", "mins", "minute", "minutes"},
    "milliseconds": {"ms", "msec", "msecs", "millisecond", "milliseconds"},
    "hours": {"h", "hour", "hours"},
}
_OTHER_AMOUNTS = {"micromoles": {"um", "umol", "µm", "µmol", "μm", "μmol", "micromol"}, "moles": {"mol", "molar"}}
"""Words of a heading that say another unit than s and mmol/L."""


def write_aif_csv(path: str | os.PathLike, aif: ArterialInput, *, haematocrit: float | None = None) -> None:
    """Write an input so that `read_aif_csv` needs no word on it, complete or not at all.

    In the precision in which that reads it.

    Parameters
    ----------
    path : path
        Of the table.
    aif : ArterialInput
        What to write.
    haematocrit : float [fraction]
        None writes the plasma concentration, a fraction that of blood, (1 - haematocrit) of it.

    Raises
    ------
    InputError
        For a haematocrit outside 0 to 0.7, or a file that cannot be written.
    """
    lines, times, curve = ["# kind: plasma"], jnp.asarray(aif.times), jnp.asarray(aif.curve)
    if haematocrit is not None:
        check_haematocrit(haematocrit)
        lines, curve = ["# kind: blood", f"# haematocrit: {haematocrit!s}"], plasma_to_blood(curve, haematocrit)
    lines += ["# time unit: s", f"# source: {' '.join(aif.source.split())}"]
    if not math.isnan(aif.spread):
        lines.append(f"# {SPREAD}: {aif.spread:.4g}")
    rows = zip(np.asarray(times), np.asarray(curve), strict=True)
    table = table_text([("time_s", "concentration_mmol_per_L"), *rows])
    write_atomically(path, "\n".join(lines) + "\n" + table)


def read_aif_csv(
    path: str | os.PathLike,
    *,
    kind: Kind | None,
    haematocrit: float | None,
    series_times: Float[ArrayLike, " t"],
) -> ArterialInput:
    """Read an input that covers the times of a series; it keeps its own knots.

    Parameters
    ----------
    path : path
        A table of two columns: time in s, concentration in mmol/L.
    kind : str
        What the numbers are, "blood" or "plasma"; None where the file says it.
    haematocrit : float [fraction]
        Of which blood; None where the file says it, or holds plasma.
    series_times : (t,) array [s]
        What it has to cover.

    Returns
    -------
    ArterialInput
        In plasma.

    Raises
    ------
    InputError
        For a file that is no such table, other units, times out of order, no word on blood or plasma, or an input that
        does not serve the series.
    """
    said, rows = _parse(path)
    times, values = _columns(path, rows)
    _check_unit(path, said)
    plasma = jnp.asarray(values)
    if _kind(path, said.get("kind"), kind) == "blood":
        plasma = blood_to_plasma(plasma, _haematocrit(path, said.get("haematocrit"), haematocrit))
    check_input(path, times, np.asarray(plasma), np.asarray(series_times))
    return ArterialInput(jnp.asarray(times), plasma, f"file {Path(path).name}", spread=_spread(path, said.get(SPREAD)))


def _parse(path: str | os.PathLike) -> tuple[dict[str, str], list[tuple[int, list[str]]]]:
    """What the comments say, by key, and the cells of each other line with its number."""
    try:
        lines = read_lines(path)
    except FileNotFoundError:
        raise InputError(path, "", "no such file", "give --aif auto, parker, georgiou or a file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, "", f"cannot be read ({error})", "give a text file of two columns") from None
    comments = [line.lstrip("# ").partition(":") for line in lines if line.startswith("#")]
    said = {key.strip().lower(): value.strip().lower() for key, _, value in comments}
    numbered = [(i, line.strip()) for i, line in enumerate(lines, start=1)]
    return said, [(i, cells(line)) for i, line in numbered if line and not line.startswith("#")]


def _columns(path: str | os.PathLike, rows: list[tuple[int, list[str]]]) -> tuple[np.ndarray, np.ndarray]:
    """Times and values; the first line may be a heading."""
    cure = "give two columns: time in s, concentration in mmol/L"
    if rows and _numbers(rows[0][1]) is None:
        _check_heading(path, rows[0][1])
        rows = rows[1:]
    for line, row in rows:
        if _numbers(row) is None:
            raise InputError(path, f"line {line}", f"{','.join(row)!r} is not two numbers", cure)
    if len(rows) < 2:
        raise InputError(path, "", f"{len(rows)} rows of numbers", cure)
    times, values = np.array([_numbers(row) for _, row in rows]).T
    backwards = np.flatnonzero(np.diff(times) <= 0)
    if backwards.size:
        line = rows[backwards[0] + 1][0]
        problem = f"time {times[backwards[0] + 1]:g} s does not come after {times[backwards[0]]:g} s"
        raise InputError(path, f"line {line}", problem, "sort the times, each once")
    return times, values


def _check_heading(path: str | os.PathLike, row: list[str]) -> None:
    """Whole words only: conc_minus_baseline says nothing of minutes. Where spaces parted the words, all are of both."""
    columns = row if len(row) == 2 else [" ".join(row)] * 2
    for cell, column, known, cure in (
        (columns[0], "time", _OTHER_TIMES, "give seconds"),
        (columns[1], "concentration", _OTHER_AMOUNTS, "give mmol/L"),
    ):
        words = set(re.findall(r"[^\W\d_]+", cell.lower()))
        for unit, names in known.items():
            if words & names:
                raise InputError(path, column, f"heading {' '.join(row)!r} says {unit}", cure)


def _numbers(row: list[str]) -> list[float] | None:
    try:
        numbers = [float(cell) for cell in row]
    except ValueError:
        return None
    return numbers if len(numbers) == 2 and np.all(np.isfinite(numbers)) else None


def _check_unit(path: str | os.PathLike, said: dict[str, str]) -> None:
    unit = said.get("time unit", "s")
    if unit not in _SECONDS:
        raise InputError(path, "time unit", f"{unit!r}", "give the times in seconds")


def _spread(path: str | os.PathLike, said: str | None) -> float:
    """NaN where the file says nothing; what it says has to be a number."""
    if said is None:
        return math.nan
    try:
        spread = float(said)
    except ValueError:
        spread = math.nan
    if not 0 <= spread < math.inf:
        cure = "give a number such as 0.1, or leave the line out where it is not known"
        raise InputError(path, SPREAD, f"is {said!r}", cure)
    return spread


def _kind(path: str | os.PathLike, said: str | None, given: Kind | None) -> str:
    if said is not None and said not in ("blood", "plasma"):
        raise InputError(path, "kind", f"{said!r}", "write '# kind: blood' or '# kind: plasma'")
    if said and given and said != given:
        raise InputError(path, "kind", f"the file says {said}, the option {given}", "correct one of them")
    kind = said or given
    if kind is None:
        cure = "say it with --aif-is blood|plasma, or '# kind: plasma' in the file"
        raise InputError(path, "kind", "no word on blood or plasma", cure)
    return kind


def _haematocrit(path: str | os.PathLike, said: str | None, given: float | None) -> float:
    """Of the blood in which a curve was measured; the file and the options may not contradict each other."""
    found = given
    if said is not None:
        try:
            found = float(said)
        except ValueError:
            raise InputError(path, "haematocrit", f"is {said!r}", "give a fraction such as 0.42") from None
        if given is not None and not math.isclose(found, given, rel_tol=1e-6):
            problem = f"the file says {said}, the option or sidecar {given:g}"
            raise InputError(path, "haematocrit", problem, "correct one of them")
    if found is None:
        cure = "give --haematocrit, or a plasma curve"
        raise InputError(path, "Haematocrit", "a blood curve needs one to become plasma", cure)
    check_haematocrit(found)
    return found
