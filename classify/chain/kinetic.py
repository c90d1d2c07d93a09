"""A kinetic fit as a chain's estimator: its arterial input held fixed, its derivatives a block Jacobian."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from classify.chain.estimator import Local, check_scaled
from estimate.kinetics.frames import (
    FrameFit,
    FrameJacobian,
    fit_frames,
    frames_jacobian,
    input_sensitivity,
    reliability,
)
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
    haematocrit : float, optional
        With which an input that was measured in blood became plasma.

    Raises
    ------
    InputError
        For a map that does not vanish with the concentrations, such as a delay: a path cannot start from nothing there.
    """

    protocol: DCEProtocol
    t10: Array
    aif: ArterialInput
    weight: Array
    model: str = "2cxm"
    fit_delay: bool = False
    parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve")
    haematocrit: float | None = None

    def __post_init__(self) -> None:
        check_scaled(self.parameters)

    @property
    def label(self) -> str:
        """Stands before the names of its maps."""
        return f"{self.model} with delay" if self.fit_delay else self.model

    @classmethod
    def measured(
        cls, frames: Array, protocol: DCEProtocol, *, t10: Array, aif: ArterialInput, model: str = "2cxm",
        fit_delay: bool = False, parameters: tuple[str, ...] = ("Fp", "PS", "vp", "ve"),
        believed: tuple[str, ...] = ("Fp", "PS", "vp"), haematocrit: float | None = None,
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
        haematocrit : float, optional
            With which an input that was measured in blood became plasma.

        Returns
        -------
        KineticEstimator
            Its weights frozen.
        """
        fit = fit_frames(
            frames, protocol, t10=t10, aif=aif.curve, aif_times=aif.times, model=model, fit_delay=fit_delay
        )
        weight = np.asarray(reliability(fit, believed))
        return cls(protocol, t10, aif, weight, model, fit_delay, parameters, haematocrit)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its maps: label and parameter."""
        return tuple(f"{self.label} {name}" for name in self.parameters)

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
            "T10" (v,) [1/s], "AIF" (k,) by the samples of the input [1/(mmol/L)] and, where the input was measured in
            blood, "haematocrit" (): plasma is blood/(1 - haematocrit).
        """
        fit, by = self.linearised(frames)
        pulled = dict(zip(self.parameters, np.asarray(cotangent), strict=True))
        t10 = sum(c * self._believed(name, by.t10[name]) for name, c in pulled.items())
        internal = {name: self._believed(name, c) for name, c in pulled.items()}  # clinical units are a factor
        aif = input_sensitivity(
            internal, fit, frames, self.protocol, t10=self.t10, aif=self.aif.curve, aif_times=self.aif.times,
            model=self.model, fit_delay=self.fit_delay,
        )  # fmt: skip
        found = {"T10": t10, "AIF": aif}
        if self.haematocrit is not None:
            found["haematocrit"] = aif @ np.asarray(self.aif.curve) / (1 - self.haematocrit)
        return found

    def _believed(self, name: str, values: Array) -> Array:
        """In clinical units, and 0 where the voxel is not believed, whatever stands there."""
        xp = jnp if isinstance(values, jax.Array) else np
        weight = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        return xp.where(weight > 0, to_clinical(name, values) * weight, 0.0)
