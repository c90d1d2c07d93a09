"""A kinetic fit as a chain's estimator: its arterial input held fixed, its derivatives a block Jacobian."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from classify.chain.estimator import BELIEVED, SCALED, Local, Weighted, check_scaled, needed
from estimate.kinetics.bounds import BOUNDS
from estimate.kinetics.frames import FrameFit, fit_frames, frames_jacobian, input_sensitivity
from estimate.kinetics.reliability import reliability
from simulate.base.errors import InputError
from simulate.base.exchange import LIMITS
from simulate.base.progress import Progress, silent
from simulate.base.types import DCEProtocol, Tissue
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput
from simulate.kinetics.tissue import tissue_concentration
from simulate.scanner.spgr import spgr_signal

Array = Any

UNSCALED = ("delay", "va")
"""Whose limits are no floors that stand for nothing; the delay does not follow the concentrations at all."""


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
    weight : (p, v) array
        Of each map, as `estimate.reliability` found them at the measured frames.
    model : str
        A compartmental model.
    fit_delay : bool
        Whether the delay from input to tissue is fitted too.
    parameters : tuple of str
        Those whose maps are taken.
    haematocrit : float, optional
        With which an input that was measured in blood became plasma.
    believed : tuple of str
        Those by whose reliability, all of them, a voxel's maps count.

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
    believed: tuple[str, ...] = BELIEVED

    def __post_init__(self) -> None:
        check_scaled(self.parameters)

    @property
    def label(self) -> str:
        """Stands before the names of its maps."""
        return f"{self.model} with delay" if self.fit_delay else self.model

    @classmethod
    def measured(
        cls, frames: Array, protocol: DCEProtocol, *, t10: Array, aif: ArterialInput, model: str = "2cxm",
        fit_delay: bool = False, parameters: tuple[str, ...] | None = None,
        believed: tuple[str, ...] | None = None, haematocrit: float | None = None,
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
        parameters : tuple of str, optional
            Those whose maps are taken; all of the model's by default, but for the delay.
        believed : tuple of str, optional
            Those by whose reliability, all of them, a voxel's maps count; beside them each by its own. By default those
            of Fp, PS and vp that the model has.
        haematocrit : float, optional
            With which an input that was measured in blood became plasma.

        Returns
        -------
        KineticEstimator
            Its weights frozen.

        Raises
        ------
        InputError
            For a parameter that the model does not have.
        """
        fit = fit_frames(
            frames, protocol, t10=t10, aif=aif.curve, aif_times=aif.times, model=model, fit_delay=fit_delay
        )
        parameters = tuple(n for n in SCALED if n in fit.at_bound) if parameters is None else parameters
        believed = tuple(n for n in BELIEVED if n in fit.at_bound) if believed is None else believed
        for name in (*parameters, *believed):
            if name not in fit.values:
                raise InputError(
                    "parameters", name, f"is none of the model {model}", f"choose from {', '.join(fit.values)}"
                )
        weight = _weights(fit, parameters, believed)
        return cls(protocol, t10, aif, weight, model, fit_delay, parameters, haematocrit, believed)

    @property
    def names(self) -> tuple[str, ...]:
        """Of its maps: label and parameter."""
        return tuple(f"{self.label} {name}" for name in self.parameters)

    def maps(self, frames: Array) -> Array:
        """Maps at some frames, by fits of the voxels that count.

        Parameters
        ----------
        frames : (..., v, t) array
            Signal, of one scan or of several, all of whose voxels are fitted together.

        Returns
        -------
        (..., p, v) array
            In clinical units, 0 where they do not count.
        """
        scans = np.reshape(frames, (-1, *np.shape(frames)[-2:]))
        counts, given = self._of_those_that_count(scans[0])
        together = scans[:, counts].reshape(-1, scans.shape[-1])
        fit = fit_frames(**{**given, "frames": together, "t10": np.tile(given["t10"], len(scans))})
        values = {name: np.asarray(fit.values[name]).reshape(len(scans), -1) for name in self.parameters}
        found = [
            [self._everywhere(name, counts, values[name][k]) for name in self.parameters] for k in range(len(scans))
        ]
        return np.reshape(found, (*np.shape(frames)[:-2], *np.shape(self.weight)))

    def without_noise(self, frames: Array, noise: float) -> Array:
        r"""The frames as far as a fit tells them from their noise.

        In each voxel fitted signal + \lambda residual, \lambda^2 = max(0, 1 - \sigma^2/mean residual^2): an empirical
        Bayes estimate (James & Stein, Proc. 4th Berkeley Symp. 1961) by which a model that does not describe the tissue
        stays as wrong as it is. Other scans are drawn about it: about the measured frames noise would be there twice,
        weights those of a scan that is worse by 1.4, and errors too small.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        noise : float
            \sigma of the signal in one frame.

        Returns
        -------
        (v, t) array
            The frames themselves where there is no fit.
        """
        frames, t10 = np.asarray(frames), np.broadcast_to(self.t10, np.shape(frames)[:1])
        values = {name: np.asarray(x) for name, x in self._fit(frames, t10).values.items()}
        fitted = np.all([np.isfinite(x) for x in values.values()], axis=0)
        known = {name: np.where(fitted, values.get(name, limit), 0.1) for name, limit in LIMITS.items()}
        curves = tissue_concentration(
            Tissue(**known), self.aif.curve, self.protocol.frame_centres, model=self.model,
            aif_times=self.aif.times, frame_duration=self.protocol.frame_duration,
        )  # fmt: skip
        baseline = self.protocol.baseline
        shape = np.asarray(spgr_signal(curves, self.protocol, t10=t10, s0=1.0))
        start, own = (x[:, :baseline].mean(axis=1, keepdims=True) for x in (frames, shape))
        signal = shape * start / own
        left = np.mean(np.square(frames - signal)[:, baseline:], axis=1, keepdims=True)
        share = np.sqrt(np.maximum(1 - noise**2 / np.maximum(left, np.finfo(left.dtype).tiny), 0.0))
        return np.where(fitted[:, None], signal + share * (frames - signal), frames)

    def measured_again(self, frames: Array) -> Weighted:
        """What other scans of the same tissue give.

        Parameters
        ----------
        frames : (n, v, t) array
            Signal of n scans, all of whose voxels are fitted together.

        Returns
        -------
        Weighted
            Maps (n, p, v) with the weights that these scans have themselves.
        """
        scans, voxels, _ = np.shape(frames)
        fit = self._fit(np.reshape(frames, (scans * voxels, -1)), np.tile(np.broadcast_to(self.t10, voxels), scans))
        weight = _weights(fit, self.parameters, self.believed)
        maps = np.stack([
            np.where(w > 0, to_clinical(name, np.asarray(fit.values[name])) * w, 0.0)
            for name, w in zip(self.parameters, weight, strict=True)
        ])  # fmt: skip
        return Weighted(*(np.moveaxis(x.reshape(len(maps), scans, voxels), 0, 1) for x in (maps, weight)))

    def at(self, frames: Array, progress: Progress = silent, *, place: float = 1.0, end: Local | None = None) -> Local:
        """Maps and their derivatives at some frames.

        Lower limits go with the path, since they stand for nothing: ve would reach its own long before the maps vanish,
        and take PS with it. The minimum at the end is followed; where another one were taken for some of the way, no
        derivative would tell of the jumps.

        Parameters
        ----------
        frames : (v, t) array
            Signal.
        progress : callable
            Told of every block of voxels.
        place : float
            Of the path, above 0.
        end : Local, optional
            At the path's end; without it the least minimum is looked for.

        Returns
        -------
        Local
            Maps in clinical units, their slope along any direction, and the way back.
        """
        counts, given = self._of_those_that_count(frames)
        if end is not None:
            given["bounds"] = {n: (place * low, high) for n, (low, high) in BOUNDS.items() if n not in UNSCALED}
            given["start"] = {n: np.asarray(x) * (1 if n in UNSCALED else place) for n, x in end.solution.items()}
        fit, by = frames_jacobian(**given, progress=progress)
        maps = np.stack([self._everywhere(name, counts, fit.values[name]) for name in self.parameters])
        jacobian = np.stack([self._weighted(name, counts, by.frames[name]) for name in self.parameters])  # (p, c, t)

        def slope(direction: Array) -> Array:
            found = np.zeros_like(maps)
            found[:, counts] = np.einsum("pvt,vt->pv", jacobian, np.asarray(direction)[counts])
            return found

        def back(cotangent: Array) -> Array:
            found = np.zeros(np.shape(frames), maps.dtype)
            found[counts] = np.einsum("pv,pvt->vt", np.asarray(cotangent)[:, counts], jacobian)
            return found

        return Local(maps, slope, back, solution=fit.values)

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
        counts, given = self._of_those_that_count(frames)
        fit, by = frames_jacobian(**given)
        pulled = dict(zip(self.parameters, np.asarray(cotangent), strict=True))
        t10 = sum(c * self._everywhere(name, counts, by.t10[name]) for name, c in pulled.items())
        internal = {name: self._weighted(name, counts, c[counts]) for name, c in pulled.items()}  # a unit is a factor
        aif = input_sensitivity(internal, fit, **given)
        found = {"T10": t10, "AIF": aif}
        if self.haematocrit is not None:
            found["haematocrit"] = aif @ np.asarray(self.aif.curve) / (1 - self.haematocrit)
        return found

    def _of_those_that_count(self, frames: Array) -> tuple[Array, dict[str, Any]]:
        """Their numbers, and what a fit of them is given: voxels are independent, and the others weigh nothing."""
        counts = np.flatnonzero(np.any(self.weight, axis=0))
        return counts, {
            "frames": np.asarray(frames)[counts], "protocol": self.protocol, "aif": self.aif.curve,
            "t10": np.broadcast_to(self.t10, np.shape(self.weight)[1:])[counts], "aif_times": self.aif.times,
            "model": self.model, "fit_delay": self.fit_delay,
        }  # fmt: skip

    def _fit(self, frames: Array, t10: Array) -> FrameFit:
        """Of all voxels of a scan."""
        return fit_frames(
            frames, self.protocol, t10=t10, aif=self.aif.curve, aif_times=self.aif.times, model=self.model,
            fit_delay=self.fit_delay,
        )  # fmt: skip

    def _weighted(self, name: str, counts: Array, values: Array) -> Array:
        """In clinical units, of those that count in any map, times their weight in this one; 0 where other frames than
        those that gave the weights leave a voxel without an estimate."""
        weight = np.asarray(self.weight)[self.parameters.index(name), counts]
        weight = weight.reshape(-1, *[1] * (np.ndim(values) - 1))
        return np.where((weight > 0) & np.isfinite(values), to_clinical(name, values) * weight, 0.0)

    def _everywhere(self, name: str, counts: Array, values: Array) -> Array:
        """The same, and 0 in all other voxels."""
        found = np.zeros((np.shape(self.weight)[1], *np.shape(values)[1:]), np.asarray(values).dtype)
        found[counts] = self._weighted(name, counts, values)
        return found


def _weights(fit: FrameFit, parameters: tuple[str, ...], believed: tuple[str, ...]) -> Array:
    """(p, v) of the maps of a fit."""
    known = [tuple(n for n in needed(name, believed) if n in fit.values) for name in parameters]
    return np.stack([np.asarray(reliability(fit, each)) for each in known])
