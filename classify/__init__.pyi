"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .chain.attribution import Chain, ChainAttribution, chain_attribution
from .chain.estimators import KineticEstimator
from .chain.features import RegionMeans

__all__ = [
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
]
