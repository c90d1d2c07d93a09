"""Keys of `tracerflow train qtmnet` and `qtmnet-asl`, each with its default, unit and range."""

from typing import Annotated, ClassVar

from msgspec import Meta

from simulate.base.errors import InputError
from simulate.base.typed import Config, Seed

Examples = Annotated[int, Meta(ge=1, le=1_000_000)]
Held = Annotated[int, Meta(ge=1, le=100_000)]
Channels = Annotated[int, Meta(ge=8, le=1024, description="channels")]
Widths = tuple[Annotated[int, Meta(ge=4, le=512, description="channels")], ...]
Scans = Annotated[int, Meta(ge=1, le=4096, description="a step")]
SetSteps = Annotated[int, Meta(ge=1, le=100_000_000)]
PatchSteps = Annotated[int, Meta(ge=0, le=100_000_000, description="steps; 0 leaves the branch untrained and unused")]
Rate = Annotated[float, Meta(ge=1e-6, le=1)]
Every = Annotated[int, Meta(ge=1, le=1_000_000, description="steps")]


class BanksConfig(Config, frozen=True):
    """Phantoms to train, validate and calibrate with, see `simulate.banks.phantoms.BankConfig`."""

    seed: Seed = 0
    train: Examples = 2000
    validate: Held = 32
    calibrate: Held = 384
    side: Annotated[int, Meta(ge=8, le=64, description="voxels")] = 16
    rough: Annotated[float, Meta(ge=1, le=10, description="times the texture of tissue in training, at most")] = 3.0
    terminals: Annotated[int, Meta(ge=8, le=1_000_000)] = 2000


class NetworkConfig(Config, frozen=True):
    """Widths, see `estimate.qtmnet.network.Architecture`. An empty `branch` makes a network without neighbourhood."""

    encoder: Channels = 96
    blocks: Annotated[int, Meta(ge=1, le=16, description="per round")] = 2
    heads: Annotated[int, Meta(ge=1, le=64, description="of attention")] = 4
    context: Channels = 128
    rounds: Annotated[int, Meta(ge=0, le=4, description="of context; 0 sees single voxels only")] = 2
    decoder: Channels = 128
    branch: Widths = (24, 48, 64)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.branch) not in (0, 3):
            cure = "give three numbers of channels, or none"
            raise InputError(type(self).__name__, "branch", "has not three scales", cure)


class SetsConfig(Config, frozen=True):
    """The first stage: sets of voxels of a scan."""

    steps: SetSteps = 6000
    scans: Scans = 64
    voxels: Annotated[int, Meta(ge=16, le=1_000_000, description="a scan")] = 160
    learning_rate: Rate = 0.015


class PatchesConfig(Config, frozen=True):
    """The second stage: cubes of neighbours, for the branch."""

    steps: PatchSteps = 4000
    scans: Scans = 24
    side: Annotated[int, Meta(ge=4, le=64, description="voxels")] = 8
    beside: Annotated[int, Meta(ge=0, le=1_000_000, description="voxels from elsewhere")] = 128
    learning_rate: Rate = 0.008


class RhythmConfig(Config, frozen=True):
    """Steps between lines of the log, validations and checkpoints, see `estimate.training.loop.Rhythm`."""

    log: Every = 50
    validate: Every = 500
    checkpoint: Every = 500
    average: Annotated[float, Meta(ge=0, le=0.99999, description="of the averaged weights, kept per step")] = 0.998

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("validate", "checkpoint"):
            steps = getattr(self, name)
            if steps % self.log:
                cure = f"give a multiple of rhythm.log {self.log}"
                raise InputError(type(self).__name__, name, f"is {steps}", cure)


class TrainConfig(Config, frozen=True):
    """What both are given. tracer : what the network looks at, a name of `estimate.qtmnet.tracers.TRACERS`."""

    tracer: ClassVar[str]

    seed: Seed = 0
    phantoms: BanksConfig = BanksConfig()
    network: NetworkConfig = NetworkConfig()
    sets: SetsConfig = SetsConfig()
    patches: PatchesConfig = PatchesConfig()
    rhythm: RhythmConfig = RhythmConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        side = self.patches.side
        if self.network.branch and (side % 4 or side > self.phantoms.side):
            cure = "give a multiple of 4 within phantoms.side"
            raise InputError(type(self).__name__, "patches.side", f"is {side}", cure)


class ContrastNetworkConfig(NetworkConfig, frozen=True):
    """QTMnet, or for comparison a network that is given the AIF."""

    aif_given: Annotated[bool, Meta(description="give it the arterial input, for comparison")] = False


class QTMnetConfig(TrainConfig, frozen=True):
    """All of `train qtmnet`."""

    tracer = "contrast"

    network: ContrastNetworkConfig = ContrastNetworkConfig()


class ASLBanksConfig(BanksConfig, frozen=True):
    """Fewer of them do."""

    train: Examples = 1000


class ASLNetworkConfig(NetworkConfig, frozen=True):
    """Narrower: it has fewer numbers to read."""

    encoder: Channels = 64
    context: Channels = 64
    decoder: Channels = 96
    branch: Widths = (24, 32, 48)


class ASLSetsConfig(SetsConfig, frozen=True):
    """The first stage of a smaller network."""

    steps: SetSteps = 4000


class ASLPatchesConfig(PatchesConfig, frozen=True):
    """The second stage of a smaller network."""

    steps: PatchSteps = 2500


class QTMnetASLConfig(TrainConfig, frozen=True):
    """All of `train qtmnet-asl`."""

    tracer = "water"

    phantoms: ASLBanksConfig = ASLBanksConfig()
    network: ASLNetworkConfig = ASLNetworkConfig()
    sets: ASLSetsConfig = ASLSetsConfig()
    patches: ASLPatchesConfig = ASLPatchesConfig()
