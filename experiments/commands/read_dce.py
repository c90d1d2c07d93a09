"""Files and options of a DCE examination, read and found sound."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from estimate.arterial.scale import CBFMap
from estimate.arterial.table import read_aif_csv
from estimate.examination.checked import DCEExamination, examine
from estimate.examination.input import POPULATION, checked_haematocrit
from estimate.examination.request import check_options, needs_input
from estimate.signal.t10 import VFA
from experiments.commands.dce_series import read_series, read_vfa
from experiments.commands.inputs import files_of, read_map, read_mask, read_region, split_labels
from experiments.commands.outputs import RECORD, written_record
from simulate.base.errors import InputError
from simulate.base.types import Series
from simulate.files.bids.dce import DCE_FIELDS, DCESidecar, read_dce_sidecar
from simulate.files.bids.fields import parse_set
from simulate.files.bids.vfa import VFA_FIELDS
from simulate.files.nifti import Image
from simulate.files.provenance import InputFile
from simulate.inputs.arterial_input import ArterialInput


@dataclass(frozen=True)
class DCEOptions:
    """What the user asked for; `tracerflow estimate dce --help` says more of each.

    Attributes
    ----------
    series : path or list of path
        One file, or one for each frame in the order of time.
    out : path
        Folder for the results.
    method : str
        See `estimate_maps`.
    quantity : str
        What the series holds: "signal" or "concentration".
    aif : str
        "auto", "parker", "georgiou", a curve.csv or a roi.nii.gz.
    aif_is : str
        "blood" or "plasma", of a curve.csv that does not say it.
    aif_t1 : str
        "measured", "blood" or a number [s].
    haematocrit : float [fraction]
        Over the sidecar's.
    fit_delay : bool
        See `fit_kinetics`.
    arterial_volume : bool
        See `fit_kinetics`.
    vfa : list of path
        Variable-flip-angle images for T1: one file, or one for each flip angle.
    t10 : str
        T1 before contrast: a number [s] or a map.
    b1 : path
        Map of the transmit field relative to nominal.
    r2star : float [1/(s mmol/L)]
        Transverse relaxivity; 0 leaves T2* out.
    mask : str or path
        "auto", "none" or an image.
    relaxivity : float [1/(s mmol/L)]
        Longitudinal relaxivity, over the sidecar's.
    scale : str
        See `estimate_maps`.
    cbf : path
        Map of CBF [mL/100 g/min] for the scale "asl".
    weights : path
        Of qtmnet; those that ship by default.
    set : list of str
        Field=value, over the sidecar's.
    """

    series: Path | list[Path]
    out: Path
    method: str = "2cxm"
    quantity: Literal["signal", "concentration"] = "signal"
    aif: str = "auto"
    aif_is: Literal["blood", "plasma"] | None = None
    aif_t1: str = "measured"
    haematocrit: float | None = None
    fit_delay: bool = False
    arterial_volume: bool = False
    vfa: list[Path] | None = None
    t10: str | None = None
    b1: Path | None = None
    r2star: float = 0.0
    mask: str | Path = "auto"
    relaxivity: float | None = None
    scale: Literal["population", "vessels", "asl"] = "population"
    cbf: Path | None = None
    weights: Path | None = None
    set: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DCEFiles:
    """What was read: the examination, its sidecar, and every file with its checksum, taken before any is written."""

    exam: DCEExamination
    sidecar: DCESidecar
    inputs: list[InputFile]


def read_dce(options: DCEOptions) -> DCEFiles:
    """Read every file that the options name.

    Raises InputError, before any long work, where one of them or what is asked for cannot be used.
    """
    check_options(
        options.method, fit_delay=options.fit_delay, arterial_volume=options.arterial_volume, bounds=None,
        scale=options.scale, with_cbf=options.cbf is not None, with_weights=options.weights is not None,
    )  # fmt: skip
    image = read_series(options.series)
    overrides = parse_set(options.set, known=(*DCE_FIELDS, *VFA_FIELDS))
    if options.relaxivity is not None:
        overrides["LongitudinalRelaxivity"] = options.relaxivity
    _check_used(options, overrides)
    frames = image.data.shape[3]
    sidecar = read_dce_sidecar(options.series, frames=frames, quantity=options.quantity, overrides=overrides)
    files = files_of(*(options.series if isinstance(options.series, list) else [options.series]))
    haematocrit = sidecar.haematocrit
    if options.haematocrit is not None:
        haematocrit = checked_haematocrit(options.haematocrit, "--haematocrit")
    names: dict[str, object] = {"series": image.path, "haematocrit": image.path, "aif": "--aif"}
    names |= {"t10": image.path} | {n: v for n in ("b1", "cbf") if (v := getattr(options, n)) is not None}
    given: dict[str, Any] = {"mask": options.mask}
    if options.mask not in ("auto", "none"):
        given["mask"], names["mask"] = read_mask(options.mask, image, files)
    if options.quantity == "signal":
        given["t10"], names["t10"] = _read_t10(options, image, files, overrides)
    if options.b1 is not None:
        given["b1"] = read_map(options.b1, image, "B1 map", files)
    if needs_input(options.method, options.scale):
        given["aif"], names["aif"] = _read_aif(options, image, sidecar, haematocrit, files)
    if options.cbf is not None:
        given["cbf"] = _read_cbf(options.cbf, image, files)
    exam = examine(
        Series(image.data, sidecar.protocol, image.affine, options.quantity), method=options.method,
        aif_t1=options.aif_t1, haematocrit=haematocrit, r2star=options.r2star, fit_delay=options.fit_delay,
        arterial_volume=options.arterial_volume, scale=options.scale, weights=options.weights, names=names, **given,
    )  # fmt: skip
    if options.weights is not None:
        files.append(options.weights)
    if options.mask not in ("auto", "none"):
        exam = replace(exam, mask_source=str(names["mask"]))
    return DCEFiles(exam, sidecar, [InputFile.of(path) for path in files])


def _check_used(options: DCEOptions, overrides: dict[str, object]) -> None:
    """Refuse what would be left unread: whoever gives it takes it to matter."""
    of_signal = {"--t10": options.t10, "--vfa": options.vfa, "--b1": options.b1}
    given = [name for name, value in of_signal.items() if value is not None]
    if options.quantity == "concentration" and given:
        raise InputError(given[0], "", "is of signals, and --quantity is concentration", "leave it out")
    if options.aif != "auto" and not needs_input(options.method, options.scale):
        problem = f"is not used by {options.method} with --scale {options.scale}"
        raise InputError("--aif", options.aif, problem, "leave it out, or add --scale vessels")
    if options.aif_is is not None and Path(options.aif).suffix.lower() != ".csv":
        raise InputError("--aif-is", options.aif_is, "is of a curve.csv, and --aif is none", "leave it out")
    unused = sorted(set(overrides) & set(VFA_FIELDS))
    if unused and options.vfa is None:
        raise InputError("--set", unused[0], "is given, and --vfa is not", "leave it out")


def _read_cbf(path: Path, image: Image, files: list[Path]) -> CBFMap:
    """CBF where it can be believed, and how far: `estimate asl` says in the maps beside its CBF which voxels are sound,
    and their standard errors. Maps beside it of any other making say nothing of it."""
    cbf = read_map(path, image, "CBF map", files)
    record = written_record(path.parent) if (path.parent / RECORD).is_file() else None
    if record is None or record["command"] != "tracerflow estimate asl" or path.name not in record["files"]:
        return CBFMap(cbf)
    status, error = path.with_name("status.nii.gz"), path.with_name("CBF_stderr.nii.gz")
    if status.is_file():
        cbf = np.where(read_map(status, image, "status map of the CBF", files) == 0, cbf, np.nan)
    stderr = read_map(error, image, "standard error of the CBF", files) if error.is_file() else None
    return CBFMap(cbf, stderr)


def _read_t10(
    options: DCEOptions, image: Image, files: list[Path], overrides: dict[str, object]
) -> tuple[float | np.ndarray | VFA, object]:
    """T1 before contrast as given, and what to call it."""
    if (options.vfa is None) == (options.t10 is None):
        problem = "is not known" if options.vfa is None else "is given by both --vfa and --t10"
        raise InputError(image.path, "T10", problem, "give either --vfa or --t10 (seconds or a map)")
    if options.vfa is not None:
        return read_vfa(options.vfa, image, files, overrides), options.vfa[0]
    text = str(options.t10)
    try:
        return float(text), "--t10"
    except ValueError:
        path = Path(text)
    if not path.is_file():
        raise InputError("--t10", text, "is neither a number nor a file", "give seconds, e.g. 1.2, or a map")
    return read_map(path, image, "T10 map", files), path


def _read_aif(
    options: DCEOptions, image: Image, sidecar: DCESidecar, haematocrit: float | None, files: list[Path]
) -> tuple[ArterialInput | np.ndarray | str, object]:
    """The input as asked for, and what to call it."""
    if options.aif in ("auto", *POPULATION):
        return options.aif, "--aif"
    path, _ = split_labels(options.aif)
    if not path.is_file():
        problem = f"is no file and none of auto, {', '.join(POPULATION)}"
        raise InputError("--aif", options.aif, problem, "give one of them, a curve.csv or a roi.nii.gz")
    if path.suffix.lower() == ".csv":
        files.append(path)
        times = np.asarray(sidecar.protocol.frame_centres)
        return read_aif_csv(path, kind=options.aif_is, haematocrit=haematocrit, series_times=times), path
    return read_region(options.aif, image, "arterial region", files), options.aif
