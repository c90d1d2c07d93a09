"""QTMnet as a chain's estimator: its scale held fixed, and all that switches in a scan."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from classify.chain.estimator import BELIEVED, Local, Weighted, check_scaled, needed
from estimate.arterial.scale import InputScale, population_scale
from estimate.kinetics.reliability import trust
from estimate.qtmnet.contrast.inference import predict_scan
from estimate.qtmnet.contrast.maps import parameters as parameters_of
from estimate.qtmnet.contrast.maps import status_of
from estimate.qtmnet.contrast.whole import Held, hold, qtmnet_maps
from estimate.qtmnet.weights import Trained
from estimate.signal.concentration import block_concentration
from simulate.base.progress import Progress, silent
from simulate.base.status import NO_ESTIMATE, Status
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical

Array = Any


@dataclass(frozen=True)
class QTMnetEstimator:
    """QTMnet, its scale and all that switches in a scan held fixed.

    Attributes
    ----------
    protocol : DCEProtocol
        Of the frames.
    t10 : number or (v,) array [s]
        T1 before contrast.
    trained : Trained
        The network.
    inside : (d, h, w) bool array
        Where the v voxels of the frames lie, in the order of `numpy.nonzero`.
    held : Held
        Of the measured frames.
    weight : (p, v) array
        Of each map, by its standard errors (`estimate.kinetics.reliability`).
    scale : InputScale
        Where absolute values come from.
    parameters : tuple of str
        Those whose maps are taken.
    believed : tuple of str
        Those by whose standard errors, all of them, a voxel's maps count.

    Raises
    ------
    InputError
        For a map that does not vanish with the concentrations.
    """

    protocol: DCEProtocol
    t10: Array
    trained: Trained
    inside: np.ndarray
    held: Held
    weight: Array
    scale: InputScale
    parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve")
    believed: tuple[str, ...] = BELIEVED

    def __post_init__(self) -> None:
        check_scaled(self.parameters)

    @property
    def label(self) -> str:
        """Stands before the names of its maps."""
        return "QTMnet"

    @classmethod
    def measured(
        cls, frames: Array, protocol: DCEProtocol, *, t10: Array, trained: Trained, inside: np.ndarray,
        scale: InputScale | None = None, parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve"),
        believed: tuple[str, ...] = BELIEVED,
    ) -> "QTMnetEstimator":  # fmt: skip
        """With what switches, and the weights, as the measured frames have them.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        protocol : DCEProtocol
            With the number of frames before contrast.
        t10 : number or (v,) array [s]
            T1 before contrast.
        trained : Trained
            The network.
        inside : (d, h, w) bool array
            Where the v voxels lie.
        scale : InputScale, optional
            The population's by default.
        parameters : tuple of str
            Those whose maps are taken.
        believed : tuple of str
            Those by whose standard errors, all of them, a voxel's maps count; beside them each by its own.

        Returns
        -------
        QTMnetEstimator
            Its weights frozen.
        """
        scale, where = scale or population_scale(), np.nonzero(inside)
        curves, before = (np.asarray(each) for each in block_concentration(frames, protocol, t10=t10))
        curves = np.where(np.isfinite(curves).all(axis=1, keepdims=True), curves, 0.0)
        volume = np.zeros((*inside.shape, curves.shape[1]), curves.dtype)
        volume[where] = curves
        found = predict_scan(
            trained, curves.astype(np.float32), np.asarray(protocol.times), float(np.asarray(protocol.frame_duration)),
            where=where, shape=inside.shape,
        )  # fmt: skip
        values = parameters_of(found, scale, trained.calibration_factor)
        status = status_of(found, values, before)

        usable = (status & int(NO_ESTIMATE | Status.UNFAMILIAR)) == 0

        def known(parameter: str) -> np.ndarray:
            each = [trust(values[name], values[f"{name}_stderr"]) for name in needed(parameter, believed)]
            return np.where(usable, np.prod(each, axis=0), 0.0)

        weight = np.stack([known(name) for name in parameters])
        held = hold(volume, protocol, inside=inside)
        return cls(protocol, t10, trained, inside, held, weight, scale, parameters, believed)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its maps: QTMnet and parameter."""
        return tuple(f"{self.label} {name}" for name in self.parameters)

    def maps(self, frames: Array) -> Array:
        """Maps at some frames.

        Parameters
        ----------
        frames : (..., v, t) array
            Signal, of one scan or of several.

        Returns
        -------
        (..., p, v) array
            In clinical units, 0 in voxels that do not count.
        """
        scans = np.reshape(frames, (-1, *np.shape(frames)[-2:]))
        found = [np.asarray(_maps(self._fixed, self._given(scan))) for scan in scans]
        return np.reshape(found, (*np.shape(frames)[:-2], len(self.parameters), -1))

    def without_noise(self, frames: Array, noise: float) -> Array:
        """The frames themselves: there is no model by which their noise could be taken off.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        noise : float
            Standard deviation of the signal in one frame.

        Returns
        -------
        (v, t) array
            The frames.
        """
        return frames

    def measured_again(self, frames: Array) -> Weighted:
        """What other scans of the same tissue give.

        Parameters
        ----------
        frames : (n, v, t) array
            Signal of n scans.

        Returns
        -------
        Weighted
            Maps (n, p, v) with the weights, and all that switches, as these scans have them.
        """
        again = [
            self.measured(
                scan, self.protocol, t10=self.t10, trained=self.trained, inside=self.inside, scale=self.scale,
                parameters=self.parameters, believed=self.believed,
            ) for scan in frames
        ]  # fmt: skip
        maps = [each.maps(scan) for each, scan in zip(again, frames, strict=True)]
        return Weighted(np.stack(maps), np.stack([each.weight for each in again]))

    def at(self, frames: Array, progress: Progress = silent, *, place: float = 1.0, end: Local | None = None) -> Local:
        """Maps and their derivatives at some frames.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        progress : callable
            Told of every step.
        place : float
            Of the path: it makes no difference, since a network's maps have no limits.
        end : Local, optional
            Nor does this, since there are no minima.

        Returns
        -------
        Local
            Maps in clinical units, their slope along any direction, and the ways back, with and without the context.
        """
        progress("QTMnet", 0, 1)
        given = self._given(frames)

        def of(cotangent: Array) -> Any:
            return jnp.asarray(cotangent, given.frames.dtype)

        return Local(
            np.asarray(_maps(self._fixed, given)),
            lambda direction: np.asarray(_slope(self._fixed, given, of(direction))),
            lambda cotangent: np.asarray(_back(self._fixed, given, of(cotangent), False).frames),
            lambda cotangent: np.asarray(_back(self._fixed, given, of(cotangent), True).frames),
        )

    def sensitivities(self, frames: Array, cotangent: Array) -> dict[str, Array]:
        """Derivatives of a number by what is held fixed.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        cotangent : (p, v) array
            Derivative of the number by the maps.

        Returns
        -------
        dict of str to array
            "T10" (v,) [1/s], and "log area" () by the logarithm of the input's area that sets the scale.
        """
        given = self._given(frames)
        back = _back(self._fixed, given, jnp.asarray(cotangent, given.frames.dtype), False)
        return {"T10": np.asarray(back.t10), "log area": np.asarray(back.area * given.area)}

    @cached_property
    def _fixed(self) -> "_Fixed":
        return _Fixed(self.protocol, self.trained, self.inside, self.parameters)

    def _given(self, frames: Array) -> "_Given":
        x = jnp.asarray(frames)
        t10, area, weight = np.broadcast_to(self.t10, x.shape[:1]), self.scale.area, self.weight
        t10, area, weight = (jnp.asarray(each, x.dtype) for each in (t10, area, weight))
        network = jax.tree.map(lambda each: jnp.asarray(each, x.dtype), nnx.state(self.trained.network))
        return _Given(x, t10, area, weight, self.held, network)


