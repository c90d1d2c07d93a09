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
from simulate.base.errors import InputError
from simulate.base.status import Status, status_shares
from simulate.base.types import DCEProtocol, Maps, Series, Tissue
from simulate.base.units import from_clinical, to_clinical
from simulate.kinetics import MODELS, exponential_convolution, tissue_concentration
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
    # results and what can be wrong with them
    "Maps",
    "Status",
    "status_shares",
    "InputError",
]
