"""A small DCE examination whose truth is known: tissue of many kinds beside an artery."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from simulate.base.types import DCEProtocol, Series, Tissue
from simulate.files.bids.dce import write_sidecar
from simulate.files.nifti import write_image
from simulate.inputs.population import parker_aif
from simulate.kinetics.tissue import tissue_concentration
from simulate.scanner.spgr import spgr_signal

HAEMATOCRIT = 0.42
SHAPE = (8, 8, 3)
AFFINE = np.array([[-1.5, 0.25, 0, 90], [0.25, 1.5, 0, -12.5], [0, 0, 4, 7], [0, 0, 0, 1]])
TIMES = np.concatenate([np.arange(0, 80, 2.0), np.arange(80, 280, 10.0)])
VFA_ANGLES, VFA_TR = (3.0, 10.0, 20.0), 0.005
CLOCK = 40_000.302
"""A time of day [s] that float32 rounds by 1.2 ms: series on disk count from midnight, as scanners do."""


@dataclass(frozen=True)
class Phantom:
    """Truth and noise-free measurement, all NumPy arrays.

    tissue : parameters (*space).      inside, artery : (*space) voxels of tissue, of blood.
    concentration : (*space, t) mmol/L.     t10, b1 : (*space).     plasma : (t,) the arterial input.
    """

    tissue: Tissue
    inside: np.ndarray
    artery: np.ndarray
    concentration: np.ndarray
    plasma: np.ndarray
    t10: np.ndarray
    b1: np.ndarray
    protocol: DCEProtocol

    def signal(self, *, b1: float | np.ndarray = 1.0) -> Series:
        """The series as measured with a transmit field of `b1`."""
        data = spgr_signal(self.concentration, self.protocol, t10=self.t10, s0=1000.0, b1=b1)
        return Series(np.asarray(data), self.protocol, AFFINE)

    def vfa(self, *, b1: float | np.ndarray = 1.0) -> np.ndarray:
        """(*space, angles) signal before contrast at each of `VFA_ANGLES`."""
        none = np.zeros((*SHAPE, 1))
        protocols = [DCEProtocol(TIMES[:1], VFA_TR, angle) for angle in VFA_ANGLES]
        images = [spgr_signal(none, p, t10=self.t10, s0=1000.0, b1=b1) for p in protocols]
        return np.concatenate([np.asarray(image) for image in images], axis=-1)


def make_phantom() -> Phantom:
    """Tissue whose parameters run across the block, an artery of 3x3 voxels through it, 2CXM, no noise.

    The input is linear between the frames, as the fit takes it: nothing is lost to sampling.
    """
    artery = np.zeros(SHAPE, bool)
    artery[:3, :3] = True
    tissue = Tissue(
        Fp=_ramp(0.005, 0.02, 0), PS=_ramp(0.001, 0.003, 1), vp=_ramp(0.03, 0.08, 1), ve=_ramp(0.15, 0.35, 0)
    )
    plasma = parker_aif(jnp.asarray(TIMES), haematocrit=HAEMATOCRIT, onset=16.0)
    concentration = np.array(tissue_concentration(tissue, plasma, TIMES))
    concentration[artery] = (1 - HAEMATOCRIT) * np.asarray(plasma)
    return Phantom(
        tissue=tissue,
        inside=~artery,
        artery=artery,
        concentration=concentration,
        plasma=np.asarray(plasma),
        t10=np.where(artery, 1.6, _ramp(0.9, 1.4, 1)),
        b1=_ramp(0.85, 1.1, 0),
        protocol=DCEProtocol(TIMES, 0.004, 15.0, relaxivity=4.0, baseline=8),
    )


def write_examination(folder: Path, phantom: Phantom) -> Path:
    """dce.nii.gz, vfa.nii.gz, t10.nii.gz, b1.nii.gz, mask.nii.gz and artery.nii.gz with their sidecars."""
    series, vfa = phantom.signal(), phantom.vfa()
    protocol = replace(phantom.protocol, times=CLOCK + TIMES)
    write_image(folder / "dce.nii.gz", series.data, AFFINE)
    write_sidecar(folder / "dce.nii.gz", protocol, haematocrit=HAEMATOCRIT)
    write_image(folder / "vfa.nii.gz", vfa, AFFINE)
    fields = {"FlipAngle": VFA_ANGLES, "RepetitionTimeExcitation": VFA_TR}
    (folder / "vfa.json").write_text(json.dumps(fields))
    write_image(folder / "t10.nii.gz", phantom.t10, AFFINE)
    write_image(folder / "b1.nii.gz", np.ones(SHAPE), AFFINE)
    write_image(folder / "mask.nii.gz", phantom.inside, AFFINE)
    write_image(folder / "artery.nii.gz", phantom.artery, AFFINE)
    return folder / "dce.nii.gz"


def _ramp(low: float, high: float, axis: int) -> np.ndarray:
    """(*space) values that rise along one axis."""
    values = np.linspace(low, high, SHAPE[axis])
    return np.broadcast_to(np.expand_dims(values, [i for i in range(3) if i != axis]), SHAPE)
