"""What a method without an arterial input needs of an examination."""

from estimate.arterial.scale import SOURCES
from simulate.base.errors import InputError

METHODS = ("qtmnet", "qtm")

FEWEST_FRAMES = 20
"""Shorter series are refused."""

FEWEST_BEFORE = 2
"""Frames before contrast, at least."""


def check_request(method: str, scale: str, *, with_cbf: bool, shape: tuple[int, ...], baseline: int) -> None:
    """Refuse what cannot be worked with: a series of this shape, with so many frames before contrast."""
    frames = shape[-1]
    if scale not in SOURCES:
        raise InputError("scale", scale, "is no source of the scale", f"choose one of {', '.join(SOURCES)}")
    if scale == "asl" and method == "qtm":
        raise InputError("scale", "asl", "needs a plasma flow, and qtm finds none", 'use `scale="vessels"`')
    if scale == "asl" and not with_cbf:
        raise InputError("scale", "asl", "needs a map of CBF from arterial spin labelling", "give `cbf=cbf`")
    if len(shape) != 4:
        raise InputError("series", "", "is not a volume over time", "give a four-dimensional series")
    if frames < FEWEST_FRAMES:
        cure = f"a method without input needs {FEWEST_FRAMES} and more; fit a model instead"
        raise InputError("series", "", f"has {frames} frames", cure)
    if baseline < FEWEST_BEFORE:
        raise InputError(
            "series", "BaselineVolumes", "shows contrast from its first frames on",
            "a method without input needs two frames and more before contrast; fit a model instead",
        )  # fmt: skip
