"""From measured series to perfusion maps: T1, concentration, arterial input, kinetic fit; ASL to blood flow."""

from .arterial.found import find_aif
from .arterial.given import ArterialInput, aif_from_roi, population_aif
from .arterial.scale import CBFMap
from .arterial.table import read_aif_csv, write_aif_csv
from .asl.examination import ASLExamination, ASLOptions, examine_asl
from .asl.multi_delay import ASLFit, fit_asl
from .asl.quantify import ASLEstimate, quantify
from .asl.white_paper import white_paper_cbf
from .examination.checked import DCEExamination, examine
from .kinetics.bounds import BOUNDS
from .kinetics.fit import FIT_MODELS, MODEL_CODES, KineticFit, fit_kinetics
from .kinetics.frames import FrameFit, FrameJacobian, fit_frames, frames_jacobian
from .kinetics.reliability import reliability
from .maps.pipeline import estimate_examination, estimate_maps
from .maps.soundness import sound
from .qtmnet.contrast.whole import Held, hold, qtmnet_maps
from .qtmnet.weights import SHIPPED, SHIPPED_ASL, Trained, load_trained
from .signal.baseline import detect_baseline, estimate_onset
from .signal.concentration import concentration_from_signal
from .signal.errors import SignalErrors, signal_errors
from .signal.mask import tissue_mask
from .signal.semiquantitative import SemiQuantitative, semiquantitative
from .signal.t10 import VFA
from .signal.vfa import VFAResult, vfa_t1
from .signal.voxels import Estimate

__all__ = [
    # curves to parameters
    "fit_kinetics",
    "KineticFit",
    "FIT_MODELS",
    "MODEL_CODES",
    "BOUNDS",
    # frames to parameters as one differentiable function
    "fit_frames",
    "FrameFit",
    "frames_jacobian",
    "FrameJacobian",
    "reliability",
    # a scan through QTMnet likewise
    "qtmnet_maps",
    "hold",
    "Held",
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
    # QTMnet: trained weights, which estimate_maps(method="qtmnet") and quantify take
    "load_trained",
    "Trained",
    "SHIPPED",
    "SHIPPED_ASL",
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
