"""Keys of `tracerflow simulate cohort`, each with its default, unit and range."""

from typing import Annotated, Literal

from msgspec import Meta

from experiments.config.phantoms import Cells, Frequencies
from simulate.base.typed import Config, Seed

Count = Annotated[int, Meta(ge=0, le=100_000, description="patients")]
Delay = Annotated[float, Meta(ge=0.1, le=6, description="s")]


class GradesConfig(Config, frozen=True):
    """How many patients of every WHO grade."""

    grade_2: Count = 62
    grade_3: Count = 60
    grade_4: Count = 62


class VisitConfig(Config, frozen=True):
    """What is measured, and how finely; see `simulate.patients.examination.Visit`."""

    cell: Annotated[float, Meta(ge=0.5, le=4, description="mm")] = 2.0
    slab: tuple[Cells, Cells, Cells] = (32, 32, 24)
    terminals: Annotated[int, Meta(ge=2, le=1_000_000)] = 5000
    frames: Annotated[int, Meta(ge=12, le=1000)] = 90
    frame_spacing: Annotated[float, Meta(ge=0.5, le=10, description="s")] = 3.0
    asl_delays: Annotated[tuple[Delay, ...], Meta(min_length=1)] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    asl_pairs: Annotated[int, Meta(ge=1, le=100)] = 8
    asl_sigma: Annotated[float, Meta(ge=0, le=0.1, description="of M0")] = 0.002
    frequencies: Frequencies = 512


class CohortConfig(Config, frozen=True):
    """All of it.

    separation is the factor on how far grades lie apart, 1 that of the literature. nuisance makes two groups that
    differ in it alone, whatever the grade: the label of such a cohort is the group. fixed gives everybody a value,
    NAME=VALUE in clinical units.
    """

    seed: Seed = 0
    separation: Annotated[float, Meta(ge=0, le=5)] = 1.0
    sites: Annotated[int, Meta(ge=1, le=100)] = 3
    nuisance: Literal["none", "snr", "scanner", "size", "site"] = "none"
    fixed: tuple[Annotated[str, Meta(pattern=r"\A\w+=.+\Z", description="NAME=VALUE")], ...] = ()
    grades: GradesConfig = GradesConfig()
    visit: VisitConfig = VisitConfig()
