"""Perfusion maps to grade, survival and response, with attributions down to the measured frames."""

from .chain.attribution import Chain, ChainAttribution, chain_attribution
from .chain.estimators import KineticEstimator
from .chain.features import RegionMeans
from .learning.augmentation import Augmentation
from .learning.config import LearningConfig
from .learning.examples import Example, Examples
from .learning.losses import binary_cross_entropy, class_weights, cross_entropy
from .learning.outputs import outputs_of
from .learning.training import train_classifier
from .networks.aslnet import ASLNetArchitecture
from .networks.files import load_network, network_facts, save_network
from .networks.mlp import MLPArchitecture
from .networks.resnet import ResNetArchitecture
from .networks.small import SmallCNNArchitecture
from .networks.staged import Staged, pure, weight_count

__all__ = [
    # networks of volumes and of numbers
    "ResNetArchitecture",
    "ASLNetArchitecture",
    "SmallCNNArchitecture",
    "MLPArchitecture",
    "Staged",
    "pure",
    "weight_count",
    "save_network",
    "load_network",
    "network_facts",
    # their training
    "train_classifier",
    "Examples",
    "Example",
    "LearningConfig",
    "Augmentation",
    "cross_entropy",
    "binary_cross_entropy",
    "class_weights",
    "outputs_of",
    # from raw frames to a logit, and back
    "Chain",
    "KineticEstimator",
    "RegionMeans",
    "chain_attribution",
    "ChainAttribution",
]