class _Given(NamedTuple):
    """What a program is given, so that it is compiled once for all scans of a size, and does not hold the network's
    numbers in each of its kernels: frames (v, t), t10 (v,), area (), weight
    (p, v), held, network."""

    frames: Any
    t10: Any
    area: Any
    weight: Any
    held: Held
    network: Any


class _Fixed:
    """What a program is made for; alike where it holds the same numbers."""

    def __init__(self, protocol: DCEProtocol, trained: Trained, inside: np.ndarray, parameters: tuple[str, ...]):
        self.protocol, self.inside, self.parameters = protocol, inside, parameters
        self._trained, self._graph = trained, nnx.graphdef(trained.network)
        numbers = tuple(np.asarray(each).tobytes() for each in jax.tree.leaves(protocol))
        self._key = (
            numbers, protocol.baseline, self._graph, trained.uses_branch, inside.shape, inside.tobytes(), parameters,
        )  # fmt: skip

    def trained(self, network: Any) -> Trained:
        """With these numbers."""
        return replace(self._trained, network=nnx.merge(self._graph, network))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fixed) and self._key == other._key


def _of_frames(fixed: _Fixed, given: _Given, own: Any = False) -> Any:
    """(p, v) in clinical units, 0 where they are not believed."""
    curves, _ = block_concentration(given.frames, fixed.protocol, t10=given.t10)
    where = np.nonzero(fixed.inside)
    usable = jnp.isfinite(curves).all(axis=1, keepdims=True)
    volume = jnp.zeros((*fixed.inside.shape, curves.shape[1]), curves.dtype)
    volume = volume.at[where].set(jnp.where(usable, curves, 0.0))
    found = qtmnet_maps(
        volume, fixed.protocol, fixed.trained(given.network), inside=fixed.inside, scale=_UNIT, held=given.held, own=own
    )
    maps = jnp.stack([to_clinical(name, found[name][where]) for name in fixed.parameters])
    return jnp.where(
        given.weight > 0, given.weight * maps / given.area, 0.0
    )  # all of `SCALED` are inversely proportional to it


_UNIT = InputScale(1.0, 0.0, "one")


@partial(jax.jit, static_argnums=0)
def _back(fixed: _Fixed, given: _Given, cotangent: Any, own: Any) -> _Given:
    """Of frames, T10 and area; what is held has no derivative. own : without what goes through the context."""

    def maps(frames: Any, t10: Any, area: Any) -> Any:
        return _of_frames(fixed, given._replace(frames=frames, t10=t10, area=area), own)

    back = jax.vjp(maps, given.frames, given.t10, given.area)[1](cotangent)
    return given._replace(frames=back[0], t10=back[1], area=back[2])


_maps = jax.jit(_of_frames, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _slope(fixed: _Fixed, given: _Given, direction: Any) -> Any:
    return jax.jvp(lambda x: _of_frames(fixed, given._replace(frames=x)), (given.frames,), (direction,))[1]
