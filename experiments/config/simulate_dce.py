"""Keys of `tracerflow simulate dce`, each with its default, unit and range."""

from typing import Annotated, Literal

from msgspec import Meta

from experiments.config.phantoms import Coarsening, Frequencies, PhantomsConfig
from simulate.base.typed import Config


class InputConfig(Config, frozen=True):
    """The arterial input."""

    name: Literal["parker", "georgiou"] = "parker"
    onset: Annotated[float, Meta(ge=0, le=600, description="s")] = 20.0
    amplitude: Annotated[float, Meta(ge=0.05, le=10, description="times the population's")] = 1.0


class ProtocolConfig(Config, frozen=True):
    """The sequence; names in capitals are those of BIDS and of the sidecar."""

    frames: Annotated[int, Meta(ge=2, le=10_000)] = 100
    frame_spacing: Annotated[float, Meta(ge=0.1, le=300, description="s")] = 2.0
    RepetitionTimeExcitation: Annotated[float, Meta(ge=1e-4, le=0.999, description="s")] = 0.004
    EchoTime: Annotated[float, Meta(ge=0, le=0.999, description="s")] = 0.0015
    FlipAngle: Annotated[float, Meta(ge=0.1, le=90, description="degrees")] = 20.0
    LongitudinalRelaxivity: Annotated[float, Meta(ge=0.1, le=100, description="1/(s mmol/L)")] = 5.0
    MagneticFieldStrength: Annotated[float, Meta(ge=0.1, le=30, description="T")] = 3.0


class MeasurementConfig(Config, frozen=True):
    """Noise, voxels of several cells, and how finely transport is solved."""

    snr: Annotated[float, Meta(ge=0.1, le=1e6)] = 50.0
    coarsen: Coarsening = 1
    frequencies: Frequencies = 512


class DCEConfig(PhantomsConfig, frozen=True):
    """All of it; `memory` is what one phantom may need."""

    memory: Annotated[float, Meta(ge=0.1, le=4096, description="GB")] = 8.0
    aif: InputConfig = InputConfig()
    protocol: ProtocolConfig = ProtocolConfig()
    measurement: MeasurementConfig = MeasurementConfig()
