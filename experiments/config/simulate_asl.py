"""Keys of `tracerflow simulate asl`, each with its default, unit and range."""

from typing import Annotated, Literal

from msgspec import Meta

from experiments.config.phantoms import Coarsening, Frequencies, LateFeed, PhantomConfig, PhantomsConfig
from simulate.base.constants import ASL_BLOOD_T1
from simulate.base.errors import InputError
from simulate.base.typed import Config

Delay = Annotated[float, Meta(ge=0, le=9.9, description="s; of pasl the inversion times")]
FIELDS = f"one of {', '.join(map(str, ASL_BLOOD_T1))}"


class ASLPhantomConfig(PhantomConfig, frozen=True):
    """The tumour and the exchange of water over its capillaries."""

    # with that of contrast much of the label would arrive after the last readout, and no method could see it
    late_feed: LateFeed = 1.0
    water_exchange: Annotated[float, Meta(ge=0, le=1e5, description="mL/100 mL/min")] = 150.0


class LabellingConfig(Config, frozen=True):
    """The sequence; names in capitals are those of BIDS and of the sidecar."""

    type: Literal["pcasl", "casl", "pasl"] = "pcasl"
    PostLabelingDelay: Annotated[tuple[Delay, ...], Meta(min_length=1)] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    LabelingDuration: Annotated[float, Meta(ge=0.05, le=9.9, description="s; of pasl the bolus duration")] = 1.8
    LabelingEfficiency: Annotated[float, Meta(ge=0.01, le=1)] = 0.85
    RepetitionTimePreparation: Annotated[float, Meta(ge=0.1, le=59, description="s")] = 6.0
    MagneticFieldStrength: Annotated[float, Meta(description=FIELDS)] = 3.0
    pairs: Annotated[int, Meta(ge=1, le=10_000, description="at every delay")] = 8
    inlet_delay: Annotated[float, Meta(ge=0, le=5, description="s from the labelling plane to the block")] = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        field = self.MagneticFieldStrength
        if field not in ASL_BLOOD_T1:
            raise InputError(type(self).__name__, "MagneticFieldStrength", f"is {field}", f"give {FIELDS}")


class ASLMeasurementConfig(Config, frozen=True):
    """Noise, voxels of several cells, when slices are read, and how finely transport is solved."""

    sigma: Annotated[float, Meta(ge=0, le=10, description="of M0, in every volume")] = 0.002
    coarsen: Coarsening = 1
    slice_spacing: Annotated[float, Meta(ge=0, le=1, description="s between slices of a 2-D readout; 0 is 3-D")] = 0.0
    frequencies: Frequencies = 1024


class ASLConfig(PhantomsConfig, frozen=True):
    """All of it. Phantom i has the vessels and the blood flow of `simulate dce`'s phantom i, seed and sizes alike; by
    default its blood arrives sooner."""

    phantom: ASLPhantomConfig = ASLPhantomConfig()
    labelling: LabellingConfig = LabellingConfig()
    measurement: ASLMeasurementConfig = ASLMeasurementConfig()
