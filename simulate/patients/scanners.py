"""Where patients are examined: what sites and scanners do to images of the same tissue."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scanner:
    """Of one examination.

    Attributes
    ----------
    site : int
        Number of the site.
    t1, t2 : float
        Factors on all relaxation times, as that site's method finds them.
    bias : float
        Deviation of the logarithm of the coil's sensitivity over the brain.
    snr : float
        Of the DCE series: mean signal before contrast over the noise of a channel.
    image_snr : float
        Of the structural images: signal of white matter over the noise of a channel.
    shift : float [mm]
        Deviation, along each axis, of what is left after registration.
    """

    site: int
    t1: float
    t2: float
    bias: float
    snr: float
    image_snr: float
    shift: float


METHOD_T1, METHOD_T2 = 0.10, 0.08
"""Deviation between sites of the logarithm of relaxation times: T1 of white matter is .70 s by one method and 1.08 s by
another at 3 T, the extremes of the literature (chosen within them)."""

WITHIN = 0.02
"""The same between examinations at one site (chosen)."""

SNR, SITE_SNR, IMAGE_SNR = (25.0, 60.0), 0.15, (15.0, 40.0)
"""Ranges, log-uniform; deviation of the logarithm between sites (chosen)."""

BIAS, SHIFT = (0.05, 0.15), 0.4
"""Range of the coil's bias; mm (chosen)."""


def scanner(seed: int, site: int, rng: np.random.Generator) -> Scanner:
    """An examination at this site: what the site does by its number, what the day does by `rng`."""
    its = np.random.default_rng([seed, 1_000_003 + site])
    t1, t2, quality = its.standard_normal(3)
    low, high = np.log(SNR)
    return Scanner(
        site=site,
        t1=float(np.exp(METHOD_T1 * t1 + WITHIN * rng.standard_normal())),
        t2=float(np.exp(METHOD_T2 * t2 + WITHIN * rng.standard_normal())),
        bias=float(rng.uniform(*BIAS)),
        snr=float(np.exp(rng.uniform(low, high) + SITE_SNR * quality)),
        image_snr=float(np.exp(rng.uniform(*np.log(IMAGE_SNR)))),
        shift=SHIFT,
    )
