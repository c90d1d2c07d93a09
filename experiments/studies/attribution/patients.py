"""Virtual patients whose label has a known place and cause: phantoms of a bank, scanned with a random input."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from simulate.banks.contrast import SPACING, TRUTHS, frame_matrix, inlet_curve
from simulate.banks.phantoms import Bank, BankConfig
from simulate.base.types import DCEProtocol
from simulate.base.units import to_clinical
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.random import draw_inlet
from simulate.phantoms.priors import Region
from simulate.scanner.measurement import measure

ONSET, BASELINE = 20.5, 6
"""When contrast reaches the block [s], and the number of frames before it."""

PROTOCOL = DCEProtocol(
    times=3.0 * np.arange(70), repetition_time=0.004, flip_angle=20.0, relaxivity=5.0, baseline=BASELINE,
    frame_duration=3.0,
)  # fmt: skip

SNR = 50.0
"""Signal before contrast over the noise of one channel."""

RIM_SHARE = (0.02, 0.10)
"""Of the voxels: a rim that fills more of a block can hardly be missed, and the mean of fewer voxels is noise."""

KNOTS = np.arange(0.0, 240.0, 0.5)
"""Of the input that the fit is given [s]."""


class Patient(NamedTuple):
    """One examination with its truth.

    frames : (v, t) signal.      inside : (d, h, w) all True, v voxels in the order of `numpy.nonzero`.
    t10 : (v,) [s].      aif : exact, where contrast enters the block.
    region : (v,) values of `Region`.      truth : by name (v,), clinical units.
    """

    frames: np.ndarray
    inside: np.ndarray
    t10: np.ndarray
    aif: ArterialInput
    region: np.ndarray
    truth: dict[str, np.ndarray]

    @property
    def rim(self) -> np.ndarray:
        return self.region == Region.RIM

    def cause(self, parameter: str) -> float:
        """What a label is made of: the true mean of a parameter in the rim."""
        return float(self.truth[parameter][self.rim].mean())


def bank_config(split: str, seed: int, side: int) -> BankConfig:
    """Glioblastomas with stirred capillaries: what a 2CXM fit assumes holds in every unit, and only there."""
    return BankConfig(seed=seed, split=split, side=side, terminals=round(2000 * (side / 16) ** 3), mixing=1.0, grade=4)


def fits(region: np.ndarray) -> bool:
    """Whether a phantom's rim fills a share of the voxels that is asked for."""
    return RIM_SHARE[0] <= np.mean(np.asarray(region) == Region.RIM) <= RIM_SHARE[1]


def patient(bank: Bank, index: int, key: Any, *, snr: float = SNR) -> Patient:
    """Phantom `index` of a bank, scanned."""
    draw, noise = jax.random.split(key)
    truth = {name: np.asarray(bank.truth[index][:, i]) for i, name in enumerate(TRUTHS)}
    shape, peak = (jnp.asarray(each[index], jnp.float32) for each in (bank.shape, bank.peak))
    frames, curve = _scanned()(draw, noise, shape, peak, jnp.asarray(truth["T10"]), snr)
    return Patient(
        frames=np.asarray(frames, float),
        inside=np.ones((bank.side,) * 3, bool),
        t10=np.asarray(truth["T10"], float),
        aif=ArterialInput(KNOTS, np.asarray(curve, float), "truth"),
        region=np.asarray(bank.region[index]),
        truth={name: np.asarray(to_clinical(name, truth[name])) for name in ("Fp", "PS", "vp", "ve", "delay")},
    )


@cache
def _scanned() -> Any:
    def scanned(draw: Any, noise: Any, shape: Any, peak: Any, t10: Any, snr: Any) -> tuple[Any, Any]:
        weights = draw_inlet(draw, SPACING * jnp.arange(len(KNOTS)))
        edges = jnp.append(jnp.asarray(PROTOCOL.times), PROTOCOL.times[-1] + 3.0) - ONSET
        curves = (shape @ frame_matrix(weights, edges)) * peak[:, None]
        return measure(noise, curves, PROTOCOL, t10=t10, s0=100.0, snr=snr), inlet_curve(
            weights, jnp.asarray(KNOTS - ONSET)
        )

    return jax.jit(scanned)
