"""What becomes of a field of a sidecar: a table of them is held in `asl_fields` and in `dce_fields`."""

from enum import Enum
from typing import NamedTuple


class Use(Enum):
    """USED : it enters the result, or is held against what does.      REFUSED : some of its values are.
    NOTED : nothing follows from it."""

    USED = "used"
    REFUSED = "refused"
    NOTED = "of no consequence"


class Field(NamedTuple):
    use: Use
    why: str


def used(why: str) -> Field:
    return Field(Use.USED, why)


def noted(why: str) -> Field:
    return Field(Use.NOTED, why)


def refused(why: str) -> Field:
    return Field(Use.REFUSED, why)
