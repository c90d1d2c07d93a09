r"""Capillary models by their outflow: distributed parameter, tissue homogeneity, stirred tanks.

A capillary-tissue unit with plasma flow Fp turns its input ca into the outflow H * ca, and holds

    C(t) = Fp \int_0^t [ca - H * ca] ds      (what came in and has not left).

The transfer functions H(s) are exact; b = PS/Fp, Tc = vp/Fp, kp = PS/vp, ke = PS/ve.
"""

from typing import Any

import jax.numpy as jnp

from simulate.base.exchange import mean_of_mixed, mixed
from simulate.kinetics.double import DoubleComplex, expm1


def distributed_parameter(s: Any, Fp: Any, PS: Any, vp: Any, ve: Any) -> Any:
    """H(s) = exp(-Tc (s + kp s/(s+ke))): plug flow, EES along the capillary (Sangren & Sheppard 1953)."""
    return jnp.exp(-vp / Fp * s - PS / Fp * s / (s + PS / ve))


def stirred_tanks(s: Any, Fp: Any, PS: Any, vp: Any, ve: Any, number: int) -> Any:
    """H(s) of `number` equal tanks in series, each a 2CXM of Fp, PS/N, vp/N, ve/N; 1 is 2CXM, infinity DP."""
    return capillary_unit(s, Fp, PS, vp, ve, 1 / number)


def capillary_unit(s: Any, Fp: Any, PS: Any, vp: Any, ve: Any, mixing: Any) -> Any:
    """H(s) = (1 + x/N)^-N of N stirred tanks, mixing = 1/N: 1 is 2CXM, 0 plug flow, smooth in between.

    x = [vp s + PS s/(s+ke)]/Fp. Any parameter may be 0 (but Fp): without PS or ve nothing is exchanged.
    """
    return mixed(_lost(s, Fp, PS, vp, ve), mixing)


def unit_concentrations(s: Any, Fp: Any, PS: Any, vp: Any, ve: Any, mixing: Any) -> tuple[Any, Any]:
    """Mean concentrations in the plasma and in the EES of such a unit, over that of its inflow.

    From the tanks' own equations: what x takes from the plasma of one leaves the rest to the next, and
    ve s ce = PS (cp - ce) beside each. The outflow is not used.
    """
    plasma = mean_of_mixed(_lost(s, Fp, PS, vp, ve), mixing)
    return plasma, PS / (ve * s + PS + _NOTHING) * plasma


def _lost(s: Any, Fp: Any, PS: Any, vp: Any, ve: Any) -> Any:
    """x: what the plasma of the whole unit gains and gives away per its flow, at its own concentration."""
    return (vp * s + PS * ve * s / (ve * s + PS + _NOTHING)) / Fp


_NOTHING = 1e-30  # keeps 0/0 away where both PS and ve are 0


def tissue_homogeneity(s: Any, Fp: Any, PS: Any, vp: Any, ve: Any) -> Any:
    """H(s) = 1 - s R(s): plug flow past one well-mixed EES (Johnson & Wilson, Am J Physiol 210:1299, 1966)."""
    b, Tc, ke = PS / Fp, vp / Fp, PS / ve
    a = s * Tc + b
    g = -_expm1(-a) / a
    leak = b / a
    ce = ke * g / (s + ke - ke * leak * (1 - g))
    cm = (1 - leak * ce) * g + leak * ce
    return 1 - s * (Tc * cm + ve / Fp * ce)


def _expm1(x: Any) -> Any:
    return expm1(x) if isinstance(x, DoubleComplex) else jnp.expm1(x)
