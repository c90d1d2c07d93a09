"""The demonstration: a phantom whose every voxel is known, measured with noise, estimated from its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from estimate.signal.voxels import Estimate
from experiments.commands.estimate_dce import estimate_dce
from experiments.commands.read_dce import DCEOptions
from experiments.commands.true_input import write_true_aif
from experiments.report.figures.scales import identified
from simulate.base.constants import HAEMATOCRIT
from simulate.base.progress import Progress, silent
from simulate.base.status import Status
from simulate.base.types import Maps
from simulate.examinations.reference import (
    grid_phantom,
    phantom_protocol,
    simulate_reference,
    true_maps,
    write_reference,
)
from simulate.files.atomic import prepare_output_folder
from simulate.inputs.arterial_input import ArterialInput
from simulate.inputs.population import parker_aif
from simulate.scanner.frames import frame_average

SNR = 50.0
AIF_STEP = 0.1  # s


@dataclass(frozen=True)
class Demo:
    """What was found, what should have been found, and the true arterial input."""

    estimate: Estimate
    truth: Maps
    true_aif: ArterialInput

    @property
    def voxels(self) -> int:
        """How many were estimated."""
        return int(np.sum(self.estimate.status != int(Status.OUTSIDE)))

    @property
    def aif_peaks(self) -> tuple[float, float, float]:
        """Highest plasma concentration [mmol/L]: found, true, and true as an average over a frame."""
        assert self.estimate.aif is not None
        averaged = frame_average(self.true_aif.curve, self.true_aif.times, self.estimate.protocol)
        found, true = self.estimate.aif.curve, self.true_aif.curve
        return float(jnp.max(found)), float(jnp.max(true)), float(jnp.max(averaged))


class ErrorRow(NamedTuple):
    """Relative error [%] of a parameter over the voxels that identify it, and the share of those [%]."""

    name: str
    median: float
    low: float  # 5th percentile
    high: float  # 95th percentile
    identified: float


def run_demo(out: Path, *, seed: int = 0, snr: float = SNR, patch: int = 8, progress: Progress = silent) -> Demo:
    """Write a noisy DCE series of a grid phantom to `out/phantom`, estimate it from there into `out`.

    The arterial input is found in the images; T1 before contrast is given as a map.

    Parameters
    ----------
    out : path
        Folder for the results.
    seed : int
        Of the noise.
    snr : float
        Signal before contrast over noise.
    patch : int
        Voxels across a patch of one tissue.
    progress : function
        Told of every step (`simulate.base.progress.Progress`).

    Returns
    -------
    Demo
        What was found, what should have been found, and the true arterial input.

    Raises
    ------
    InputError
        For a folder that cannot be written, or holds what no earlier run wrote.
    """
    folder = prepare_output_folder(Path(out) / "phantom")
    progress("simulating", 0, 1)
    phantom, protocol, true_aif = grid_phantom(patch=patch), phantom_protocol(), demo_aif()
    series = simulate_reference(
        jax.random.key(seed), phantom, protocol, true_aif.curve,
        haematocrit=HAEMATOCRIT, snr=snr, aif_times=true_aif.times,
    )  # fmt: skip
    details = {"Seed": seed, "SignalToNoise": snr}
    write_reference(folder, series, phantom, haematocrit=HAEMATOCRIT, details=details)
    write_true_aif(folder, true_aif, HAEMATOCRIT)
    options = DCEOptions(folder / "dce.nii.gz", Path(out), t10=str(folder / "t10.nii.gz"), mask=folder / "mask.nii.gz")
    truth = true_maps(phantom)
    estimate = estimate_dce(options, progress, truth=truth, true_aif=true_aif)
    return Demo(estimate, truth, true_aif)


def demo_aif() -> ArterialInput:
    """Parker's input arriving at the end of the baseline, on knots finer than any frame."""
    protocol = phantom_protocol()
    times = jnp.arange(protocol.times[0], protocol.times[-1] + 2 * protocol.frame_duration, AIF_STEP)
    onset = float(protocol.times[protocol.baseline])
    return ArterialInput(times, parker_aif(times, haematocrit=HAEMATOCRIT, onset=onset), "truth (parker)")


def error_rows(estimate: Maps, truth: Maps) -> list[ErrorRow]:
    """Relative errors of every parameter whose truth is known, over the voxels that identify it."""
    return [_error_row(name, estimate, truth) for name in truth.values]


def _error_row(name: str, estimate: Maps, truth: Maps) -> ErrorRow:
    known = np.isfinite(truth[name]) & np.isfinite(estimate[name])
    sure = known & identified(estimate, name)
    error = 100 * (estimate[name][sure] / truth[name][sure] - 1)
    low, median, high = np.percentile(error, (5, 50, 95)) if error.size else np.full(3, np.nan)
    return ErrorRow(name, median, low, high, 100 * sure.sum() / max(known.sum(), 1))
