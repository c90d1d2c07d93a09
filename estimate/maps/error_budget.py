"""What the standard errors of a fit hold, and what they leave to say once: errors that all voxels share.

`NAME_stderr` is the voxel's own error: what would scatter from voxel to voxel in the same tissue. The input, its scale,
a T10 that was given as a number, are wrong for all voxels together: averaging over a region makes the first smaller
and not the second. The status judges by the first.
"""

from typing import Any

import numpy as np

from simulate.inputs.arterial_input import ArterialInput

SCALED = ("Fp", "PS", "vp", "ve", "va", "Ktrans")
"""Maps that are divided by the input: a factor in it is one in them."""

CORRELATED = 0.2
"""Correlation of neighbouring frames' noise from which on the reader is told."""


def error_budget(aif: ArterialInput, *, t10: str, baseline: int | None, correlation: np.ndarray) -> dict[str, Any]:
    """For maps.json and the report.

    t10 : what is known of its error.      baseline : frames that S0 is the mean of, None where concentrations were
    given.      correlation : (v,) of the noise of neighbouring frames, voxel by voxel.
    """
    known = correlation[np.isfinite(correlation)]
    typical = float(np.median(known)) if known.size else None
    s0 = "unknown: the series holds concentrations" if baseline is None else f"in them, the mean of {baseline} frames"
    return {
        "standard errors": {
            "noise": "in them, from the residuals of each voxel",
            "correlation of neighbouring frames' noise, median": typical,
            "S0": s0,
            "T10": t10,
        },
        "shared by all voxels, not in them": {
            "arterial input": {
                "sd of the logarithm of its area": float(aif.spread) if np.isfinite(aif.spread) else None,
                "maps": list(SCALED),
            },
            "haematocrit, relaxivity, flip angle": "taken as exact",
        },
    }


def warnings_of(budget: dict[str, Any]) -> list[str]:
    """What the reader should know before believing the standard errors."""
    typical = budget["standard errors"]["correlation of neighbouring frames' noise, median"]
    if typical is None or typical < CORRELATED:
        return []
    return [
        f"The noise of neighbouring frames is correlated by {typical:.2f} (a filter, shared views, breathing, or "
        "a model that does not fit); the standard errors allow for it."
    ]
