"""What body and scanner do: arterial inputs, tracer kinetics, signals, and objects whose truth is known."""

from simulate.aif import (
    blood_to_plasma,
    delayed,
    disperse,
    gamma_variate_aif,
    georgiou_aif,
    mcgrath_aif,
    parker_aif,
    weinmann_aif,
)
from simulate.asl.difference import asl_difference
from simulate.asl.examination import ASLSimulation, simulate_asl
from simulate.asl.series import asl_protocol, asl_series
from simulate.asl.time_encoded import time_encoding
from simulate.base.errors import InputError
from simulate.base.status import Status, status_shares
from simulate.base.types import ASLProtocol, DCEProtocol, Maps, Series, Tissue
from simulate.base.units import from_clinical, to_clinical
from simulate.dce import (
    PerfusedPhantom,
    Simulation,
    simulate_dce,
    truth_maps,
    vascularise,
    with_concentration,
)
from simulate.flow import Network, VesselFlow, solve_flow, solve_network
from simulate.interstitium import march_bed
from simulate.kinetics import MODELS, exponential_convolution, tissue_concentration
from simulate.phantom import Morphology, Phantom, Prior, Region, tumour_phantom
from simulate.reference import (
    ReferencePhantom,
    grid_phantom,
    phantom_protocol,
    reference_concentration,
    simulate_reference,
    true_maps,
    write_reference,
)
from simulate.relaxation import RELAXIVITY, T1, blood_t1
from simulate.signal import add_noise, frame_average, rician, spgr_concentration, spgr_signal
from simulate.transport import Bed, cell_concentration, make_bed, readout, transport
from simulate.vessels import Domain, Vessels, grow_vessels, make_irregular

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
    "T1",
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
