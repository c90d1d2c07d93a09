"""What an estimator gives to a chain: maps at some frames, and how they move with the frames."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from simulate.base.errors import InputError
from simulate.base.progress import Progress, silent

Array = Any


class Local(NamedTuple):
    """An estimator at some frames (v, t).

    maps : (p, v) in clinical units times the weight: 0 where it does not believe them.
    slope : direction (v, t) -> (p, v) by how much the maps move with the frames along it.
    back : cotangent (p, v) of the maps -> (v, t) of the frames.
    own : the same without what voxels say of the scan as a whole to all others; None where none says anything.
    solution : whatever else an estimator wants to know of the path's end elsewhere on it.
    """

    maps: Array
    slope: Callable[[Array], Array]
    back: Callable[[Array], Array]
    own: Callable[[Array], Array] | None = None
    solution: Any = None


class Weighted(NamedTuple):
    """Maps (..., p, v) in clinical units times their weight, and that weight."""

    maps: Array
    weight: Array


@runtime_checkable
class Estimator(Protocol):
    """What makes maps of frames.

    label : of itself, other than that of any other in a chain.      names : of its p maps.
    weight : (p, v) frozen, of each map in each voxel.
    maps : (..., v, t) -> (..., p, v), those of `at` alone, of several scans at once: what moves them is not asked for.
    without_noise : (v, t) and the standard deviation of its noise -> the frames as far as they are told from that.
    measured_again : (n, v, t) -> what n other scans of the same tissue give, each with weights, and whatever else is
    frozen, of its own.
    at : of frames whose contrast is `place` times that at the path's end, whose `Local` is given too.
    """

    @property
    def label(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def weight(self) -> Array: ...

    def maps(self, frames: Array) -> Array: ...

    def without_noise(self, frames: Array, noise: float) -> Array: ...

    def measured_again(self, frames: Array) -> Weighted: ...

    def at(
        self, frames: Array, progress: Progress = silent, *, place: float = 1.0, end: Local | None = None
    ) -> Local: ...

    def sensitivities(self, frames: Array, cotangent: Array) -> dict[str, Array]: ...


BELIEVED = ("Fp", "PS", "vp")
"""What has to be known of a voxel before any of its maps counts."""


def needed(parameter: str, believed: tuple[str, ...]) -> tuple[str, ...]:
    """What has to be known where a parameter's map counts: itself too, and Ktrans is made of Fp and PS."""
    return tuple(dict.fromkeys((*believed, *(("Fp", "PS") if parameter == "Ktrans" else (parameter,)))))


SCALED = ("Fp", "PS", "vp", "ve", "Ktrans")
"""Maps that follow the concentrations' scale, and so vanish with them."""


def check_scaled(parameters: tuple[str, ...]) -> None:
    """Raises InputError for a map that is not of `SCALED`."""
    for name in parameters:
        if name not in SCALED:
            raise InputError(
                "parameters", name, "does not vanish with the concentrations: nothing is its start on a path",
                f"choose from {', '.join(SCALED)}",
            )  # fmt: skip
