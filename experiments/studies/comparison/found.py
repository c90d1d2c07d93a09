"""What an estimator of the comparison gives."""

import numpy as np

from experiments.studies.comparison.scans import Examination
from simulate.base.exchange import efflux_constant, mean_transit_time

Found = dict[str, np.ndarray]
"""By name, (s,) of the scored voxels, internal units; NAME_stderr where errors are stated."""

PARAMETERS = ("Fp", "PS", "vp", "ve", "Ktrans", "MTT", "kep", "E")


def derived(found: Found) -> Found:
    """MTT, kep and E beside what an estimator gives; each model's own Ktrans is kept."""
    found = dict(found)
    with np.errstate(all="ignore"):
        if "Fp" in found:
            found.setdefault("MTT", np.asarray(mean_transit_time(found["Fp"], found["vp"], found["ve"]), float))
            found.setdefault("E", found["Ktrans"] / found["Fp"])
        found.setdefault("kep", efflux_constant(found["Ktrans"], found["ve"]))
    return found


def nothing(exam: Examination) -> Found:
    """No estimate anywhere."""
    return {name: np.full(len(exam.scored), np.nan) for name in PARAMETERS}
