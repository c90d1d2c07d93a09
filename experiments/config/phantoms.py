"""Keys of every command that simulates phantoms: the tumour, its vessels, how many."""

from typing import Annotated, Literal

from msgspec import Meta

from simulate.base.typed import Config, Seed

Cells = Annotated[int, Meta(ge=8, le=1024, description="cells")]
Edge = Annotated[float, Meta(ge=0.05, le=20, description="mm")]
LateFeed = Annotated[float, Meta(ge=0, le=30, description="s")]
Coarsening = Annotated[int, Meta(ge=1, le=64, description="cells")]
Frequencies = Annotated[int, Meta(ge=64, le=65536)]


class PhantomConfig(Config, frozen=True):
    """The tumour, see `simulate.phantoms.tumour.tumour_phantom`."""

    grade: Literal[0, 2, 3, 4] = 4
    capillaries: Annotated[
        str, Meta(pattern=r"\A(2cxm|dp|tanks-[1-9][0-9]?)\Z", description="2cxm, dp or tanks-N with N up to 99")
    ] = "2cxm"
    shape: tuple[Cells, Cells, Cells] = (32, 32, 32)
    cell: tuple[Edge, Edge, Edge] = (2.0, 2.0, 2.0)
    late_feed: LateFeed = 4.0


class VesselsConfig(Config, frozen=True):
    """What `simulate.examinations.perfused.vascularise` grows and fills."""

    terminals: Annotated[int, Meta(ge=2, le=10_000_000)] = 5000
    haematocrit: Annotated[float, Meta(ge=0, le=0.69)] = 0.42


class PhantomsConfig(Config, frozen=True):
    """One phantom is one examination; phantom i has the seed and i as its key."""

    seed: Seed = 0
    phantoms: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    phantom: PhantomConfig = PhantomConfig()
    vessels: VesselsConfig = VesselsConfig()
