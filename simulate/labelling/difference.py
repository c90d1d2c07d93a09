r"""Control minus label of arterial spin labelling, in closed form: the models of `asl_difference`.

Every term of c(u) m(t - u) is one exponential, for which the integral is

    e^{-k (t-\delta) - \kappa\delta} L \phi_1((\kappa - k) L),   L = min(t - \delta, \tau),   \phi_1(x) = (1 - e^{-x})/x

with \kappa the label's own decay (0 or R_{1b}): smooth where the rates meet, which the published forms are not.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float

from simulate.base.constants import (
    ASL_BLOOD_T1,
    ASL_TISSUE_T1,
    LABEL_EFFICIENCY,
    LABELLINGS,
    PARTITION_COEFFICIENT,
    WATER_EXCHANGE_RATE,
)
from simulate.base.errors import InputError
from simulate.base.units import from_clinical
from simulate.kinetics.convolution import phi_functions

MODELS = ("gkm", "recommended", "two_compartment")

_NODES, _WEIGHTS = 0.5 * (np.polynomial.legendre.leggauss(8)[0] + 1), 0.5 * np.polynomial.legendre.leggauss(8)[1]
"""Gauss-Legendre on 0 to 1: exact to rounding where rates are near each other."""


def asl_difference(
    cbf: ArrayLike,
    att: ArrayLike,
    times: Float[ArrayLike, " t"],
    *,
    labelling: str = "pcasl",
    label_duration: ArrayLike = 1.8,
    m0: ArrayLike = 1.0,
    label_efficiency: ArrayLike | None = None,
    partition_coefficient: ArrayLike = PARTITION_COEFFICIENT,
    t1_blood: ArrayLike = ASL_BLOOD_T1[3.0],
    t1_tissue: ArrayLike = ASL_TISSUE_T1,
    model: str = "gkm",
    abv: ArrayLike = 0.0,
    abat: ArrayLike = 0.0,
    water_exchange: ArrayLike = WATER_EXCHANGE_RATE,
) -> Float[Array, "*s t"]:
    r"""Control minus label of arterial spin labelling, in closed form.

    Label is delivered by the flow f, decays, and stays (it has no way out before it has decayed). With c(u) the label
    that arrives and m(s) what is left of it after s in the voxel::

        \Delta M(t) = 2 \alpha M_{0b} f \int_0^t c(u) m(t - u) du,    M_{0b} = M_0/\lambda,   f = CBF/6000

        PCASL, CASL   c = e^{-\delta/T_{1b}}  for \delta <= u < \delta + \tau  (labelled on its way, so all equally old)
        PASL          c = e^{-u/T_{1b}}       for \delta <= u < \delta + \tau  (labelled at once)

        gkm               m = e^{-s/T_1'}, 1/T_1' = 1/T_{1t} + f/\lambda           Buxton et al., MRM 1998 40:383
        recommended       m = e^{-s/T_{1b}}                                      Woods et al., MRM 2024 92:469
        two_compartment   blood loses water to tissue at the rate k_w, nothing returns:
                          m = e^{-(k_w + R_{1b})s} + k_w (e^{-R_{1t}s} - e^{-(k_w + R_{1b})s}) / (k_w + R_{1b} - R_{1t})
                                                              St Lawrence, Frank & McLaughlin, MRM 2000 44:440

    t runs from the START of labelling, \delta is the arterial transit time (ATT), \tau the label's (bolus) duration.
    Models differ by 15-50 % on the same tissue: keep with a truth the name of the model that made it.

    Parameters
    ----------
    cbf : float or (...) array [mL/100 g/min]
        Cerebral blood flow.
    att : float or (...) array [s]
        Arterial transit time \delta.
    times : (t,) array [s]
        Since the START of labelling: label duration + post-label delay, for PASL the inversion time.
    labelling : str
        "pcasl", "casl" or "pasl".
    label_duration : float or (t,) array [s]
        \tau, one number or one for every time.
    m0 : float or (...) array
        Equilibrium magnetisation of the tissue, in the unit of the result.
    label_efficiency : float
        \alpha, that of suppression pulses included; the labelling's own by default.
    partition_coefficient : float [mL/g]
        \lambda.
    t1_blood : float [s]
        T1 of arterial blood.
    t1_tissue : float or (...) array [s]
        T1 of tissue.
    model : str
        gkm, recommended or two_compartment: which m(s).
    abv : float or (...) array [fraction]
        Arterial blood volume: label that passes the voxel in its arteries (Woods 2024); it adds to any model.
    abat : float or (...) array [s]
        Arterial arrival of that label.
    water_exchange : float [1/s]
        k_w of two_compartment.

    Returns
    -------
    (..., t) array
        Control minus label, in the unit of m0.

    Raises
    ------
    InputError
        For an unknown labelling or model.
    """
    check_labelling(labelling)
    return label_difference(
        from_clinical("CBF", jnp.asarray(cbf, float)), att, times, labelling=labelling, label_duration=label_duration,
        m0=m0, label_efficiency=LABEL_EFFICIENCY[labelling] if label_efficiency is None else label_efficiency,
        partition_coefficient=partition_coefficient, t1_blood=t1_blood, t1_tissue=t1_tissue, model=model, abv=abv,
        abat=abat, water_exchange=water_exchange,
    )  # fmt: skip


def label_difference(
    flow: ArrayLike,
    att: ArrayLike,
    times: Float[ArrayLike, " t"],
    *,
    labelling: str,
    label_duration: ArrayLike,
    m0: ArrayLike,
    label_efficiency: ArrayLike,
    partition_coefficient: ArrayLike,
    t1_blood: ArrayLike,
    t1_tissue: ArrayLike,
    model: str,
    abv: ArrayLike = 0.0,
    abat: ArrayLike = 0.0,
    water_exchange: ArrayLike = WATER_EXCHANGE_RATE,
) -> Float[Array, "*s t"]:
    """`asl_difference` of a flow f (*s) [mL/g/s]."""
    check_labelling(labelling)
    _check_name("model", model, MODELS)
    flow, arrival, m0, abv, abat, r1t = (
        jnp.asarray(a, float)[..., None] for a in (flow, att, m0, abv, abat, 1 / jnp.asarray(t1_tissue))
    )
    r1b = 1 / jnp.asarray(t1_blood)
    label = _Label(jnp.asarray(times, float), jnp.asarray(label_duration, float), r1b, labelling == "pasl")
    if model == "gkm":
        stays = label.decaying(arrival, r1t + flow / partition_coefficient)
    elif model == "recommended":
        stays = label.decaying(arrival, r1b)
    else:
        leaves = jnp.asarray(water_exchange, float) + r1b
        stays = label.decaying(arrival, leaves) + water_exchange * label.passed_on(arrival, leaves, r1t)
    return 2 * jnp.asarray(label_efficiency) * m0 / partition_coefficient * (flow * stays + abv * label.passing(abat))


def check_labelling(labelling: str) -> None:
    """Refuse what is no way of labelling."""
    _check_name("labelling", labelling, LABELLINGS)


def _check_name(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise InputError(what, "", f"is {name!r}", f"choose one of {', '.join(known)}")


class _Label(NamedTuple):
    """times (t,) and duration [s], decay of blood r1b [1/s], and whether label decays from t = 0 rather than while it
    is made. Arrival times are (*s, 1)."""

    times: Array
    duration: Array
    r1b: Array
    at_once: bool

    def _since(self, arrival: Array) -> tuple[Array, Array]:
        """Seconds since the first label arrived, and how many seconds of label have."""
        since = jnp.maximum(self.times - arrival, 0.0)
        return since, jnp.minimum(since, self.duration)

    def decaying(self, arrival: Array, rate: Array) -> Array:
        """The integral of c(u) e^{-k (t-u)}; written so that no exponential grows, whichever rate is larger."""
        since, length = self._since(arrival)
        own = self.r1b if self.at_once else 0.0
        faster = rate >= own
        slow, gap = jnp.where(faster, own, rate), jnp.where(faster, rate - own, own - rate)
        phi1, _, _ = phi_functions(gap * length)
        exponent = -self.r1b * arrival - rate * (since - length) - slow * length
        return jnp.exp(exponent) * length * phi1

    def passed_on(self, arrival: Array, first: Array, second: Array) -> Array:
        """The same for (e^{-k_2 s} - e^{-k_1 s}) / (k_1 - k_2), the mean of s e^{-k s} over k between the two."""
        since, _ = self._since(arrival)
        gap = first - second
        near = jnp.abs(gap) * since < 1
        apart = jnp.where(near, 1.0, gap)
        far = (self.decaying(arrival, second) - self.decaying(arrival, first)) / apart
        span = jnp.where(near, gap, 0.0)
        mean = sum(w * self._slope(arrival, second + x * span) for x, w in zip(_NODES, _WEIGHTS, strict=True))
        return jnp.where(near, mean, far)

    def _slope(self, arrival: Array, rate: Array) -> Array:
        """-d/dk of `decaying`; phi_1' = phi_2 - phi_1."""
        since, length = self._since(arrival)
        own = self.r1b if self.at_once else 0.0
        phi1, phi2, _ = phi_functions((own - rate) * length)
        level = jnp.exp(-self.r1b * arrival - rate * since) * length
        return level * (since * phi1 + length * (phi2 - phi1))

    def passing(self, arrival: Array) -> Array:
        """What label is in an artery that it reaches at `arrival`: c(t)."""
        there = (self.times >= arrival) & (self.times < arrival + self.duration)
        age = self.times if self.at_once else arrival
        return jnp.where(there, jnp.exp(-self.r1b * age), 0.0)
