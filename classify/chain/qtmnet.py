"""QTMnet as a chain's estimator: its scale held fixed, and all that switches in a scan."""

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from classify.chain.estimator import Local, check_scaled
from estimate.arterial.scale import InputScale, population_scale
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
    weight : (v,) array
        1 for voxels whose maps can be believed, else 0.
    scale : InputScale
        Where absolute values come from.
    parameters : tuple of str
        Those whose maps are taken.

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
    label = "QTMnet"

    def __post_init__(self) -> None:
        check_scaled(self.parameters)

    @classmethod
    def measured(
        cls, frames: Array, protocol: DCEProtocol, *, t10: Array, trained: Trained, inside: np.ndarray,
        scale: InputScale | None = None, parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve"),
        believed: tuple[str, ...] = ("Fp", "PS", "vp"),
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
            Those whose standard errors have to be small, all of them, for a voxel to count.

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
        never = int(NO_ESTIMATE | Status.UNFAMILIAR)
        for name in believed:
            never |= int(Status[f"{name.upper()}_NOT_IDENTIFIABLE"])
        weight = ((status & never) == 0).astype(float)
        return cls(protocol, t10, trained, inside, hold(volume, protocol, inside=inside), weight, scale, parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its maps: QTMnet and parameter."""
        return tuple(f"{self.label} {name}" for name in self.parameters)

    def at(self, frames: Array, progress: Progress = silent) -> Local:
        """Maps and their derivatives at some frames.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        progress : callable
            Told of every step.

        Returns
        -------
        Local
            Maps in clinical units, their slope along any direction, and the ways back, with and without the context.
        """
        progress("QTMnet", 0, 1)
        x = jnp.asarray(frames)
        return Local(
            np.asarray(self._maps(x)),
            lambda direction: np.asarray(self._slope(x, jnp.asarray(direction, x.dtype))),
            lambda cotangent: np.asarray(self._back(x, jnp.asarray(cotangent, x.dtype))),
            lambda cotangent: np.asarray(self._own(x, jnp.asarray(cotangent, x.dtype))),
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
        x = jnp.asarray(frames)
        G, t10 = (jnp.asarray(each, x.dtype) for each in (cotangent, np.broadcast_to(self.t10, x.shape[:1])))
        by_t10 = jax.jit(jax.grad(lambda t: jnp.sum(G * self._of_frames(x, own=False, t10=t))))(t10)
        # all maps are inversely proportional to the area
        return {"T10": np.asarray(by_t10), "log area": -np.sum(np.asarray(G) * np.asarray(self._maps(x)))}

    def _of_frames(self, frames: Any, own: bool, t10: Any = None) -> Any:
        """(p, v) in clinical units, 0 where a voxel is not believed."""
        curves, _ = block_concentration(frames, self.protocol, t10=self.t10 if t10 is None else t10)
        where = np.nonzero(self.inside)
        usable = jnp.isfinite(curves).all(axis=1, keepdims=True)
        volume = jnp.zeros((*self.inside.shape, curves.shape[1]), curves.dtype)
        volume = volume.at[where].set(jnp.where(usable, curves, 0.0))
        found = qtmnet_maps(
            volume, self.protocol, self.trained, inside=self.inside, scale=self.scale, held=self.held, own=own
        )
        maps = jnp.stack([to_clinical(name, found[name][where]) for name in self.parameters])
        return jnp.where(jnp.asarray(self.weight) > 0, maps, 0.0)

    @cached_property
    def _maps(self) -> Any:
        return jax.jit(partial(self._of_frames, own=False))

    @cached_property
    def _slope(self) -> Any:
        return jax.jit(lambda x, d: jax.jvp(partial(self._of_frames, own=False), (x,), (d,))[1])

    @cached_property
    def _back(self) -> Any:
        return jax.jit(lambda x, G: jax.vjp(partial(self._of_frames, own=False), x)[1](G)[0])

    @cached_property
    def _own(self) -> Any:
        return jax.jit(lambda x, G: jax.vjp(partial(self._of_frames, own=True), x)[1](G)[0])
