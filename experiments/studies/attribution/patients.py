"""Virtual patients whose label has a cause that is known: a stated rule reads one parameter in the tumour's rim.

A glioblastoma with stirred capillaries, each voxel late by its own vessels, with an input of its own. The rule compares
the median of the TRUE parameter in the rim with a threshold, so the cause is the rim's voxels, and no other.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simulate.banks.contrast import SPACING, TRUTHS, frame_matrix, inlet_curve
from simulate.banks.phantoms import BankConfig, bank_phantom
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import draw_inlet
from simulate.phantoms.priors import Region
from simulate.scanner.measurement import measure
from simulate.scanner.noise import with_noise

RULES = ("PS", "Fp")
"""Parameters that labels are made of."""

RIM_SHARE = (0.02, 0.10)
"""Of the grid's voxels: a cause that is much of the image is found by chance."""

BASELINE, FRAMES, FRAME_DURATION, ONSET, SNR, S0 = 6, 70, 3.0, 20.5, 50.0, 100.0
"""Frames before contrast, all frames, their duration [s], arrival [s], signal before contrast over sigma, and S0."""

KNOT_STEP, LONGEST = 0.5, 240.0
"""s between the samples of the input that a fit is given, and how long it is."""

PROTOCOL = DCEProtocol(
    times=FRAME_DURATION * np.arange(FRAMES), repetition_time=0.004, flip_angle=20.0, relaxivity=5.0,
    baseline=BASELINE, frame_duration=FRAME_DURATION,
)  # fmt: skip


class Patient(NamedTuple):
    """frames (v, t) with noise, clean (v, t) without.      t10 (v,) [s].      aif : plasma, as it enters the block.
    region (v,) values of `Region`.      cause : median of the rim's truth by rule, clinical units; empty without a
    rim.      truth : (v,) by rule, clinical units.      cell : edge of a voxel [mm].      side : voxels along an edge,
    v = side^3.      noise : key of it.
    """

    frames: np.ndarray
    clean: np.ndarray
    t10: np.ndarray
    aif: ArterialInput
    region: np.ndarray
    cause: dict[str, float]
    truth: dict[str, np.ndarray]
    cell: float
    side: int
    noise: Any

    @property
    def rim(self) -> np.ndarray:
        return self.region == Region.RIM

    @property
    def eligible(self) -> bool:
        return RIM_SHARE[0] <= self.rim.mean() <= RIM_SHARE[1]

    @property
    def inside(self) -> np.ndarray:
        """(d, h, w) : where the voxels lie."""
        return np.ones((self.side,) * 3, bool)

    @property
    def affine(self) -> np.ndarray:
        return np.diag([self.cell, self.cell, self.cell, 1.0])


def bank(split: str, side: int, seed: int) -> BankConfig:
    """Phantoms of one grade with as much texture as training knows, vessels as dense as in 16^3 with 2,000."""
    terminals = round(2000 * side**3 / 16**3)
    return BankConfig(seed=seed, split=split, side=side, terminals=terminals, mixing=1.0, grade=4, rough=2.0)


@jax.enable_x64(False)  # a key draws other numbers in double
def patient(config: BankConfig, index: int) -> Patient:
    """Number `index`; the same every time, whichever precision attributions are taken in."""
    found = bank_phantom(config, index)
    draw, noise = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), index))
    weights = draw_inlet(draw, SPACING * jnp.arange(LONGEST + 1))
    edges = jnp.asarray(np.append(PROTOCOL.times, PROTOCOL.times[-1] + FRAME_DURATION) - ONSET)
    response: Any = jnp.asarray(found.shape, float) * jnp.asarray(found.peak, float)[:, None]
    concentration = response @ frame_matrix(weights, edges)
    truth = {name: np.asarray(found.truth)[:, k].astype(float) for k, name in enumerate(TRUTHS)}
    clean = measure(noise, concentration, PROTOCOL, t10=truth["T10"], s0=S0, snr=np.inf)
    knots = np.arange(0.0, LONGEST, KNOT_STEP)
    aif = ArterialInput(knots, np.asarray(inlet_curve(weights, jnp.asarray(knots - ONSET)), float), "truth")
    region = np.asarray(found.region)
    rim = region == Region.RIM
    ruled = {rule: np.asarray(to_clinical(rule, truth[rule])) for rule in RULES}
    cause = {rule: float(np.median(values[rim])) for rule, values in ruled.items()} if rim.any() else {}
    clean = np.asarray(clean, float)
    drawn = Patient(clean, clean, truth["T10"], aif, region, cause, ruled, float(found.cell[0]), config.side, noise)
    return drawn._replace(frames=scanned(drawn, 0))


@jax.enable_x64(False)
def scanned(patient: Patient, number: int) -> np.ndarray:
    """(v, t) : the patient's frames with the noise of one scan of many."""
    noise = jax.random.fold_in(patient.noise, number)
    return np.asarray(with_noise(noise, jnp.asarray(patient.clean), PROTOCOL, snr=SNR), float)
