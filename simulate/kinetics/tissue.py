"""Tissue concentration for every kinetic model, through one door."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from simulate.base.errors import InputError
from simulate.base.exchange import extraction
from simulate.base.types import Tissue
from simulate.kinetics.capillaries import tissue_homogeneity
from simulate.kinetics.compartments import COMPARTMENT_MODELS, CompartmentModel
from simulate.kinetics.convolution import exponential_convolution, interpolate, is_zero
from simulate.kinetics.double import DoubleComplex, exp, in_double
from simulate.kinetics.laplace import filter_integral
from simulate.kinetics.modes import convolve_modes, stirred_tanks_modes
from simulate.kinetics.plug_flow import behind_front
from simulate.kinetics.windows import from_first_knot

PLUG_FLOW_MODELS = ("dp", "th", "aath")
MODELS = (*COMPARTMENT_MODELS, "tanks-N", *PLUG_FLOW_MODELS)
"""Names that `tissue_concentration` knows; N of tanks-N is a number, e.g. tanks-4."""


def tissue_concentration(
    tissue: Tissue,
    aif: Any,
    times: Any,
    *,
    model: str = "2cxm",
    aif_times: Any = None,
    frame_duration: Any = 0.0,
) -> Array:
    """Concentration of tracer in tissue.

    Errors, relative to the curve's maximum: compartments are exact but for rounding. The others are computed
    in float64 whatever precision JAX is in: aath is exact; tanks-N 1e-7; dp 1e-6 up to PS/Fp = 150, which
    stands for all beyond; th 1e-6 for transits vp/Fp from .1 s in ten minutes. In float32 its rounding comes on
    top, 1e-7 of the maximum.

    Parameters
    ----------
    tissue : Tissue
        Parameters of leading shape (...) in 1/s, fractions and s; fields that the model lacks are ignored.
    aif : (k,) array [mmol/L]
        PLASMA concentration of the arterial input, linear between its samples, zero before the first and constant
        after the last.
    times : (t,) array [s]
        When to evaluate, on the AIF's clock: any spacing, any first value; the CENTRES of the frames where these have
        a duration.
    model : str
        2cxm, 2cum, etm, tofts, patlak (`simulate.kinetics.compartments`); dp, th, aath and tanks-N with N a number,
        e.g. tanks-4 (`simulate.kinetics.plug_flow`, `modes`, `capillaries`).
    aif_times : (k,) array [s]
        Times of the AIF's samples; `times` by default.
    frame_duration : float or (t,) array [s]
        Time d over which every frame averages: the mean over [times - d/2, times + d/2], exact as the curve itself;
        0 samples.

    Returns
    -------
    (..., t) array [mmol/L of tissue]
        The arterial plasma `va` adds va ca(t - delay). No tracer before it arrives.

    Raises
    ------
    InputError
        For an unknown model or a negative duration.
    """
    _check_duration(frame_duration)
    knots, times = from_first_knot(times if aif_times is None else aif_times, times)
    fields = (tissue.Fp, tissue.PS, tissue.vp, tissue.ve, tissue.va, tissue.delay)
    duration = None if is_zero(frame_duration) else frame_duration
    return _concentration(model, fields, jnp.asarray(aif, dtype=float), knots, times, duration)


@partial(jax.jit, static_argnums=0)
def _concentration(model: str, fields: tuple, aif: Array, knots: Array, times: Array, duration: Any) -> Array:
    """One program rather than one for every operation of a caller without jit. duration : None samples."""
    parts = jnp.broadcast_arrays(*(jnp.asarray(field, dtype=float) for field in fields))
    frame_duration = 0.0 if duration is None else duration
    curve = Input(aif, knots, times, parts[-1], frame_duration)
    if model in COMPARTMENT_MODELS:
        held = _compartmental(
            COMPARTMENT_MODELS[model], dict(zip(("Fp", "PS", "vp", "ve"), parts, strict=False)), curve
        )
    else:
        curve_, knots_, times_, delay = (in_double(part) for part in (aif, knots, times, parts[-1]))
        Fp, PS, vp, ve = (in_double(part) for part in parts[:4])
        double = Input(curve_, knots_, times_, delay, frame_duration)
        held = _capillary(model, Fp, PS, vp, ve, double).astype(aif.dtype)
    return held + parts[4][..., None] * curve.itself()


def mixing_of(model: str) -> float:
    """1/N of the tanks that a model's capillaries are, see `simulate.base.exchange`: 1 of compartments, 0 of plug flow.

    Raises InputError for an unknown model.
    """
    if model in COMPARTMENT_MODELS:
        return 1.0
    return 0.0 if model in PLUG_FLOW_MODELS else 1 / _tanks(model)


@dataclass(frozen=True)
class Input:
    """The arterial input and when its tissue is looked at.

    aif : (k,) concentration at the knots (k,) [s].      times : (t,) [s].      delay : (*s) of the input [s].
    duration : of the frames [s].
    """

    aif: Array
    knots: Array
    times: Array
    delay: Array
    duration: Any

    @property
    def frames(self) -> Any:
        """The duration, or None where samples are asked for."""
        return None if is_zero(self.duration) else in_double(self.duration)

    def later(self, late: Any = 0.0) -> Array:
        """(*s, t) times on the clock of an input that comes later still by `late` (*s) [s]."""
        return self.times - (self.delay + late)[..., None]

    def convolved(self, rate: Array, late: Any = 0.0) -> Array:
        """The input convolved with e^{-rate t}."""
        return exponential_convolution(self.aif, self.knots, rate, self.later(late), duration=self.duration)

    def integrated(self, like: Array, late: Any = 0.0) -> Array:
        """The input's running integral."""
        return self.convolved(jnp.zeros_like(like), late)

    def itself(self) -> Array:
        """The input."""
        return interpolate(self.aif, self.knots, self.later(), self.duration)


