"""Tissue concentration for every kinetic model, through one door."""

import re
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from simulate.base.errors import InputError
from simulate.base.types import Tissue
from simulate.kinetics.capillaries import distributed_parameter, stirred_tanks, tissue_homogeneity
from simulate.kinetics.compartments import COMPARTMENT_MODELS, CompartmentModel
from simulate.kinetics.convolution import exponential_convolution, interpolate
from simulate.kinetics.spectral import filter_integral
from simulate.kinetics.windows import from_first_knot

MODELS = (*COMPARTMENT_MODELS, "tanks-N", "dp", "th", "aath")


def tissue_concentration(
    tissue: Tissue,
    aif: Any,
    times: Any,
    *,
    model: str = "2cxm",
    aif_times: Any = None,
    frame_duration: Any = 0.0,
    frequencies: int = 1024,
) -> Array:
    """Concentration of tracer in tissue [mmol/L of tissue].

    Parameters
    ----------
    tissue : parameters of leading shape (*s) in 1/s, fractions and s; fields that the model lacks are ignored.
    aif : (k,) PLASMA concentration of the arterial input [mmol/L], linear between its samples, zero before
        the first and constant after the last.
    times : (t,) when to evaluate [s], on the AIF's clock: any spacing, any first value; the CENTRES of the
        frames where these have a duration.
    model : 2cxm, 2cum, etm, tofts, patlak (`simulate.kinetics.compartments`, exact);
        dp, th, aath and tanks-N with N a number, e.g. tanks-4 (`simulate.kinetics.capillaries`).
    aif_times : (k,) times of the AIF's samples [s]; `times` by default.
    frame_duration : time over which every frame averages [s], one number or (t,): the mean over
        [times - d/2, times + d/2], exact as the curve itself; 0 samples.
    frequencies : points on the Bromwich line for dp, th and tanks-N (relative error < 1e-6 by default).

    Returns
    -------
    (*s, t) concentration; the arterial plasma `va` adds va ca(t - delay).

    Raises
    ------
    InputError for an unknown model or a negative duration.
    """
    _check_duration(frame_duration)
    knots, times = from_first_knot(times if aif_times is None else aif_times, times)
    aif = jnp.asarray(aif, dtype=float)
    fields = (tissue.Fp, tissue.PS, tissue.vp, tissue.ve, tissue.va, tissue.delay)
    Fp, PS, vp, ve, va, delay = jnp.broadcast_arrays(*(jnp.asarray(field, dtype=float) for field in fields))
    at = times - delay[..., None]
    if model in COMPARTMENT_MODELS:
        named = {"Fp": Fp, "PS": PS, "vp": vp, "ve": ve}
        held = _compartmental(COMPARTMENT_MODELS[model], named, aif, knots, at, frame_duration)
    elif model == "aath":
        held = _adiabatic(Fp, PS, vp, ve, aif, knots, at, frame_duration)
    else:
        held = _capillary(model, (Fp, PS, vp, ve), aif, knots, times, delay, frame_duration, frequencies)
    return held + va[..., None] * interpolate(aif, knots, at, frame_duration)


def _compartmental(model: CompartmentModel, named: dict, aif: Array, knots: Array, at: Array, duration: Any) -> Array:
    """The sum of exponentials of `simulate.kinetics.compartments`."""
    terms = model.terms(*(named[name] for name in model.parameters))
    convolve = partial(exponential_convolution, aif, knots, duration=duration)
    held = jnp.zeros(at.shape, aif.dtype)
    for flow, rate in terms.exchange:
        held = held + flow[..., None] * convolve(rate, at)
    if terms.uptake is not None:
        zero = jnp.zeros_like(terms.uptake)
        held = held + terms.uptake[..., None] * convolve(zero, at)
    if terms.plasma is not None:
        held = held + terms.plasma[..., None] * interpolate(aif, knots, at, duration)
    return held


def _adiabatic(Fp: Array, PS: Array, vp: Array, ve: Array, aif: Array, knots: Array, at: Array, duration: Any) -> Array:
    """AATH: R = 1 for t < Tc, then E exp(-E Fp (t-Tc)/ve), E = 1-exp(-PS/Fp). St Lawrence & Lee 1998."""
    extraction = -jnp.expm1(-PS / Fp)
    later = at - (vp / Fp)[..., None]
    convolve = partial(exponential_convolution, aif, knots, duration=duration)
    zero = jnp.zeros_like(Fp)
    passing = convolve(zero, at) - convolve(zero, later)
    leaked = convolve(extraction * Fp / ve, later)
    return Fp[..., None] * (passing + extraction[..., None] * leaked)


def _capillary(
    model: str, parameters: tuple, aif: Array, knots: Array, times: Array, delay: Array, duration: Any, frequencies: int
) -> Array:
    """Fp times the integral of (input - outflow): fronts in closed form, the smooth rest by the spectral sum."""
    Fp, PS, vp, ve = (value[..., None] for value in parameters)
    lag = delay[..., None]
    transit, b, ke = vp / Fp, PS / Fp, PS / ve
    pulse = jnp.exp(-b)
    convolve = partial(exponential_convolution, aif, knots, duration=duration)
    zero = jnp.zeros_like(delay)
    arrived = convolve(zero, times - lag)
    front = convolve(zero, times - lag - transit)
    # what left after one stay in the EES: its transfer b ke/(s+ke) falls off as slowly as 1/s
    stayed = convolve(ke[..., 0], times - lag - transit)
    number = 1 if model in ("dp", "th") else _tanks(model)

    def smooth(s):
        if model == "dp":
            crossed = jnp.exp(-b - s * transit)
            return distributed_parameter(s, Fp, PS, vp, ve) - crossed * (1 + b * ke / (s + ke))
        if model == "th":
            return tissue_homogeneity(s, Fp, PS, vp, ve) - jnp.exp(-b - s * transit)
        return stirred_tanks(s, Fp, PS, vp, ve, number)

    heads = {"dp": pulse * (front + b * (front - stayed)), "th": pulse * front}
    rest = filter_integral(
        lambda s: smooth(s) * jnp.exp(-s * lag), aif, knots, times, duration=duration, frequencies=frequencies
    )
    return Fp * (arrived - heads.get(model, 0.0) - rest)


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
