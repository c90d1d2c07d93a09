"""An ASL examination, checked once: what every later step may trust, for the command line and Python alike."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from estimate.asl.differences import Differences, differences
from estimate.asl.m0 import LONG, M0Images, equilibrium, images_in_series
from estimate.asl.protocol_check import check_asl_protocol
from estimate.signal.ceiling import ceiling_of
from estimate.signal.empty_frames import check_frames
from estimate.signal.mask import mask_of
from simulate.base.constants import ASL_TISSUE_T1, PARTITION_COEFFICIENT
from simulate.base.errors import InputError
from simulate.files.bids.asl import ASLSidecar

METHODS = ("white_paper", "multi_delay", "qtmnet")

MASK_SHARE = 0.25
"""Of the 99th percentile of M0: voxels below it are taken for air where no mask is given."""


SAME_SCALE = 0.2, 2.0
"""Range of controls over M0 without suppression: tissue recovers to 0.2 in half a second, and none exceeds M0."""


class Constant(NamedTuple):
    """A number in the equation: what it is called there, its value, unit, and where it came from."""

    name: str
    value: float
    unit: str
    origin: str


@dataclass(frozen=True)
class Calibration:
    """M0: one image (*space) of one TR [s], several (*space, m) of as many, or one number without (an estimate).

    of_blood : whether it is M0 of blood.
    """

    image: Any
    repetition_time: float | np.ndarray | None
    of_blood: bool = False


@dataclass(frozen=True)
class ASLOptions:
    """How to quantify. None takes the sidecar's or the default constant.

    Attributes
    ----------
    method : str
        white_paper, multi_delay or qtmnet; None: by whether there are several delays.
    model : str
        See `fit_asl`.
    arterial : bool
        See `fit_asl`.
    correct_m0 : bool
        Divide an M0 of short TR by its recovery.
    t1_blood : float [s]
        T1 of arterial blood.
    t1_tissue : float [s]
        T1 of tissue.
    partition_coefficient : float [mL/g]
        lambda.
    grey : (x, y, z) array [fraction]
        Share of grey matter, for partial volume correction.
    white : (x, y, z) array [fraction]
        Share of white matter.
    weights : path
        Of a QTMnet for labelled water, None for the one that ships.
    """

    method: str | None = None
    model: str = "recommended"
    arterial: bool = False
    correct_m0: bool = True
    t1_blood: float | None = None
    t1_tissue: float | None = None
    partition_coefficient: float | None = None
    grey: Any = None
    white: Any = None
    weights: Path | None = None


@dataclass(frozen=True)
class ASLExamination:
    """Everything that a quantification needs, found sound; made by `examine_asl`, read-only from there on.

    Attributes
    ----------
    affine : (4, 4) array [mm]
        Voxel index to position in the world.
    sidecar : ASLSidecar
        Its protocol is that of the series.
    method : str
        See `ASLOptions`.
    options : ASLOptions
        As they were asked for.
    differences : Differences
        Control minus label.
    m0 : (x, y, z) array
        Of tissue.
    constants : list of Constant
        That went into it.
    mask : (x, y, z) bool array
        Voxels to quantify.
    mask_source : str
        Where it comes from, in words.
    saturated : (x, y, z) bool array
        Voxels in which the series or M0 was cut off at the largest number it could hold.
    anatomy : (x, y, z) array
        Mean of the series.
    warnings : tuple of str
        What contradicts itself without hindering the work.
    """

    affine: np.ndarray
    sidecar: ASLSidecar
    method: str
    options: ASLOptions
    differences: Differences
    m0: np.ndarray
    constants: list[Constant]
    mask: np.ndarray
    mask_source: str
    saturated: np.ndarray
    anatomy: np.ndarray
    warnings: tuple[str, ...] = ()


def examine_asl(
    data: np.ndarray, affine: np.ndarray, sidecar: ASLSidecar, calibration: Calibration | None = None,
    mask: np.ndarray | str | None = "auto", options: ASLOptions = ASLOptions(),
) -> ASLExamination:  # fmt: skip
    """Check all that was given, before any long work.

    Parameters
    ----------
    data : (x, y, z, n) array
        The series, as many volumes as the sidecar has.
    affine : (4, 4) array [mm]
        Voxel index to position in the world.
    sidecar : ASLSidecar
        What is known of the series.
    calibration : Calibration
        M0 where it is not in the series (M0Type Separate or Estimate).
    mask : (x, y, z) array or str
        Voxels to quantify; "auto": M0 above `MASK_SHARE` of its 99th percentile; "none" or None: all.
    options : ASLOptions
        How to quantify.

    Returns
    -------
    ASLExamination
        What `quantify` takes.

    Raises
    ------
    InputError
        Where shapes or options do not go together, or M0 is nowhere positive.
    """
    data = np.asarray(data)
    if data.ndim != 4 or data.dtype.kind not in "iuf" or data.shape[3] != len(sidecar.protocol.volume_types):
        problem = f"of shape {data.shape} and type {data.dtype}, for {len(sidecar.protocol.volume_types)} volumes"
        raise InputError("ASL series", "data", problem, "give real numbers (x, y, z, volume)")
    shape = data.shape[:3]
    check_frames(data, "ASL series", "volume", "leave it and its partner out of image and aslcontext.tsv")
    check_asl_protocol(sidecar, calibration, options)
    found = differences(data, sidecar.protocol)
    method = options.method or ("multi_delay" if len(found.repeats) > 1 else "white_paper")
    _check(method, found, sidecar.protocol.labelling, options)
    for name, share in (("grey", options.grey), ("white", options.white)):
        if share is not None:
            _check_share(name, np.asarray(share), shape)
    slices = np.size(sidecar.protocol.slice_times)
    if slices not in (0, shape[2]):
        raise InputError("ASL series", "SliceTiming", f"has {slices} times for {shape[2]} slices", "give one for each")
    m0, constants = _m0(data, sidecar, calibration, options)
    words = f"M0 above {MASK_SHARE:g} of its 99th percentile"
    region, source = mask_of(mask, shape, "mask", lambda: (_default_mask(m0), words))
    saturated = np.asarray((data >= ceiling_of(data, repeated=True)).any(axis=-1))
    if calibration is not None and np.ndim(calibration.image) >= 3:
        images = np.asarray(calibration.image).reshape(*shape, -1)
        saturated = saturated | np.asarray((images >= ceiling_of(images, repeated=True)).any(axis=-1))
    return ASLExamination(
        np.asarray(affine), sidecar, method, options, found, m0, constants, region, source, saturated,
        data.mean(axis=-1), _level_warnings(data, sidecar, m0, region),
    )  # fmt: skip


def _level_warnings(data: np.ndarray, sidecar: ASLSidecar, m0: np.ndarray, mask: np.ndarray) -> tuple[str, ...]:
    """A sentence where controls and M0 are not on one scale: without suppression they are nearly alike."""
    controls = np.asarray(sidecar.protocol.volume_types) == "control"
    inside = mask & np.isfinite(m0) & (m0 > 0)
    if sidecar.suppressed or not controls.any() or not inside.any():
        return ()
    ratio = float(np.nanmedian(data[inside][:, controls].mean(-1) / m0[inside]))
    if SAME_SCALE[0] <= ratio <= SAME_SCALE[1]:
        return ()
    return (
        f"Controls without background suppression are {ratio:.2g} of M0: the two seem to be on different scales, and "
        "CBF is wrong by that factor.",
    )


def _check_share(name: str, share: np.ndarray, shape: tuple[int, ...]) -> None:
    if share.shape != shape:
        raise InputError(name, "shape", f"{share.shape}, the series {shape}", "resample it to the grid of the series")
    largest = float(np.nanmax(share, initial=0.0))
    if not 0 < largest <= 1.01 or np.nanmin(share) < -0.01:
        problem = f"holds values from {np.nanmin(share):g} to {largest:g}"
        raise InputError(name, "", problem, "give the share of the tissue in every voxel, from 0 to 1")


def _check(method: str, found: Differences, labelling: str, options: ASLOptions) -> None:
    if method not in METHODS:
        raise InputError("method", method, "is no method", f"choose one of {', '.join(METHODS)}")
    if method == "white_paper" and len(found.repeats) > 1:
        raise InputError(
            "method", method, f"takes one delay, and the series has {len(found.repeats)}", "use multi_delay"
        )
    if method == "qtmnet":
        from estimate.asl.network import check_request, load  # flax is imported where a network is asked for

        check_request(found, labelling, arterial=options.arterial)
        load(options.weights)  # a file that is none is refused now
    elif options.weights is not None:
        raise InputError("weights", method, 'is for `method="qtmnet"`', "leave it out")
    if method == "white_paper" and options.model != "recommended":
        raise InputError("model", options.model, "is of a fit of several delays", "leave it out")
    if method == "white_paper" and options.arterial:
        raise InputError("arterial", method, "needs several delays", "leave it out")
    if (options.grey is None) != (options.white is None):
        raise InputError("grey, white", "", "go together", "give both maps")
    for name, value in (("t1_blood", options.t1_blood), ("t1_tissue", options.t1_tissue)):
        if value is not None and not 0.1 < value < 10:
            raise InputError(name, f"{value:g}", "is no T1 in seconds", "give one such as 1.65")
    lam = options.partition_coefficient
    if lam is not None and not 0.1 < lam < 2:
        raise InputError("partition_coefficient", f"{lam:g}", "is none in mL/g", "give one such as 0.9")


def _m0(
    data: np.ndarray, sidecar: ASLSidecar, calibration: Calibration | None, options: ASLOptions
) -> tuple[np.ndarray, list[Constant]]:
    """M0 of tissue (*space), and the constants that went into it."""
    lam = PARTITION_COEFFICIENT if options.partition_coefficient is None else options.partition_coefficient
    in_series = {"Included": "m0scan", "Absent": "control"}.get(sidecar.m0_type)
    if in_series is not None:
        images = images_in_series(data, sidecar.protocol, in_series)
    elif calibration is not None and calibration.repetition_time is not None:
        images = _separate(calibration, data.shape[:3])
    elif calibration is None and sidecar.m0_type != "Estimate":
        raise InputError("M0", "", "is Separate, and no image of it was given", "give `calibration=m0scan`")
    else:
        images = None
    constants = []
    if images is None:
        given = Calibration(sidecar.m0_estimate, None, of_blood=True) if calibration is None else calibration
        m0 = np.broadcast_to(np.asarray(given.image, float), data.shape[:3])
        m0 = lam * m0 if given.of_blood else m0
    else:
        t1, origin = (ASL_TISSUE_T1, "default") if options.t1_tissue is None else (options.t1_tissue, "option")
        m0 = equilibrium(images, t1, correct=options.correct_m0)
        short = np.unique(images.repetition_time[images.repetition_time < LONG])
        if short.size and options.correct_m0:
            constants = [Constant("TR of M0", float(tr), "s", sidecar.m0_type) for tr in short]
            constants.append(Constant("T1 in M0", t1, "s", origin))
    if not (np.isfinite(m0) & (m0 > 0)).any():
        raise InputError("M0", "", "is nowhere above zero", "give an M0 image of this series")
    return m0, constants


def _separate(calibration: Calibration, shape: tuple[int, ...]) -> M0Images:
    """Images of M0 that are no part of the series, each with its TR."""
    image, times = np.asarray(calibration.image, float), np.atleast_1d(np.asarray(calibration.repetition_time, float))
    image = image if image.ndim == len(shape) + 1 else image[..., None]
    if image.shape[:-1] not in (shape, ()) or times.size not in (1, image.shape[-1]):
        problem = f"of shape {image.shape} with {times.size} repetition times does not go with a series of {shape}"
        raise InputError("M0", "image", problem, "give images on the grid of the series, and one TR or one for each")
    return M0Images(np.broadcast_to(image, (*shape, image.shape[-1])), np.broadcast_to(times, image.shape[-1:]))


def _default_mask(m0: np.ndarray) -> np.ndarray:
    finite = m0[np.isfinite(m0)]
    return np.isfinite(m0) & (m0 > MASK_SHARE * np.percentile(finite, 99))
