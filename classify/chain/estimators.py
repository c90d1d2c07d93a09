"""From frames to maps along a path: what each estimator gives to a chain, and how its maps move with the frames."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from estimate.kinetics.frames import FrameFit, FrameJacobian, fit_frames, frames_jacobian, reliability
from simulate.base.progress import Progress, silent
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput

Array = Any


class Local(NamedTuple):
    """An estimator at some frames (v, t).

    maps : (p, v) in clinical units, 0 in voxels that it does not believe.
    slope : direction (v, t) -> (p, v) by how much the maps move with the frames along it.
    back : cotangent (p, v) of the maps -> (v, t) of the frames.
    """

    maps: Array
    slope: Callable[[Array], Array]
    back: Callable[[Array], Array]


@runtime_checkable
class Estimator(Protocol):
    """What makes maps of frames.

    names : of its p maps.      weight : (v,) frozen, of each voxel in whatever follows.
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def weight(self) -> Array: ...

    def at(self, frames: Array, progress: Progress = silent) -> Local: ...


@dataclass(frozen=True)
class KineticEstimator:
    """A kinetic fit with its arterial input held fixed.

    Attributes
    ----------
    protocol : DCEProtocol
        Of the frames.
    t10 : number or (v,) array [s]
        T1 before contrast.
    aif : ArterialInput
        In plasma.
    weight : (v,) array
        As `estimate.reliability` found them at the measured frames.
    model : str
        A compartmental model.
    parameters : tuple of str
        Those whose maps are taken.
    label : str
        Stands before their names; the model's name by default.
    """

    protocol: DCEProtocol
    t10: Array
    aif: ArterialInput
    weight: Array
    model: str = "2cxm"
    parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve")
    label: str = field(default="")

    @classmethod
    def measured(
        cls, frames: Array, protocol: DCEProtocol, *, t10: Array, aif: ArterialInput, model: str = "2cxm",
        parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve"), believed: tuple[str, ...] = ("Fp", "PS", "vp"),
    ) -> "KineticEstimator":  # fmt: skip
        """With the weights that the measured frames give.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        protocol : DCEProtocol
            With the number of frames before contrast.
        t10 : number or (v,) array [s]
            T1 before contrast.
        aif : ArterialInput
            In plasma.
        model : str
            A compartmental model.
        parameters : tuple of str
            Those whose maps are taken.
        believed : tuple of str
            Those that have to be reliable, all of them, for a voxel to count.

        Returns
        -------
        KineticEstimator
            Its weights frozen.
        """
        fit = fit_frames(frames, protocol, t10=t10, aif=aif.curve, aif_times=aif.times, model=model)
        return cls(protocol, t10, aif, np.asarray(reliability(fit, believed)), model, parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its maps: label and parameter."""
        return tuple(f"{self.label or self.model} {name}" for name in self.parameters)

    def at(self, frames: Array, progress: Progress = silent) -> Local:
        """Maps and their derivatives at some frames.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        progress : callable
            Told of every block of voxels.

        Returns
        -------
        Local
            Maps in clinical units, their slope along any direction, and the way back.
        """
        fit, by = self.linearised(frames, progress)
        maps = np.stack([self._believed(name, fit.values[name]) for name in self.parameters])
        jacobian = np.stack([self._believed(name, by.frames[name]) for name in self.parameters])  # (p, v, t)
        return Local(
            maps,
            lambda direction: np.einsum("pvt,vt->pv", jacobian, direction),
            lambda cotangent: np.einsum("pv,pvt->vt", cotangent, jacobian),
        )

    def linearised(self, frames: Array, progress: Progress = silent) -> tuple[FrameFit, FrameJacobian]:
        """The fit and its derivatives by frames and T10.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        progress : callable
            Told of every block of voxels.

        Returns
        -------
        FrameFit
            In internal units.
        FrameJacobian
            Likewise.
        """
        return frames_jacobian(
            frames, self.protocol, t10=self.t10, aif=self.aif.curve, aif_times=self.aif.times, model=self.model,
            progress=progress,
        )  # fmt: skip

    def by_t10(self, frames: Array, cotangent: Array) -> Array:
        """Derivative of a number by each voxel's T10.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        cotangent : (p, v) array
            Derivative of the number by the maps.

        Returns
        -------
        (v,) array [1/s]
            The chain rule's, through the fit.
        """
        _, by = self.linearised(frames)
        return sum(
            c * self._believed(n, by.t10[n]) for c, n in zip(np.asarray(cotangent), self.parameters, strict=True)
        )

    def by_aif(self, frames: Array, cotangent: Array) -> Array:
        """Derivative of a number by the samples of the arterial input.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        cotangent : (p, v) array
            Derivative of the number by the maps.

        Returns
        -------
        (k,) array [1/(mmol/L)]
            The chain rule's, through all voxels' fits.
        """

        def pulled(curve: Array) -> Array:
            fit = fit_frames(frames, self.protocol, t10=self.t10, aif=curve, aif_times=self.aif.times, model=self.model)
            maps = [self._believed(name, fit.values[name]) for name in self.parameters]
            return sum(jnp.sum(c * m) for c, m in zip(np.asarray(cotangent), maps, strict=True))

        return np.asarray(jax.grad(pulled)(jnp.asarray(self.aif.curve)))

    def _believed(self, name: str, values: Array) -> Array:
        """In clinical units, and 0 where the voxel is not believed, whatever stands there."""
        xp = jnp if isinstance(values, jax.Array) else np
        weight = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        return xp.where(weight > 0, to_clinical(name, values) * weight, 0.0)
