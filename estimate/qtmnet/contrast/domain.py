"""Which examinations with contrast the network was trained on: a scan outside is warned of."""

from typing import NamedTuple


class Acquisition(NamedTuple):
    """Ranges of the protocol (chosen): uniform, SNR log-uniform.

    spacing : of frames [s].      frames : their number, as far as `longest` [s] allows.
    baseline : whole frames before the inlet begins.      snr : baseline signal over sigma of one complex channel.
    flip_angle [degrees], repetition_time [s].      t10_error : largest standard deviation of the logarithm of each
    voxel's T10, in half of the examinations; the others have none.
    """

    spacing: tuple[float, float] = (1.5, 6.0)
    frames: tuple[int, int] = (40, 150)
    longest: float = 400.0
    baseline: tuple[int, int] = (3, 12)
    snr: tuple[float, float] = (12.0, 100.0)
    flip_angle: tuple[float, float] = (10.0, 30.0)
    repetition_time: tuple[float, float] = (0.003, 0.006)
    t10_error: float = 0.08


TRAINING = Acquisition()
"""The ranges of the training."""
