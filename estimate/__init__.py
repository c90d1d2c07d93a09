"""From measured series to perfusion maps: T1, concentration, arterial input, kinetic fit; ASL to blood flow."""

from estimate.arterial.found import find_aif
from estimate.arterial.given import aif_from_roi, population_aif
from estimate.arterial.scale import CBFMap
from estimate.arterial.table import read_aif_csv, write_aif_csv
from estimate.asl.examination import ASLExamination, ASLOptions, examine_asl
from estimate.asl.multi_delay import ASLFit, fit_asl
from estimate.asl.quantify import ASLEstimate, quantify
from estimate.asl.white_paper import white_paper_cbf
from estimate.examination.checked import DCEExamination, examine
from estimate.kinetics.bounds import BOUNDS
from estimate.kinetics.fit import FIT_MODELS, MODEL_CODES, KineticFit, fit_kinetics
from estimate.maps.pipeline import estimate_examination, estimate_maps
from estimate.maps.soundness import sound
from estimate.signal.baseline import detect_baseline, estimate_onset
from estimate.signal.concentration import concentration_from_signal
from estimate.signal.errors import SignalErrors, signal_errors
from estimate.signal.mask import tissue_mask
from estimate.signal.semiquantitative import SemiQuantitative, semiquantitative
from estimate.signal.t10 import VFA
from estimate.signal.vfa import VFAResult, vfa_t1
from estimate.signal.voxels import Estimate
from simulate.inputs.arterial_input import ArterialInput

__all__ = [
    # curves to parameters
    "fit_kinetics",
    "KineticFit",
    "FIT_MODELS",
    "MODEL_CODES",
    "BOUNDS",
    # a whole series to maps
    "estimate_maps",
    "examine",
    "DCEExamination",
    "estimate_examination",
    "Estimate",
    "tissue_mask",
    "sound",
    "VFA",
    "CBFMap",
    # its steps, one by one
    "concentration_from_signal",
    "signal_errors",
    "SignalErrors",
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
    # arterial spin labelling
    "examine_asl",
    "ASLExamination",
    "ASLOptions",
    "quantify",
    "ASLEstimate",
    "fit_asl",
    "ASLFit",
    "white_paper_cbf",
]
