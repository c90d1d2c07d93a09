"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .chain.attribution import Chain, ChainAttribution, chain_attribution
from .chain.features import RegionMeans
from .chain.kinetic import KineticEstimator
from .chain.qtmnet import QTMnetEstimator

__all__ = [
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "QTMnetEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
]
