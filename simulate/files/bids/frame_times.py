"""What the times of a DCE series cannot be: in milliseconds, in minutes, out of order, or too large to subtract."""

import numpy as np
from jaxtyping import Num

LONGEST_FRAME = 300.0
"""Seconds from frame to frame that no DCE series exceeds (slow breast protocols take two minutes)."""

SHORTEST_SERIES, LONGEST_SERIES = 15.0, 7200.0
"""Seconds that a DCE series of `FEWEST_FRAMES` lasts at least, less would be minutes; and that none lasts."""

FEWEST_FRAMES = 10

LATEST = 1e7
"""Seconds on any clock above which single precision no longer tells frames apart: seconds since 1970, say."""


def times_problem(times: Num[np.ndarray, " t"]) -> str | None:
    """What is wrong with the starts of frames [s], in words; None where nothing is."""
    spacing = np.diff(times)
    if not (np.isfinite(times).all() and (spacing > 0).all()):
        i = int(np.argmin(np.isfinite(times[:-1]) & (spacing > 0)))
        return f"does not increase from frame {i + 1} ({times[i]} s) to the next ({times[i + 1]} s)"
    length = float(times[-1] - times[0])
    if np.median(spacing) > LONGEST_FRAME or length > LONGEST_SERIES:
        apart = f"has frames {np.median(spacing):g} s apart over {length:g} s"
        return f"{apart}, so that the times look like milliseconds"
    if length < SHORTEST_SERIES and times.size >= FEWEST_FRAMES:
        return f"has {times.size} frames within {length:g} s, so that the times look like minutes"
    if np.abs(times).max() > LATEST:
        return f"reaches {np.abs(times).max():g} s, of which single precision loses the decimals: subtract the first"
    return None
