"""From measured series to perfusion maps: T1, concentration, arterial input, kinetic fit."""

from estimate.arterial import (
    ArterialInput,
    aif_from_roi,
    find_aif,
    population_aif,
    read_aif_csv,
    write_aif_csv,
)
from estimate.baseline import detect_baseline, estimate_onset
from estimate.bounds import BOUNDS
from estimate.kinetic_fit import FIT_MODELS, MODEL_CODES, KineticFit, fit_kinetics
from estimate.pipeline import estimate_maps
from estimate.relaxometry import VFAResult, concentration_from_signal, vfa_t1
from estimate.semiquantitative import SemiQuantitative, semiquantitative
from estimate.voxels import VFA, Estimate

__all__ = [
    # curves to parameters
    "fit_kinetics",
    "KineticFit",
    "FIT_MODELS",
    "MODEL_CODES",
    "BOUNDS",
    # a whole series to maps
    "estimate_maps",
    "Estimate",
    "VFA",
    # its steps, one by one
    "concentration_from_signal",
    "vfa_t1",
    "VFAResult",
    "detect_baseline",
    "estimate_onset",
    "find_aif",
    "aif_from_roi",
    "population_aif",
    "read_aif_csv",
    "write_aif_csv",
    "ArterialInput",
    "semiquantitative",
    "SemiQuantitative",
]
