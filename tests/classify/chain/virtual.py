"""A small simulated tumour: QTMnet believes nothing that is unlike what vessels make."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simulate.banks.contrast import SPACING, TRUTHS, frame_matrix, inlet_curve
from simulate.banks.phantoms import BankConfig, bank_phantom
from simulate.base.types import DCEProtocol
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import draw_inlet
from simulate.phantoms.priors import Region
from simulate.scanner.measurement import measure

SIDE, BASELINE, ONSET = 12, 6, 20.5
PROTOCOL = DCEProtocol(
    times=3.0 * np.arange(70), repetition_time=0.004, flip_angle=20.0, relaxivity=5.0, baseline=BASELINE,
    frame_duration=3.0,
)  # fmt: skip


class Scan(NamedTuple):
    """frames (v, t), inside (d, h, w), t10 (v,) [s], aif as it enters the block, rim (v,)."""

    frames: np.ndarray
    inside: np.ndarray
    t10: np.ndarray
    aif: ArterialInput
    rim: np.ndarray


def simulated(seed: int, index: int, *, snr: float = 50.0) -> Scan:
    """A glioblastoma with stirred capillaries, each voxel late by its own vessels, with an input of its own."""
    found = bank_phantom(BankConfig(seed=seed, split="test", side=SIDE, terminals=850, mixing=1.0, grade=4), index)
    draw, noise = jax.random.split(jax.random.key(index))
    knots = np.arange(0.0, 240.0, 0.5)
    weights = draw_inlet(draw, SPACING * jnp.arange(241.0))
    edges = jnp.asarray(np.append(PROTOCOL.times, PROTOCOL.times[-1] + 3.0) - ONSET)
    response: Any = jnp.asarray(found.shape, float) * jnp.asarray(found.peak, float)[:, None]
    t10 = np.asarray(found.truth[:, TRUTHS.index("T10")], float)
    frames = measure(noise, response @ frame_matrix(weights, edges), PROTOCOL, t10=t10, s0=100.0, snr=snr)
    curve = np.asarray(inlet_curve(weights, jnp.asarray(knots - ONSET)), float)
    aif = ArterialInput(knots, curve, "truth")
    return Scan(np.asarray(frames, float), np.ones((SIDE,) * 3, bool), t10, aif, found.region == Region.RIM)
