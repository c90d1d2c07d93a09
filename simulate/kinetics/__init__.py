"""Tracer kinetics: what tissue makes of its arterial input."""

from simulate.kinetics.convolution import exponential_convolution as exponential_convolution
from simulate.kinetics.tissue import MODELS as MODELS
from simulate.kinetics.tissue import tissue_concentration as tissue_concentration
