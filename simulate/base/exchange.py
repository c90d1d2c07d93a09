r"""What flow and permeability make together: extraction, Ktrans, kep and mean transit time, of every capillary.

One family holds them all: N stirred tanks in series, named by `mixing` = 1/N, from the compartmental models (1: 2CXM,
2CUM and their limits) to plug flow (0: DP, TH, AATH). What passes them once, and its mean over their plasma,

    left = (1 + x/N)^{-N},      mean = (1 - left)/x,      x = PS/Fp
    E = 1 - left                N = 1: PS/(Fp + PS);   N -> \infty: 1 - e^{-PS/Fp} (Renkin 1959, Crone 1963)
    Ktrans = E Fp = PS mean

The last form is right without a flow (Fp = inf: PS) and has derivatives there. `simulate.kinetics` and `simulate.water`
take `left` and `mean` at complex x for the same capillaries' transfer functions.
"""

from typing import Any

import jax.numpy as jnp

LIMITS = {"Fp": float("inf"), "PS": 0.0, "vp": 0.0, "ve": float("inf"), "va": 0.0, "delay": 0.0}
"""What stands in a `Tissue` for a parameter that its model lacks (a compartmental model names those that it has): with
it the formulas below hold. Without a flow tracer leaves the plasma as fast as it comes, and PS is Ktrans (etm, tofts,
patlak); an endless ve gives nothing back (2cum, patlak); tofts has no plasma. No model lacks PS."""


def extraction(Fp: Any, PS: Any, mixing: Any = 1.0) -> Any:
    """E, the share of tracer that leaves the plasma in one passage; 0 where Fp is inf, 1 where it is 0."""
    return jnp.where(Fp > 0, -jnp.expm1(-_exponent(_per_flow(PS, Fp), mixing)), 1.0)


def transfer_constant(Fp: Any, PS: Any, mixing: Any = 1.0) -> Any:
    """Ktrans [1/s]; PS where Fp is inf, 0 where it is 0."""
    return jnp.where(Fp > 0, PS * mean_of_mixed(_per_flow(PS, Fp), mixing), 0.0)


def efflux_constant(Ktrans: Any, ve: Any) -> Any:
    """kep [1/s] = Ktrans/ve; 0 where ve is inf: nothing comes back."""
    return Ktrans / ve


def mean_transit_time(Fp: Any, vp: Any, ve: Any) -> Any:
    """MTT [s] of plasma and EES together, (vp + ve)/Fp; inf where ve is inf, whatever the flow, and else 0 where Fp is.

    Central volume theorem, Meier & Zierler, J Appl Physiol 1954 6:731.
    """
    ends = ~jnp.isinf(ve)
    return jnp.where(ends, (vp + jnp.where(ends, ve, 0.0)) / Fp, jnp.inf)


def mixed(x: Any, mixing: Any) -> Any:
    """(1 + x/N)^-N of N stirred tanks, mixing = 1/N; e^-x at 0."""
    return jnp.exp(-_exponent(x, mixing))


def mean_of_mixed(x: Any, mixing: Any) -> Any:
    """Mean over N tanks in series of (1 + x/N)^-k, k = 1..N, mixing = 1/N; over a plug's e^{-x l}, l = 0..1, at 0."""
    some = jnp.abs(x) > 1e-12
    near = 1 - (1 + mixing) * x / 2
    return jnp.where(some, -jnp.expm1(-_exponent(x, mixing)) / jnp.where(some, x, 1.0), near)


def _exponent(x: Any, mixing: Any) -> Any:
    """log1p(m x)/m, by its series where many tanks would cost digits."""
    plug = mixing * jnp.abs(x) < 1e-4
    tanks = jnp.where(mixing > 0, mixing, 1.0)
    return jnp.where(plug, x * (1 - mixing * x / 2 * (1 - 2 * mixing * x / 3)), jnp.log1p(tanks * x) / tanks)


def _per_flow(PS: Any, Fp: Any) -> Any:
    """PS/Fp, and a number where there is no flow to divide by."""
    return PS / jnp.where(Fp > 0, Fp, 1.0)
