"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .attribution.activation import ClassActivation, grad_cam, grad_cam_plus_plus
from .attribution.coalitions import Shapley, sampled_shapley, shapley
from .attribution.completeness import completeness_gap
from .attribution.expected import ExpectedGradients, expected_gradients
from .attribution.gradient import input_x_gradient, saliency
from .attribution.grids import resampled, write_attribution
from .attribution.integrated import IntegratedGradients, integrated_gradients
from .attribution.judges.correlation import Agreement, agreement
from .attribution.judges.perturbation import InsertionDeletion, insertion_deletion
from .attribution.judges.regions import Localisation, localisation
from .attribution.judges.subsets import SensitivityN, sensitivity_n
from .attribution.judges.weights import WeightRandomisation, weight_randomisation
from .attribution.smoothed import SmoothGrad, smooth_grad
from .attribution.windows import Occlusion, occlusion
from .chain.attribution import Chain, ChainAttribution, chain_attribution
from .chain.estimators import KineticEstimator
from .chain.features import RegionMeans

__all__ = [
    # what made a function of arrays say what it says: by its derivatives
    "saliency",
    "input_x_gradient",
    "smooth_grad",
    "SmoothGrad",
    "integrated_gradients",
    "IntegratedGradients",
    "expected_gradients",
    "ExpectedGradients",
    # by its layers
    "grad_cam",
    "grad_cam_plus_plus",
    "ClassActivation",
    # by what becomes of it without a part
    "occlusion",
    "Occlusion",
    "shapley",
    "sampled_shapley",
    "Shapley",
    # how far that can be believed
    "completeness_gap",
    "insertion_deletion",
    "InsertionDeletion",
    "sensitivity_n",
    "SensitivityN",
    "weight_randomisation",
    "WeightRandomisation",
    "localisation",
    "Localisation",
    "agreement",
    "Agreement",
    # over an anatomical image
    "resampled",
    "write_attribution",
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
]
