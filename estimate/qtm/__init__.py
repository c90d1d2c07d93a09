"""Quantitative transport mapping: a velocity field from how concentration moves between voxels, without an input."""

from estimate.qtm.inversion import Transported as Transported
from estimate.qtm.inversion import one_compartment as one_compartment
from estimate.qtm.inversion import two_compartments as two_compartments
