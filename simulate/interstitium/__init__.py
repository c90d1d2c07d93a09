"""Tracer through a vascular bed by finite volumes in time, with diffusion between the cells' interstitium."""

from simulate.interstitium.bed import BedMarch as BedMarch
from simulate.interstitium.bed import MassLedger as MassLedger
from simulate.interstitium.bed import march_bed as march_bed
from simulate.interstitium.compartments import OUTSIDE as OUTSIDE
from simulate.interstitium.compartments import Compartments as Compartments
from simulate.interstitium.compartments import Plumbing as Plumbing
from simulate.interstitium.diffusion import neighbour_conductance as neighbour_conductance
from simulate.interstitium.march import March as March
from simulate.interstitium.march import march as march
from simulate.interstitium.units import Units as Units
from simulate.interstitium.units import add_diffusion as add_diffusion
from simulate.interstitium.units import add_units as add_units
