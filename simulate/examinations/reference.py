"""A digital reference object: a grid of known tissues and an artery, measured as a scanner would.

Every estimator can be held against it, because each voxel's parameters, the arterial input and the physical
model that joined them are known exactly.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import ArrayLike, Float, Key, Real

from simulate.base.constants import HAEMATOCRIT, RELAXIVITY, blood_t1
from simulate.base.exchange import LIMITS, transfer_constant
from simulate.base.types import DCEProtocol, Maps, Series, Tissue
from simulate.base.units import clinical_unit, from_clinical
from simulate.files.atomic import AnyPath, prepare_output_folder
from simulate.files.bids.dce import write_sidecar
from simulate.files.nifti import write_image
from simulate.inputs.transit import plasma_to_blood
from simulate.kinetics.convolution import interpolate
from simulate.kinetics.tissue import mixing_of, tissue_concentration
from simulate.scanner.frames import frame_average
from simulate.scanner.measurement import PROTON_DENSITY, measure

# Levels (chosen) from white matter to the rim of a glioblastoma, and from a tight to an open barrier.
FP_LEVELS = tuple(from_clinical("Fp", level) for level in (10.0, 25.0, 50.0, 80.0))
PS_LEVELS = tuple(from_clinical("PS", level) for level in (1.0, 4.0, 10.0, 25.0))
VP_LEVELS = (0.02, 0.05, 0.10)
VE_LEVELS = (0.1, 0.2, 0.4)
T10_LEVELS = (1.2, 1.5, 1.8)  # s; wetter tissue relaxes more slowly

FINE_STEP = 0.2
"""Spacing [s] at which a curve is computed before it is averaged over a frame: a tenth of a usual frame."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ReferencePhantom:
    """A known object. All arrays are (x, y, z) and finite everywhere; where they count, the masks say.

    Attributes
    ----------
    tissue : Tissue
        Parameters [1/s, fractions, s].
    t10 : (x, y, z) array [s]
        T1 before contrast.
    mask : (x, y, z) bool array
        Voxels of tissue.
    artery : (x, y, z) bool array
        Voxels of pure blood; the rest is air.
    affine : (4, 4) array [mm]
        Voxel index to scanner position.
    model : str
        The kinetic model that makes its curves, a name of `tissue_concentration`.
    """

    tissue: Tissue
    t10: Any
    mask: Any
    artery: Any
    affine: Any
    model: str = field(default="2cxm", metadata={"static": True})


