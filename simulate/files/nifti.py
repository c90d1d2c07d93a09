"""NIfTI images in and out: the affine travels with the array, and no damaged file passes for a sound one."""

import gzip
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from nibabel.affines import voxel_sizes
from nibabel.analyze import AnalyzeHeader
from nibabel.filebasedimages import ImageFileError
from nibabel.fileholders import FileHolder
from nibabel.nifti1 import Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Image, Nifti2Pair
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from simulate.base.errors import InputError
from simulate.files.atomic import AnyPath, temporary_sibling
from simulate.files.image_files import image_files

GRID_TOLERANCE = 1e-3
"""Two grids are the same when voxel edges agree to this share and the origin to this many mm."""

LARGEST_HEADER = 540
"""Bytes of a NIfTI-2 header; NIfTI-1 has 348."""

NOT_NIFTI = "give a .nii or .nii.gz image (dcm2niix converts DICOM)"
DAMAGED = "copy or export the image again"

_DAMAGE = (EOFError, zlib.error)
_READING = (*_DAMAGE, OSError, ValueError, ImageFileError, HeaderDataError, WrapStructError)


@dataclass(frozen=True)
class Image:
    """An image as read from a file.

    data : (*space) or (*space, t) float32, in the file's own unit.
    affine : (4, 4) voxel index to scanner position [mm].
    path : the file it came from, to name it in errors and provenance.
    """

    data: np.ndarray
    affine: Float[np.ndarray, "4 4"]
    path: Path

    @property
    def zooms(self) -> Float[np.ndarray, " 3"]:
        """Edge lengths of a voxel [mm]."""
        return voxel_sizes(self.affine)


def read_image(path: AnyPath, *, dimensions: int | tuple[int, ...] | None = None) -> Image:
    """Read a NIfTI image, of one file or a pair named by either, as float32 and check it to the last byte.

    dimensions : number of axes that is wanted, or several that will do; trailing axes of length 1 are
        dropped where that makes the image fit (a 3-D map stored as x, y, z, 1), and so is the fourth where frames
        stand on the fifth (x, y, z, 1, t).
    """
    path = Path(path)
    files = image_files(path)
    for file in (path, *files):
        if not file.is_file():
            cure = "check the path" if file == path else "copy it too: header and voxels are two files of one image"
            raise InputError(file, "", "is a folder" if file.is_dir() else "no such file", cure)
    try:
        with ExitStack() as stack:
            streams = [stack.enter_context(_stream(file)) for file in files]
            source = _recognise(streams, files[0])
            data = _read_voxels(streams, source, files)
    except OSError as error:
        raise InputError(path, "", f"cannot be read ({error.strerror})", "check its permissions") from error
    affine = np.asarray(source.affine, float)
    if not (np.isfinite(affine).all() and np.linalg.det(affine)):
        raise InputError(files[0], "affine", f"is singular: {_in_words(affine)}", "mend the image's header")
    return Image(_with_dimensions(data, dimensions, path), affine, path)


