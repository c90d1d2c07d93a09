"""Structural images: T1, T1 after contrast, T2 and FLAIR, with coil, noise and what registration leaves."""

from typing import Any

import numpy as np
from scipy.ndimage import shift

from simulate.base.constants import USUAL_RELAXIVITY
from simulate.base.exchange import transfer_constant
from simulate.inputs.arterial_input import ArterialInput
from simulate.patients.person import Person
from simulate.patients.tissue import PatientTissue
from simulate.phantoms.fields import smooth_field
from simulate.phantoms.priors import Region
from simulate.scanner.structural import WEIGHTINGS, structural_signal

FULL_SCALE = 2000.0
"""Signal of a voxel of water, fully recovered: images are whole numbers, as scanners store them."""

COIL_LENGTH = 60.0
"""Correlation length of the coil's sensitivity [mm] (chosen)."""

AFTER = 300.0
"""s from arrival of contrast to the T1 image after it (chosen)."""

RATES = np.geomspace(1e-6, 1.0, 400)
"""1/s at which the washed-out input is tabulated; its logarithm is smooth in theirs."""


def structural_images(person: Person, body: PatientTissue, aif: ArterialInput) -> dict[str, Any]:
    """By the names of `WEIGHTINGS`, (x, y, z) whole numbers, 0 outside of the brain.

    aif : plasma, beyond `AFTER` from its arrival.
    """
    rng = person.rng("images")
    inside = body.region != Region.OUTSIDE
    contrast = concentration_after(person, body, aif)
    coil = np.exp(person.scanner.bias * smooth_field(rng, inside.shape, (body.cell,) * 3, COIL_LENGTH))
    white = body.region == Region.WHITE_MATTER
    images = {}
    for name, weighting in WEIGHTINGS.items():
        t1 = body.t10
        if name == "t1ce":
            t1 = np.where(inside, 1 / (1 / np.maximum(body.t10, 1e-3) + USUAL_RELAXIVITY * contrast), 0.0)
        clean = FULL_SCALE * coil * structural_signal(body.density, t1, body.t2, weighting)
        sigma = np.median(clean[white]) / person.scanner.image_snr
        moved = person.scanner.shift / body.cell * rng.standard_normal(3) * (name != "t1")  # registered to t1
        seen = shift(clean, moved, order=1, mode="nearest")
        noise = sigma * rng.standard_normal((2, *seen.shape))
        images[name] = np.where(inside, np.rint(np.hypot(seen + noise[0], noise[1])), 0).astype(np.int16)
    return images


def concentration_after(person: Person, body: PatientTissue, aif: ArterialInput) -> np.ndarray:
    r"""(x, y, z) mmol/L in tissue `AFTER` from arrival; 0 outside.

    Minutes after the bolus every capillary model is one of vp in equilibrium and of exchange by its own transfer
    constant K (`simulate.base.exchange`), as far as ca changes little within a transit:

        C(t) = vp ca(t) + K \int e^{-K (t - \tau)/ve} ca(\tau) d\tau.

    Vessels that a slab resolves are no part of it: this is of the tissue itself, everywhere alike.
    """
    times, curve = np.asarray(aif.times, float), np.asarray(aif.curve, float)
    at = times[np.argmax(curve > 0)] + AFTER
    until = times <= at
    since, ca = at - times[until], curve[until]
    washed = np.trapezoid(np.exp(-RATES[:, None] * since) * ca, times[until], axis=1)
    tissue = body.tissue
    K = np.asarray(transfer_constant(tissue.Fp, np.maximum(tissue.PS, 1e-12), person.mixing), float)
    inside = np.asarray(tissue.Fp) > 0
    rate = np.clip(K / np.where(inside, tissue.ve, 1.0), RATES[0], RATES[-1])
    held = np.exp(np.interp(np.log(rate), np.log(RATES), np.log(washed)))
    return np.where(inside, tissue.vp * np.interp(at, times, curve) + K * held, 0.0)
