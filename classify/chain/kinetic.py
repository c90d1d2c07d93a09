"""A kinetic fit as a chain's estimator: its arterial input held fixed, its derivatives a block Jacobian."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from classify.chain.estimator import Local
from estimate.kinetics.frames import FrameFit, FrameJacobian, fit_frames, frames_jacobian, reliability
from simulate.base.progress import Progress, silent
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput

Array = Any


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
    fit_delay : bool
        Whether the delay from input to tissue is fitted too.
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
    fit_delay: bool = False
    parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve")
    label: str = ""

    @classmethod
    def measured(
        cls, frames: Array, protocol: DCEProtocol, *, t10: Array, aif: ArterialInput, model: str = "2cxm",
        fit_delay: bool = False, parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve"),
        believed: tuple[str, ...] = ("Fp", "PS", "vp"),
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
        fit_delay : bool
            Whether the delay is fitted too.
        parameters : tuple of str
            Those whose maps are taken.
        believed : tuple of str
            Those that have to be reliable, all of them, for a voxel to count.

        Returns
        -------
        KineticEstimator
            Its weights frozen.
        """
        fit = fit_frames(
            frames, protocol, t10=t10, aif=aif.curve, aif_times=aif.times, model=model, fit_delay=fit_delay
        )
        return cls(protocol, t10, aif, np.asarray(reliability(fit, believed)), model, fit_delay, parameters)

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
            fit_delay=self.fit_delay, progress=progress,
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
            fit = fit_frames(
                frames, self.protocol, t10=self.t10, aif=curve, aif_times=self.aif.times, model=self.model,
                fit_delay=self.fit_delay,
            )  # fmt: skip
            maps = [self._believed(name, fit.values[name]) for name in self.parameters]
            return sum(jnp.sum(c * m) for c, m in zip(np.asarray(cotangent), maps, strict=True))

        return np.asarray(jax.grad(pulled)(jnp.asarray(self.aif.curve)))

    def _believed(self, name: str, values: Array) -> Array:
        """In clinical units, and 0 where the voxel is not believed, whatever stands there."""
        xp = jnp if isinstance(values, jax.Array) else np
        weight = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        return xp.where(weight > 0, to_clinical(name, values) * weight, 0.0)