def grid_phantom(
    *,
    Fp: tuple[float, ...] = FP_LEVELS,
    PS: tuple[float, ...] = PS_LEVELS,
    vp: tuple[float, ...] = VP_LEVELS,
    ve: tuple[float, ...] = VE_LEVELS,
    t10: float | tuple[float, ...] = T10_LEVELS,
    t10_blood: float = blood_t1(3.0, HAEMATOCRIT),
    model: str = "2cxm",
    patch: int = 8,
    voxel_size: tuple[float, float, float] = (2.0, 2.0, 5.0),
) -> ReferencePhantom:
    """Every combination of the levels, each a patch of voxels; a strip above holds the artery and air.

    Parameters
    ----------
    Fp : tuple of float [1/s]
        Levels: squares from left to right.
    PS : tuple of float [1/s]
        Levels: squares from back to front.
    vp : tuple of float [fraction]
        Levels: stripes within each square.
    ve : tuple of float [fraction]
        Levels: one slice each.
    t10 : float or tuple of float [s]
        Of tissue, a number or one for each slice.
    t10_blood : float [s]
        Of blood.
    model : str
        Of `tissue_concentration`.
    patch : int
        Voxels across a stripe.
    voxel_size : (3,) tuple of float [mm]
        Edges of a voxel.

    Returns
    -------
    ReferencePhantom
        With its origin in the middle of the grid.
    """
    square = patch * len(vp)
    shape = (len(Fp) * square, len(PS) * square, len(ve))
    x, y, z = np.indices(shape)
    strip = ((0, 0), (0, patch), (0, 0))

    def levels(values: Any, index: np.ndarray) -> np.ndarray:
        return np.pad(np.asarray(values, float)[index], strip, mode="edge")

    tissue = Tissue(
        Fp=levels(Fp, x // square),
        PS=levels(PS, y // square),
        vp=levels(vp, x // patch % len(vp)),
        ve=levels(ve, z),
    )
    mask = np.pad(np.ones(shape, bool), strip)
    artery = np.zeros_like(mask)
    middle = slice(shape[0] // 2 - patch, shape[0] // 2 + patch)
    artery[middle, shape[1] :] = True
    t1 = np.where(artery, t10_blood, levels(np.broadcast_to(t10, len(ve)), z))
    return ReferencePhantom(tissue, t1, mask, artery, _centred_affine(mask.shape, voxel_size), model)


def phantom_protocol() -> DCEProtocol:
    """A usual protocol at 3 T: TR 4 ms, 20°, gadobutrol, 150 frames of 2 s, ten of them before contrast.

    Returns
    -------
    DCEProtocol
        With TE 1.5 ms.
    """
    return DCEProtocol(
        times=2.0 * np.arange(150),
        repetition_time=0.004,
        flip_angle=20.0,
        echo_time=0.0015,
        relaxivity=RELAXIVITY["gadobutrol"][3.0],
        field_strength=3.0,
        baseline=10,
        frame_duration=2.0,
    )


def reference_concentration(
    phantom: ReferencePhantom,
    protocol: DCEProtocol,
    aif: Float[ArrayLike, " k"],
    *,
    haematocrit: float,
    aif_times: Float[ArrayLike, " k"] | None = None,
) -> Float[Array, "*s t"]:
    """Noise-free concentration averaged over each frame: tissue, blood in the artery, 0 in air.

    Parameters
    ----------
    phantom : ReferencePhantom
        From `grid_phantom`.
    protocol : DCEProtocol
        Its frames.
    aif : (k,) array [mmol/L]
        Plasma concentration, linear between its knots.
    haematocrit : float [fraction]
        Of the blood in the artery.
    aif_times : (k,) array [s]
        Knots of the aif; the protocol's times by default.

    Returns
    -------
    (x, y, z, t) array [mmol/L]
        Of every voxel.

    Raises
    ------
    InputError
        For a phantom of an unknown model.
    """
    times = np.asarray(protocol.times)
    knots = times if aif_times is None else aif_times
    end = float(times[-1] + protocol.frame_duration)
    fine = np.linspace(times[0], end, int(np.ceil((end - times[0]) / FINE_STEP)) + 1)
    tissues, which = _distinct(phantom.tissue)
    curves = _frame_averages(tissues, aif, knots, fine, protocol, haematocrit, phantom.model)
    blood, air = len(curves) - 2, len(curves) - 1
    return curves[np.where(phantom.mask, which, np.where(phantom.artery, blood, air))]


def simulate_reference(
    key: Key[Array, ""],
    phantom: ReferencePhantom,
    protocol: DCEProtocol,
    aif: Float[ArrayLike, " k"],
    *,
    haematocrit: float,
    snr: Real[ArrayLike, ""],
    aif_times: Float[ArrayLike, " k"] | None = None,
) -> Series:
    """Spoiled-gradient-echo series of a phantom with Rician noise.

    Parameters
    ----------
    key : jax.random key
        Of the noise.
    phantom : ReferencePhantom
        From `grid_phantom`.
    protocol : DCEProtocol
        How it is measured.
    aif : (k,) array [mmol/L]
        Plasma concentration, linear between its knots.
    haematocrit : float [fraction]
        Of the blood in the artery.
    snr : float
        Mean signal before contrast over the standard deviation of one complex channel; inf for no noise.
    aif_times : (k,) array [s]
        Knots of the aif; the protocol's times by default.

    Returns
    -------
    Series
        Of signals.

    Raises
    ------
    InputError
        For a phantom of an unknown model.
    """
    concentration = reference_concentration(phantom, protocol, aif, haematocrit=haematocrit, aif_times=aif_times)
    s0 = PROTON_DENSITY * (phantom.mask | phantom.artery)
    data = measure(key, concentration, protocol, t10=phantom.t10, s0=s0, snr=snr)
    return Series(data, protocol, phantom.affine)


def true_maps(phantom: ReferencePhantom) -> Maps:
    """What an estimator should find, in clinical units, NaN outside the tissue.

    Parameters
    ----------
    phantom : ReferencePhantom
        From `grid_phantom`.

    Returns
    -------
    Maps
        Fp, PS, vp, ve and Ktrans.

    Raises
    ------
    InputError
        For a phantom of an unknown model.
    """
    tissue = phantom.tissue
    Ktrans = transfer_constant(tissue.Fp, tissue.PS, mixing_of(phantom.model))
    values = {"Fp": tissue.Fp, "PS": tissue.PS, "vp": tissue.vp, "ve": tissue.ve, "Ktrans": Ktrans}
    return Maps.from_internal({n: np.where(phantom.mask, v, np.nan) for n, v in values.items()}, phantom.affine)


def write_reference(
    folder: AnyPath,
    series: Series,
    phantom: ReferencePhantom,
    *,
    haematocrit: float,
    details: dict[str, Any] | None = None,
) -> None:
    """Write all that `tracerflow estimate dce` needs, and the truth.

    dce.nii.gz with its sidecar dce.json, t10.nii.gz [s], mask.nii.gz (tissue), artery.nii.gz (blood) and
    truth_NAME.nii.gz in clinical units.

    Parameters
    ----------
    folder : path
        Where to; it is made.
    series : Series
        From `simulate_reference`.
    phantom : ReferencePhantom
        What it shows.
    haematocrit : float [fraction]
        For the sidecar.
    details : dict
        More to keep in the sidecar, ready for JSON (seed, SNR).

    Raises
    ------
    InputError
        For a folder that cannot be written.
    """
    folder, affine = prepare_output_folder(folder), phantom.affine
    write_image(folder / "dce.nii.gz", series.data, affine, unit_description="signal")
    known = {"GroundTruthModel": phantom.model, **(details or {})}
    write_sidecar(folder / "dce.nii.gz", series.protocol, haematocrit=haematocrit, extra=known)
    write_image(folder / "t10.nii.gz", phantom.t10, affine, unit_description=clinical_unit("T10"))
    write_image(folder / "mask.nii.gz", phantom.mask, affine)
    write_image(folder / "artery.nii.gz", phantom.artery, affine)
    for name, values in true_maps(phantom).values.items():
        described = f"{clinical_unit(name)}; truth of model {phantom.model}"
        write_image(folder / f"truth_{name}.nii.gz", values, affine, unit_description=described)


@partial(jax.jit, static_argnames="model")
def _frame_averages(
    tissues: Tissue, aif: Any, knots: Any, fine: Any, protocol: DCEProtocol, haematocrit: Any, model: str
) -> Float[Array, "u t"]:
    """Each tissue's curve averaged over the frames; the last two are those of blood and of air."""
    curves = tissue_concentration(tissues, aif, fine, model=model, aif_times=knots)
    blood = plasma_to_blood(interpolate(jnp.asarray(aif, float), jnp.asarray(knots, float), fine), haematocrit)
    every = jnp.concatenate([curves, blood[None], jnp.zeros_like(blood[None])])
    return frame_average(every, fine, protocol)


def _distinct(tissue: Tissue) -> tuple[Tissue, np.ndarray]:
    """The tissues that differ, each once (u,), and which of them each voxel is (*space)."""
    fields = np.broadcast_arrays(*(np.asarray(getattr(tissue, n), float) for n in LIMITS))
    rows, which = np.unique(np.reshape(fields, (len(fields), -1)), axis=1, return_inverse=True)
    return Tissue(*rows), which.reshape(fields[0].shape)


def _centred_affine(shape: tuple[int, ...], voxel_size: tuple[float, float, float]) -> np.ndarray:
    """Axes to the patient's left, to the front and up; the scanner's origin in the middle of the grid.

    Radiological storage: where the patient's right is shown on the left, the levels rise to the right.
    """
    edges = np.asarray(voxel_size) * (-1, 1, 1)
    affine = np.diag([*edges, 1.0])
    affine[:3, 3] = -edges * (np.asarray(shape) - 1) / 2
    return affine
