"""What body and scanner do: arterial inputs, tracer kinetics, signals, and objects whose truth is known."""

from .base.constants import RELAXIVITY, T10, blood_t1
from .base.errors import InputError
from .base.status import Status, status_shares
from .base.types import ASLProtocol, DCEProtocol, Maps, Series, Tissue
from .base.units import from_clinical, to_clinical
from .bed.assembly import Bed, make_bed
from .examinations.asl import ASLSimulation, simulate_asl
from .examinations.dce import Simulation, simulate_dce, with_concentration
from .examinations.perfused import PerfusedPhantom, vascularise
from .examinations.reference import (
    ReferencePhantom,
    grid_phantom,
    phantom_protocol,
    reference_concentration,
    simulate_reference,
    true_maps,
    write_reference,
)
from .examinations.truth import truth_maps
from .finite_volumes.bed import march_bed
from .flow.graph import Network
from .flow.network import solve_network
from .flow.trees import VesselFlow, solve_flow
from .inputs.population import gamma_variate_aif, georgiou_aif, mcgrath_aif, parker_aif, weinmann_aif
from .inputs.transit import blood_to_plasma, delayed, disperse, plasma_to_blood
from .kinetics.convolution import exponential_convolution
from .kinetics.tissue import MODELS, tissue_concentration
from .labelling.difference import asl_difference
from .labelling.series import asl_protocol, asl_series
from .labelling.time_encoded import time_encoding
from .patients.examination import Visit, examine_patient
from .patients.person import Person, draw_person
from .phantoms.priors import Prior, Region
from .phantoms.tumour import Morphology, Phantom, tumour_phantom
from .scanner.frames import frame_average
from .scanner.measurement import measure
from .scanner.noise import add_noise, rician
from .scanner.spgr import spgr_concentration, spgr_signal
from .spectral.engine import cell_concentration, transport
from .spectral.readout import readout
from .vessels.domain import Domain
from .vessels.network import Vessels, grow_vessels, make_irregular

__all__ = [
    # arterial inputs, in plasma
    "parker_aif",
    "georgiou_aif",
    "weinmann_aif",
    "mcgrath_aif",
    "gamma_variate_aif",
    "blood_to_plasma",
    "plasma_to_blood",
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
    "measure",
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
    # virtual patients
    "draw_person",
    "Person",
    "examine_patient",
    "Visit",
    "ASLSimulation",
    # results and what can be wrong with them
    "Maps",
    "Status",
    "status_shares",
    "InputError",
]