def _compartmental(model: CompartmentModel, named: dict, curve: Input) -> Array:
    """The sum of exponentials of `simulate.kinetics.compartments`."""
    terms = model.terms(*(named[name] for name in model.parameters))
    held = jnp.zeros_like(curve.later())
    for flow, rate in terms.exchange:
        held = held + flow[..., None] * curve.convolved(rate)
    if terms.uptake is not None:
        held = held + terms.uptake[..., None] * curve.integrated(terms.uptake)
    if terms.plasma is not None:
        held = held + terms.plasma[..., None] * curve.itself()
    return held


def _capillary(model: str, Fp: Array, PS: Array, vp: Array, ve: Array, curve: Input) -> Array:
    """Fp times the input convolved with the residue of the model, in float64."""
    transit = vp / Fp
    passing = curve.integrated(Fp) - curve.integrated(Fp, transit)  # R = 1 for t < Tc
    if model == "dp":
        held = passing + behind_front(PS / Fp, PS / ve, curve.aif, curve.knots, curve.later(transit), curve.frames)
    elif model == "aath":  # then E exp(-E Fp (t-Tc)/ve), E = 1-exp(-PS/Fp): St Lawrence & Lee 1998
        E = extraction(Fp, PS, mixing_of(model))
        held = passing + E[..., None] * curve.convolved(E * Fp / ve, transit)
    elif model == "th":
        held = passing + curve.integrated(Fp, transit) - _left(Fp, PS, vp, ve, curve)
    else:
        fast, slow = stirred_tanks_modes(Fp, PS, vp, ve, _tanks(model))
        held = sum(
            convolve_modes(part, curve.aif, curve.knots, curve.later(), curve.frames)[0] for part in (fast, slow)
        )
    return Fp[..., None] * held


def _left(Fp: Array, PS: Array, vp: Array, ve: Array, curve: Input) -> Array:
    """The outflow's integral of TH: the front in closed form, the rest by the spectral sum."""
    transit, pulse = vp / Fp, jnp.exp(-PS / Fp)

    def behind_front(s: DoubleComplex) -> DoubleComplex:
        front = exp(-s * transit[..., None]) * pulse[..., None]
        outflow = tissue_homogeneity(s, Fp[..., None], PS[..., None], vp[..., None], ve[..., None])
        return (outflow - front) * exp(-s * curve.delay[..., None])

    rest = filter_integral(behind_front, curve.aif, curve.knots, curve.times, duration=curve.duration)
    begun = curve.later() + jnp.asarray(curve.duration) / 2 > curve.knots[0]
    return pulse[..., None] * curve.integrated(Fp, transit) + jnp.where(begun, rest, 0.0)


def _check_duration(duration: Any) -> None:
    if not isinstance(duration, Tracer) and not np.all(np.asarray(duration) >= 0):
        raise InputError(
            "tissue_concentration", "frame_duration", f"{duration} is no duration", "give 0 or more, in seconds"
        )


def _tanks(model: str) -> int:
    match = re.fullmatch(r"tanks-([1-9]\d*)", model)
    if match is None:
        raise InputError("model", "", f"unknown model {model!r}", f"choose one of {', '.join(MODELS)}")
    return int(match.group(1))
