r"""Models that are sums of exponentials: 2CXM, 2CUM, extended Tofts, Tofts, Patlak.

Each maps its parameters to `Terms`, and the tissue concentration follows from them alone:

    C(t) = \sum_j F_j e^{-K_j t} * ca  +  F_0 \int ca  +  v ca

(`*` is convolution, ca the PLASMA concentration). `from_terms` goes the other way. The fitter in
`estimate` and the simulator use these same functions. Sourbron & Buckley, Phys Med Biol 57:R1 (2012)
and Magn Reson Med 69:1420 (2013).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp


class Terms(NamedTuple):
    """What a compartmental model does to its input; all entries have the same leading shape.

    exchange : pairs (F_j [1/s], K_j [1/s]) of amplitude and rate.
    uptake : F_0 [1/s], the amplitude at rate 0, or None where the model has no such term.
    plasma : volume fraction that holds the input itself, or None.
    """

    exchange: tuple[tuple[Any, Any], ...] = ()
    uptake: Any = None
    plasma: Any = None


@dataclass(frozen=True)
class CompartmentModel:
    """A model as data: its free parameters (CAPLEX names) and the maps to and from `Terms`."""

    name: str
    parameters: tuple[str, ...]
    terms: Callable[..., Terms]
    from_terms: Callable[[Terms], tuple]


def two_compartment_exchange(Fp: Any, PS: Any, vp: Any, ve: Any) -> Terms:
    """2CXM: vp dcp/dt = Fp (ca-cp) - PS (cp-ce), ve dce/dt = PS (cp-ce), C = vp cp + ve ce.

    Written with k = vp K, so that vp -> 0 and PS -> 0 lose no digits: k+ and k- are the roots of
    k^2 - (Fp + PS + PS vp/ve) k + Fp PS vp/ve = 0, and (k+ - Fp)(Fp - k-) = Fp PS.
    """
    ratio = vp / ve
    q = Fp - PS * (1 + ratio)
    spread = jnp.sqrt(q * q + 4 * Fp * PS)  # k+ - k-
    large = (spread + jnp.abs(q)) / 2
    small = Fp * PS / large
    above = jnp.where(q > 0, small, large)  # k+ - Fp
    below = jnp.where(q > 0, large, small)  # Fp - k-
    k_fast = Fp + above
    slow_rate = Fp * PS / ve / k_fast
    return Terms(exchange=((Fp * below / spread, k_fast / vp), (Fp * above / spread, slow_rate)))


def _exchange_from_terms(terms: Terms) -> tuple:
    (f_fast, k_fast), (f_slow, k_slow) = terms.exchange
    Fp = f_fast + f_slow
    inverse_tb = (f_fast * k_fast + f_slow * k_slow) / Fp
    vp = Fp / inverse_tb
    inverse_te = k_fast * k_slow / inverse_tb
    # K+ + K- - 1/TB - 1/TE = PS/vp, in a form without cancellation
    PS = vp * f_fast * f_slow * (k_fast - k_slow) ** 2 / (Fp * Fp * inverse_tb)
    return Fp, PS, vp, PS / inverse_te


def two_compartment_uptake(Fp: Any, PS: Any, vp: Any) -> Terms:
    """2CUM (ve -> inf): C = Fp (1-E) e^{-t/TP} * ca + E Fp \\int ca, TP = vp/(Fp+PS), E = PS/(Fp+PS)."""
    total = Fp + PS
    return Terms(exchange=((Fp * Fp / total, total / vp),), uptake=Fp * PS / total)


def _uptake_from_terms(terms: Terms) -> tuple:
    ((flow, rate),), uptake = terms.exchange, terms.uptake
    Fp = flow + uptake
    PS = Fp * uptake / flow
    return Fp, PS, (Fp + PS) / rate


def extended_tofts(PS: Any, vp: Any, ve: Any) -> Terms:
    """ETM (Fp -> inf; PS is Ktrans): C = vp ca + Ktrans e^{-t Ktrans/ve} * ca. Tofts, JMRI 7:91 (1997)."""
    return Terms(exchange=((PS, PS / ve),), plasma=vp)


def _extended_tofts_from_terms(terms: Terms) -> tuple:
    ((Ktrans, kep),) = terms.exchange
    return Ktrans, terms.plasma, Ktrans / kep


def tofts(PS: Any, ve: Any) -> Terms:
    """Tofts (Fp -> inf, vp = 0; PS is Ktrans): C = Ktrans e^{-t Ktrans/ve} * ca."""
    return Terms(exchange=((PS, PS / ve),))


def _tofts_from_terms(terms: Terms) -> tuple:
    ((Ktrans, kep),) = terms.exchange
    return Ktrans, Ktrans / kep


def patlak(PS: Any, vp: Any) -> Terms:
    """Patlak (Fp, ve -> inf; PS is Ktrans): C = vp ca + Ktrans \\int ca. Patlak, JCBFM 3:1 (1983)."""
    return Terms(uptake=PS, plasma=vp)


def _patlak_from_terms(terms: Terms) -> tuple:
    return terms.uptake, terms.plasma


COMPARTMENT_MODELS = {
    model.name: model
    for model in (
        CompartmentModel("2cxm", ("Fp", "PS", "vp", "ve"), two_compartment_exchange, _exchange_from_terms),
        CompartmentModel("2cum", ("Fp", "PS", "vp"), two_compartment_uptake, _uptake_from_terms),
        CompartmentModel("etm", ("PS", "vp", "ve"), extended_tofts, _extended_tofts_from_terms),
        CompartmentModel("tofts", ("PS", "ve"), tofts, _tofts_from_terms),
        CompartmentModel("patlak", ("PS", "vp"), patlak, _patlak_from_terms),
    )
}
