r"""Arterial inputs of populations, as published.

Every curve is returned in PLASMA [mmol/L] over `times` [s], zero before its `onset` [s]. Curves that were
published for whole blood divide by (1 - haematocrit), a required keyword; Weinmann's is plasma already and
asks for none.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln
from jaxtyping import ArrayLike, Float, Real

from simulate.inputs.transit import blood_to_plasma

MINUTE = 60.0  # s; the published constants below count minutes, except McGrath's

# Parker et al., MRM 2006 56:993, table 1: two Gaussians (areas mmol/L min, centres min, widths min) ...
PARKER_AREA = (0.809, 0.330)
PARKER_CENTRE = (0.17046, 0.365)
PARKER_WIDTH = (0.0563, 0.132)
# ... and an exponential (mmol/L, 1/min) switched on by a sigmoid (1/min, min).
PARKER_ALPHA, PARKER_BETA, PARKER_S, PARKER_TAU = 1.050, 0.1685, 38.078, 0.483

# Georgiou et al., MRM 2019 81:1955. The printed constants are rounded and miss the authors' own curve by up
# to 0.08 mmol/L; these are the unrounded ones. Amplitudes mmol/L min, rates 1/min.
GEORGIOU_AMPLITUDE = (0.3743, 0.3312, 10.0612)
GEORGIOU_RATE = (0.1127, 1.1746, 16.020)
GEORGIOU_ALPHA, GEORGIOU_BETA, GEORGIOU_TAU = 5.2670, 0.03208, 0.12856  # 1, min, min
GEORGIOU_PASSES = 32  # the 33rd pass is 10 standard deviations away when the passes have merged, ...
GEORGIOU_MERGED = 6.0  # ... after 6 min: the ripple left on their sum is then 1e-10

# Weinmann et al. 1984 as fitted by Tofts & Kermode, MRM 1991 17:357: kg/L and 1/min, of a dose in mmol/kg.
WEINMANN_AMPLITUDE = (3.99, 4.78)
WEINMANN_RATE = (0.144, 0.0111)

# McGrath et al., MRM 2009 61:1173, model B (rat): peak mmol/L at s, then amplitudes mmol/L and rates 1/s.
MCGRATH_PEAK, MCGRATH_RISE = 5.21, 7.0
MCGRATH_AMPLITUDE = (4.65888, 1.82911)
MCGRATH_RATE = (0.045, 0.0015)


def parker_aif(
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: Real[ArrayLike, ""],
    onset: Real[ArrayLike, ""] = 0.0,
) -> Float[Array, " t"]:
    r"""Population input of 113 injections of 0.1 mmol/kg at 3 mL/s (Parker 2006), plasma.

    In whole blood::

        cb(t) = \sum_n A_n N(t; T_n, σ_n) + α e^{-βt} / (1 + e^{-s(t-τ)}),   t in min after the onset

    The published curve starts with a step of 0.080 mmol/L (blood), not from 0.

    Parameters
    ----------
    times : (t,) array [s]
        Any spacing, any first value.
    haematocrit : float [fraction]
        Of the blood; plasma is cb / (1 - haematocrit).
    onset : float [s]
        When the bolus arrives; zero before it.

    Returns
    -------
    (t,) array [mmol/L]
        Plasma concentration.
    """
    elapsed, begun = _since_onset(times, onset, 1.0)
    return blood_to_plasma(jnp.where(begun, parker_shape(elapsed), 0.0), haematocrit)


@jax.jit
def parker_shape(
    elapsed: Float[Array, " t"],
    *,
    stretch: Real[ArrayLike, ""] = 1.0,
    tail: Real[ArrayLike, ""] = 1.0,
    washout: Real[ArrayLike, ""] = 1.0,
) -> Float[Array, " t"]:
    """Parker's form in whole blood [mmol/L], `elapsed` [s] >= 0 after the onset.

    stretch : its passes take this many times as long, at the same area.      tail : factor on the washout's
    amplitude.      washout : factor on its rate.
    """
    minutes = elapsed / MINUTE
    area, centre, width = (jnp.asarray(v)[:, None] for v in (PARKER_AREA, PARKER_CENTRE, PARKER_WIDTH))
    z = (minutes[None] / stretch - centre) / width
    passes = jnp.sum(area / (stretch * width * math.sqrt(2 * math.pi)) * jnp.exp(-(z**2) / 2), axis=0)
    slow = PARKER_ALPHA * jnp.exp(-PARKER_BETA * jnp.asarray(washout) * minutes)
    return passes + tail * slow * jax.nn.sigmoid(PARKER_S / stretch * (minutes - stretch * PARKER_TAU))


def georgiou_aif(
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: Real[ArrayLike, ""],
    onset: Real[ArrayLike, ""] = 0.0,
) -> Float[Array, " t"]:
    r"""Population input with resolved recirculation (Georgiou 2019), plasma.

    In whole blood::

        cb(t) = [\sum_i A_i e^{-m_i t}] \sum_{k>=0} g(t - kτ; (k+1)(α+1), β),   t in min after the onset

    g(x; n, β) is the gamma density x^{n-1} e^{-x/β} / (β^n Γ(n)): the (k+1)-th pass is the first one sent
    k more times round the body. The passes merge into the constant 1/(τ + (α+1)β) (renewal theorem), which
    replaces their sum after `GEORGIOU_MERGED`, so that the curve holds for a scan of any length.

    Parameters
    ----------
    times : (t,) array [s]
        Any spacing, any first value.
    haematocrit : float [fraction]
        Of the blood; plasma is cb / (1 - haematocrit).
    onset : float [s]
        When the bolus arrives; zero before it.

    Returns
    -------
    (t,) array [mmol/L]
        Plasma concentration.
    """
    elapsed, begun = _since_onset(times, onset, 1.0)
    return blood_to_plasma(jnp.where(begun, georgiou_shape(elapsed), 0.0), haematocrit)


@jax.jit
def georgiou_shape(
    elapsed: Float[Array, " t"],
    *,
    stretch: Real[ArrayLike, ""] = 1.0,
    tail: Real[ArrayLike, ""] = 1.0,
    washout: Real[ArrayLike, ""] = 1.0,
) -> Float[Array, " t"]:
    """Georgiou's form in whole blood [mmol/L], `elapsed` [s] >= 0 after the onset; options as in `parker_shape`.

    The tail is what the two slower exponentials make; the fastest one weighs the first pass alone.
    """
    minutes = elapsed / MINUTE
    amplitude, rate = jnp.asarray(GEORGIOU_AMPLITUDE), jnp.asarray(GEORGIOU_RATE)
    amplitude = amplitude * jnp.where(jnp.arange(3) < 2, tail, 1.0)
    rate = rate * jnp.where(jnp.arange(3) < 2, washout, 1 / jnp.asarray(stretch))
    loss = jnp.sum(amplitude[:, None] * jnp.exp(-rate[:, None] * minutes[None]), axis=0)
    passes = jnp.arange(GEORGIOU_PASSES)[:, None]
    shape = (passes + 1) * (GEORGIOU_ALPHA + 1)
    since = minutes / stretch
    summed = jnp.sum(_gamma_density(since[None] - passes * GEORGIOU_TAU, shape, GEORGIOU_BETA), axis=0)
    merged = 1 / (GEORGIOU_TAU + (GEORGIOU_ALPHA + 1) * GEORGIOU_BETA)
    return loss * jnp.where(since < GEORGIOU_MERGED, summed, merged) / stretch


def weinmann_aif(
    times: Float[ArrayLike, " t"],
    *,
    dose: Real[ArrayLike, ""] = 0.1,
    onset: Real[ArrayLike, ""] = 0.0,
) -> Float[Array, " t"]:
    r"""Biexponential washout without a first pass (Weinmann 1984), plasma.

    In plasma::

        cp(t) = D \sum_i a_i e^{-m_i t},   t in min after the onset

    Parameters
    ----------
    times : (t,) array [s]
        Any spacing, any first value.
    dose : float [mmol/kg]
        D, per body weight.
    onset : float [s]
        When the bolus arrives; zero before it.

    Returns
    -------
    (t,) array [mmol/L]
        Plasma concentration.
    """
    minutes, begun = _since_onset(times, onset, MINUTE)
    amplitude, rate = (jnp.asarray(v)[:, None] for v in (WEINMANN_AMPLITUDE, WEINMANN_RATE))
    plasma = dose * jnp.sum(amplitude * jnp.exp(-rate * minutes[None]), axis=0)
    return jnp.where(begun, plasma, 0.0)


def mcgrath_aif(
    times: Float[ArrayLike, " t"],
    *,
    haematocrit: Real[ArrayLike, ""],
    onset: Real[ArrayLike, ""] = 0.0,
) -> Float[Array, " t"]:
    """Input of the rat, model B of McGrath 2009: 7 s of linear rise, then biexponential; plasma.

    Parameters
    ----------
    times : (t,) array [s]
        Any spacing, any first value.
    haematocrit : float [fraction]
        Of the blood; plasma is cb / (1 - haematocrit).
    onset : float [s]
        When the bolus arrives; zero before it.

    Returns
    -------
    (t,) array [mmol/L]
        Plasma concentration.
    """
    elapsed, begun = _since_onset(times, onset, 1.0)
    amplitude, rate = (jnp.asarray(v)[:, None] for v in (MCGRATH_AMPLITUDE, MCGRATH_RATE))
    washout = jnp.sum(amplitude * jnp.exp(-rate * elapsed[None]), axis=0)
    blood = jnp.where(elapsed < MCGRATH_RISE, MCGRATH_PEAK * elapsed / MCGRATH_RISE, washout)
    return blood_to_plasma(jnp.where(begun, blood, 0.0), haematocrit)


def gamma_variate_aif(
    times: Float[ArrayLike, " t"],
    *,
    peak: Real[ArrayLike, ""],
    time_to_peak: Real[ArrayLike, ""],
    alpha: Real[ArrayLike, ""],
    haematocrit: Real[ArrayLike, ""],
    onset: Real[ArrayLike, ""] = 0.0,
) -> Float[Array, " t"]:
    """First pass alone, in the form whose three numbers are independent (Madsen, PMB 1992 37:1597), plasma.

    In whole blood::

        cb(t) = peak [x e^{1-x}]^alpha,   x = (t - onset)/time_to_peak

    Parameters
    ----------
    times : (t,) array [s]
        Any spacing, any first value.
    peak : float [mmol/L]
        Highest whole-blood concentration.
    time_to_peak : float [s]
        After the onset.
    alpha : float
        Steepness; the pass is about time_to_peak x 2.35/sqrt(alpha) wide.
    haematocrit : float [fraction]
        Of the blood; plasma is cb / (1 - haematocrit).
    onset : float [s]
        When the bolus arrives; zero before it.

    Returns
    -------
    (t,) array [mmol/L]
        Plasma concentration.
    """
    elapsed, begun = _since_onset(times, onset, 1.0)
    x = jnp.where(elapsed > 0, elapsed / time_to_peak, 1.0)  # log 0 has no gradient
    blood = peak * jnp.exp(alpha * (jnp.log(x) + 1 - x))
    return blood_to_plasma(jnp.where(begun & (elapsed > 0), blood, 0.0), haematocrit)


@jax.jit
def _since_onset(times: ArrayLike, onset: ArrayLike, unit: ArrayLike) -> tuple[Array, Array]:
    """Time since the onset in `unit` seconds, held at 0 before it, and whether it has begun."""
    since = (jnp.asarray(times) - onset) / unit
    begun = since >= 0
    return jnp.where(begun, since, 0.0), begun


def _gamma_density(x: Array, shape: Array, scale: float) -> Array:
    """x^{n-1} e^{-x/β} / (β^n Γ(n)), zero for x <= 0 together with its gradient."""
    positive = x > 0
    y = jnp.where(positive, x, scale) / scale
    density = jnp.exp((shape - 1) * jnp.log(y) - y - gammaln(shape)) / scale
    return jnp.where(positive, density, 0.0)