def _stream(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _recognise(streams: Sequence[BufferedIOBase], path: Path) -> Any:
    """The nibabel image whose voxels are still to be read from the last of `streams`; the first, of `path`, has the
    header."""
    paired = len(streams) == 2
    file_map: dict[str, FileHolder] = {"image": FileHolder(fileobj=streams[-1])}
    if paired:
        file_map["header"] = FileHolder(fileobj=streams[0])
    try:
        start = streams[0].read(LARGEST_HEADER)
        streams[0].seek(0)
        for kind in (Nifti1Pair, Nifti2Pair) if paired else (Nifti1Image, Nifti2Image):
            if kind.header_class.may_contain_header(start):
                return kind.from_file_map(file_map)
    except _DAMAGE as error:
        raise InputError(path, "", "is truncated or damaged", DAMAGED) from error
    except _READING as error:
        raise InputError(path, "", f"is not a NIfTI image ({_first_line(error)})", NOT_NIFTI) from error
    if paired and AnalyzeHeader.may_contain_header(start):
        cure = "convert the image to NIfTI with a program that knows which side is left"
        raise InputError(path, "", "is ANALYZE 7.5, which does not say left from right", cure)
    raise InputError(path, "", "is not a NIfTI image", NOT_NIFTI)


def _read_voxels(streams: Sequence[BufferedIOBase], image: Any, files: Sequence[Path]) -> np.ndarray:
    """The scaled voxels as float32; then the rest of the streams, because a gzip file ends with its checksum.

    nibabel stops after the last voxel and thus takes a .nii.gz with flipped bits for sound.
    """
    stored = image.get_data_dtype()
    if stored.kind not in "iuf":
        raise InputError(files[0], "data type", f"is {stored}, not real numbers", "export magnitudes as floats")
    reading = files[-1]
    try:
        data = np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
        for file, stream in zip(files, streams, strict=True):
            reading = file
            while stream.read(1 << 20):
                pass
    except _READING as error:
        raise InputError(reading, "", f"is truncated or damaged ({_first_line(error)})", DAMAGED) from error
    return data


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip()


def _with_dimensions(data: np.ndarray, dimensions: int | tuple[int, ...] | None, path: Path) -> np.ndarray:
    if dimensions is None:
        return data
    wanted = (dimensions,) if isinstance(dimensions, int) else dimensions
    while data.ndim > max(wanted) and data.shape[-1] == 1:
        data = data[..., 0]
    if 4 in wanted and data.ndim == 5 and data.shape[3] == 1:
        data = data[:, :, :, 0]  # NIfTI's fifth axis is for the values of one voxel: some programs put frames there
    if data.ndim not in wanted:
        asked = " or ".join(f"{n}-D" for n in wanted)
        cure = "give the whole series, in one image or frame by frame" if 4 in wanted else "give a single volume"
        cure = "store the frames along the fourth axis" if 4 in wanted and data.ndim > 4 else cure
        raise InputError(path, "shape", f"is {data.shape}, and a {asked} image is needed", cure)
    return data


def write_image(path: AnyPath, data: Any, affine: Any, *, unit_description: str = "") -> None:
    """Write a NIfTI-1 image atomically: floats as float32, integers and booleans as int32.

    data : (*space) or (*space, t).     affine : (4, 4) voxel index to scanner position [mm].
    unit_description : unit of the values, kept in the header's 80-byte `descrip`.
    """
    path, values = Path(path), np.asarray(data)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise InputError(path, "", "is not the name of a NIfTI image", "end it in .nii.gz")
    whole = values.dtype.kind in "iub"
    stored = values.astype(np.int32 if whole else np.float32)
    if whole and not np.array_equal(stored, values):
        raise OverflowError(f"{path}: integers beyond 32 bits cannot be written")
    image = Nifti1Image(stored, np.asarray(affine, float))
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = unit_description.encode("ascii", "replace")[:80]
    # Both transforms are set, because some viewers heed one and some the other.
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner")
    with temporary_sibling(path) as temporary:
        image.to_filename(temporary)


def check_same_grid(image: Image, reference: Image, what: str) -> None:
    """Refuse `image` (the mask, the T10 map: `what`) unless its voxels are those of `reference`."""
    cure = f"resample the {what} to the grid of {reference.path}"
    shape, expected = image.data.shape[:3], reference.data.shape[:3]
    if shape != expected:
        problem = f"shape {shape} differs from {expected} of {reference.path}"
        raise InputError(image.path, what, problem, cure)
    if not same_place(image.affine, reference.affine):
        problem = f"affine {_in_words(image.affine)} differs from {_in_words(reference.affine)} of {reference.path}"
        raise InputError(image.path, what, problem, cure)


def same_place(affine: Any, reference: Any) -> bool:
    """Whether two affines lead to the same voxels, within GRID_TOLERANCE."""
    tolerance = GRID_TOLERANCE * np.append(voxel_sizes(np.asarray(reference)), 1.0)
    return bool((np.abs(np.asarray(affine) - np.asarray(reference)) <= tolerance).all())


def _in_words(affine: np.ndarray) -> str:
    """The three rows that matter, on one line."""
    return str(affine[:3].round(4).tolist())
