"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .chain.attribution import ChainAttribution, chain_attribution
from .chain.chain import Chain
from .chain.errors import AttributionErrors, noise_before_contrast
from .chain.features import RegionMeans
from .chain.kinetic import KineticEstimator
from .chain.qtmnet import QTMnetEstimator
from .chain.sensitivity import chain_sensitivities

__all__ = [
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "QTMnetEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
    "AttributionErrors",
    "chain_sensitivities",
    "noise_before_contrast",
]
