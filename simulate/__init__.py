"""What body and scanner do: arterial inputs, tracer kinetics, signals, and objects whose truth is known."""

from simulate.base.constants import RELAXIVITY, T10, blood_t1
from simulate.base.errors import InputError
from simulate.base.status import Status, status_shares
from simulate.base.types import ASLProtocol, DCEProtocol, Maps, Series, Tissue
from simulate.base.units import from_clinical, to_clinical
from simulate.bed.assembly import Bed, make_bed
from simulate.examinations.asl import ASLSimulation, simulate_asl
from simulate.examinations.dce import Simulation, simulate_dce, with_concentration
from simulate.examinations.perfused import PerfusedPhantom, vascularise
from simulate.examinations.reference import (
    ReferencePhantom,
    grid_phantom,
    phantom_protocol,
    reference_concentration,
    simulate_reference,
    true_maps,
    write_reference,
)
from simulate.examinations.truth import truth_maps
from simulate.finite_volumes.bed import march_bed
from simulate.flow.network import Network, solve_network
from simulate.flow.trees import VesselFlow, solve_flow
from simulate.inputs.population import gamma_variate_aif, georgiou_aif, mcgrath_aif, parker_aif, weinmann_aif
from simulate.inputs.transit import blood_to_plasma, delayed, disperse
from simulate.kinetics.convolution import exponential_convolution
from simulate.kinetics.tissue import MODELS, tissue_concentration
from simulate.labelling.difference import asl_difference
from simulate.labelling.series import asl_protocol, asl_series
from simulate.labelling.time_encoded import time_encoding
from simulate.phantoms.priors import Prior, Region
from simulate.phantoms.tumour import Morphology, Phantom, tumour_phantom
from simulate.scanner.frames import frame_average
from simulate.scanner.noise import add_noise, rician
from simulate.scanner.spgr import spgr_concentration, spgr_signal
from simulate.spectral.engine import cell_concentration, transport
from simulate.spectral.readout import readout
from simulate.vessels.domain import Domain
from simulate.vessels.network import Vessels, grow_vessels, make_irregular

__all__ = [
    # arterial inputs, in plasma
    "parker_aif",
    "georgiou_aif",
    "weinmann_aif",
    "mcgrath_aif",
    "gamma_variate_aif",
    "blood_to_plasma",
    "delayed",
    "disperse",
    # tissue and what it makes of its input
    "Tissue",
    "from_clinical",
    "to_clinical",
    "tissue_concentration",
    "MODELS",
    "exponential_convolution",
    # the scanner
    "DCEProtocol",
    "Series",
    "spgr_signal",
    "spgr_concentration",
    "frame_average",
    "rician",
    "add_noise",
    "RELAXIVITY",
    "T10",
    "blood_t1",
    # an object whose truth is known
    "grid_phantom",
    "ReferencePhantom",
    "phantom_protocol",
    "reference_concentration",
    "simulate_reference",
    "true_maps",
    "write_reference",
    # a tumour with vessels: phantom, bed, examination
    "tumour_phantom",
    "Phantom",
    "Morphology",
    "Prior",
    "Region",
    "vascularise",
    "PerfusedPhantom",
    "simulate_dce",
    "Simulation",
    "truth_maps",
    "with_concentration",
    # its steps, one by one
    "Domain",
    "grow_vessels",
    "make_irregular",
    "Vessels",
    "solve_flow",
    "VesselFlow",
    "Network",
    "solve_network",
    "make_bed",
    "Bed",
    "readout",
    "transport",
    "cell_concentration",
    "march_bed",
    # arterial spin labelling: in closed form, as a series, on the flow of a bed
    "asl_difference",
    "asl_protocol",
    "ASLProtocol",
    "asl_series",
    "time_encoding",
    "simulate_asl",
    "ASLSimulation",
    # results and what can be wrong with them
    "Maps",
    "Status",
    "status_shares",
    "InputError",
]
